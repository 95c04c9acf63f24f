/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which traces are kept, as the configuration says it: data that config/ fills in and sampling/ acts on. Probabilities are
 * rejection thresholds (proto/ot_state.h), so the rule with the highest probability is the one with the lowest threshold,
 * and a rule that is not there is OT_NEVER.
 */
#ifndef ZS_PROTO_SAMPLING_POLICY_H
#define ZS_PROTO_SAMPLING_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sv.h"

/* Written by hand; each is looked at for each trace. */
#define SAMPLING_MAX_SLOWER 16
#define SAMPLING_MAX_RATES  256
/* Traces per second: so many are held for a second. */
#define SAMPLING_RATE_MAX 1000

/* Keep traces that took longer than a time, or than the others of their route. */
struct sampling_slower {
	uint64_t ns;        /* longer than this; 0: by the share */
	double share;       /* at most this share of the route's took as long: 0.01 for p99 */
	uint64_t threshold; /* up to OT_NEVER */
};

struct sampling_rate {
	struct sv route; /* as spans are named, "POST /checkout"; owned by the policy */
	uint32_t per_s;  /* 1 to SAMPLING_RATE_MAX */
};

struct sampling_policy {
	bool on;                /* false: everything is kept, and nothing below counts */
	bool ignore_parent;     /* whether who began the trace samples it does not matter */
	uint64_t errors;        /* a span has failed */
	uint64_t client_errors; /* the request was answered with 4xx */
	uint64_t otherwise;     /* any trace */
	struct sampling_slower slower[SAMPLING_MAX_SLOWER];
	size_t n_slower;
	struct sampling_rate rates[SAMPLING_MAX_RATES];
	size_t n_rates;
	uint32_t other_rate; /* of each route that is not named; 0: no limit */
};

#endif
