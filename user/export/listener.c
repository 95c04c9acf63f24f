// SPDX-License-Identifier: Apache-2.0
/*
 * The HTTP listener for scrapes, by libmicrohttpd: GET and HEAD of /metrics, /healthz, /readyz and a
 * pointer at "/". Reads only; a scrape takes a snapshot and renders it on the server's thread, so a slow
 * client never holds a lock of the pipeline.
 */
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "export/accept.h"
#include "export/exporters.h"
#include "export/gzip.h"

enum {
	POOL_THREADS = 2,     /* a long rendering delays only every other scrape */
	MAX_CONNECTIONS = 64, /* scrapers, not the public */
	IDLE_TIMEOUT_S = 30,
	BACKLOG = 64,
};

/*
 * What a service counted that has ended is in all scrapes of a minute, Prometheus' longest usual interval, so that each of several
 * scrapers gets it, and in the first one after that; without any, it is kept for so long.
 */
#define SCRAPE_LINGER_NS (60 * NS_PER_S)
#define SCRAPE_KEEP_NS   (300 * NS_PER_S)

struct http_listener {
	struct MHD_Daemon *daemon;
	struct http_listener_options options;
	int reader; /* of the metrics */
	atomic_bool ready;
	int port;
};

struct field {
	struct sv name;
	struct buf value; /* empty: not sent */
};

static enum MHD_Result send_text(
    struct MHD_Connection *connection, unsigned status, const char *text, const char *allow)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
	    strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
	if (allow)
		MHD_add_response_header(response, "Allow", allow);
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* The value of a request's field, several lines of it as one; cut short without memory. */
static enum MHD_Result join_field(
    void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct field *field = ctx;

	(void)kind;
	if (!value || !sv_eq_nocase(sv_cstr(name), field->name))
		return MHD_YES;
	if (field->value.len)
		buf_append_char(&field->value, ',');
	buf_append_cstr(&field->value, value);
	return MHD_YES;
}

static struct field request_field(struct MHD_Connection *connection, struct sv name)
{
	struct field field = {.name = name};

	MHD_get_connection_values(connection, MHD_HEADER_KIND, join_field, &field);
	return field;
}

static const char *content_type(struct accepted accepted)
{
	if (!accepted.openmetrics)
		return "text/plain; version=0.0.4; charset=utf-8";
	return accepted.escaping
	    ? "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
	    : "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

/* Append what is measured now; body->failed tells of a lack of memory. */
static void render(struct http_listener *listener, bool openmetrics, struct buf *body)
{
	struct metric_snapshot *snapshot;

	snapshot = metrics_read(listener->options.metrics, listener->reader);
	if (!snapshot)
		body->failed = true;
	else if (openmetrics)
		encode_openmetrics(body, snapshot, &listener->options.clock);
	else
		encode_prometheus_text(body, snapshot);
	if (!body->failed && snapshot->time_ns > SCRAPE_LINGER_NS)
		metrics_reader_had(listener->options.metrics, listener->reader,
		    snapshot->time_ns - SCRAPE_LINGER_NS);
	metric_snapshot_free(snapshot);
}

/* Replace the body by its compressed form; false, and nothing changed, when there is no memory for it. */
static bool compress_body(struct buf *body)
{
	struct buf packed;

	buf_init(&packed);
	if (gzip_pack(&packed, buf_sv(body))) {
		buf_release(&packed);
		return false;
	}
	buf_release(body);
	*body = packed;
	return true;
}

static enum MHD_Result send_body(
    struct MHD_Connection *connection, struct buf *body, struct accepted accepted, bool packed)
{
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;

	if (!response) {
		buf_release(body);
		return MHD_NO;
	}
	MHD_add_response_header(response, "Content-Type", content_type(accepted));
	MHD_add_response_header(response, "Vary", "Accept, Accept-Encoding");
	if (packed)
		MHD_add_response_header(response, "Content-Encoding", "gzip");
	result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result send_metrics(
    struct http_listener *listener, struct MHD_Connection *connection)
{
	struct field accept = request_field(connection, SV("Accept"));
	struct field encoding = request_field(connection, SV("Accept-Encoding"));
	struct accepted accepted = accept_format(buf_sv(&accept.value));
	bool gzip = accept_gzip(buf_sv(&encoding.value));
	struct buf body;

	buf_release(&accept.value);
	buf_release(&encoding.value);
	buf_init(&body);
	render(listener, accepted.openmetrics, &body);
	if (body.failed) {
		buf_release(&body);
		return send_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n", NULL);
	}
	return send_body(connection, &body, accepted, gzip && compress_body(&body));
}

static enum MHD_Result send_ready(struct http_listener *listener, struct MHD_Connection *connection)
{
	if (atomic_load(&listener->ready))
		return send_text(connection, MHD_HTTP_OK, "ready\n", NULL);
	return send_text(
	    connection, MHD_HTTP_SERVICE_UNAVAILABLE, "probes are not in place yet\n", NULL);
}

static enum MHD_Result send_health(
    struct http_listener *listener, struct MHD_Connection *connection)
{
	(void)listener;
	return send_text(connection, MHD_HTTP_OK, "ok\n", NULL);
}

static enum MHD_Result send_pointer(
    struct http_listener *listener, struct MHD_Connection *connection)
{
	(void)listener;
	return send_text(connection, MHD_HTTP_OK,
	    "zerospan " ZEROSPAN_VERSION ": metrics are at /metrics\n", NULL);
}

static const struct page {
	const char *path;
	enum MHD_Result (*send)(struct http_listener *, struct MHD_Connection *);
} pages[] = {
    {"/metrics", send_metrics},
    {"/healthz", send_health},
    {"/readyz", send_ready},
    {"/", send_pointer},
};

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_len, void **state)
{
	const struct page *page = pages, *end = pages + sizeof(pages) / sizeof(pages[0]);

	(void)version;
	(void)upload;
	(void)upload_len;
	(void)state;
	while (page < end && strcmp(url, page->path) != 0)
		page++;
	if (page == end)
		return send_text(connection, MHD_HTTP_NOT_FOUND, "not found\n", NULL);
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return send_text(
		    connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD only\n", "GET, HEAD");
	return page->send(ctx, connection);
}

/* A listening socket on address:port, or -errno. */
static int listen_on(const char *address, int port)
{
	const struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
	struct addrinfo *info;
	char service[16];
	int one = 1;
	int fd, err;

	snprintf(service, sizeof(service), "%d", port);
	if (getaddrinfo(address, service, &hints, &info))
		return -EADDRNOTAVAIL;
	fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		err = -errno;
	} else {
		/* A restart must not wait for old connections in TIME_WAIT. */
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		err = bind(fd, info->ai_addr, info->ai_addrlen) || listen(fd, BACKLOG) ? -errno : 0;
	}
	freeaddrinfo(info);
	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return err;
}

static int port_of(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	char service[16];

	if (getsockname(fd, (struct sockaddr *)&address, &len) ||
	    getnameinfo((struct sockaddr *)&address, len, NULL, 0, service, sizeof(service),
		NI_NUMERICSERV))
		return 0;
	return atoi(service);
}

/* Returns 0 or negative errno. */
static int start(struct http_listener *listener)
{
	const struct http_listener_options *options = &listener->options;
	int fd = listen_on(options->address, options->port), err;

	if (fd < 0)
		return fd;
	listener->port = port_of(fd);
	errno = 0;
	listener->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL,
	    on_request, listener, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE,
	    (unsigned)POOL_THREADS, MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_END);
	if (listener->daemon)
		return 0;
	err = errno ? -errno : -ENOMEM;
	close(fd);
	return err;
}

struct http_listener *http_listener_new(const struct http_listener_options *options)
{
	struct http_listener *listener = calloc(1, sizeof(*listener));
	int err;

	if (!listener)
		return NULL;
	listener->options = *options;
	listener->reader =
	    metrics_add_reader(options->metrics, METRIC_READER_ON_DEMAND, SCRAPE_KEEP_NS);
	err = listener->reader < 0 ? listener->reader : start(listener);
	if (err) {
		http_listener_free(listener);
		errno = -err;
		return NULL;
	}
	listener->options.address = NULL; /* borrowed for this call only */
	return listener;
}

void http_listener_set_ready(struct http_listener *listener)
{
	if (listener)
		atomic_store(&listener->ready, true);
}

int http_listener_port(const struct http_listener *listener)
{
	return listener->port;
}

void http_listener_free(struct http_listener *listener)
{
	if (!listener)
		return;
	if (listener->daemon)
		MHD_stop_daemon(listener->daemon);
	if (listener->reader >= 0)
		metrics_remove_reader(listener->options.metrics, listener->reader);
	free(listener);
}
