/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a return address on the stack says of the function that was called in front of it, and
 * whether that function's frame ends there. Serves seam.h, which has the drawing.
 */
#ifndef ZS_STACK_SEAM_CALLS_H
#define ZS_STACK_SEAM_CALLS_H

#include "discover/code_calls.h"
#include "stack/walk.h"

enum {
	SEAM_CODE_MAX = 64 << 10, /* bytes of a function looked at for calls; most have 1 KB */
	SEAM_JUMPS_MAX = 16,      /* out of one function, to what may be there in its place */
};

/* Where the caller's return address may be. */
struct seam_slot {
	uint64_t at, value;
	uint64_t called; /* what was called in front of it, in the process; 0: not known */
	bool direct;     /* nothing but a direct call can stand there */
};

/* Calls in a function that fit to a slot. */
struct seam_calls {
	bool table;     /* the function begins there, and has an unwind table */
	size_t probed;  /* of the function that has the probe */
	size_t unknown; /* of who knows what */
	size_t other;
	uint64_t last_probed;    /* where it returns to */
	struct registers beyond; /* the caller's registers in which all of them agree */
};

/* Take from what may be done for a trace; false when it is used up. */
bool seam_spend(const struct walk *w, unsigned work);

/* Whether a call is in front of an address of the process. place: of the byte before it. */
bool seam_call_before(const struct walk *w, uint64_t address, const struct space_place *place,
    struct code_return *ret_return);

/* What was called so, in the process; through the PLT too. 0: not known. */
uint64_t seam_callee(
    const struct walk *w, const struct space_place *place, const struct code_return *r);

/* The calls in the function that was called. */
struct seam_calls seam_calls_of(struct walk *w, const struct seam_slot *slot);

/* The same, or those in a function that it jumps to, which is then taken for the one called. */
struct seam_calls seam_calls_fitting(struct walk *w, struct seam_slot *slot);

#endif
