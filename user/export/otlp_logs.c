// SPDX-License-Identifier: Apache-2.0
/* The sink that turns batches of log records into OTLP requests; knows nothing of how they travel. */
#include <errno.h>
#include <stdlib.h>

#include "export/exporters.h"

enum {
	QUEUE_RECORDS = 2048,
	BATCH_RECORDS = 512,
	LINGER_MS = 1000,
	FLUSH_MS = 5000,
};

struct otlp_logs {
	struct sink_driver ops; /* its name is the target's */
	struct otlp_logs_target target;
	struct clock_base clock;
	struct buf request;
};

static size_t otlp_logs_deliver(
    void *driver, struct sink *sink, struct log_batch *const *logs, size_t n, size_t *ret_failed)
{
	struct otlp_logs *otlp = driver;
	size_t records = 0, taken = 0;

	for (size_t i = 0; i < n; i++)
		records += logs[i]->n_records;
	buf_clear(&otlp->request);
	encode_otlp_logs_protobuf(&otlp->request, logs, n, &otlp->clock);
	if (!otlp->request.failed)
		taken = otlp->target.send(otlp->target.ctx, sink, &otlp->request, records);
	*ret_failed = records - taken;
	return taken;
}

static void otlp_logs_interrupt(void *driver)
{
	struct otlp_logs *otlp = driver;

	if (otlp->target.interrupt)
		otlp->target.interrupt(otlp->target.ctx);
}

static void otlp_logs_free(void *driver)
{
	struct otlp_logs *otlp = driver;

	if (otlp->target.free)
		otlp->target.free(otlp->target.ctx);
	buf_release(&otlp->request);
	free(otlp);
}

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
	return value ? value : fallback;
}

struct sink *export_otlp_logs_new(const struct otlp_logs_target *target,
    const struct sink_options *queue, const struct clock_base *clock)
{
	const struct sink_options options = {
	    .max_queue_items = or_default(queue->max_queue_items, QUEUE_RECORDS),
	    .max_batch_items = or_default(queue->max_batch_items, BATCH_RECORDS),
	    .linger_ns = or_default(queue->linger_ns, LINGER_MS * NS_PER_MS),
	    .flush_timeout_ns = or_default(queue->flush_timeout_ns, FLUSH_MS * NS_PER_MS)};
	struct otlp_logs *otlp = calloc(1, sizeof(*otlp));

	if (!otlp) {
		if (target->free)
			target->free(target->ctx);
		errno = ENOMEM;
		return NULL;
	}
	otlp->ops = (struct sink_driver){.name = target->name,
	    .deliver_logs = otlp_logs_deliver,
	    .interrupt = otlp_logs_interrupt,
	    .free = otlp_logs_free};
	otlp->target = *target;
	otlp->clock = *clock;
	buf_init(&otlp->request);
	return sink_new(&otlp->ops, otlp, &options);
}
