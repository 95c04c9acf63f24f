/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The paths behind SQLite connections, as somebody who is asked once can tell them; what cannot be told is asked for again. Knows no
 * processes, and time only as it is told.
 */
#ifndef ZS_DATABASES_H
#define ZS_DATABASES_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/hmap.h"
#include "base/sv.h"

/* Handles whose path is remembered; when full, all are forgotten and asked for again. */
#define DATABASES_MAX 4096

/*
 * How long it is taken as known that a path cannot be told: its connection may be just being opened, and closed soon. Each time that it cannot
 * be told again this becomes ten times as long, up to the second.
 */
#define DATABASES_WAIT_NS     NS_PER_MS
#define DATABASES_WAIT_MAX_NS NS_PER_S

/* An SQLite connection of a process, as a statement names it. */
struct database_handle {
	uint32_t pid;
	uint32_t
	    closes; /* how often one at this address was closed before: tells it from its predecessors */
	uint64_t db; /* address */
};

/* Path behind a handle, NUL-terminated; 0, or negative errno when it cannot be told. */
typedef int databases_ask(
    void *ctx, const struct database_handle *handle, char *ret_path, size_t len);

struct databases {
	struct hmap by_handle;
	databases_ask *ask;
	void *ctx;
};

void databases_init(struct databases *databases, databases_ask *ask, void *ctx);
void databases_release(struct databases *databases);

/* The path, empty when it is not known; borrowed until the next call. now_ns: CLOCK_MONOTONIC. */
struct sv databases_path(
    struct databases *databases, const struct database_handle *handle, uint64_t now_ns);

/* It can be told now: it is asked for at the next question, if it could not be before. */
void databases_told(struct databases *databases, const struct database_handle *handle);

/* Forget those of a process; 0: of all. */
void databases_forget(struct databases *databases, uint32_t pid);

#endif
