// SPDX-License-Identifier: Apache-2.0
/* The collector as a destination of traces; see collect.h. */
#include "why/collect.h"

enum {
	/* As many as the other sinks hold, some 20 MB; collecting costs less than making the spans. */
	WHY_QUEUE_SPANS = 16384,
	WHY_BATCH_SPANS = 512,
	WHY_FLUSH_MS = 5000,
};

static size_t deliver(
    void *driver, struct sink *sink, struct trace *const *traces, size_t n, size_t *ret_failed)
{
	size_t spans = 0;

	(void)sink;
	for (size_t i = 0; i < n; i++) {
		why_collector_trace(driver, traces[i]);
		spans += traces[i]->n_spans;
	}
	*ret_failed = 0;
	return spans;
}

static const struct sink_driver driver_ops = {.name = "why", .deliver = deliver};

struct sink *why_sink_new(struct why_collector *collector)
{
	const struct sink_options options = {.max_queue_items = WHY_QUEUE_SPANS,
	    .max_batch_items = WHY_BATCH_SPANS,
	    .flush_timeout_ns = WHY_FLUSH_MS * NS_PER_MS};

	return sink_new(&driver_ops, collector, &options);
}
