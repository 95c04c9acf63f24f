/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One export: a batch of whatever exporter, from its first attempt to the end of its last. Who wants to know of each, and what is counted of
 * those that failed.
 */
#ifndef ZS_EXPORT_OPERATION_H
#define ZS_EXPORT_OPERATION_H

#include <stddef.h>
#include <stdint.h>

struct export_operation {
	uint64_t duration_ns;
	const char *
	    error_type; /* why not all was taken, of few values, valid for the call; NULL: all was */
};

/* What an exporter says of a failure that it knows no more of. */
#define EXPORT_ERROR_OTHER "_OTHER"

/* An exporter had no time left to make an attempt, or was to end; it had no memory. */
#define EXPORT_ERROR_CANCELLED "cancelled"
#define EXPORT_ERROR_MEMORY    "out_of_memory"

/* An errno as one: "ENOSPC". */
const char *export_error_of(int number);

/* Causes that are told apart; items of more count under EXPORT_ERROR_OTHER. */
#define EXPORT_CAUSES_MAX 16

/* Items that were not taken, by why. All zero: none. */
struct export_failures {
	size_t n;
	struct export_cause {
		char error_type[32];
		uint64_t items;
	} causes[EXPORT_CAUSES_MAX];
};

void export_failures_add(struct export_failures *failures, const char *error_type, uint64_t items);

struct export_observer {
	void (*ended)(void *ctx,
	    const struct export_operation *operation); /* on the exporter's thread; NULL: nobody */
	void *ctx;
};

/* Tell the observer of an operation that began at begin_ns (monotonic) and ends now. */
void export_observer_tell(
    const struct export_observer *observer, uint64_t begin_ns, const char *error_type);

#endif
