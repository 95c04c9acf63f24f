/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log record as every exporter reads it, and batches of them: what a program said, and in which
 * span. Records are immutable once their batch is published; a batch is reference counted like a
 * trace and shared by the threads of the sinks. Severities carry OTLP's numbers
 * (opentelemetry-proto v1.11.0).
 */
#ifndef ZS_SPAN_LOG_RECORD_H
#define ZS_SPAN_LOG_RECORD_H

#include "span/span.h"

/* The first number of each range of four. */
enum log_severity {
	LOG_SEVERITY_UNSPECIFIED = 0,
	LOG_SEVERITY_TRACE = 1,
	LOG_SEVERITY_DEBUG = 5,
	LOG_SEVERITY_INFO = 9,
	LOG_SEVERITY_WARN = 13,
	LOG_SEVERITY_ERROR = 17,
	LOG_SEVERITY_FATAL = 21,
	LOG_SEVERITY_MAX = 24,
};

/* Of the range of four that it is in: "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"; "-": none. */
const char *log_severity_name(enum log_severity severity);

struct log_record {
	uint64_t time_ns;           /* CLOCK_MONOTONIC, when it was said; 0: not known */
	uint64_t observed_ns;       /* CLOCK_MONOTONIC, when zerospan saw it; never 0 */
	enum log_severity severity; /* up to LOG_SEVERITY_MAX */
	struct sv severity_text;    /* as the program spells it, valid UTF-8; empty: not known */
	struct sv body;             /* any bytes */
	bool binary;                /* the body is not valid UTF-8; log_record_new() sets it */
	const struct attr *attrs;
	size_t n_attrs;
	uint32_t dropped_attrs;
	struct trace_id trace_id; /* zero: in no trace */
	struct span_id span_id;   /* zero: in no span; else trace_id is not zero */
	uint32_t flags;           /* W3C trace flags, eight bits */
	struct service *service;  /* who said it; a reference */
};

/*
 * A copy of *model, texts and attributes included, in one allocation; attribute keys stay borrowed
 * (static strings). Takes a reference on the service. NULL without memory.
 */
struct log_record *log_record_new(const struct log_record *model);
void log_record_free(struct log_record *record); /* NULL is fine */

struct log_batch {
	atomic_int refs;
	size_t n_records;
	struct log_record *records[];
};

/* A batch with room for n records, one reference, n_records 0; NULL without memory. */
struct log_batch *log_batch_new(size_t n);
struct log_batch *log_batch_ref(struct log_batch *batch);
void log_batch_unref(struct log_batch *batch); /* last reference frees the records; NULL is fine */

#endif
