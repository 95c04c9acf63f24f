/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command after "--": started held, so that it is observed from its first instruction, then let go.
 */
#ifndef ZS_WATCH_CHILD_H
#define ZS_WATCH_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

struct child {
	pid_t pid;       /* 0: none */
	int go_fd;       /* write end: one byte lets it go */
	int error_fd;    /* read end: errno of a failed exec, or end of file */
	char path[4096]; /* of the program, as exec will find it */
	bool ended;
	int status; /* wait status once ended */
};

/* Fork and hold. Returns 0; -ENOENT, -EACCES and the like with a message when there is no such program. */
int child_start(struct child *child, char *const *argv, struct buf *message);

/* Let it run its program. Returns 0, or negative errno when exec failed (message says it). */
int child_go(struct child *child, const char *name, struct buf *message);

/* Has it ended? Collects its status. */
bool child_poll(struct child *child);

/* Ask it to end (SIGTERM) if it has not, and wait. No-op without a child. */
void child_stop(struct child *child);

/* Its exit status as a shell would give it: 128 + signal for a death by signal. */
int child_exit_status(const struct child *child);

#endif
