// SPDX-License-Identifier: Apache-2.0
/*
 * The HTTP listener for scrapes, by libmicrohttpd: GET and HEAD of /metrics, and a pointer to it at
 * "/". Reads only; a scrape takes a snapshot and renders it on the server's thread, so a slow
 * client never holds a lock of the pipeline.
 */
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "export/exporters.h"

enum {
	POOL_THREADS = 2,     /* a long rendering delays only every other scrape */
	MAX_CONNECTIONS = 64, /* scrapers, not the public */
	IDLE_TIMEOUT_S = 30,
	BACKLOG = 64,
};

struct http_listener {
	struct MHD_Daemon *daemon;
	struct http_listener_options options;
	int port;
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

static enum MHD_Result send_metrics(
    struct http_listener *listener, struct MHD_Connection *connection)
{
	struct metric_snapshot *snapshot;
	struct MHD_Response *response;
	enum MHD_Result result;
	struct buf body;

	if (listener->options.refresh)
		listener->options.refresh(listener->options.refresh_ctx);
	snapshot = metrics_snapshot(listener->options.metrics);
	buf_init(&body);
	if (snapshot)
		encode_prometheus_text(&body, snapshot);
	metric_snapshot_free(snapshot);
	if (!snapshot || body.failed) {
		buf_release(&body);
		return send_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n", NULL);
	}
	response = MHD_create_response_from_buffer(body.len, body.data, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		buf_release(&body);
		return MHD_NO;
	}
	MHD_add_response_header(
	    response, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_len, void **state)
{
	bool metrics = strcmp(url, "/metrics") == 0;

	(void)version;
	(void)upload;
	(void)upload_len;
	(void)state;
	if (!metrics && strcmp(url, "/") != 0)
		return send_text(connection, MHD_HTTP_NOT_FOUND, "not found\n", NULL);
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return send_text(
		    connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD only\n", "GET, HEAD");
	if (metrics)
		return send_metrics(ctx, connection);
	return send_text(connection, MHD_HTTP_OK,
	    "zerospan " ZEROSPAN_VERSION ": metrics are at /metrics\n", NULL);
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

struct http_listener *http_listener_new(const struct http_listener_options *options)
{
	struct http_listener *listener = calloc(1, sizeof(*listener));
	int fd;

	if (!listener)
		return NULL;
	fd = listen_on(options->address, options->port);
	if (fd < 0) {
		free(listener);
		errno = -fd;
		return NULL;
	}
	listener->options = *options;
	listener->options.address = NULL; /* borrowed for this call only */
	listener->port = port_of(fd);
	errno = 0;
	listener->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL,
	    on_request, listener, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE,
	    (unsigned)POOL_THREADS, MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_END);
	if (!listener->daemon) {
		int err = errno ? errno : ENOMEM;

		close(fd);
		free(listener);
		errno = err;
		return NULL;
	}
	return listener;
}

int http_listener_port(const struct http_listener *listener)
{
	return listener->port;
}

void http_listener_free(struct http_listener *listener)
{
	if (!listener)
		return;
	MHD_stop_daemon(listener->daemon);
	free(listener);
}
