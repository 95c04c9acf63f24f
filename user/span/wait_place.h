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
#include "proto/trace_context.h"
#include "span/ledger.h"

/* How it is known who had the lock that a thread waited for. */
enum wait_evidence {
	WAIT_EVIDENCE_NONE = 0,  /* it is not known */
	WAIT_EVIDENCE_WOKEN = 1, /* it gave the lock back, and so ended the wait */
	WAIT_EVIDENCE_OWNER = 2, /* the lock named it as its owner during the wait */
};

/* "woken_by", "mutex_owner"; NULL for none. */
const char *wait_evidence_name(enum wait_evidence evidence);

/* Who was in the way, a thread. */
struct wait_culprit {
	enum wait_evidence evidence;
	uint32_t pid, tid;
	char name[48];            /* the thread's; valid UTF-8, as TASK_COMM_LEN bytes may become */
	struct trace_id trace_id; /* the request that it was serving, */
	struct span_id span_id;   /* zero: not known */
	bool asked, told;         /* its stack */
	struct sv user;    /* where it gave the lock back, or was during the wait; as below */
	struct sv request; /* what that request is called; valid UTF-8, owned; empty: not known */
};

struct wait_place {
	atomic_int refs;
	bool told;
	bool final; /* a span with it is published: it stays as it is */
	/* Frames, innermost first, with '\n' between them; valid UTF-8, owned. Both empty: could not be told. */
	struct sv user, kernel;
	struct wait_culprit culprit;
};

/* With one reference, not told yet; NULL without memory. */
struct wait_place *wait_place_new(void);
struct wait_place *wait_place_ref(struct wait_place *place); /* NULL is fine */
void wait_place_unref(struct wait_place *place);             /* likewise */

/* Tell it, once and before it is final; the texts are copied. Without memory it cannot be told. */
void wait_place_tell(struct wait_place *place, struct sv user, struct sv kernel);

/*
 * Somebody is known to be in the way. False if it is final, or if what is known of its culprit is surer; else the culprit is empty but for the
 * evidence.
 */
bool wait_place_begin_culprit(struct wait_place *place, enum wait_evidence evidence);

/* What its request is called: after the above. The text is copied. */
void wait_place_tell_request(struct wait_place *place, struct sv request);

/* Tell its culprit's stack, likewise; if meanwhile there is other evidence, it is not that one's. */
void wait_place_tell_culprit(struct wait_place *place, enum wait_evidence evidence, struct sv user);

/* Is there something yet to be told of it? */
bool wait_place_is_awaited(const struct wait_place *place);

/* The longest wait that is known of a span. */
struct span_wait {
	struct wait_place *place; /* a reference; NULL: none is known */
	enum ledger_state state;
	uint64_t ns; /* so long, at most */
};

#endif
