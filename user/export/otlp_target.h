/* SPDX-License-Identifier: Apache-2.0 */
/* Where requests of OTLP go, whoever sends them: a client (otlp_client.h), or what a test puts in its place. */
#ifndef ZS_EXPORT_OTLP_TARGET_H
#define ZS_EXPORT_OTLP_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Who waits for a transfer: it ends early when stopping() is true. */
struct otlp_waiter {
	bool (*stopping)(void *ctx);
	bool (*sleep)(void *ctx, uint64_t ns); /* false: stopping */
	void *ctx;
};

struct otlp_target {
	const char *name; /* for messages and metrics; static */
	/*
	 * Send an ExportXServiceRequest, borrowed, with n_items spans, data points or log records, retries included; how many were taken.
	 * Looks at the waiter once a second at least.
	 */
	size_t (*send)(
	    void *ctx, const struct buf *request, size_t n_items, const struct otlp_waiter *waiter);
	/* Why the last send did not take all, as error.type has it: of few values, valid until the next one; may be NULL. */
	const char *(*error)(void *ctx);
	void (*interrupt)(void *ctx); /* by another thread: look at the waiter now; may be NULL */
	void (*free)(void *ctx);      /* may be NULL */
	void *ctx;
};

void otlp_target_interrupt(const struct otlp_target *target);

/* As error has it; EXPORT_ERROR_OTHER when the target does not say. */
const char *otlp_target_error(const struct otlp_target *target);
void otlp_target_free(const struct otlp_target *target);

#endif
