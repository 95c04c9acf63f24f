/* SPDX-License-Identifier: Apache-2.0 */
/* Local traces as sampling looks at them, one span or a few, with ids of a seeded generator. */
#ifndef ZS_TESTS_SAMPLING_FIXTURE_H
#define ZS_TESTS_SAMPLING_FIXTURE_H

#include "base/clock.h"
#include "base/hmap.h"
#include "base/rng.h"
#include "proto/ot_state.h"
#include "proto/sampling_policy.h"
#include "span/semconv.h"
#include "span_fixture.h"

/* The threshold of 0.05, with four digits that count. */
#define ONE_IN_20 0xf3333000000000ULL

/* Keeps errors and drops all others. */
#define ERRORS_ONLY                                                                        \
	{                                                                                  \
		.on = true, .errors = 0, .client_errors = OT_NEVER, .otherwise = OT_NEVER, \
	}

struct trace_model {
	const char *name; /* NULL: "GET /" */
	const char *trace_state;
	struct service *service;
	uint64_t took_ms;
	int status; /* of the answer; 0: 200 */
	bool failed;
	bool given, sampled; /* by a traceparent */
	bool more;
	uint64_t number; /* of the local trace; 0: the only one with its trace id */
};

static inline struct trace_id random_id(struct rng *rng)
{
	uint64_t bits[2] = {rng_next(rng), rng_next(rng)};
	struct trace_id id;

	memcpy(id.b, bits, sizeof(id.b));
	return id;
}

/* A request and a statement of it. */
static inline struct trace *model_trace(const struct trace_model *m, const struct trace_id *id)
{
	const struct attr status = {.key = semconv_http_response_status_code,
	    .type = ATTR_INT,
	    .integer = m->status ? m->status : 200};
	const uint32_t flags = m->given && !m->sampled ? 0 : SPAN_FLAG_SAMPLED;
	const struct span_model models[] = {
	    {.name = m->name ? m->name : "GET /",
		.kind = SPAN_KIND_SERVER,
		.status = m->failed ? SPAN_STATUS_ERROR : SPAN_STATUS_UNSET,
		.flags = flags | SPAN_FLAG_REMOTE_KNOWN,
		.id = 1,
		.start_ns = NS_PER_S,
		.end_ns = NS_PER_S + m->took_ms * NS_PER_MS,
		.service = m->service,
		.trace_state = m->trace_state,
		.attrs = &status,
		.n_attrs = 1},
	    {.name = "SELECT a",
		.kind = SPAN_KIND_CLIENT,
		.flags = flags | SPAN_FLAG_REMOTE_KNOWN,
		.id = 2,
		.parent = 1,
		.start_ns = NS_PER_S + 1,
		.end_ns = NS_PER_S + 2,
		.service = m->service},
	};
	struct trace *trace = fixture_trace(models, 2);

	trace->given = m->given;
	trace->more = m->more;
	trace->number = m->number ? m->number : hash_bytes(id->b, sizeof(id->b));
	for (size_t i = 0; i < trace->n_spans; i++)
		trace->spans[i]->trace_id = *id;
	return trace;
}

#endif
