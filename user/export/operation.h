/* SPDX-License-Identifier: Apache-2.0 */
/* One export: a batch of whatever exporter, from its first attempt to the end of its last. And who wants to know of each. */
#ifndef ZS_EXPORT_OPERATION_H
#define ZS_EXPORT_OPERATION_H

#include <stdint.h>

struct export_operation {
	uint64_t duration_ns;
	const char *
	    error_type; /* why not all was taken, of few values, valid for the call; NULL: all was */
};

/* What an exporter says of a failure that it knows no more of. */
#define EXPORT_ERROR_OTHER "_OTHER"

/* An errno as one: "ENOSPC". */
const char *export_error_of(int number);

struct export_observer {
	void (*ended)(void *ctx,
	    const struct export_operation *operation); /* on the exporter's thread; NULL: nobody */
	void *ctx;
};

/* Tell the observer of an operation that began at begin_ns (monotonic) and ends now. */
void export_observer_tell(
    const struct export_observer *observer, uint64_t begin_ns, const char *error_type);

#endif
