// SPDX-License-Identifier: Apache-2.0
/*
 * The interface of the concurrency models: each serves a listening socket until it is told to stop.
 */
#ifndef SHOP_MODEL_H
#define SHOP_MODEL_H

#include "desk.h"

#define MODEL_CONNECTIONS_MAX 1024  /* open client connections; further ones are closed at once */
#define MODEL_IDLE_MS         60000 /* a connection without a request for so long is closed */
#define MODEL_READ_MS         10000 /* a request must be complete this long after its first byte */
#define MODEL_STOP_MS         3000  /* for requests in progress when the shop shall end */

struct model_context {
	int listen_fd; /* listening, non-blocking; closed by the model */
	int stop_fd;   /* becomes readable when the shop shall end */
	int workers;   /* threads of the pool */
	struct desk_config desk;
};

/* Serves until stop_fd is readable. 0, or a negative errno when it could not start (logged). */
typedef int (*model_run)(const struct model_context *context);

int model_threads_run(const struct model_context *context);
int model_pool_run(const struct model_context *context);
int model_loop_run(const struct model_context *context);

#endif
