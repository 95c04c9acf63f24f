// SPDX-License-Identifier: Apache-2.0
/*
 * A chatty server that speaks no HTTP: answers every message of MESSAGE bytes with as many. One thread, one epoll. Prints
 * the port it listens on; ends with its standard input or by a signal.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE 32

static int listen_on_loopback(void)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 128) ||
	    getsockname(fd, (struct sockaddr *)&address, &size))
		return -1;
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

static void watch(int epoll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void serve(int epoll, int listener, int fd)
{
	char message[MESSAGE];
	int one = 1;
	ssize_t n;

	if (fd == listener) {
		fd = accept4(listener, NULL, NULL, 0);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		watch(epoll, fd);
		return;
	}
	n = read(fd, message, sizeof(message));
	if (n <= 0 || write(fd, message, (size_t)n) != n)
		close(fd);
}

int main(void)
{
	int epoll = epoll_create1(0), listener = listen_on_loopback();
	struct epoll_event events[64];

	if (epoll < 0 || listener < 0) {
		perror("chatty_server");
		return 1;
	}
	watch(epoll, listener);
	for (;;) {
		int n = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < n; i++)
			serve(epoll, listener, events[i].data.fd);
	}
}
