// SPDX-License-Identifier: Apache-2.0
/*
 * One thread per connection: libmicrohttpd accepts, parses and gives every connection its own
 * thread, in which the request is served with blocking calls.
 */
#include "model.h"

#include "log.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DESKS_READY       4
#define CONNECTION_MEMORY (32 * 1024) /* libmicrohttpd's buffer: bounds the request head */

/* What all connection threads share. */
struct server {
	struct desk_rack *rack;
	atomic_int active;    /* requests being served */
	atomic_bool stopping; /* no keep-alive any more */
};

/* A request while its body arrives. */
struct upload {
	uint64_t start_ns;
	size_t len;  /* bytes received, counted beyond the limit as well */
	bool served; /* counted as active until the answer is sent */
	char body[SHOP_BODY_MAX];
};

static enum MHD_Result send_answer(
    struct MHD_Connection *connection, const struct shop_request *request, bool close_after)
{
	const char *text = request->answer ? request->answer : "";
	struct MHD_Response *response;
	enum MHD_Result result;

	response = MHD_create_response_from_buffer(
	    strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	if (request->allow)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, request->allow);
	if (close_after)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	result = MHD_queue_response(connection, (unsigned)request->status, response);
	MHD_destroy_response(response);
	return result;
}

/* Serves a complete request. */
static enum MHD_Result serve(struct server *server, struct MHD_Connection *connection,
    const char *path, const char *method, const struct upload *upload)
{
	struct shop_request request;
	struct desk *desk = NULL;
	enum MHD_Result result;

	atomic_fetch_add(&server->active, 1);
	shop_request_init(&request, method, path, upload->body, upload->len);
	if (upload->len > SHOP_BODY_MAX) {
		shop_refuse(&request, 413, "The body is larger than %d bytes", SHOP_BODY_MAX);
	} else {
		desk = desk_rack_take(server->rack);
		if (desk)
			desk_serve(desk, &request);
		else
			shop_refuse(&request, 503, "Out of resources");
	}
	log_request(method, path, request.status, log_clock_ns() - upload->start_ns);
	result = send_answer(connection, &request, atomic_load(&server->stopping));
	if (desk)
		desk_rack_put(server->rack, desk);
	shop_request_release(&request);
	return result;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
    const char *method, const char *version, const char *data, size_t *data_len, void **state)
{
	struct upload *upload = *state;

	(void)version;
	if (!upload) {
		upload = malloc(sizeof(*upload));
		if (!upload)
			return MHD_NO;
		upload->start_ns = log_clock_ns();
		upload->len = 0;
		upload->served = false;
		*state = upload;
		return MHD_YES;
	}
	if (*data_len == 0) {
		upload->served = true;
		return serve(arg, connection, path, method, upload);
	}
	if (upload->len > 16 * (size_t)SHOP_BODY_MAX)
		return MHD_NO;
	if (upload->len < SHOP_BODY_MAX) {
		size_t room = SHOP_BODY_MAX - upload->len;

		memcpy(upload->body + upload->len, data, *data_len < room ? *data_len : room);
	}
	upload->len += *data_len;
	*data_len = 0;
	return MHD_YES;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
    enum MHD_RequestTerminationCode code)
{
	struct server *server = arg;
	const struct upload *upload = *state;

	(void)connection;
	(void)code;
	if (upload && upload->served)
		atomic_fetch_sub(&server->active, 1);
	free(*state);
	*state = NULL;
}

static void on_message(void *arg, const char *format, va_list args)
{
	char text[256];

	(void)arg;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\r\n")] = '\0';
	log_message("warning", "%s", text);
}

static struct MHD_Daemon *start_daemon(struct server *server, int listen_fd)
{
	unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
	    MHD_USE_POLL | MHD_USE_ITC | MHD_USE_ERROR_LOG;

	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, server,
	    MHD_OPTION_EXTERNAL_LOGGER, on_message, NULL, MHD_OPTION_LISTEN_SOCKET,
	    (MHD_socket)listen_fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)MODEL_CONNECTIONS_MAX,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(MODEL_IDLE_MS / 1000),
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
}

/* Stops accepting, lets requests in progress end, stops. */
static void stop_daemon(struct MHD_Daemon *daemon, struct server *server)
{
	uint64_t end_ns = log_clock_ns() + MODEL_STOP_MS * 1000000ull;
	MHD_socket listen_fd = MHD_quiesce_daemon(daemon);

	atomic_store(&server->stopping, true);
	if (listen_fd != MHD_INVALID_SOCKET)
		close(listen_fd);
	while (atomic_load(&server->active) > 0 && log_clock_ns() < end_ns)
		poll(NULL, 0, 10);
	MHD_stop_daemon(daemon);
}

int model_threads_run(const struct model_context *context)
{
	struct server server = {.rack = desk_rack_new(&context->desk, DESKS_READY)};
	struct pollfd stop = {.fd = context->stop_fd, .events = POLLIN};
	struct MHD_Daemon *daemon;

	if (!server.rack)
		return -ENOMEM;
	daemon = start_daemon(&server, context->listen_fd);
	if (daemon) {
		while (poll(&stop, 1, -1) < 0 && errno == EINTR)
			continue;
		stop_daemon(daemon, &server);
	} else {
		log_message("error", "starting the HTTP server failed");
	}
	desk_rack_free(server.rack);
	return daemon ? 0 : -EIO;
}
