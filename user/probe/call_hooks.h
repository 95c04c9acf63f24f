/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the kernel side is hooked to system calls. The same programs hang on one of two kinds of hooks:
 *
 *	tracepoints   the typed system call tracepoints: every kernel has them
 *	functions     entry and return of the kernel functions behind the calls: never preempted
 *
 * Tracepoints are taken unless programs on them are preemptible, which makes the kernel skip some of their runs (Linux 7.2;
 * see bpf/README.md). Then functions are, if the kernel keeps the return addresses of hooked functions on a stack of each
 * task (Linux 6.14, commit 4346ba160409 "fprobe: Rewrite fprobe on function-graph tracer"). Before, it kept them in a pool that
 * threads waiting in calls use up, and returns went unseen.
 */
#ifndef ZS_PROBE_CALL_HOOKS_H
#define ZS_PROBE_CALL_HOOKS_H

#include <stdbool.h>

#include "base/buf.h"

struct bpf_link;
struct btf;
struct zerospan_bpf;

enum call_hooks_kind {
	CALL_HOOKS_INVALID = 0,
	CALL_HOOKS_TRACEPOINTS = 1,
	CALL_HOOKS_FUNCTIONS = 2,
};

enum {
	CALL_HOOKS_MAX = 48, /* twice the rows of syscalls.c, and close */
};

struct call_hooks {
	enum call_hooks_kind kind;
	/* Programs on tracepoints are preemptible: of those that hang there the kernel will skip some runs. */
	bool preemptible;
	const char
	    *functions[CALL_HOOKS_MAX]; /* by row of syscalls.c, NULL: this kernel lacks it */
	struct bpf_link *links[CALL_HOOKS_MAX];
	size_t n_links;
	struct buf missing; /* names of what this kernel lacks, separated by spaces */
};

/* Find out what this kernel offers, of which kernel are the types, and set which programs of the open skeleton are to be loaded. */
void call_hooks_init(struct call_hooks *hooks, struct zerospan_bpf *skel, const struct btf *kernel);
void call_hooks_release(struct call_hooks *hooks); /* the links are not destroyed: see links */

/*
 * Attach the loaded programs. On failure negative errno, -ENOTSUP with a message when the kernel lacks what is
 * required; what is attached by then is in links.
 */
int call_hooks_attach(
    struct call_hooks *hooks, const struct zerospan_bpf *skel, struct buf *message);

#endif
