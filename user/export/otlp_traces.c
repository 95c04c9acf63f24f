// SPDX-License-Identifier: Apache-2.0
/* The sink that sends traces over OTLP; see exporters.h. */
#include <errno.h>
#include <stdlib.h>

#include "export/exporters.h"
#include "export/otlp_client.h"

enum {
	QUEUE_SPANS = 16384,
	BATCH_SPANS = 512,
	LINGER_MS = 1000,
	FLUSH_MS = 5000,
};

struct otlp_traces {
	struct otlp_client *client;
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

static size_t count_spans(struct trace *const *traces, size_t n)
{
	size_t n_spans = 0;

	for (size_t i = 0; i < n; i++)
		n_spans += traces[i]->n_spans;
	return n_spans;
}

static size_t deliver(
    void *driver, struct sink *sink, struct trace *const *traces, size_t n, size_t *ret_failed)
{
	const struct otlp_waiter waiter = {is_stopping, sleep_for, sink};
	struct otlp_traces *otlp = driver;
	size_t n_spans = count_spans(traces, n), taken;

	buf_clear(&otlp->request);
	encode_otlp_protobuf(&otlp->request, traces, n, &otlp->clock);
	taken = otlp_client_send(otlp->client, &otlp->request, n_spans, &waiter);
	*ret_failed = n_spans - taken;
	return taken;
}

static void interrupt(void *driver)
{
	struct otlp_traces *otlp = driver;

	otlp_client_interrupt(otlp->client);
}

static void otlp_free(void *driver)
{
	struct otlp_traces *otlp = driver;

	if (!otlp)
		return;
	otlp_client_free(otlp->client);
	buf_release(&otlp->request);
	free(otlp);
}

static size_t or_default(uint64_t value, uint64_t fallback)
{
	return value ? value : fallback;
}

struct sink *export_otlp_new(const struct otlp_options *options, const struct clock_base *clock)
{
	static const struct sink_driver http = {
	    .name = "otlp_http", .deliver = deliver, .interrupt = interrupt, .free = otlp_free};
	static const struct sink_driver grpc = {
	    .name = "otlp_grpc", .deliver = deliver, .interrupt = interrupt, .free = otlp_free};
	const struct sink_options *want = &options->queue;
	const struct sink_options queue = {
	    .max_queue_items = or_default(want->max_queue_items, QUEUE_SPANS),
	    .max_batch_items = or_default(want->max_batch_items, BATCH_SPANS),
	    .linger_ns = or_default(want->linger_ns, LINGER_MS * NS_PER_MS),
	    .flush_timeout_ns = or_default(want->flush_timeout_ns, FLUSH_MS * NS_PER_MS)};
	struct otlp_traces *otlp = calloc(1, sizeof(*otlp));

	if (!otlp)
		return NULL;
	otlp->clock = *clock;
	otlp->client = otlp_client_new(options, OTLP_TRACES);
	if (!otlp->client) {
		int err = errno;

		otlp_free(otlp);
		errno = err;
		return NULL;
	}
	return sink_new(options->protocol == OTLP_GRPC ? &grpc : &http, otlp, &queue);
}
