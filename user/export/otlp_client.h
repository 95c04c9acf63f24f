/* SPDX-License-Identifier: Apache-2.0 */
/* What senders of OTLP and those who call them share. */
#ifndef ZS_EXPORT_OTLP_CLIENT_H
#define ZS_EXPORT_OTLP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

/* Who waits for a transfer: it ends early when stopping() is true. */
struct otlp_waiter {
	bool (*stopping)(void *ctx);
	bool (*sleep)(void *ctx, uint64_t ns); /* false: stopping */
	void *ctx;
};

#endif
