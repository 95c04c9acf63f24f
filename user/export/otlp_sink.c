// SPDX-License-Identifier: Apache-2.0
/* Sinks that make requests of OTLP of traces or log records; how requests travel is their target's business. */
#include <errno.h>
#include <stdlib.h>

#include "export/exporters.h"
#include "export/otlp_client.h"

enum {
	QUEUE_SPANS = 16384,
	QUEUE_RECORDS = 2048,
	BATCH_ITEMS = 512,
	LINGER_MS = 1000,
	FLUSH_MS = 5000,
};

struct otlp_sink {
	struct sink_driver ops; /* its name is the target's */
	struct otlp_target target;
	struct clock_base clock;
	struct buf request;
};

static bool is_stopping(void *ctx)
{
	return sink_stopping(ctx);
}

static bool sleep_for(void *ctx, uint64_t ns)
{
	return sink_sleep(ctx, ns);
}

/* Send the request that was made. Returns and sets what a driver's delivery does. */
static size_t send_request(
    struct otlp_sink *otlp, struct sink *sink, size_t n_items, size_t *ret_failed)
{
	const struct otlp_waiter waiter = {is_stopping, sleep_for, sink};
	size_t taken = otlp->target.send(otlp->target.ctx, &otlp->request, n_items, &waiter);

	*ret_failed = n_items - taken;
	if (*ret_failed)
		sink_say_error(sink, otlp_target_error(&otlp->target));
	return taken;
}

static size_t deliver_traces(
    void *driver, struct sink *sink, struct trace *const *traces, size_t n, size_t *ret_failed)
{
	struct otlp_sink *otlp = driver;
	size_t n_spans = 0;

	for (size_t i = 0; i < n; i++)
		n_spans += traces[i]->n_spans;
	buf_clear(&otlp->request);
	encode_otlp_protobuf(&otlp->request, traces, n, &otlp->clock);
	return send_request(otlp, sink, n_spans, ret_failed);
}

static size_t deliver_logs(
    void *driver, struct sink *sink, struct log_batch *const *logs, size_t n, size_t *ret_failed)
{
	struct otlp_sink *otlp = driver;
	size_t n_records = 0;

	for (size_t i = 0; i < n; i++)
		n_records += logs[i]->n_records;
	buf_clear(&otlp->request);
	encode_otlp_logs_protobuf(&otlp->request, logs, n, &otlp->clock);
	return send_request(otlp, sink, n_records, ret_failed);
}

static void interrupt(void *driver)
{
	const struct otlp_sink *otlp = driver;

	otlp_target_interrupt(&otlp->target);
}

static void otlp_sink_free(void *driver)
{
	struct otlp_sink *otlp = driver;

	otlp_target_free(&otlp->target);
	buf_release(&otlp->request);
	free(otlp);
}

static size_t or_default(uint64_t value, uint64_t fallback)
{
	return value ? value : fallback;
}

struct sink *export_otlp_to(const struct otlp_target *target, enum otlp_signal signal,
    const struct sink_options *queue, const struct clock_base *clock)
{
	const struct sink_options options = {.max_queue_items = or_default(queue->max_queue_items,
						 signal == OTLP_LOGS ? QUEUE_RECORDS : QUEUE_SPANS),
	    .max_batch_items = or_default(queue->max_batch_items, BATCH_ITEMS),
	    .linger_ns = or_default(queue->linger_ns, LINGER_MS * NS_PER_MS),
	    .flush_timeout_ns = or_default(queue->flush_timeout_ns, FLUSH_MS * NS_PER_MS)};
	struct otlp_sink *otlp = calloc(1, sizeof(*otlp));

	if (!otlp) {
		otlp_target_free(target);
		errno = ENOMEM;
		return NULL;
	}
	otlp->ops = (struct sink_driver){
	    .name = target->name, .interrupt = interrupt, .free = otlp_sink_free};
	if (signal == OTLP_LOGS)
		otlp->ops.deliver_logs = deliver_logs;
	else
		otlp->ops.deliver = deliver_traces;
	otlp->target = *target;
	otlp->clock = *clock;
	return sink_new(&otlp->ops, otlp, &options);
}

struct sink *export_otlp_new(
    const struct otlp_options *options, enum otlp_signal signal, const struct clock_base *clock)
{
	struct otlp_target target;
	int err = otlp_client_target(&target, options, signal);

	if (err) {
		errno = -err;
		return NULL;
	}
	return export_otlp_to(&target, signal, &options->queue, clock);
}
