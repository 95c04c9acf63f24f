// SPDX-License-Identifier: Apache-2.0
/*
 * The thread that exports metrics: when, what, for how long, and what is counted. The destination is a fake that keeps
 * requests and lets each test decide how a sending goes.
 */
#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "export/exporters.h"
#include "export/otlp_metrics.h"
#include "metric_fixture.h"
#include "wire_reader.h"

#define HOUR_MS (3600 * 1000)

enum {
	KEPT = 16,
	BACKOFF_MS = 5,
};

/* How a sending goes. */
enum mode {
	TAKE,    /* everything is taken */
	REJECT,  /* all but one point is taken */
	REFUSE,  /* nothing is taken */
	BACKOFF, /* it tries again until the waiter has enough, then nothing is taken */
	HANG,    /* no answer until the waiter has enough */
};

struct fake {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum mode mode;
	uint64_t work_ns;          /* how long a sending takes */
	struct buf requests[KEPT]; /* the first ones */
	size_t points[KEPT];
	uint64_t begun_ns[KEPT], ended_ns[KEPT];
	int begun, ended, interrupts, frees;
};

struct setup {
	struct fake fake;
	struct metrics *metrics;
	struct instrument *counter, *histogram;
	struct service *own;
	struct otlp_metrics *exporter;
};

static void fake_await(struct fake *fake, const int *counter, int n)
{
	struct timespec deadline;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 20;
	pthread_mutex_lock(&fake->lock);
	while (*counter < n && !err)
		err = pthread_cond_timedwait(&fake->changed, &fake->lock, &deadline);
	pthread_mutex_unlock(&fake->lock);
	assert_int_equal(err, 0);
}

/* Look at the waiter as a transport does, again and again. */
static void hang(const struct otlp_waiter *waiter)
{
	const struct timespec look = {.tv_nsec = 1000000};

	while (!waiter->stopping(waiter->ctx))
		nanosleep(&look, NULL);
}

static size_t fake_result(
    struct fake *fake, enum mode mode, size_t n, const struct otlp_waiter *waiter)
{
	uint64_t end_ns = clock_monotonic_ns() + fake->work_ns;

	while (fake->work_ns && clock_monotonic_ns() < end_ns)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	switch (mode) {
	case TAKE:
		return waiter->stopping(waiter->ctx) ? 0 : n;
	case REJECT:
		return n - 1;
	case REFUSE:
		return 0;
	case BACKOFF:
		while (waiter->sleep(waiter->ctx, BACKOFF_MS * NS_PER_MS)) {
		}
		return 0;
	case HANG:
		hang(waiter);
		return 0;
	}
	return 0;
}

static size_t fake_send(
    void *ctx, const struct buf *request, size_t n, const struct otlp_waiter *waiter)
{
	struct fake *fake = ctx;
	enum mode mode;
	size_t taken;
	int at;

	pthread_mutex_lock(&fake->lock);
	at = fake->begun++;
	mode = fake->mode;
	if (at < KEPT) {
		buf_append(&fake->requests[at], request->data, request->len);
		fake->points[at] = n;
		fake->begun_ns[at] = clock_monotonic_ns();
	}
	pthread_cond_broadcast(&fake->changed);
	pthread_mutex_unlock(&fake->lock);
	taken = fake_result(fake, mode, n, waiter);
	pthread_mutex_lock(&fake->lock);
	if (at < KEPT)
		fake->ended_ns[at] = clock_monotonic_ns();
	fake->ended++;
	pthread_cond_broadcast(&fake->changed);
	pthread_mutex_unlock(&fake->lock);
	return taken;
}

static void fake_set(struct fake *fake, enum mode mode)
{
	pthread_mutex_lock(&fake->lock);
	fake->mode = mode;
	pthread_mutex_unlock(&fake->lock);
}

static void fake_interrupt(void *ctx)
{
	((struct fake *)ctx)->interrupts++;
}

static void fake_free(void *ctx)
{
	((struct fake *)ctx)->frees++;
}

static int begin(void **state)
{
	const struct metric_desc counter = metric_fixture_desc("counter", METRIC_COUNTER);
	const struct metric_desc histogram = metric_fixture_desc("histogram", METRIC_HISTOGRAM);
	struct setup *s = calloc(1, sizeof(*s));

	pthread_mutex_init(&s->fake.lock, NULL);
	pthread_cond_init(&s->fake.changed, NULL);
	s->metrics = metrics_new();
	s->counter = metrics_add(s->metrics, &counter);
	s->histogram = metrics_add(s->metrics, &histogram);
	s->own = fixture_service("zerospan", 1);
	*state = s;
	return 0;
}

static int end(void **state)
{
	struct setup *s = *state;

	otlp_metrics_free(s->exporter);
	for (size_t i = 0; i < KEPT; i++)
		buf_release(&s->fake.requests[i]);
	metrics_free(s->metrics);
	service_unref(s->own);
	free(s);
	return 0;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)

static void start(struct setup *s, struct otlp_metrics_options options)
{
	const struct otlp_target target = {.name = "fake",
	    .send = fake_send,
	    .interrupt = fake_interrupt,
	    .free = fake_free,
	    .ctx = &s->fake};
	const struct clock_base base = {.offset_ns = 0};

	s->exporter = otlp_metrics_new(&options, &target, s->metrics, s->own, &base);
	assert_non_null(s->exporter);
}

static void stop(struct setup *s, struct otlp_metrics_stats *ret_stats)
{
	otlp_metrics_close(s->exporter, ret_stats);
	s->exporter = NULL;
	assert_int_equal(s->fake.frees, 1);
	assert_int_equal(ret_stats->inflight_points, 0);
}

/* --- reading requests --- */

/* The first point of the i-th request's metric of this data field. */
static struct sv point_of(struct setup *s, int i, uint32_t data)
{
	struct sv metrics = wire_sub(wire_sub(buf_sv(&s->fake.requests[i]), 1, 0), 2, 0);

	for (size_t m = 0;; m++) {
		struct sv metric = wire_sub(metrics, 2, m);

		if (wire_count(metric, data))
			return wire_sub(wire_sub(metric, data, 0), 1, 0);
	}
}

static double value_of(struct sv point)
{
	struct field f = wire_get(point, 4, 0);
	double value;

	assert_int_equal(f.number, 4);
	memcpy(&value, &f.value, sizeof(value));
	return value;
}

/* --- when --- */

/* From start to start, however long a sending takes; a total goes out each time; one start for all. */
static void test_periodic(void **state)
{
	enum {
		EXPORTS = 5,
		INTERVAL_MS = 200,
		WORK_MS = 150,
	};
	struct setup *s = *state;
	struct otlp_metrics_stats stats;
	uint64_t begin_ns, spent_ns;

	s->fake.work_ns = WORK_MS * NS_PER_MS;
	begin_ns = clock_monotonic_ns();
	metric_record(s->counter, NULL, NULL, 0, 5, NULL);
	start(s, (struct otlp_metrics_options){.interval_ms = INTERVAL_MS});
	fake_await(&s->fake, &s->fake.begun, EXPORTS);
	assert_true(s->fake.begun_ns[0] - begin_ns >= INTERVAL_MS * NS_PER_MS);
	spent_ns = s->fake.begun_ns[EXPORTS - 1] - s->fake.begun_ns[0];
	assert_true(spent_ns >= (uint64_t)(EXPORTS - 2) * INTERVAL_MS * NS_PER_MS);
	assert_true(spent_ns < (uint64_t)(EXPORTS - 1) * (INTERVAL_MS + WORK_MS) * NS_PER_MS);
	stop(s, &stats);
	assert_int_equal(stats.delivered_points, s->fake.begun);
	assert_int_equal(stats.failed_points, 0);
	for (int i = 0; i < EXPORTS; i++) {
		struct sv point = point_of(s, i, 7), first = point_of(s, 0, 7);

		assert_true(value_of(point) == 5);
		assert_int_equal(wire_get(point, 2, 0).value, wire_get(first, 2, 0).value);
		assert_true(wire_get(point, 3, 0).value > wire_get(point, 2, 0).value);
	}
}

/* What was recorded before the first start goes out at the end. */
static void test_last_flush(void **state)
{
	struct setup *s = *state;
	struct otlp_metrics_stats stats;

	start(s, (struct otlp_metrics_options){.interval_ms = HOUR_MS});
	metric_record(s->counter, NULL, NULL, 0, 5, NULL);
	metric_record(s->histogram, NULL, NULL, 0, 0.5, NULL);
	stop(s, &stats);
	assert_int_equal(s->fake.begun, 1);
	assert_int_equal(s->fake.points[0], 2);
	assert_true(value_of(point_of(s, 0, 7)) == 5);
	assert_int_equal(wire_get(point_of(s, 0, 9), 4, 0).value, 1);
	assert_int_equal(stats.delivered_points, 2);
	assert_int_equal(s->fake.interrupts, 0);
}

/* No points: nothing is sent, not even at the end. */
static void test_nothing(void **state)
{
	struct setup *s = *state;
	struct otlp_metrics_stats stats;

	start(s, (struct otlp_metrics_options){.interval_ms = HOUR_MS});
	stop(s, &stats);
	assert_int_equal(s->fake.begun, 0);
	assert_int_equal(stats.delivered_points + stats.failed_points, 0);
}

/* --- what is counted --- */

static void test_rejected(void **state)
{
	struct setup *s = *state;
	struct otlp_metrics_stats stats;

	s->fake.mode = REJECT;
	start(s, (struct otlp_metrics_options){.interval_ms = HOUR_MS});
	metric_record(s->counter, NULL, NULL, 0, 5, NULL);
	metric_record(s->histogram, NULL, NULL, 0, 0.5, NULL);
	stop(s, &stats);
	assert_int_equal(stats.delivered_points, 1);
	assert_int_equal(stats.failed_points, 1);
	assert_int_equal(stats.skipped_exports, 0);
}

static void test_inflight(void **state)
{
	struct setup *s = *state;
	struct otlp_metrics_stats stats;

	s->fake.mode = HANG;
	metric_record(s->counter, NULL, NULL, 0, 5, NULL);
	metric_record(s->histogram, NULL, NULL, 0, 0.5, NULL);
	start(s, (struct otlp_metrics_options){.interval_ms = 1, .flush_ms = 1});
	fake_await(&s->fake, &s->fake.begun, 1);
	otlp_metrics_stats(s->exporter, &stats);
	assert_int_equal(stats.inflight_points, 2);
	assert_int_equal(stats.delivered_points + stats.failed_points, 0);
	stop(s, &stats);
	assert_int_equal(stats.delivered_points, 0);
	assert_int_equal(stats.failed_points, 2 * (uint64_t)s->fake.begun);
}

/* --- for how long --- */

/* A destination that does not answer is given up at the timeout, not before, and is asked again at the next start. */
static void test_timeout(void **state)
{
	struct setup *s = *state;
	struct otlp_metrics_stats stats;
	uint64_t begin_ns = clock_monotonic_ns();

	s->fake.mode = HANG;
	metric_record(s->counter, NULL, NULL, 0, 5, NULL);
	start(s, (struct otlp_metrics_options){.interval_ms = 20, .timeout_ms = 30, .flush_ms = 1});
	fake_await(&s->fake, &s->fake.ended, 3);
	assert_true(s->fake.ended_ns[0] - begin_ns >= (20 + 30) * NS_PER_MS);
	otlp_metrics_stats(s->exporter, &stats);
	assert_true(stats.failed_points >= 2);
	stop(s, &stats);
}

/* No back-off goes beyond the timeout: one that would is refused. */
static void test_backoff_ends(void **state)
{
	struct setup *s = *state;
	struct otlp_metrics_stats stats;
	uint64_t begin_ns = clock_monotonic_ns();

	s->fake.mode = BACKOFF;
	metric_record(s->counter, NULL, NULL, 0, 5, NULL);
	start(s, (struct otlp_metrics_options){.interval_ms = 1, .timeout_ms = 50, .flush_ms = 1});
	fake_await(&s->fake, &s->fake.ended, 2);
	assert_true(s->fake.ended_ns[0] - begin_ns >= (1 + 50 - BACKOFF_MS) * NS_PER_MS);
	stop(s, &stats);
	assert_int_equal(stats.delivered_points, 0);
}

/* The end does not wait for a destination that hangs longer than the flush time, and wakes who waits for it. */
static void test_hang_at_end(void **state)
{
	struct setup *s = *state;
	struct otlp_metrics_stats stats;
	uint64_t begin_ns;

	s->fake.mode = HANG;
	metric_record(s->counter, NULL, NULL, 0, 5, NULL);
	start(s, (struct otlp_metrics_options){.interval_ms = 1, .flush_ms = 50});
	fake_await(&s->fake, &s->fake.begun, 1);
	begin_ns = clock_monotonic_ns();
	stop(s, &stats);
	assert_true(clock_monotonic_ns() - begin_ns >= 50 * NS_PER_MS);
	assert_int_equal(s->fake.interrupts, 1);
	assert_int_equal(stats.delivered_points, 0);
	assert_int_equal(stats.failed_points, (uint64_t)s->fake.begun);
}

/* An export that waits to try again gives way to the last one, which has a fresh snapshot. */
static void test_end_during_backoff(void **state)
{
	struct setup *s = *state;
	struct otlp_metrics_stats stats;

	s->fake.mode = BACKOFF;
	metric_record(s->counter, NULL, NULL, 0, 5, NULL);
	start(s, (struct otlp_metrics_options){.interval_ms = 1, .flush_ms = 20000});
	fake_await(&s->fake, &s->fake.begun, 1);
	metric_record(s->counter, NULL, NULL, 0, 2, NULL);
	fake_set(&s->fake, TAKE);
	stop(s, &stats);
	assert_int_equal(s->fake.begun, 2);
	assert_true(value_of(point_of(s, 0, 7)) == 5);
	assert_true(value_of(point_of(s, 1, 7)) == 7);
	assert_int_equal(stats.failed_points, 1);
	assert_int_equal(stats.delivered_points, 1);
	assert_int_equal(s->fake.interrupts, 0);
}

/* --- requests of limited size --- */

enum {
	MANY = OTLP_METRICS_REQUEST_POINTS,
	REST = 500,
};

/* More points than one request has; every one has its own value. */
static void record_many(struct setup *s)
{
	const struct metric_desc desc = metric_fixture_desc("many", METRIC_COUNTER);
	struct instrument *many = metrics_add(s->metrics, &desc);

	for (int i = 0; i < MANY; i++) {
		struct attr attr = ATTR_I("k", i);

		metric_record(many, NULL, &attr, 1, 1, NULL);
		if (i < REST)
			metric_record(s->histogram, NULL, &attr, 1, 1, NULL);
	}
}

static void test_many_points(void **state)
{
	struct setup *s = *state;
	struct otlp_metrics_stats stats;

	record_many(s);
	start(s,
	    (struct otlp_metrics_options){
		.interval_ms = HOUR_MS, .temporality = METRIC_TEMPORALITY_DELTA});
	stop(s, &stats);
	assert_int_equal(s->fake.begun, 2);
	assert_int_equal(s->fake.points[0], MANY);
	assert_int_equal(s->fake.points[1], REST);
	assert_int_equal(wire_get(point_of(s, 0, 9), 4, 0).value, 1); /* histograms were first */
	assert_true(value_of(point_of(s, 0, 7)) == 1);
	assert_true(value_of(point_of(s, 1, 7)) == 1);
	assert_int_equal(stats.delivered_points, MANY + REST);
	assert_int_equal(stats.failed_points, 0);
}

/* What there is no time for any more is not tried, and has failed. */
static void test_many_points_late(void **state)
{
	struct setup *s = *state;
	struct otlp_metrics_stats stats;

	s->fake.mode = HANG;
	record_many(s);
	start(s,
	    (struct otlp_metrics_options){
		.interval_ms = HOUR_MS, .timeout_ms = 200, .flush_ms = 20000});
	stop(s, &stats);
	assert_int_equal(s->fake.begun, 1);
	assert_int_equal(stats.failed_points, MANY + REST);
	assert_int_equal(stats.delivered_points, 0);
	assert_int_equal(s->fake.interrupts, 0);
}

/* --- changes --- */

/* Each request has what came since the one before, taken or not, and joins it in time. */
static void test_delta(void **state)
{
	struct setup *s = *state;
	struct otlp_metrics_stats stats;
	double sum = 0;

	s->fake.mode = REFUSE;
	start(s,
	    (struct otlp_metrics_options){
		.interval_ms = 1, .temporality = METRIC_TEMPORALITY_DELTA});
	for (int i = 0; i < 4; i++) {
		metric_record(s->counter, NULL, NULL, 0, 1 << i, NULL);
		fake_await(&s->fake, &s->fake.ended, i + 1);
	}
	stop(s, &stats);
	assert_int_equal(s->fake.begun, 4); /* nothing is said when nothing changed */
	for (int i = 0; i < 4; i++) {
		struct sv point = point_of(s, i, 7);

		sum += value_of(point);
		assert_true(value_of(point) == 1 << i);
		assert_true(wire_get(point, 2, 0).value <= wire_get(point, 3, 0).value);
		if (i)
			assert_true(wire_get(point, 2, 0).value >=
			    wire_get(point_of(s, i - 1, 7), 3, 0).value);
	}
	assert_true(sum == 15);
	assert_int_equal(stats.failed_points, 4);
}

/* There is no memory for the first one. */
static size_t encode_without_memory(struct buf *out, const struct metric_snapshot *snapshot,
    const struct service *own, const struct clock_base *clock)
{
	static int encoded;

	if (encoded++ == 0) {
		out->failed = true;
		return 0;
	}
	return encode_otlp_metrics_protobuf(out, snapshot, own, clock);
}

/* No memory for one export: it is counted, and what changed goes with the next. */
static void test_no_memory(void **state)
{
	struct setup *s = *state;
	struct otlp_metrics_stats stats;

	metric_record(s->counter, NULL, NULL, 0, 5, NULL);
	start(s,
	    (struct otlp_metrics_options){.interval_ms = 1,
		.temporality = METRIC_TEMPORALITY_DELTA,
		.encode = encode_without_memory});
	fake_await(&s->fake, &s->fake.ended, 1);
	stop(s, &stats);
	assert_int_equal(stats.skipped_exports, 1);
	assert_int_equal(stats.delivered_points, 1);
	assert_int_equal(stats.failed_points, 0);
	assert_true(value_of(point_of(s, 0, 7)) == 5);
}

/* Observed totals stay totals when memory is to be low. */
static void test_lowmemory(void **state)
{
	const struct metric_desc total = metric_fixture_desc("total", METRIC_COUNTER);
	struct setup *s = *state;
	struct instrument *observed = metrics_add(s->metrics, &total);
	struct otlp_metrics_stats stats;
	struct sv metrics;

	metric_record(s->counter, NULL, NULL, 0, 1, NULL);
	metric_set(observed, NULL, 0, 10);
	start(s,
	    (struct otlp_metrics_options){
		.interval_ms = HOUR_MS, .temporality = METRIC_TEMPORALITY_LOWMEMORY});
	stop(s, &stats);
	metrics = wire_sub(wire_sub(buf_sv(&s->fake.requests[0]), 1, 0), 2, 0);
	assert_int_equal(wire_count(metrics, 2), 2);
	assert_int_equal(wire_get(wire_sub(wire_sub(metrics, 2, 0), 7, 0), 2, 0).value, 1);
	assert_int_equal(wire_get(wire_sub(wire_sub(metrics, 2, 1), 7, 0), 2, 0).value, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_periodic),
	    CASE(test_last_flush),
	    CASE(test_nothing),
	    CASE(test_rejected),
	    CASE(test_inflight),
	    CASE(test_timeout),
	    CASE(test_backoff_ends),
	    CASE(test_hang_at_end),
	    CASE(test_end_during_backoff),
	    CASE(test_many_points),
	    CASE(test_many_points_late),
	    CASE(test_delta),
	    CASE(test_no_memory),
	    CASE(test_lowmemory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
