/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to try again: which answers of a collector are worth a retry and how long to wait, apart
 * from any transport. OTLP specification 1.11.0 "Retryable Response Codes" and "OTLP/HTTP
 * Throttling"; numbers as in the OpenTelemetry Collector's exporter helper.
 */
#ifndef ZS_EXPORT_OTLP_RETRY_H
#define ZS_EXPORT_OTLP_RETRY_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/rng.h"
#include "base/sv.h"

struct otlp_retry_options {
	uint64_t initial_ms; /* first interval */
	uint64_t max_ms;     /* no interval is longer before jitter */
	uint64_t elapsed_ms; /* age of a batch at which it is given up */
};

/* The retries of one batch. */
struct otlp_retry {
	const struct otlp_retry_options *options;
	uint64_t start_ns;
	uint64_t interval_ms;
};

/* 429, 502, 503, 504. */
bool otlp_http_status_retryable(long status);

void otlp_retry_init(
    struct otlp_retry *retry, const struct otlp_retry_options *options, uint64_t now_ns);

/*
 * The time to wait before the next attempt: the server's wish when it has one (retry_after_ms >= 0) of
 * OTLP_RETRY_AFTER_MIN_MS at least, else an interval that grows by half each time, give or take up to half at random. False when
 * the batch would then be too old.
 */
bool otlp_retry_next(struct otlp_retry *retry, struct rng *rng, uint64_t now_ns,
    int64_t retry_after_ms, uint64_t *ret_wait_ns);

/*
 * The value of a Retry-After field (RFC 9110 section 10.2.3), seconds or a date, as milliseconds
 * from now_s (Unix time): 0 for a date that has passed, at most OTLP_RETRY_AFTER_MAX_MS, -1 for
 * anything else.
 */
int64_t otlp_retry_after_parse(struct sv value, time_t now_s);

/* A server that wants us away for longer is asked again after this. */
#define OTLP_RETRY_AFTER_MAX_MS (120 * 1000)

/* A shorter wish says no more than "later": who asks again at once, and again, only adds to what the server cannot bear. */
#define OTLP_RETRY_AFTER_MIN_MS 1000

#endif
