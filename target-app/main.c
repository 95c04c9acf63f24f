// SPDX-License-Identifier: Apache-2.0
/*
 * The shop: puts settings, database, audit and one concurrency model together and runs until
 * SIGTERM or SIGINT.
 */
#include "audit.h"
#include "log.h"
#include "model.h"
#include "settings.h"
#include "store.h"

#include <curl/curl.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 511

/*
 * How long a contested update waits for the lock. The blocking models let SQLite try again for a
 * moment; the event loop must not.
 */
#define CONTESTED_WAIT_MS 15

static const struct {
	const char *name;
	model_run run;
	int contested_wait_ms;
} models[] = {
    {"thread-per-connection", model_threads_run, CONTESTED_WAIT_MS},
    {"pool", model_pool_run, CONTESTED_WAIT_MS},
    {"event-loop", model_loop_run, 0},
};

/* A descriptor that becomes readable on SIGTERM and SIGINT, which no thread receives any more. */
static int open_stop_fd(void)
{
	sigset_t stop;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	return signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int bind_and_listen(const struct addrinfo *address)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/* Listens as configured and writes the port really used back to the settings. */
static int open_listener(struct settings *settings)
{
	struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *address = NULL;
	struct sockaddr_storage own;
	socklen_t own_len = sizeof(own);
	char service[16];
	int fd = -EINVAL;

	snprintf(service, sizeof(service), "%d", settings->port);
	if (getaddrinfo(settings->bind, service, &hints, &address) == 0) {
		fd = bind_and_listen(address);
		freeaddrinfo(address);
	}
	if (fd < 0) {
		fprintf(stderr, "shop: listening on '%s' port %d: %s\n", settings->bind,
		    settings->port, strerror(-fd));
		return fd;
	}
	if (getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 &&
	    getnameinfo((struct sockaddr *)&own, own_len, NULL, 0, service, sizeof(service),
		NI_NUMERICSERV) == 0)
		settings->port = atoi(service);
	return fd;
}

/* Where this shop reaches itself: the address it listens on, or loopback if that is "any". */
static void default_inventory_url(struct settings *settings)
{
	const char *host = settings->bind;
	char url[sizeof(settings->inventory_url)];

	if (settings->inventory_url[0])
		return;
	if (strcmp(host, "0.0.0.0") == 0)
		host = "127.0.0.1";
	else if (strcmp(host, "::") == 0)
		host = "::1";
	snprintf(url, sizeof(url), strchr(host, ':') ? "http://[%.64s]:%d" : "http://%.64s:%d",
	    host, settings->port);
	memcpy(settings->inventory_url, url, sizeof(url));
}

static int create_database(const struct store_config *config)
{
	int rc = store_create_schema(config);

	if (rc == 0)
		return 0;
	fprintf(stderr, "shop: opening database '%s': %s\n", config->path, sqlite3_errstr(-rc));
	return -EIO;
}

static int run_model(const struct settings *settings, size_t model, int listen_fd, int stop_fd)
{
	struct turn write_turn;
	struct model_context context = {.listen_fd = listen_fd,
	    .stop_fd = stop_fd,
	    .workers = settings->workers,
	    .desk = {.store = {.path = settings->database,
			 .wal = settings->wal,
			 .contested_wait_ms = models[model].contested_wait_ms,
			 .write_turn = &write_turn},
		.inventory_url = settings->inventory_url}};
	int err;

	turn_init(&write_turn);
	err = create_database(&context.desk.store);
	if (err == 0) {
		context.desk.audit = audit_new(&context.desk.store);
		err = context.desk.audit ? 0 : -ENOMEM;
	}
	if (err == 0) {
		log_listening(settings->bind, settings->port, settings->model, settings->workers);
		err = models[model].run(&context);
	}
	audit_free(context.desk.audit);
	turn_release(&write_turn);
	return err;
}

int main(int argc, char **argv)
{
	struct settings settings;
	size_t model = 0;
	int stop_fd = open_stop_fd();
	int listen_fd;
	int err = settings_read(argc, argv, &settings);

	if (err)
		return err > 0 ? 0 : 2;
	while (strcmp(models[model].name, settings.model) != 0)
		model++;
	listen_fd = open_listener(&settings);
	if (listen_fd < 0)
		return 1;
	default_inventory_url(&settings);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	err = run_model(&settings, model, listen_fd, stop_fd);
	curl_global_cleanup();
	close(stop_fd);
	if (err == 0)
		log_message("info", "stopped");
	return err ? 1 : 0;
}
