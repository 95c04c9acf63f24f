// SPDX-License-Identifier: Apache-2.0
/*
 * The queue and the thread of one destination; see sink.h. Knows nothing of formats.
 *
 * The queue is a ring of parcels: traces, or batches of log records, which differ in a table of
 * functions only. A parcel holds at least one item, so a ring with as many slots as items are
 * allowed is never the tighter bound, and publishing allocates nothing.
 *
 * Ending has two steps. `closing`: no new parcels, the thread drains the queue. `stopping`: the
 * flush time is over; drivers give up at once and what is left counts as dropped.
 */
#include "export/sink.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/cond.h"
#include "base/log.h"
#include "base/priority.h"

/* What a queue must know of a parcel. */
struct parcel_ops {
	size_t (*items)(const void *parcel);
	void *(*ref)(void *parcel);
	void (*unref)(void *parcel);
	size_t (*deliver)(struct sink *sink, void *const *parcels, size_t n, size_t *ret_failed);
};

struct sink {
	const struct sink_driver *ops;
	const struct parcel_ops *parcel;
	void *driver;
	struct sink_options options;
	pthread_t thread;
	atomic_bool stopping;
	/* Set before there are parcels. */
	bool patient;
	struct export_observer observer;

	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t work;  /* a first parcel, a full batch, no room, closing, stopping */
	pthread_cond_t ended; /* the thread has drained the queue */
	pthread_cond_t room;  /* a batch is delivered; patient sinks only */
	bool crowded;         /* a parcel found no room since the last batch was taken */
	bool closing;
	uint64_t deadline_ns; /* once closing: monotonic, until which the queue may drain */
	bool done;
	void **ring; /* max_queue_items slots */
	size_t head; /* oldest */
	size_t n_parcels;
	size_t waiting_items;  /* in the ring */
	size_t inflight_items; /* being delivered */
	struct sink_stats stats;
	/* The thread's own. */
	void **batch;           /* parcels being delivered */
	const char *error_type; /* what their driver says of it */
};

static size_t trace_items(const void *trace)
{
	return ((const struct trace *)trace)->n_spans;
}

static void *ref_trace(void *trace)
{
	return trace_ref(trace);
}

static void unref_trace(void *trace)
{
	trace_unref(trace);
}

static size_t deliver_traces(struct sink *sink, void *const *parcels, size_t n, size_t *ret_failed)
{
	return sink->ops->deliver(
	    sink->driver, sink, (struct trace *const *)parcels, n, ret_failed);
}

static const struct parcel_ops trace_ops = {
    .items = trace_items, .ref = ref_trace, .unref = unref_trace, .deliver = deliver_traces};

static size_t log_items(const void *batch)
{
	return ((const struct log_batch *)batch)->n_records;
}

static void *ref_logs(void *batch)
{
	return log_batch_ref(batch);
}

static void unref_logs(void *batch)
{
	log_batch_unref(batch);
}

static size_t deliver_logs(struct sink *sink, void *const *parcels, size_t n, size_t *ret_failed)
{
	return sink->ops->deliver_logs(
	    sink->driver, sink, (struct log_batch *const *)parcels, n, ret_failed);
}

static const struct parcel_ops log_ops = {
    .items = log_items, .ref = ref_logs, .unref = unref_logs, .deliver = deliver_logs};

/* Move the oldest parcel out of the ring; the caller holds the lock and has checked n_parcels. */
static void *ring_pop(struct sink *sink)
{
	void *parcel = sink->ring[sink->head];

	sink->head = (sink->head + 1) % sink->options.max_queue_items;
	sink->n_parcels--;
	sink->waiting_items -= sink->parcel->items(parcel);
	return parcel;
}

/* Wait until a batch is due. Returns false when the queue is empty for good. */
static bool wait_for_batch(struct sink *sink)
{
	uint64_t deadline_ns;

	while (sink->n_parcels == 0 && !sink->closing)
		pthread_cond_wait(&sink->work, &sink->lock);
	if (sink->n_parcels == 0)
		return false;
	deadline_ns = clock_monotonic_ns() + sink->options.linger_ns;
	while (sink->options.linger_ns && !sink->closing && !sink->crowded &&
	    sink->waiting_items < sink->options.max_batch_items)
		if (cond_wait_until(&sink->work, &sink->lock, deadline_ns) == ETIMEDOUT)
			break;
	return true;
}

static size_t take_batch(struct sink *sink)
{
	size_t n = 0;

	sink->crowded = false;
	do {
		sink->batch[n] = ring_pop(sink);
		sink->inflight_items += sink->parcel->items(sink->batch[n]);
		n++;
	} while (sink->n_parcels &&
	    sink->inflight_items + sink->parcel->items(sink->ring[sink->head]) <=
		sink->options.max_batch_items);
	return n;
}

/* Lock held on entry and on return. */
static void deliver_batch(struct sink *sink)
{
	size_t n = take_batch(sink);
	size_t failed = 0, delivered;
	uint64_t begin_ns;

	pthread_mutex_unlock(&sink->lock);
	begin_ns = clock_monotonic_ns();
	sink->error_type = EXPORT_ERROR_OTHER;
	delivered = sink->parcel->deliver(sink, sink->batch, n, &failed);
	export_observer_tell(&sink->observer, begin_ns, failed ? sink->error_type : NULL);
	for (size_t i = 0; i < n; i++)
		sink->parcel->unref(sink->batch[i]);
	pthread_mutex_lock(&sink->lock);
	assert(delivered + failed == sink->inflight_items);
	sink->stats.delivered += delivered;
	sink->stats.failed += failed;
	if (failed)
		export_failures_add(&sink->stats.failures, sink->error_type, failed);
	sink->inflight_items = 0;
	if (sink->patient)
		pthread_cond_signal(&sink->room);
}

static void flush_driver(struct sink *sink)
{
	if (!sink->ops->flush)
		return;
	pthread_mutex_unlock(&sink->lock);
	sink->ops->flush(sink->driver);
	pthread_mutex_lock(&sink->lock);
}

static void *sink_thread(void *arg)
{
	struct sink *sink = arg;

	/* What fails here would become a record that fails here. */
	if (sink->parcel == &log_ops)
		log_hide_thread();
	priority_raise(sink->ops->name);
	pthread_mutex_lock(&sink->lock);
	while (wait_for_batch(sink) && !atomic_load(&sink->stopping)) {
		deliver_batch(sink);
		if (sink->n_parcels == 0)
			flush_driver(sink);
	}
	sink->done = true;
	pthread_cond_signal(&sink->ended);
	pthread_mutex_unlock(&sink->lock);
	return NULL;
}

/* Free all but the thread. */
static void sink_destroy(struct sink *sink)
{
	if (sink->ops->free)
		sink->ops->free(sink->driver);
	pthread_cond_destroy(&sink->work);
	pthread_cond_destroy(&sink->ended);
	pthread_cond_destroy(&sink->room);
	pthread_mutex_destroy(&sink->lock);
	free(sink->batch);
	free(sink->ring);
	free(sink);
}

struct sink *sink_new(
    const struct sink_driver *ops, void *driver_data, const struct sink_options *options)
{
	struct sink *sink = calloc(1, sizeof(*sink));
	int err;

	if (!sink) {
		if (ops->free)
			ops->free(driver_data);
		errno = ENOMEM;
		return NULL;
	}
	sink->ops = ops;
	sink->parcel = ops->deliver ? &trace_ops : &log_ops;
	sink->driver = driver_data;
	sink->options = *options;
	if (sink->options.max_queue_items == 0)
		sink->options.max_queue_items = 1;
	if (sink->options.max_batch_items == 0)
		sink->options.max_batch_items = 1;
	if (sink->options.max_batch_items > sink->options.max_queue_items)
		sink->options.max_batch_items = sink->options.max_queue_items;
	sink->stats.queue_capacity = sink->options.max_queue_items;
	pthread_mutex_init(&sink->lock, NULL);
	cond_init(&sink->work);
	cond_init(&sink->ended);
	cond_init(&sink->room);
	sink->ring = calloc(sink->options.max_queue_items, sizeof(*sink->ring));
	sink->batch = calloc(sink->options.max_batch_items, sizeof(*sink->batch));
	err = !sink->ring || !sink->batch ? ENOMEM
					  : pthread_create(&sink->thread, NULL, sink_thread, sink);
	if (err) {
		sink_destroy(sink);
		errno = err;
		return NULL;
	}
	return sink;
}

void sink_set_patient(struct sink *sink)
{
	sink->patient = true;
}

void sink_observe(struct sink *sink, const struct export_observer *observer)
{
	sink->observer = *observer;
}

void sink_say_error(struct sink *sink, const char *error_type)
{
	sink->error_type = error_type;
}

/* Lock held. A parcel that is larger than the whole queue finds none. */
static bool has_room(const struct sink *sink, size_t items)
{
	size_t max = sink->options.max_queue_items;
	size_t used = sink->waiting_items + sink->inflight_items;

	return used <= max && items <= max - used;
}

/* Lock held: there is no room, so waiting for more makes no sense. Said once for each batch: the thread may be asleep between
 * attempts, for long. */
static void say_crowded(struct sink *sink)
{
	if (sink->crowded)
		return;
	sink->crowded = true;
	pthread_cond_signal(&sink->work);
}

static void publish(struct sink *sink, void *parcel)
{
	size_t max = sink->options.max_queue_items, batch = sink->options.max_batch_items;
	size_t items = sink->parcel->items(parcel), before;

	if (items == 0)
		return;
	pthread_mutex_lock(&sink->lock);
	while (sink->patient && items <= max && !has_room(sink, items)) {
		say_crowded(sink);
		pthread_cond_wait(&sink->room, &sink->lock);
	}
	if (sink->closing || !has_room(sink, items)) {
		say_crowded(sink);
		sink->stats.dropped += items;
		pthread_mutex_unlock(&sink->lock);
		return;
	}
	before = sink->waiting_items;
	sink->ring[(sink->head + sink->n_parcels) % max] = sink->parcel->ref(parcel);
	sink->n_parcels++;
	sink->waiting_items += items;
	/* The thread sleeps for a first parcel or for a full batch, nothing between. */
	if (before == 0 || (before < batch && sink->waiting_items >= batch))
		pthread_cond_signal(&sink->work);
	pthread_mutex_unlock(&sink->lock);
}

void sink_publish(struct sink *sink, struct trace *trace)
{
	assert(sink->parcel == &trace_ops);
	publish(sink, trace);
}

void sink_publish_logs(struct sink *sink, struct log_batch *batch)
{
	assert(sink->parcel == &log_ops);
	publish(sink, batch);
}

void sink_stats(struct sink *sink, struct sink_stats *ret_stats)
{
	pthread_mutex_lock(&sink->lock);
	*ret_stats = sink->stats;
	ret_stats->queued = sink->waiting_items + sink->inflight_items;
	ret_stats->inflight = sink->inflight_items;
	pthread_mutex_unlock(&sink->lock);
}

const char *sink_name(const struct sink *sink)
{
	return sink->ops->name;
}

bool sink_stopping(struct sink *sink)
{
	return atomic_load(&sink->stopping);
}

bool sink_sleep(struct sink *sink, uint64_t ns)
{
	uint64_t deadline_ns = clock_monotonic_ns() + ns;
	int err = 0;

	pthread_mutex_lock(&sink->lock);
	while (!atomic_load(&sink->stopping) && err != ETIMEDOUT)
		err = cond_wait_until(&sink->work, &sink->lock, deadline_ns);
	pthread_mutex_unlock(&sink->lock);
	return !atomic_load(&sink->stopping);
}

void sink_end_by(struct sink *sink, uint64_t deadline_ns)
{
	pthread_mutex_lock(&sink->lock);
	sink->closing = true;
	sink->deadline_ns = deadline_ns;
	pthread_cond_signal(&sink->work);
	pthread_mutex_unlock(&sink->lock);
}

/* Close the queue, give the thread its time, then tell it to give up. */
static void sink_stop(struct sink *sink)
{
	int err = 0;

	if (!sink->closing)
		sink_end_by(sink, clock_monotonic_ns() + sink->options.flush_timeout_ns);
	pthread_mutex_lock(&sink->lock);
	while (!sink->done && err != ETIMEDOUT)
		err = sink->patient ? pthread_cond_wait(&sink->ended, &sink->lock)
				    : cond_wait_until(&sink->ended, &sink->lock, sink->deadline_ns);
	atomic_store(&sink->stopping, true);
	pthread_cond_signal(&sink->work);
	pthread_mutex_unlock(&sink->lock);
	if (err == ETIMEDOUT && sink->ops->interrupt)
		sink->ops->interrupt(sink->driver);
	pthread_join(sink->thread, NULL);
}

void sink_close(struct sink *sink, struct sink_stats *ret_stats)
{
	if (!sink)
		return;
	sink_stop(sink);
	while (sink->n_parcels) {
		void *parcel = ring_pop(sink);

		sink->stats.dropped += sink->parcel->items(parcel);
		sink->parcel->unref(parcel);
	}
	if (ret_stats)
		*ret_stats = sink->stats;
	sink_destroy(sink);
}

void sink_free(struct sink *sink)
{
	sink_close(sink, NULL);
}
