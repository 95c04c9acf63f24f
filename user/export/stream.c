// SPDX-License-Identifier: Apache-2.0
/*
 * Sinks that write text to a file descriptor: trees for people, OTLP/JSON lines for programs. A
 * reader that stalls (a stopped pager, a full pipe) costs only this sink's queue and never the end
 * of the program.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "export/exporters.h"

enum {
	STREAM_QUEUE_SPANS = 16384, /* some 20 MB of spans at 1.2 KB */
	STREAM_BATCH_SPANS = 512,
	STREAM_FLUSH_MS = 2000,
	STREAM_POLL_MS = 100, /* a stalled reader is noticed at the end within this time */
	/* A pipe that polls writable takes this many bytes (PIPE_BUF) without blocking. */
	STREAM_PIPE_CHUNK = 4096,
};

struct stream {
	void (*encode)(struct stream *stream, struct trace *const *traces, size_t n);
	struct buf out;
	int fd;
	bool owns_fd;
	bool may_block; /* not a regular file */
	bool line_open; /* the last write failed inside a line */
	bool colour;
	struct clock_base clock;
	struct log_limit limit;
};

/* Returns 0, -ECANCELED when the sink stops first, or -errno. */
static int stream_write(struct stream *stream, struct sink *sink)
{
	size_t done = 0;
	int err = 0;

	while (done < stream->out.len && !err) {
		struct pollfd pfd = {.fd = stream->fd, .events = POLLOUT};
		size_t len = stream->out.len - done;
		ssize_t n;

		if (stream->may_block && poll(&pfd, 1, STREAM_POLL_MS) == 0) {
			if (sink_stopping(sink))
				err = -ECANCELED;
			continue;
		}
		if (stream->may_block && len > STREAM_PIPE_CHUNK)
			len = STREAM_PIPE_CHUNK;
		n = write(stream->fd, stream->out.data + done, len);
		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno != EINTR && errno != EAGAIN)
			err = -errno;
	}
	if (done)
		stream->line_open = stream->out.data[done - 1] != '\n';
	return err;
}

static size_t stream_deliver(
    void *driver, struct sink *sink, struct trace *const *traces, size_t n, size_t *ret_failed)
{
	struct stream *stream = driver;
	size_t n_spans = 0;
	uint64_t suppressed;
	int err;

	for (size_t i = 0; i < n; i++)
		n_spans += traces[i]->n_spans;
	buf_clear(&stream->out);
	if (stream->line_open)
		buf_append_char(&stream->out, '\n');
	stream->encode(stream, traces, n);
	err = stream->out.failed ? -ENOMEM : stream_write(stream, sink);
	if (!err)
		return n_spans;
	if (err != -ECANCELED && log_limit_pass(&stream->limit, clock_monotonic_ns(), &suppressed))
		log_warn("writing traces: %s (%llu earlier failures not shown)", strerror(-err),
		    (unsigned long long)suppressed);
	*ret_failed = n_spans;
	return 0;
}

static void stream_free(void *driver)
{
	struct stream *stream = driver;

	if (stream->owns_fd)
		close(stream->fd);
	buf_release(&stream->out);
	free(stream);
}

static void stream_encode_tree(struct stream *stream, struct trace *const *traces, size_t n)
{
	for (size_t i = 0; i < n; i++)
		encode_tree(&stream->out, traces[i], stream->colour);
}

/* A line per trace: what is written depends on the traces alone, not on how many the queue held. */
static void stream_encode_json(struct stream *stream, struct trace *const *traces, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		encode_otlp_json(&stream->out, traces + i, 1, &stream->clock);
		buf_append_char(&stream->out, '\n');
	}
}

static const struct sink_driver console_driver = {
    .name = "console", .deliver = stream_deliver, .free = stream_free};
static const struct sink_driver file_driver = {
    .name = "file", .deliver = stream_deliver, .free = stream_free};

static struct sink *stream_new(const struct sink_driver *ops, const struct stream *model)
{
	const struct sink_options options = {.max_queue_spans = STREAM_QUEUE_SPANS,
	    .max_batch_spans = STREAM_BATCH_SPANS,
	    .flush_timeout_ns = STREAM_FLUSH_MS * NS_PER_MS};
	struct stream *stream = malloc(sizeof(*stream));
	struct stat st;

	if (!stream) {
		if (model->owns_fd)
			close(model->fd);
		errno = ENOMEM;
		return NULL;
	}
	*stream = *model;
	stream->may_block = fstat(stream->fd, &st) != 0 || !S_ISREG(st.st_mode);
	return sink_new(ops, stream, &options);
}

struct sink *export_tree_new(int fd, bool colour, const struct clock_base *clock)
{
	const struct stream model = {
	    .encode = stream_encode_tree, .fd = fd, .colour = colour, .clock = *clock};

	return stream_new(&console_driver, &model);
}

struct sink *export_json_new(int fd, bool owns_fd, const struct clock_base *clock)
{
	const struct stream model = {
	    .encode = stream_encode_json, .fd = fd, .owns_fd = owns_fd, .clock = *clock};

	return stream_new(&file_driver, &model);
}
