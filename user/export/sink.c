// SPDX-License-Identifier: Apache-2.0
/*
 * The queue and the thread of one destination; see sink.h. Knows nothing of formats.
 *
 * The queue is a ring of trace pointers. A trace holds at least one span, so a ring with as many
 * slots as spans are allowed is never the tighter bound, and publishing allocates nothing.
 *
 * Ending has two steps. `closing`: no new traces, the thread drains the queue. `stopping`: the
 * flush time is over; drivers give up at once and what is left counts as dropped.
 */
#include "export/sink.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/priority.h"

struct sink {
	const struct sink_driver *ops;
	void *driver;
	struct sink_options options;
	pthread_t thread;
	atomic_bool stopping;
	bool patient; /* set before there are traces */

	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t work;  /* a first trace, a full batch, closing, stopping */
	pthread_cond_t ended; /* the thread has drained the queue */
	pthread_cond_t room;  /* a batch is delivered; patient sinks only */
	bool closing;
	bool done;
	struct trace **ring; /* max_queue_spans slots */
	size_t head;         /* oldest */
	size_t n_traces;
	size_t waiting_spans;  /* in the ring */
	size_t inflight_spans; /* being delivered */
	struct sink_stats stats;
	struct trace **batch; /* the thread's own: traces being delivered */
};

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){
	    .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

/* Move the oldest trace out of the ring; the caller holds the lock and has checked n_traces. */
static struct trace *ring_pop(struct sink *sink)
{
	struct trace *trace = sink->ring[sink->head];

	sink->head = (sink->head + 1) % sink->options.max_queue_spans;
	sink->n_traces--;
	sink->waiting_spans -= trace->n_spans;
	return trace;
}

/* Wait until a batch is due. Returns false when the queue is empty for good. */
static bool wait_for_batch(struct sink *sink)
{
	struct timespec deadline;

	while (sink->n_traces == 0 && !sink->closing)
		pthread_cond_wait(&sink->work, &sink->lock);
	if (sink->n_traces == 0)
		return false;
	deadline = to_timespec(clock_monotonic_ns() + sink->options.linger_ns);
	while (sink->options.linger_ns && !sink->closing &&
	    sink->waiting_spans < sink->options.max_batch_spans)
		if (pthread_cond_timedwait(&sink->work, &sink->lock, &deadline) == ETIMEDOUT)
			break;
	return true;
}

static size_t take_batch(struct sink *sink)
{
	size_t n = 0;

	do {
		sink->batch[n] = ring_pop(sink);
		sink->inflight_spans += sink->batch[n]->n_spans;
		n++;
	} while (sink->n_traces &&
	    sink->inflight_spans + sink->ring[sink->head]->n_spans <=
		sink->options.max_batch_spans);
	return n;
}

/* Lock held on entry and on return. */
static void deliver_batch(struct sink *sink)
{
	size_t n = take_batch(sink);
	size_t failed = 0, delivered;

	pthread_mutex_unlock(&sink->lock);
	delivered = sink->ops->deliver(sink->driver, sink, sink->batch, n, &failed);
	for (size_t i = 0; i < n; i++)
		trace_unref(sink->batch[i]);
	pthread_mutex_lock(&sink->lock);
	assert(delivered + failed == sink->inflight_spans);
	sink->stats.delivered_spans += delivered;
	sink->stats.failed_spans += failed;
	sink->inflight_spans = 0;
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

	priority_raise(sink->ops->name);
	pthread_mutex_lock(&sink->lock);
	while (wait_for_batch(sink) && !atomic_load(&sink->stopping)) {
		deliver_batch(sink);
		if (sink->n_traces == 0)
			flush_driver(sink);
	}
	sink->done = true;
	pthread_cond_signal(&sink->ended);
	pthread_mutex_unlock(&sink->lock);
	return NULL;
}

static void init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
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
	sink->driver = driver_data;
	sink->options = *options;
	if (sink->options.max_queue_spans == 0)
		sink->options.max_queue_spans = 1;
	if (sink->options.max_batch_spans == 0)
		sink->options.max_batch_spans = 1;
	sink->stats.queue_capacity = sink->options.max_queue_spans;
	pthread_mutex_init(&sink->lock, NULL);
	init_cond(&sink->work);
	init_cond(&sink->ended);
	init_cond(&sink->room);
	sink->ring = calloc(sink->options.max_queue_spans, sizeof(*sink->ring));
	sink->batch = calloc(sink->options.max_batch_spans, sizeof(*sink->batch));
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

/* Lock held. A trace that is longer than the whole queue finds none. */
static bool has_room(const struct sink *sink, size_t n_spans)
{
	size_t max = sink->options.max_queue_spans;
	size_t used = sink->waiting_spans + sink->inflight_spans;

	return used <= max && n_spans <= max - used;
}

void sink_publish(struct sink *sink, struct trace *trace)
{
	size_t max = sink->options.max_queue_spans, batch = sink->options.max_batch_spans;
	size_t before;

	if (trace->n_spans == 0)
		return;
	pthread_mutex_lock(&sink->lock);
	while (sink->patient && trace->n_spans <= max && !has_room(sink, trace->n_spans))
		pthread_cond_wait(&sink->room, &sink->lock);
	if (sink->closing || !has_room(sink, trace->n_spans)) {
		sink->stats.dropped_spans += trace->n_spans;
		pthread_mutex_unlock(&sink->lock);
		return;
	}
	before = sink->waiting_spans;
	sink->ring[(sink->head + sink->n_traces) % max] = trace_ref(trace);
	sink->n_traces++;
	sink->waiting_spans += trace->n_spans;
	/* The thread sleeps for a first trace or for a full batch, nothing between. */
	if (before == 0 || (before < batch && sink->waiting_spans >= batch))
		pthread_cond_signal(&sink->work);
	pthread_mutex_unlock(&sink->lock);
}

void sink_stats(struct sink *sink, struct sink_stats *ret_stats)
{
	pthread_mutex_lock(&sink->lock);
	*ret_stats = sink->stats;
	ret_stats->queued_spans = sink->waiting_spans + sink->inflight_spans;
	ret_stats->inflight_spans = sink->inflight_spans;
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
	struct timespec deadline = to_timespec(clock_monotonic_ns() + ns);
	int err = 0;

	pthread_mutex_lock(&sink->lock);
	while (!atomic_load(&sink->stopping) && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&sink->work, &sink->lock, &deadline);
	pthread_mutex_unlock(&sink->lock);
	return !atomic_load(&sink->stopping);
}

/* Close the queue, give the thread its time, then tell it to give up. */
static void sink_stop(struct sink *sink)
{
	struct timespec deadline =
	    to_timespec(clock_monotonic_ns() + sink->options.flush_timeout_ns);
	int err = 0;

	pthread_mutex_lock(&sink->lock);
	sink->closing = true;
	pthread_cond_signal(&sink->work);
	while (!sink->done && err != ETIMEDOUT)
		err = sink->patient ? pthread_cond_wait(&sink->ended, &sink->lock)
				    : pthread_cond_timedwait(&sink->ended, &sink->lock, &deadline);
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
	while (sink->n_traces) {
		struct trace *trace = ring_pop(sink);

		sink->stats.dropped_spans += trace->n_spans;
		trace_unref(trace);
	}
	if (ret_stats)
		*ret_stats = sink->stats;
	sink_destroy(sink);
}

void sink_free(struct sink *sink)
{
	sink_close(sink, NULL);
}
