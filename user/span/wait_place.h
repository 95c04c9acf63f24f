/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a thread waited: its stacks, told of a wait that was looked at while it lasted. Made when it is looked at, told soon
 * after, and shared by the spans that the wait belongs to.
 */
#ifndef ZS_SPAN_WAIT_PLACE_H
#define ZS_SPAN_WAIT_PLACE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/sv.h"
#include "span/ledger.h"

struct wait_place {
	atomic_int refs;
	bool told; /* final from now on; spans that are published have no other ones */
	/* Frames, innermost first, with '\n' between them; valid UTF-8, owned. Both empty: could not be told. */
	struct sv user, kernel;
};

/* With one reference, not told yet; NULL without memory. */
struct wait_place *wait_place_new(void);
struct wait_place *wait_place_ref(struct wait_place *place); /* NULL is fine */
void wait_place_unref(struct wait_place *place);             /* likewise */

/* Tell it, once; the texts are copied. Without memory it cannot be told. */
void wait_place_tell(struct wait_place *place, struct sv user, struct sv kernel);

/* The longest wait that is known of a span. */
struct span_wait {
	struct wait_place *place; /* a reference; NULL: none is known */
	enum ledger_state state;
	uint64_t ns; /* so long, at most */
};

#endif
