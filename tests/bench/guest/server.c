// SPDX-License-Identifier: Apache-2.0
/*
 * The measured server: HTTP/1.1 keep-alive, a thread per connection, one recv() and one send() per request. It counts its
 * requests, and says how many at the end (SIGTERM).
 *
 *	guest server PORT
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest.h"

#define HEAD_MAX   4096
#define STACK_SIZE (64 * 1024)

static const char answer[] = "HTTP/1.1 200 OK\r\n"
			     "Content-Type: text/plain\r\n"
			     "Content-Length: 13\r\n"
			     "Connection: keep-alive\r\n"
			     "\r\n"
			     "Hello, world\n";

static atomic_ulong requests;

/* The requests of one connection; only heads, no bodies. */
static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char head[HEAD_MAX + 1];
	size_t have = 0;

	for (;;) {
		ssize_t n = recv(fd, head + have, HEAD_MAX - have, 0);
		char *end;

		if (n <= 0)
			break;
		have += (size_t)n;
		head[have] = '\0';
		while ((end = strstr(head, "\r\n\r\n"))) {
			atomic_fetch_add(&requests, 1);
			if (net_send_all(fd, answer, sizeof(answer) - 1))
				break;
			have -= (size_t)(end + 4 - head);
			memmove(head, end + 4, have + 1);
		}
		if (have == HEAD_MAX)
			break;
	}
	close(fd);
	return NULL;
}

static void *accept_all(void *arg)
{
	int listener = (int)(intptr_t)arg, one = 1, fd;
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (pthread_create(&thread, &attr, serve, (void *)(intptr_t)fd)) {
			perror("server: thread");
			close(fd);
		}
	}
	perror("server: accept");
	return NULL;
}

int server_main(int argc, char **argv)
{
	int listener = argc == 1 ? net_listen(atoi(argv[0])) : -1, number;
	pthread_t thread;
	sigset_t set;

	yield_to_others();
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (listener < 0 || pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)listener)) {
		fprintf(stderr, "usage: guest server PORT\n");
		return 2;
	}
	printf("listening\n");
	fflush(stdout);
	sigwait(&set, &number);
	printf("requests %lu\n", atomic_load(&requests));
	return 0;
}
