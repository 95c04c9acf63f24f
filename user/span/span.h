/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A finished span and a finished local trace, as every exporter reads them: the hub of the user
 * side. Spans are immutable once their trace is published; a trace is reference counted and shared
 * by the sinks' threads. Kinds, status codes and flags carry OTLP's numbers (opentelemetry-proto
 * v1.11.0).
 */
#ifndef ZS_SPAN_SPAN_H
#define ZS_SPAN_SPAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sv.h"
#include "proto/ot_state.h"
#include "proto/trace_context.h"
#include "span/contention.h"
#include "span/ledger.h"
#include "span/neighbours.h"
#include "span/wait_place.h"

enum span_kind {
	SPAN_KIND_INVALID = 0,
	SPAN_KIND_INTERNAL = 1,
	SPAN_KIND_SERVER = 2,
	SPAN_KIND_CLIENT = 3,
};

enum span_status {
	SPAN_STATUS_UNSET = 0,
	SPAN_STATUS_OK = 1,
	SPAN_STATUS_ERROR = 2,
};

/* What a span's parent link rests on, in the order in which evidence is tried. */
enum parent_basis {
	PARENT_BASIS_NONE = 0, /* a root */
	PARENT_BASIS_HEADER = 1,
	PARENT_BASIS_SOCKET = 2,
	PARENT_BASIS_THREAD = 3,
};

/* "header", "socket", "thread"; NULL for none. */
const char *parent_basis_name(enum parent_basis basis);

enum attr_type {
	ATTR_INVALID = 0,
	ATTR_STRING = 1,
	ATTR_INT = 2,
	ATTR_DOUBLE = 3,
	ATTR_BOOL = 4,
};

/* One attribute. Keys are static strings; string values are valid UTF-8 owned by the object around
 * them. */
struct attr {
	const char *key;
	enum attr_type type;
	union {
		struct sv string;
		int64_t integer;
		double real;
		bool boolean;
	};
};

/*
 * The observed process as an OTLP resource. Reference counted; spans, conns and metrics hold
 * references. attrs always holds service.name and service.instance.id and never telemetry.*
 * (the exporter adds it).
 */
struct service {
	atomic_int refs;
	int pid;
	const char *name;        /* service.name */
	const char *instance_id; /* service.instance.id */
	const char *exe;         /* base name of the executable, for people */
	struct attr *attrs;
	size_t n_attrs;
	bool ended; /* the metric registry's, under its lock: nothing is recorded for it any more */
};

struct service *service_ref(struct service *service);
void service_unref(struct service *service); /* NULL is fine */

/* W3C trace flags and OTLP's own bits above them, as in Span.flags. */
#define SPAN_FLAG_SAMPLED          0x001u
#define SPAN_FLAG_RANDOM           0x002u
#define SPAN_FLAG_REMOTE_KNOWN     0x100u
#define SPAN_FLAG_PARENT_IS_REMOTE 0x200u

/* Another span, of whatever trace. */
struct span_link {
	struct trace_id trace_id;
	struct span_id span_id; /* zero: none */
	uint32_t flags;         /* SPAN_FLAG_* */
};

struct span {
	struct trace_id trace_id;
	struct span_id span_id;
	struct span_id parent_id; /* zero: root */
	uint32_t flags;           /* SPAN_FLAG_* */
	enum span_kind kind;
	enum span_status status;
	enum parent_basis basis;
	uint64_t start_ns;     /* CLOCK_MONOTONIC */
	uint64_t end_ns;       /* >= start_ns */
	struct sv name;        /* not empty, valid UTF-8 */
	struct sv trace_state; /* tracestate header to carry on; usually empty */
	struct service *service;
	struct attr *attrs;
	size_t n_attrs;
	size_t n_metric_attrs; /* the first so many are also those of its duration metric */
	uint32_t dropped_attrs;
	void *more;            /* memory of attributes that were appended; owned, NULL: none were */
	struct ledger ledger;  /* adds up to end_ns - start_ns, unless untimed */
	struct span_wait wait; /* the longest that was looked at; part of the ledger */
	struct span_link culprit; /* the span that held this one up */
	uint32_t dropped_links;   /* 1: that link does not go out, see span_link() */
	bool
	    behind_call; /* it did by being waited for: the slowest call of the request, or who answered it */
	struct service *peer; /* who that is, if observed; a reference */
	struct contention
	    *contention; /* who ran while it waited for a CPU; owned, NULL: not known */
	struct neighbours *
	    neighbours; /* slow ones: what the process did besides; owned, NULL: nothing that is known */
	bool cut;       /* had not ended when the observation did: its end and error are of that */
	/* What it moved, if measured: bodies as they were on the wire, without framing; or rows. */
	uint64_t request_body_bytes, response_body_bytes, returned_rows;
	bool measured;
	bool answered; /* HTTP: there was a response */
	bool untimed;  /* only its beginning was seen: end_ns is start_ns, in no duration metric */
};

/* The link that goes out; NULL: there is none, or it was dropped. */
const struct span_link *span_link(const struct span *span);

/* The attribute with this key, or NULL. Linear: for people's views and tests, not for hot paths. */
const struct attr *span_attr(const struct span *span, const char *key);

/* Most attributes of span_time_attrs(). */
#define SPAN_TIME_ATTRS_MAX (LEDGER_STATES + 13)

/*
 * Where its time went, as attributes: the ledger's states that took any, its longest wait, who was in the way of that, and what else
 * the process did. Their number.
 */
size_t span_time_attrs(const struct span *span, struct attr ret_attrs[SPAN_TIME_ATTRS_MAX]);

/* Bytes that the keys and texts of those have, at most. */
size_t span_time_text_max(const struct span *span);

/*
 * Add n attributes, once per span, before it is published; texts are copied. Those whose key the span has, and all without memory, are left
 * out and counted as dropped.
 */
void span_append_attrs(struct span *span, const struct attr *attrs, size_t n);

/*
 * Say what the parent link rests on, in the span and as its last attribute. Once per span, before it is
 * published: evidence may come after the end.
 */
void span_set_basis(struct span *span, enum parent_basis basis);

/* Frees the span and its reference on the service; NULL is fine. */
void span_free(struct span *span);

struct log_batch; /* span/log_record.h */

/*
 * Spans of one local trace that are published together: parents before children where the parent is
 * in the same batch. A long trace may be published in several batches with the same number.
 */
struct trace {
	atomic_int refs;
	uint64_t
	    number; /* of the local trace: no other has it, while several may have its trace id */
	bool given; /* trace id and flags came with a header: somebody else began it */
	bool more;  /* another batch of it follows */
	/* What the tracestate says that its request came with, as long as that is open: its span is in a later batch. Else nothing. */
	struct ot_state opened_with;
	char *text; /* what was written for its spans after they were built; owned, NULL: nothing */
	size_t n_spans;
	struct log_batch *logs; /* lines written while it was served; a reference, NULL: none */
	struct span *spans[];
};

/* A trace with room for n spans, one reference, n_spans 0, logs NULL; NULL without memory. */
struct trace *trace_new(size_t n);
struct trace *trace_ref(struct trace *trace);
void trace_unref(struct trace *trace); /* last reference frees the spans; NULL is fine */

#endif
