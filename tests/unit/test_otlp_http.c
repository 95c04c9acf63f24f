// SPDX-License-Identifier: Apache-2.0
/*
 * The OTLP transport against a receiver thread on loopback that answers as each test scripts:
 * success, partial success, retryable and final errors, no answer, silence. Every wait is for a
 * condition with a deadline.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "export/exporters.h"
#include "export/otlp_client.h"
#include "span_fixture.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define CLOSE    "" /* close the connection without an answer */
#define HANG     NULL

/* One answer per request, the last one for all that follow. */
struct receiver {
	int fd, port;
	const char *const *answers;
	size_t n_answers;
	size_t answer_len; /* of binary answers; 0: strlen */
	pthread_t thread;
	int wake[2]; /* closed to end the thread */
	atomic_int requests, connections;
	char head[4096]; /* of the last request */
	atomic_size_t body_len;
	uint64_t at_ns[8]; /* when each request was complete */
};

/* Wait for input. False when the test ends. */
static bool wait_readable(struct receiver *r, int fd)
{
	struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = r->wake[0], .events = POLLIN}};

	return poll(fds, 2, 60000) > 0 && !fds[1].revents;
}

/* Read one request completely. False at the end of the connection. */
static bool read_request(struct receiver *r, int fd)
{
	char data[1 << 19];
	size_t len = 0, want = 0;
	char *body = NULL;

	while (!body || len < want) {
		ssize_t n;

		if (len == sizeof(data) - 1 || !wait_readable(r, fd))
			return false;
		n = read(fd, data + len, sizeof(data) - 1 - len);
		if (n <= 0)
			return false;
		len += (size_t)n;
		data[len] = '\0';
		body = memmem(data, len, "\r\n\r\n", 4);
		if (body) {
			char *length = strcasestr(data, "\r\nContent-Length:");

			want = (size_t)(body + 4 - data) +
			    (length ? strtoul(length + 17, NULL, 10) : 0);
		}
	}
	atomic_store(&r->body_len, len - (size_t)(body + 4 - data));
	snprintf(r->head, sizeof(r->head), "%.*s", (int)(body + 4 - data), data);
	return true;
}

/* Answer the requests of one connection. */
static void serve(struct receiver *r, int fd)
{
	while (read_request(r, fd)) {
		size_t i = (size_t)atomic_load(&r->requests);
		const char *answer = r->answers[i < r->n_answers ? i : r->n_answers - 1];
		size_t len = answer ? r->answer_len ? r->answer_len : strlen(answer) : 0;

		if (i < 8)
			r->at_ns[i] = clock_monotonic_ns();
		atomic_fetch_add(&r->requests, 1);
		if (answer == HANG) {
			wait_readable(r, fd); /* until the client or the test gives up */
			return;
		}
		if (len == 0 || send(fd, answer, len, MSG_NOSIGNAL) != (ssize_t)len)
			return;
	}
}

static void *receiver_thread(void *arg)
{
	struct receiver *r = arg;

	while (wait_readable(r, r->fd)) {
		int fd = accept(r->fd, NULL, NULL);

		if (fd < 0)
			break;
		atomic_fetch_add(&r->connections, 1);
		serve(r, fd);
		close(fd);
	}
	return NULL;
}

static void receiver_start(struct receiver *r, const char *const *answers, size_t n)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	memset(r, 0, sizeof(*r));
	r->answers = answers;
	r->n_answers = n;
	r->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(r->fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(r->fd, 8), 0);
	assert_int_equal(getsockname(r->fd, (struct sockaddr *)&address, &len), 0);
	r->port = ntohs(address.sin_port);
	assert_int_equal(pipe(r->wake), 0);
	assert_int_equal(pthread_create(&r->thread, NULL, receiver_thread, r), 0);
}

static void receiver_stop(struct receiver *r)
{
	close(r->wake[1]);
	pthread_join(r->thread, NULL);
	close(r->wake[0]);
	close(r->fd);
}

static struct sink *start_sink(int port, uint64_t flush_ms)
{
	static char header[] = "api-key: s3cret", empty[] = "x-empty: ";
	char *headers[] = {header, empty};
	const struct clock_base clock = {.offset_ns = 1};
	struct otlp_options options = {.protocol = OTLP_HTTP_PROTOBUF,
	    .headers = headers,
	    .n_headers = 2,
	    .timeout_ms = 60000,
	    .queue = {.max_queue_items = 1000,
		.max_batch_items = 10,
		.linger_ns = 1,
		.flush_timeout_ns = flush_ms * NS_PER_MS},
	    .retry_initial_ms = 1,
	    .retry_max_ms = 2,
	    .retry_elapsed_ms = 60000};
	char url[64];
	struct sink *sink;

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1/traces", port);
	options.url = url;
	sink = export_otlp_new(&options, OTLP_TRACES, &clock);
	assert_non_null(sink);
	return sink;
}

static void publish(struct sink *sink, size_t n)
{
	struct trace *trace = fixture_plain_trace(n);

	sink_publish(sink, trace);
	trace_unref(trace);
}

/* Let other threads run until the condition holds; fails the test after a minute. */
#define await(condition)                                                  \
	do {                                                              \
		uint64_t deadline = clock_monotonic_ns() + 60 * NS_PER_S; \
		while (!(condition)) {                                    \
			const struct timespec tick = {.tv_nsec = 200000}; \
			assert_true(clock_monotonic_ns() < deadline);     \
			nanosleep(&tick, NULL);                           \
		}                                                         \
	} while (0)

static uint64_t settled(struct sink *sink)
{
	struct sink_stats stats;

	sink_stats(sink, &stats);
	return stats.delivered + stats.failed;
}

static void test_success_and_headers(void **state)
{
	static const char *const answers[] = {OK_EMPTY};
	struct sink_stats stats;
	struct receiver r;
	struct sink *sink;

	(void)state;
	receiver_start(&r, answers, 1);
	sink = start_sink(r.port, 10000);
	for (uint64_t i = 1; i <= 3; i++) {
		publish(sink, 2);
		await(settled(sink) == 2 * i);
	}
	sink_close(sink, &stats);
	receiver_stop(&r);
	assert_int_equal(stats.delivered, 6);
	assert_int_equal(stats.failed, 0);
	assert_int_equal(atomic_load(&r.connections), 1); /* kept alive */
	assert_true(atomic_load(&r.body_len) > 100);
	assert_int_equal(strncmp(r.head, "POST /v1/traces HTTP/1.1\r\n", 26), 0);
	assert_non_null(strstr(r.head, "\r\nContent-Type: application/x-protobuf\r\n"));
	assert_non_null(strstr(r.head,
	    "\r\nUser-Agent: zerospan/" ZEROSPAN_VERSION " OTel-OTLP-Exporter-C/" ZEROSPAN_VERSION
	    "\r\n"));
	assert_non_null(strstr(r.head, "\r\napi-key: s3cret\r\n"));
	assert_non_null(strstr(r.head, "\r\nx-empty:\r\n"));
	assert_null(strstr(r.head, "Expect"));
	assert_null(strcasestr(r.head, "Accept-Encoding")); /* answers are not decompressed */
}

/* Deliver one batch of ten spans against these answers and return the numbers. */
static struct sink_stats run_script(
    struct receiver *r, const char *const *answers, size_t n, size_t answer_len)
{
	struct sink_stats stats;
	struct sink *sink;

	receiver_start(r, answers, n);
	r->answer_len = answer_len;
	sink = start_sink(r->port, 10000);
	publish(sink, 10);
	await(settled(sink) == 10);
	sink_close(sink, &stats);
	receiver_stop(r);
	return stats;
}

static void test_retries(void **state)
{
	static const char *const answers[] = {
	    "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
	    "HTTP/1.1 429 Slow\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
	    "Content-Length: 0\r\n\r\n",
	    CLOSE,
	    "HTTP/1.1 502 Bad\r\nRetry-After: nonsense\r\nContent-Length: 0\r\n\r\n",
	    "HTTP/1.1 504 Late\r\nContent-Length: 0\r\n\r\n",
	    OK_EMPTY,
	};
	struct sink_stats stats;
	struct receiver r;

	(void)state;
	stats = run_script(&r, answers, 6, 0);
	assert_int_equal(stats.delivered, 10);
	assert_int_equal(atomic_load(&r.requests), 6);
}

static void test_retry_after_is_honoured(void **state)
{
	static const char *const answers[] = {
	    "HTTP/1.1 503 Busy\r\nretry-after: 1\r\nContent-Length: 0\r\n\r\n", OK_EMPTY};
	struct sink_stats stats;
	struct receiver r;

	(void)state;
	stats = run_script(&r, answers, 2, 0);
	assert_int_equal(stats.delivered, 10);
	assert_true(r.at_ns[1] - r.at_ns[0] >= NS_PER_S);
}

/* The last warning. */
static char told[256];

static void keep_told(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	assert_int_equal(level, LOG_LEVEL_WARN);
	snprintf(told, sizeof(told), "%s", text);
}

/* No second attempt; and what the server says is told, in one line. */
static void test_final_errors(void **state)
{
	static const char *const finals[] = {
	    "HTTP/1.1 400 Bad\r\nContent-Length: 7\r\n\r\n\x08\x03\x12\x03"
	    "b\nd",
	    "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\n<h1>",
	    "HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n",
	    "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
	};
	static const char *const words[] = {"400: b d", "500", "408", "302"};
	char line[256];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct sink_stats stats;
		struct receiver r;

		log_set_observer(keep_told, NULL);
		stats = run_script(&r, &finals[i], 1, 0);
		log_set_observer(NULL, NULL);
		snprintf(line, sizeof(line),
		    "sending 10 spans to http://127.0.0.1:%d/v1/traces: the server answered %s (0 earlier messages not shown)",
		    r.port, words[i]);
		assert_string_equal(told, line);
		assert_int_equal(stats.failed, 10);
		assert_int_equal(atomic_load(&r.requests), 1);
	}
}

/* More than 4 MiB of answer is a failure, not a reason to try again. */
static void test_huge_answer(void **state)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n";
	size_t len = sizeof(head) - 1 + 5000000;
	char *answer = calloc(1, len);
	const char *const answers[] = {answer};
	struct sink_stats stats;
	struct receiver r;

	(void)state;
	memcpy(answer, head, sizeof(head) - 1);
	stats = run_script(&r, answers, 1, len);
	assert_int_equal(stats.failed, 10);
	assert_int_equal(atomic_load(&r.requests), 1);
	free(answer);
}

static void test_partial_success(void **state)
{
	/* partial_success{rejected_spans=3, error_message="no"}; {message}; {-1}; {2^40}; garbage */
	static const char *const answers[] = {
	    "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n\x0a\x06\x08\x03\x12\x02no",
	    "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n\x0a\x04\x12\x02no",
	    "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n"
	    "\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
	    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\x0a\x07\x08\x80\x80\x80\x80\x80\x20",
	    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\xff\xff\xff\xff",
	    "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
	};
	static const uint64_t failed[] = {3, 0, 0, 10, 0, 0};

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct receiver r;
		struct sink_stats stats = run_script(&r, &answers[i], 1, 0);

		assert_int_equal(stats.failed, failed[i]);
		assert_int_equal(stats.delivered, 10 - failed[i]);
		assert_int_equal(atomic_load(&r.requests), 1);
	}
}

/* A collector that never answers holds up the end for the flush time only. */
static void test_hanging_backend(void **state)
{
	static const char *const answers[] = {HANG};
	struct sink_stats stats;
	struct receiver r;
	struct sink *sink;
	uint64_t begin;

	(void)state;
	receiver_start(&r, answers, 1);
	sink = start_sink(r.port, 1);
	publish(sink, 10);
	await(atomic_load(&r.requests) == 1);
	publish(sink, 10);
	begin = clock_monotonic_ns();
	sink_close(sink, &stats);
	assert_true(clock_monotonic_ns() - begin < 30 * NS_PER_S); /* the request's limit is 60 s */
	assert_int_equal(stats.failed, 10);
	assert_int_equal(stats.dropped, 10);
	receiver_stop(&r);
}

/* Nobody listens: retried, memory bounded by the queue, the end still quick. */
static void test_dead_backend(void **state)
{
	static const char *const answers[] = {CLOSE};
	struct sink_stats stats;
	struct receiver r;
	struct sink *sink;

	(void)state;
	receiver_start(&r, answers, 1);
	receiver_stop(&r); /* its port is free again */
	sink = start_sink(r.port, 1);
	for (int i = 0; i < 200; i++)
		publish(sink, 10);
	sink_stats(sink, &stats);
	assert_int_equal(stats.queued, 1000);
	assert_int_equal(stats.dropped, 1000);
	sink_close(sink, &stats);
	assert_int_equal(stats.delivered, 0);
	assert_int_equal(stats.failed + stats.dropped, 2000);
}

static bool never(void *ctx)
{
	(void)ctx;
	return false;
}

static bool no_sleep(void *ctx, uint64_t ns)
{
	(void)ctx;
	(void)ns;
	return false;
}

/* A client with these options, but of this receiver. */
static struct otlp_client *client_of(const struct receiver *r, const struct otlp_options *options)
{
	struct otlp_options mine = *options;
	struct otlp_client *client;
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1/traces", r->port);
	mine.url = url;
	client = otlp_client_new(&mine, OTLP_TRACES);
	assert_non_null(client);
	return client;
}

/* OTLP: what is longer than 64 MiB must not be sent. Compression does not count. */
static void test_huge_request(void **state)
{
	static const char *const answers[] = {OK_EMPTY};
	const struct otlp_waiter waiter = {.stopping = never, .sleep = no_sleep};
	struct otlp_options options = {
	    .protocol = OTLP_HTTP_PROTOBUF, .gzip = true, .timeout_ms = 10000};
	struct otlp_client *client;
	struct receiver r;
	struct buf request;

	(void)state;
	receiver_start(&r, answers, 1);
	client = client_of(&r, &options);
	buf_init(&request);
	assert_int_equal(buf_reserve(&request, (64 << 20) + 1), 0);
	memset(request.data, 0, (64 << 20) + 1);
	request.len = (64 << 20) + 1;
	assert_int_equal(otlp_client_send(client, &request, 5, &waiter), 0);
	assert_string_equal(otlp_client_error(client), "request_too_long");
	assert_int_equal(atomic_load(&r.connections), 0);
	request.len--;
	assert_int_equal(otlp_client_send(client, &request, 5, &waiter), 5);
	assert_int_equal(atomic_load(&r.requests), 1);
	assert_in_range(atomic_load(&r.body_len), 1, 1 << 20);
	otlp_client_free(client);
	receiver_stop(&r);
	buf_release(&request);
}

/* A waiter that does not wait, and keeps what it was asked to. */
struct waits {
	uint64_t ns[8];
	size_t n;
};

static bool keep_wait(void *ctx, uint64_t ns)
{
	struct waits *waits = ctx;

	waits->ns[waits->n++] = ns;
	return waits->n < 8;
}

/* The waits before further attempts at a server that is never ready, with this first interval; 0: the default. */
static struct waits waits_of(uint64_t initial_ms)
{
	static const char *const answers[] = {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"};
	struct waits waits = {0};
	const struct otlp_waiter waiter = {.stopping = never, .sleep = keep_wait, .ctx = &waits};
	struct otlp_options options = {
	    .protocol = OTLP_HTTP_PROTOBUF, .timeout_ms = 10000, .retry_initial_ms = initial_ms};
	struct otlp_client *client;
	struct receiver r;
	struct buf request;

	receiver_start(&r, answers, 1);
	client = client_of(&r, &options);
	buf_init(&request);
	buf_append_cstr(&request, "some");
	assert_int_equal(otlp_client_send(client, &request, 5, &waiter), 0);
	assert_string_equal(otlp_client_error(client), "503");
	otlp_client_free(client);
	receiver_stop(&r);
	buf_release(&request);
	return waits;
}

/* 5 s, then half as much again up to 30 s, give or take a half; nothing is older than 5 min. */
static void test_default_backoff(void **state)
{
	static const uint64_t interval_ms[] = {
	    5000, 7500, 11250, 16875, 25312, 30000, 30000, 30000};
	struct waits waits = waits_of(0);

	(void)state;
	assert_int_equal(waits.n, 8);
	for (size_t i = 0; i < 8; i++)
		assert_in_range(waits.ns[i], interval_ms[i] * NS_PER_MS / 2,
		    interval_ms[i] * NS_PER_MS * 3 / 2);
	assert_int_equal(waits_of(195000).n, 8); /* up to 292.5 s */
	assert_int_equal(waits_of(610000).n, 0); /* 305 s at least */
}

static bool at_once(void *ctx)
{
	(void)ctx;
	return true;
}

/* Why a request was not taken as a whole, as the last attempt ended. */
static void test_error_types(void **state)
{
	static const char *const answers[] = {
	    CLOSE, /* first: on a connection that was used before, libcurl would try again itself */
	    "HTTP/1.1 404 Where\r\nContent-Length: 0\r\n\r\n",
	    "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\x0a\x02\x08\x02",
	    HANG,
	};
	static const struct {
		size_t taken;
		const char *error;
	} wanted[] = {
	    {0, "connection_broken"}, {0, "404"}, {0, "503"}, {3, "rejected"}, {0, "timeout"}};
	const struct otlp_waiter waiter = {.stopping = never, .sleep = no_sleep};
	const struct otlp_waiter hurry = {.stopping = at_once, .sleep = no_sleep};
	struct otlp_options options = {.protocol = OTLP_HTTP_PROTOBUF, .timeout_ms = 60000};
	struct otlp_client *client;
	struct receiver r;
	struct buf request;

	(void)state;
	receiver_start(&r, answers, 5);
	client = client_of(&r, &options);
	buf_init(&request);
	buf_append_cstr(&request, "some");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (answers[i] == HANG) { /* the others may be slow */
			options.timeout_ms = 500;
			otlp_client_free(client);
			client = client_of(&r, &options);
		}
		assert_int_equal(otlp_client_send(client, &request, 5, &waiter), wanted[i].taken);
		assert_string_equal(otlp_client_error(client), wanted[i].error);
	}
	receiver_stop(&r);
	assert_int_equal(otlp_client_send(client, &request, 5, &waiter), 0);
	assert_string_equal(otlp_client_error(client), "connection_failed");
	assert_int_equal(otlp_client_send(client, &request, 5, &hurry), 0);
	assert_string_equal(otlp_client_error(client), "cancelled");
	otlp_client_free(client);
	buf_release(&request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_success_and_headers),
	    cmocka_unit_test(test_retries),
	    cmocka_unit_test(test_retry_after_is_honoured),
	    cmocka_unit_test(test_final_errors),
	    cmocka_unit_test(test_huge_answer),
	    cmocka_unit_test(test_huge_request),
	    cmocka_unit_test(test_error_types),
	    cmocka_unit_test(test_default_backoff),
	    cmocka_unit_test(test_partial_success),
	    cmocka_unit_test(test_hanging_backend),
	    cmocka_unit_test(test_dead_backend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
