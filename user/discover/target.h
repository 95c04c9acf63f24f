/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which processes the user asked for: the selectors of the command line, the processes they mean
 * when zerospan starts, and whether a process that starts later is one of them. zerospan itself,
 * kernel threads and 32-bit programs never are. Knows nothing of how processes are observed.
 */
#ifndef ZS_DISCOVER_TARGET_H
#define ZS_DISCOVER_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "discover/proc.h"

enum target_kind {
	TARGET_INVALID = 0,
	TARGET_PID = 1,
	TARGET_NAME = 2, /* comm, or the executable's base name */
	TARGET_EXE = 3,  /* glob over the executable's path, fnmatch(3) without flags */
	TARGET_PORT = 4, /* listens on this TCP port */
};

struct target_selector {
	enum target_kind kind;
	char *text;           /* as given */
	uint32_t number;      /* the pid or port */
	uint64_t start_ticks; /* TARGET_PID: which process of this pid; 0 until resolved */
};

struct target_set {
	struct target_selector *items;
	size_t n;
	pid_t self; /* zerospan's own pid, never a target */
};

void target_set_init(struct target_set *set, pid_t self);
void target_set_release(struct target_set *set);

/* Add a selector; text is copied. -EINVAL for a pid or port that is none or an empty name, -E2BIG
 * beyond 256 selectors, -ENOMEM. */
int target_set_add(struct target_set *set, enum target_kind kind, const char *text);

bool target_set_has(const struct target_set *set, enum target_kind kind);

enum {
	TARGET_PATH_SIZE = 4096,
	TARGET_PORTS_MAX = 64, /* a server listens on a few; the lowest are kept */
};

/* What selectors look at. */
struct target_facts {
	pid_t pid;
	uint64_t start_ticks;
	bool kernel_thread;
	int elf_bits; /* 32 or 64; 0: not known */
	char comm[PROC_COMM_SIZE];
	char exe[TARGET_PATH_SIZE]; /* "": not known */
	uint16_t ports[TARGET_PORTS_MAX];
	size_t n_ports;
};

/* Read the facts of a process, its ports only with_ports: they cost a walk over its descriptors.
 * Returns 0 or -ESRCH (zombies too). */
int target_facts_read(pid_t pid, bool with_ports, struct target_facts *ret_facts);

/* Why a process can never be a target. */
enum target_refusal {
	TARGET_REFUSAL_NONE = 0,
	TARGET_REFUSAL_SELF = 1,
	TARGET_REFUSAL_KERNEL_THREAD = 2,
	TARGET_REFUSAL_32BIT = 3,
};

enum target_refusal target_refuses(const struct target_set *set, const struct target_facts *facts);

/* Whether one selector means a process, refused or not. */
bool target_selects(const struct target_selector *selector, const struct target_facts *facts);

/*
 * Whether a process is wanted; *ret_why is the selector that says so (borrowed from the set). A pid
 * that was used again by another process after target_resolve() is not wanted.
 */
bool target_match(const struct target_set *set, const struct target_facts *facts,
    const struct target_selector **ret_why);

/* Processes, each once. */
struct target_pids {
	pid_t *items;
	size_t n;
};

void target_pids_release(struct target_pids *pids);

/*
 * Collect into pids the running processes that the selectors mean. -ESRCH when a selector means
 * none; message then has one clause for each such selector ("no process is named 'foo'; nobody
 * listens on port 8001"), and pids has what the others found. Other failures: -ENOMEM, -EACCES.
 */
int target_resolve(struct target_set *set, struct target_pids *pids, struct buf *message);

#endif
