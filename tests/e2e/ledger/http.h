/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Just enough of HTTP/1.1 for servers on loopback: requests without bodies whose target says what to do, answers that say
 * "ok".
 *
 *	GET /17?burn=20&sleep=30 HTTP/1.1
 */
#ifndef ZS_TEST_HTTP_H
#define ZS_TEST_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#define REQUEST_STEPS 16
#define REQUEST_BYTES 1024

struct request_step {
	char name[16];
	unsigned value;
};

struct request {
	char path[32];
	size_t n_steps;
	struct request_step steps[REQUEST_STEPS]; /* of the query, in order */
};

/* A socket that listens on a free port, which is printed; the program ends where there is none. */
int http_listen(void);

/* The next connection, likewise. */
int http_accept(int listener);

/* A connection to a port of this host, likewise. */
int http_connect(unsigned port);

/*
 * The next request of a connection, in one read or in several. False: the connection ended. The program ends at a request that it
 * does not understand.
 */
bool http_read_request(int fd, struct request *ret_request);

/* Say "ok". */
void http_answer(int fd);

/* Send a request; its answer is http_read_answer()'s. */
void http_ask(int fd, const char *target);

/* The whole answer "ok". The program ends at any other. */
void http_read_answer(int fd);

#endif
