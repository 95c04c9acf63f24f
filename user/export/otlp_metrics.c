// SPDX-License-Identifier: Apache-2.0
/*
 * The thread that exports metrics; see otlp_metrics.h.
 *
 *	   start        start        start      close
 *	     |--export--  |--export--  |--back-off|--export--|
 *
 * Ending has two steps, as in sink.c. `closing`: no more waiting for a start or to try again, one last export.
 * `stopping`: the flush time is over, the last one gives up, too.
 *
 * For a destination that prefers changes, the snapshot whose changes were sent last is kept. It is replaced when a first
 * request is made, whatever comes of the sending: what a destination did not take is lost and counted, and is never
 * sent twice.
 */
#include "export/otlp_metrics.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/cond.h"
#include "base/log.h"
#include "export/exporters.h"
#include "metric/metric_slice.h"

#define INTERVAL_MS 60000
#define FLUSH_MS    5000

/* What a service counted that has ended is tried to deliver for so many intervals, but not for less than this. */
#define KEEP_INTERVALS 5
#define KEEP_MS        300000

struct otlp_metrics {
	struct otlp_metrics_options options;
	struct otlp_target target;
	struct metrics *metrics;
	int reader;          /* its number there */
	struct service *own; /* a reference */
	struct clock_base clock;
	pthread_t thread;
	atomic_bool stopping;

	/* The thread's own. */
	struct metric_snapshot *before; /* NULL: none was sent, or all is cumulative */
	struct buf request;
	uint64_t deadline_ns; /* monotonic: of the export that is going on */
	bool last;            /* it is the last one */
	struct log_limit no_memory;

	pthread_mutex_t lock;   /* guards everything below */
	pthread_cond_t changed; /* closing, stopping */
	pthread_cond_t ended;   /* done */
	bool closing;
	uint64_t end_ns; /* once closing: monotonic, until which the last export may take */
	bool done;
	struct otlp_metrics_stats stats;
	struct export_observer observer;
};

/* --- who waits for a transfer ---------------------------------------------------------------- */

static bool waiter_stopping(void *ctx)
{
	struct otlp_metrics *exporter = ctx;

	return atomic_load(&exporter->stopping) || clock_monotonic_ns() >= exporter->deadline_ns;
}

/* A wait that would end after the deadline would be for nothing. */
static bool waiter_sleep(void *ctx, uint64_t ns)
{
	struct otlp_metrics *exporter = ctx;
	uint64_t now_ns = clock_monotonic_ns();
	bool give_up;
	int err = 0;

	if (now_ns >= exporter->deadline_ns || ns >= exporter->deadline_ns - now_ns)
		return false;
	pthread_mutex_lock(&exporter->lock);
	for (;;) {
		give_up =
		    atomic_load(&exporter->stopping) || (exporter->closing && !exporter->last);
		if (give_up || err == ETIMEDOUT)
			break;
		err = cond_wait_until(&exporter->changed, &exporter->lock, now_ns + ns);
	}
	pthread_mutex_unlock(&exporter->lock);
	return !give_up;
}

/* --- one export ------------------------------------------------------------------------------ */

/* What is exported at one time. */
struct round {
	struct metric_snapshot *snapshot;
	struct metric_delta delta;      /* what is said of it */
	struct metric_family *families; /* room for a slice's */
	size_t n_points;
	uint64_t time_ns; /* of the snapshot */
};

static void round_release(struct round *round)
{
	free(round->families);
	metric_delta_release(&round->delta);
	metric_snapshot_free(round->snapshot);
}

/* Returns 0 or -ENOMEM. */
static int round_init(struct otlp_metrics *exporter, struct round *round)
{
	*round = (struct round){0};
	round->snapshot = metrics_read(exporter->metrics, exporter->reader);
	if (!round->snapshot)
		return -ENOMEM;
	round->time_ns = round->snapshot->time_ns;
	round->families = malloc((round->snapshot->n_families + 1) * sizeof(*round->families));
	if (!round->families ||
	    metric_delta_init(
		&round->delta, exporter->before, round->snapshot, exporter->options.temporality)) {
		round_release(round);
		return -ENOMEM;
	}
	round->n_points = metric_snapshot_points(&round->delta.snapshot);
	return 0;
}

/* The next round says what changes from now on. The snapshot lives on, for this one, too. */
static void round_commit(struct otlp_metrics *exporter, struct round *round)
{
	pthread_mutex_lock(&exporter->lock);
	exporter->stats.inflight_points = round->n_points;
	pthread_mutex_unlock(&exporter->lock);
	if (exporter->options.temporality == METRIC_TEMPORALITY_CUMULATIVE)
		return;
	metric_snapshot_free(exporter->before);
	exporter->before = round->snapshot;
	round->snapshot = NULL;
}

/* Make a request of the points from first on. False without memory. */
static bool make_request(struct otlp_metrics *exporter, const struct round *round, size_t first)
{
	const struct metric_snapshot slice = metric_slice(
	    &round->delta.snapshot, first, OTLP_METRICS_REQUEST_POINTS, round->families);

	buf_clear(&exporter->request);
	exporter->options.encode(&exporter->request, &slice, exporter->own, &exporter->clock);
	return !exporter->request.failed;
}

static void log_no_memory(struct otlp_metrics *exporter)
{
	uint64_t suppressed;

	if (log_limit_pass(&exporter->no_memory, clock_monotonic_ns(), &suppressed))
		log_warn("metrics to %s: out of memory, not sent this time (%llu times before)",
		    exporter->target.name, (unsigned long long)suppressed);
}

static void count(struct otlp_metrics *exporter, size_t n, size_t delivered, const char *error_type)
{
	pthread_mutex_lock(&exporter->lock);
	exporter->stats.inflight_points -= n;
	exporter->stats.delivered_points += delivered;
	exporter->stats.failed_points += n - delivered;
	if (delivered < n)
		export_failures_add(&exporter->stats.failures, error_type, n - delivered);
	pthread_mutex_unlock(&exporter->lock);
}

static size_t slice_points(const struct round *round, size_t first)
{
	size_t left = round->n_points - first;

	return left < OTLP_METRICS_REQUEST_POINTS ? left : OTLP_METRICS_REQUEST_POINTS;
}

/* Points that were taken. */
static size_t send_request(struct otlp_metrics *exporter, size_t n, const char **ret_error_type)
{
	const struct otlp_target *target = &exporter->target;
	const struct otlp_waiter waiter = {
	    .stopping = waiter_stopping, .sleep = waiter_sleep, .ctx = exporter};
	uint64_t begin_ns = clock_monotonic_ns();
	size_t taken = target->send(target->ctx, &exporter->request, n, &waiter);
	struct export_observer observer;

	pthread_mutex_lock(&exporter->lock);
	observer = exporter->observer;
	pthread_mutex_unlock(&exporter->lock);
	*ret_error_type = taken < n ? otlp_target_error(target) : NULL;
	export_observer_tell(&observer, begin_ns, *ret_error_type);
	return taken;
}

/* The same of the request from first on; what there is no time for any more has failed. */
static size_t send_next(struct otlp_metrics *exporter, const struct round *round, size_t first,
    const char **ret_error_type)
{
	*ret_error_type = EXPORT_ERROR_CANCELLED;
	if (waiter_stopping(exporter))
		return 0;
	if (!make_request(exporter, round, first)) {
		log_no_memory(exporter);
		*ret_error_type = EXPORT_ERROR_MEMORY;
		return 0;
	}
	return send_request(exporter, slice_points(round, first), ret_error_type);
}

/* Request after request; the first one is made. False when of one of them nothing was taken. */
static bool send_round(struct otlp_metrics *exporter, const struct round *round)
{
	bool arrived = true;
	size_t n;

	for (size_t first = 0; first < round->n_points; first += n) {
		const char *error_type;
		size_t taken;

		n = slice_points(round, first);
		taken = first ? send_next(exporter, round, first, &error_type)
			      : send_request(exporter, n, &error_type);
		count(exporter, n, taken, error_type);
		arrived &= taken > 0;
	}
	return arrived;
}

static void skip_round(struct otlp_metrics *exporter)
{
	log_no_memory(exporter);
	pthread_mutex_lock(&exporter->lock);
	exporter->stats.skipped_exports++;
	pthread_mutex_unlock(&exporter->lock);
}

static void export_once(struct otlp_metrics *exporter)
{
	uint64_t timeout_ms = exporter->options.timeout_ms;
	struct round round;

	exporter->deadline_ns =
	    timeout_ms ? clock_monotonic_ns() + timeout_ms * NS_PER_MS : UINT64_MAX;
	if (round_init(exporter, &round)) {
		skip_round(exporter);
		return;
	}
	if (!make_request(exporter, &round, 0)) {
		skip_round(exporter);
	} else {
		round_commit(exporter, &round);
		if (send_round(exporter, &round))
			metrics_reader_had(exporter->metrics, exporter->reader, round.time_ns);
	}
	round_release(&round);
}

/* --- the thread ------------------------------------------------------------------------------ */

/* Returns whether the exporter is closing. */
static bool wait_until(struct otlp_metrics *exporter, uint64_t ns)
{
	bool closing;
	int err = 0;

	pthread_mutex_lock(&exporter->lock);
	while (!exporter->closing && err != ETIMEDOUT)
		err = cond_wait_until(&exporter->changed, &exporter->lock, ns);
	closing = exporter->closing;
	pthread_mutex_unlock(&exporter->lock);
	return closing;
}

/* Starts that passed during a long export are left out. */
static uint64_t next_start(uint64_t start_ns, uint64_t interval_ns, uint64_t now_ns)
{
	uint64_t missed = now_ns > start_ns ? (now_ns - start_ns) / interval_ns : 0;

	return start_ns + (missed + 1) * interval_ns;
}

static void *exporter_thread(void *arg)
{
	struct otlp_metrics *exporter = arg;
	uint64_t interval_ns = exporter->options.interval_ms * NS_PER_MS;
	uint64_t start_ns = clock_monotonic_ns() + interval_ns;

	do {
		exporter->last = wait_until(exporter, start_ns);
		export_once(exporter);
		start_ns = next_start(start_ns, interval_ns, clock_monotonic_ns());
	} while (!exporter->last);
	pthread_mutex_lock(&exporter->lock);
	exporter->done = true;
	pthread_cond_signal(&exporter->ended);
	pthread_mutex_unlock(&exporter->lock);
	return NULL;
}

/* --- life cycle ------------------------------------------------------------------------------ */

/* Free all but the thread. */
static void exporter_destroy(struct otlp_metrics *exporter)
{
	otlp_target_free(&exporter->target);
	if (exporter->reader >= 0)
		metrics_remove_reader(exporter->metrics, exporter->reader);
	metric_snapshot_free(exporter->before);
	service_unref(exporter->own);
	buf_release(&exporter->request);
	pthread_cond_destroy(&exporter->changed);
	pthread_cond_destroy(&exporter->ended);
	pthread_mutex_destroy(&exporter->lock);
	free(exporter);
}

static void exporter_init(struct otlp_metrics *exporter, const struct otlp_metrics_options *options)
{
	exporter->options = *options;
	if (!exporter->options.encode)
		exporter->options.encode = encode_otlp_metrics_protobuf;
	if (!exporter->options.interval_ms)
		exporter->options.interval_ms = INTERVAL_MS;
	if (!exporter->options.flush_ms)
		exporter->options.flush_ms = FLUSH_MS;
	if (!exporter->options.temporality)
		exporter->options.temporality = METRIC_TEMPORALITY_CUMULATIVE;
	buf_init(&exporter->request);
	pthread_mutex_init(&exporter->lock, NULL);
	cond_init(&exporter->changed);
	cond_init(&exporter->ended);
}

static uint64_t keep_ns(const struct otlp_metrics *exporter)
{
	uint64_t ms = KEEP_INTERVALS * exporter->options.interval_ms;

	return (ms > KEEP_MS ? ms : KEEP_MS) * NS_PER_MS;
}

struct otlp_metrics *otlp_metrics_new(const struct otlp_metrics_options *options,
    const struct otlp_target *target, struct metrics *metrics, struct service *own,
    const struct clock_base *clock)
{
	struct otlp_metrics *exporter = calloc(1, sizeof(*exporter));
	int err = 0;

	if (!exporter) {
		otlp_target_free(target);
		errno = ENOMEM;
		return NULL;
	}
	exporter_init(exporter, options);
	exporter->target = *target;
	exporter->metrics = metrics;
	exporter->own = service_ref(own);
	exporter->clock = *clock;
	exporter->reader = metrics_add_reader(metrics, METRIC_READER_PERIODIC, keep_ns(exporter));
	if (exporter->reader < 0)
		err = -exporter->reader;
	if (!err)
		err = pthread_create(&exporter->thread, NULL, exporter_thread, exporter);
	if (err) {
		exporter_destroy(exporter);
		errno = err;
		return NULL;
	}
	return exporter;
}

const char *otlp_metrics_name(const struct otlp_metrics *exporter)
{
	return exporter->target.name;
}

void otlp_metrics_observe(struct otlp_metrics *exporter, const struct export_observer *observer)
{
	pthread_mutex_lock(&exporter->lock);
	exporter->observer = *observer;
	pthread_mutex_unlock(&exporter->lock);
}

void otlp_metrics_stats(struct otlp_metrics *exporter, struct otlp_metrics_stats *ret_stats)
{
	pthread_mutex_lock(&exporter->lock);
	*ret_stats = exporter->stats;
	pthread_mutex_unlock(&exporter->lock);
}

void otlp_metrics_end_by(struct otlp_metrics *exporter, uint64_t deadline_ns)
{
	pthread_mutex_lock(&exporter->lock);
	exporter->closing = true;
	exporter->end_ns = deadline_ns;
	pthread_cond_signal(&exporter->changed);
	pthread_mutex_unlock(&exporter->lock);
}

void otlp_metrics_close(struct otlp_metrics *exporter, struct otlp_metrics_stats *ret_stats)
{
	int err = 0;

	if (!exporter)
		return;
	if (!exporter->closing)
		otlp_metrics_end_by(
		    exporter, clock_monotonic_ns() + exporter->options.flush_ms * NS_PER_MS);
	pthread_mutex_lock(&exporter->lock);
	while (!exporter->done && err != ETIMEDOUT)
		err = cond_wait_until(&exporter->ended, &exporter->lock, exporter->end_ns);
	atomic_store(&exporter->stopping, true);
	pthread_cond_signal(&exporter->changed);
	pthread_mutex_unlock(&exporter->lock);
	if (err == ETIMEDOUT)
		otlp_target_interrupt(&exporter->target);
	pthread_join(exporter->thread, NULL);
	if (ret_stats)
		*ret_stats = exporter->stats;
	exporter_destroy(exporter);
}

void otlp_metrics_free(struct otlp_metrics *exporter)
{
	otlp_metrics_close(exporter, NULL);
}
