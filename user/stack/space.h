/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the code of a process lies: its executable mappings, and the files behind them, opened when
 * an address in them is first asked for. Mappings are as /proc/PID/maps had them when last read; a
 * process that has ended keeps those it had.
 */
#ifndef ZS_STACK_SPACE_H
#define ZS_STACK_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "stack/binaries.h"

enum {
	SPACE_MAPS_MAX = 4096, /* executable ones */
	SPACE_FILES_MAX = 512,
};

struct space;

/* What is at an address. */
struct space_place {
	struct binary *binary; /* NULL: code without a file, or one that cannot be read */
	struct binary_user user;
	uint64_t address; /* in the binary, else in the file, else in memory */
	uint64_t load;    /* added to addresses of the binary it gives those in the process */
	const char *name; /* of the file, without directories; NULL: none */
};

/*
 * Read the mappings of a process. binaries: must outlive the space. Returns 0, -ESRCH, -EACCES,
 * -ENOMEM.
 */
int space_new(struct binaries *binaries, pid_t pid, uint64_t now_ns, struct space **ret_space);

void space_free(struct space *space); /* NULL is fine */

pid_t space_pid(const struct space *space);

/* Whether the process has been replaced: its pid used again, or another program executed. */
bool space_is_stale(const struct space *space);

/* Read the mappings again if they are older than that (ns). Failure keeps the old ones. */
void space_refresh(struct space *space, uint64_t now_ns, uint64_t age_ns);

/*
 * False when there is no executable mapping. What is returned is borrowed until the next refresh.
 */
bool space_find(struct space *space, uint64_t address, struct space_place *ret_place);

/*
 * Whether an address lies in what the kernel maps for its probes of user functions ("[uprobes]",
 * kernel/events/uprobes.c): a return address that does stands in place of the true one.
 */
bool space_is_return_probe(const struct space *space, uint64_t address);

/*
 * Up to a page of the process as it is now; false when not all of it can be read, or is in memory:
 * it is not for us to wait until somebody brings it in.
 */
bool space_read(const struct space *space, uint64_t address, void *buf, size_t len);

/* Mappings and files beyond the limits, and files that could not be opened, so far. */
uint64_t space_refused(const struct space *space);

#endif
