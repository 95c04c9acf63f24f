/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where finished traces go, or log records: a sink takes one of them. Each sink has a thread and a bounded queue of its own, so a slow, dead
 * or lying destination costs only its own queue: publishing never blocks and never fails loudly,
 * and what a full queue refuses is counted. A destination implements struct sink_driver.
 */
#ifndef ZS_EXPORT_SINK_H
#define ZS_EXPORT_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "export/operation.h"
#include "span/log_record.h"
#include "span/span.h"

struct sink;

/* All functions run on the sink's own thread, except interrupt, and free after the thread ended. */
struct sink_driver {
	const char *name; /* for messages and as the exporter label of metrics: "otlp_http",
	                     "console", "file" */
	/*
	 * Deliver n traces, borrowed for the call. May block as long as it likes, but returns soon
	 * after sink_stopping() is true. Returns the number of SPANS delivered; *ret_failed is set
	 * to the number given up on (delivered + failed = all spans of the batch).
	 */
	size_t (*deliver)(void *driver, struct sink *sink, struct trace *const *traces, size_t n,
	    size_t *ret_failed);
	/* The same for batches of log records and the number of RECORDS. Exactly one of the two is
	 * set: it says what the sink takes. */
	size_t (*deliver_logs)(void *driver, struct sink *sink, struct log_batch *const *batches,
	    size_t n, size_t *ret_failed);
	/* Write out what is buffered; called when the queue has run empty, so also after the last
	 * one. May be NULL. */
	void (*flush)(void *driver);
	/* Make a blocked deliver look at sink_stopping() now. Called once at most, by another
	 * thread, after sink_stopping() became true. May be NULL. */
	void (*interrupt)(void *driver);
	void (*free)(void *driver);
};

/* Items are spans or log records. */
struct sink_options {
	/* Waiting and in delivery; a trace or batch that does not fit is refused and counted; 0 acts as 1. */
	size_t max_queue_items;
	/* deliver is called with at least one trace or batch and about this many items; more than max_queue_items act as those. */
	size_t max_batch_items;
	/* Wait this long for a batch to fill, if there is room; 0: deliver at once. */
	uint64_t linger_ns;
	uint64_t flush_timeout_ns; /* sink_free waits this long for the queue to drain */
};

/* Spans or log records. */
struct sink_stats {
	uint64_t delivered; /* accepted by the destination */
	uint64_t failed;    /* given up on after the last retry, or refused by the destination */
	struct export_failures failures; /* those, by why */
	uint64_t dropped;  /* refused because the queue was full, or left at the end of the flush
	                       time */
	uint64_t queued;   /* in the queue or being delivered now */
	uint64_t inflight; /* of those, being delivered now */
	uint64_t queue_capacity;
};

/* Starts the thread. Takes ownership of driver_data (freed with ops->free, also on failure). NULL
 * and errno on failure. */
struct sink *sink_new(
    const struct sink_driver *ops, void *driver_data, const struct sink_options *options);

/* Offer a trace; takes a reference when it is queued. Never blocks; a trace without spans is
 * ignored.
 */
void sink_publish(struct sink *sink, struct trace *trace);

/* The same for log records. Either is for sinks whose driver takes such. */
void sink_publish_logs(struct sink *sink, struct log_batch *batch);

/* From now on sink_publish waits for room instead of refusing, and sink_free without a limit of time: for a
 * source that can wait. Before the first trace. */
void sink_set_patient(struct sink *sink);

/* From now on the observer is told of each batch. Before the first trace. */
void sink_observe(struct sink *sink, const struct export_observer *observer);

void sink_stats(struct sink *sink, struct sink_stats *ret_stats);
const char *sink_name(const struct sink *sink);

/* For drivers: the program ends and the flush time is over; give up what cannot be delivered now.
 */
bool sink_stopping(struct sink *sink);

/* For drivers: sleep, but wake at once when the sink must stop. Returns false when stopping. */
bool sink_sleep(struct sink *sink, uint64_t ns);

/* For drivers, while they deliver: why not all was taken; the text stays valid until they deliver again. Else it is EXPORT_ERROR_OTHER. */
void sink_say_error(struct sink *sink, const char *error_type);

/*
 * Begin to end: nothing more is taken; what is queued is drained until deadline_ns (monotonic) instead of within flush_timeout_ns.
 * For several sinks that are to end at the same time; each is then closed as ever.
 */
void sink_end_by(struct sink *sink, uint64_t deadline_ns);

/* Drain within flush_timeout_ns, count the rest as dropped, join the thread, free; NULL is fine. */
void sink_free(struct sink *sink);

/* sink_free() that also says how it ended: *ret_stats (if not NULL) are the final numbers. */
void sink_close(struct sink *sink, struct sink_stats *ret_stats);

#endif
