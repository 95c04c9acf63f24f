/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes frames into a trace: symbolises an address, copies the strings, makes them fit to be
 * shown.
 */
#ifndef ZS_STACK_TRACE_TEXT_H
#define ZS_STACK_TRACE_TEXT_H

#include "stack/space.h"
#include "stack/stack.h"

enum trace_kind {
	TRACE_KIND_INVALID = 0,
	TRACE_KIND_PLAIN = 1,
	TRACE_KIND_GUESSED = 2, /* by frame pointer */
	TRACE_KIND_SIGNAL = 3,  /* where the kernel lets a signal handler return to */
	TRACE_KIND_MISSING =
	    4, /* the address is its function's first: where it is in there is not known */
};

/*
 * Add the frames of one address, inlined ones first. ip: of the next instruction, as it goes into
 * the frames. False when there was no room for all of them.
 */
bool trace_text_add(
    struct stack_trace *trace, const struct space_place *place, uint64_t ip, enum trace_kind kind);

/* Add a frame of which nothing is known but the address. */
void trace_text_add_address(struct stack_trace *trace, uint64_t ip);

#endif
