/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zerospan's own messages as log records. While it exists, each line that is logged goes to the given
 * sinks as a record of its own, except the lines of threads that deliver log records (log_hide_thread).
 */
#ifndef ZS_DIAGNOSTICS_H
#define ZS_DIAGNOSTICS_H

#include "export/sink.h"

#define DIAGNOSTICS_MAX_SINKS 8

struct diagnostics;

/*
 * Begin: sinks are n (up to DIAGNOSTICS_MAX_SINKS) that take log records and are not patient; they stay
 * the caller's and outlive it. self is zerospan as a service; a reference is taken. There is one at a
 * time. NULL and errno.
 */
struct diagnostics *diagnostics_new(struct service *self, struct sink *const *sinks, size_t n);

/* Lines that became no record for lack of memory. What a queue refuses its sink counts. NULL: none. */
uint64_t diagnostics_lost(const struct diagnostics *diagnostics);

/* End: no line is in a sink's hands that was not published. Before the sinks are closed; NULL is fine. */
void diagnostics_free(struct diagnostics *diagnostics);

#endif
