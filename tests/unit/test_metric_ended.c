// SPDX-License-Identifier: Apache-2.0
/* What stays of services that have ended, for whom, and for how long. */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "export/otlp_metrics.h"
#include "metric_fixture.h"

#define HOUR_NS (3600 * NS_PER_S)

struct setup {
	struct metrics *metrics;
	struct instrument *counter, *histogram, *divided, *gauge, *updown;
	struct service *one, *two;
};

static int begin(void **state)
{
	const struct metric_desc counter = metric_fixture_desc("counter", METRIC_COUNTER);
	const struct metric_desc histogram = metric_fixture_desc("histogram", METRIC_HISTOGRAM);
	const struct metric_desc gauge = metric_fixture_desc("gauge", METRIC_GAUGE);
	const struct metric_desc updown = metric_fixture_desc("updown", METRIC_UPDOWN);
	struct metric_desc divided = metric_fixture_desc("divided", METRIC_COUNTER);
	struct setup *s = calloc(1, sizeof(*s));

	divided.part_key = "state";
	divided.part_name = metric_part_name;
	divided.n_parts = 3;
	divided.part_unit = 0.5;
	s->metrics = metrics_new();
	s->counter = metrics_add(s->metrics, &counter);
	s->histogram = metrics_add(s->metrics, &histogram);
	s->divided = metrics_add(s->metrics, &divided);
	s->gauge = metrics_add(s->metrics, &gauge);
	s->updown = metrics_add(s->metrics, &updown);
	s->one = fixture_service("shop", 1);
	s->two = fixture_service("cart", 2);
	*state = s;
	return 0;
}

static int end(void **state)
{
	struct setup *s = *state;

	metrics_free(s->metrics);
	assert_int_equal(atomic_load(&s->one->refs), 1);
	assert_int_equal(atomic_load(&s->two->refs), 1);
	service_unref(s->one);
	service_unref(s->two);
	free(s);
	return 0;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)

static int add_reader(struct setup *s, enum metric_reader_kind kind)
{
	int reader = metrics_add_reader(s->metrics, kind, HOUR_NS);

	assert_true(reader >= 0);
	return reader;
}

static void count_for(struct setup *s, struct service *service, int n)
{
	for (int i = 0; i < n; i++)
		metric_record(s->counter, service, &(struct attr)ATTR_I("n", i), 1, 1, NULL);
}

/* Points of a service in what the reader reads now; NULL: of none. */
static size_t points(struct setup *s, int reader, const struct service *service)
{
	struct metric_snapshot *snapshot = metrics_read(s->metrics, reader);
	size_t n = 0;

	for (size_t f = 0; f < snapshot->n_families; f++)
		for (size_t i = 0; i < snapshot->families[f].n_points; i++)
			n += snapshot->families[f].points[i].service == service;
	metric_snapshot_free(snapshot);
	return n;
}

static uint64_t unread(struct setup *s)
{
	struct metrics_stats stats;

	metrics_stats(s->metrics, &stats);
	return stats.unread_sets;
}

/* Counters and histograms stay with their numbers until the reader had them; what tells a present state goes at once. */
static void what_counts_stays(void **state)
{
	struct setup *s = *state;
	const uint64_t parts[] = {4, 0, 2};
	const struct metric_value divided = {.instrument = s->divided, .parts = parts};
	int reader = add_reader(s, METRIC_READER_PERIODIC);
	struct metric_snapshot *snapshot;

	metric_record(s->counter, s->one, NULL, 0, 3, NULL);
	metric_record(s->histogram, s->one, NULL, 0, 0.5, NULL);
	metric_record_together(&divided, 1, s->one, NULL, 0, NULL);
	metric_record(s->gauge, s->one, NULL, 0, 7, NULL);
	metric_set_of(s->updown, s->one, NULL, 0, 8);
	metrics_end_service(s->metrics, s->one);
	metrics_end_service(s->metrics, s->one); /* has nothing more to end */
	snapshot = metrics_read(s->metrics, reader);
	assert_int_equal(snapshot->families[0].n_points, 1);
	assert_true(snapshot->families[0].points[0].value == 3);
	assert_ptr_equal(snapshot->families[0].points[0].service, s->one);
	assert_int_equal(snapshot->families[1].points[0].count, 1);
	assert_int_equal(snapshot->families[2].n_points, 2);
	assert_true(snapshot->families[2].points[0].value == 2);
	assert_int_equal(snapshot->families[3].n_points, 0);
	assert_int_equal(snapshot->families[4].n_points, 0);
	metrics_reader_had(s->metrics, reader, snapshot->time_ns);
	assert_int_equal(points(s, reader, s->one), 0);
	assert_int_equal(atomic_load(&s->one->refs), 1 + 3); /* those of the snapshot */
	metric_snapshot_free(snapshot);
	assert_int_equal(atomic_load(&s->one->refs), 1);
	assert_int_equal(unread(s), 0);
}

/* What was recorded too late: of totals, and values of other kinds that are in no total. */
static void expect_lost(struct setup *s, uint64_t late, uint64_t others)
{
	struct metrics_stats stats;

	metrics_stats(s->metrics, &stats);
	assert_int_equal(stats.late_records, late);
	assert_int_equal(stats.lost_records, others);
}

/* No set comes back, nor do those grow that are kept; what totals miss is counted, present states are not missed. */
static void nothing_after_the_end(void **state)
{
	struct setup *s = *state;
	const uint64_t parts[] = {4, 0, 2};
	const struct metric_value together[] = {{.instrument = s->counter, .value = 1},
	    {.instrument = s->histogram, .value = 2}, {.instrument = s->gauge, .value = 3}};
	const struct metric_value divided = {.instrument = s->divided, .parts = parts};
	int reader = add_reader(s, METRIC_READER_PERIODIC);

	count_for(s, s->one, 2);
	metrics_end_service(s->metrics, s->one);
	expect_lost(s, 0, 0);
	count_for(s, s->one, 3);
	metric_record_together(together, 3, s->one, NULL, 0, NULL);
	metric_record_together(&divided, 1, s->one, NULL, 0, NULL);
	metric_record(s->gauge, s->one, NULL, 0, 7, NULL);
	metric_set_of(s->updown, s->one, NULL, 0, 8);
	expect_lost(s, 3 + 2 + 1, 0);
	metric_set_of(s->counter, s->one, NULL, 0, 9);
	expect_lost(s, 7, 0);
	assert_int_equal(points(s, reader, s->one), 2);
	count_for(s, s->two, 4);
	assert_int_equal(points(s, reader, s->two), 4);
	metrics_reader_had(s->metrics, reader, clock_monotonic_ns());
	assert_int_equal(points(s, reader, s->one), 0);
	assert_int_equal(atomic_load(&s->one->refs), 1);
}

/* What ended after a snapshot is not had with it; who is recorded on is not touched. */
static void had_until_then(void **state)
{
	struct setup *s = *state;
	int reader = add_reader(s, METRIC_READER_PERIODIC);
	uint64_t before_ns;

	count_for(s, s->one, 3);
	count_for(s, s->two, 2);
	before_ns = clock_monotonic_ns();
	metrics_end_service(s->metrics, s->one);
	metrics_reader_had(s->metrics, reader, before_ns - 1);
	assert_int_equal(points(s, reader, s->one), 3);
	metrics_reader_had(s->metrics, reader, clock_monotonic_ns());
	assert_int_equal(points(s, reader, s->one), 0);
	assert_int_equal(points(s, reader, s->two), 2);
	count_for(s, s->two, 4);
	assert_int_equal(points(s, reader, s->two), 4);
}

/* Each reader has it until that one had it; one that leaves wants nothing more. */
static void each_reader_for_itself(void **state)
{
	struct setup *s = *state;
	int a = add_reader(s, METRIC_READER_PERIODIC), b = add_reader(s, METRIC_READER_ON_DEMAND);
	int c = add_reader(s, METRIC_READER_PERIODIC);

	count_for(s, s->one, 2);
	metrics_end_service(s->metrics, s->one);
	metrics_reader_had(s->metrics, a, clock_monotonic_ns());
	assert_int_equal(points(s, a, s->one), 0);
	assert_int_equal(points(s, b, s->one), 2);
	metrics_reader_had(s->metrics, b, clock_monotonic_ns());
	metrics_remove_reader(s->metrics, a);
	assert_int_equal(points(s, c, s->one), 2);
	metrics_remove_reader(s->metrics, c);
	assert_int_equal(atomic_load(&s->one->refs), 1);
	assert_int_equal(unread(s), 0);
}

/* Which came once, or is sure to, misses what it did not get; who never came does not. */
static void kept_for_a_time(void **state)
{
	struct setup *s = *state;
	int patient = add_reader(s, METRIC_READER_PERIODIC);
	int never = metrics_add_reader(s->metrics, METRIC_READER_ON_DEMAND, 0), came;

	count_for(s, s->one, 2);
	metrics_end_service(s->metrics, s->one);
	assert_int_equal(points(s, patient, s->one), 2);
	assert_int_equal(unread(s), 0);
	came = metrics_add_reader(s->metrics, METRIC_READER_ON_DEMAND, 0);
	assert_int_equal(points(s, came, s->one), 0); /* it was not there then */
	count_for(s, s->two, 3);
	metrics_end_service(s->metrics, s->two);
	assert_int_equal(points(s, never, s->two), 0);
	assert_int_equal(points(s, patient, s->two), 3);
	assert_int_equal(unread(s), 3);
}

/* As many as there is room for, the newest; live ones have room of their own. */
static void bounded(void **state)
{
	struct setup *s = *state;
	int reader = add_reader(s, METRIC_READER_PERIODIC);

	count_for(s, s->one, METRIC_MAX_SETS);
	metrics_end_service(s->metrics, s->one);
	assert_int_equal(points(s, reader, s->one), METRIC_MAX_ENDED);
	count_for(s, s->two, METRIC_MAX_SETS);
	assert_int_equal(points(s, reader, s->two), METRIC_MAX_SETS);
	assert_int_equal(points(s, reader, NULL), 0); /* no overflow */
	assert_int_equal(unread(s), 0);
	metric_record(s->histogram, s->two, NULL, 0, 1, NULL);
	metrics_end_service(s->metrics, s->two);
	assert_int_equal(points(s, reader, s->one), 0);
	assert_int_equal(points(s, reader, s->two), METRIC_MAX_ENDED);
	assert_int_equal(unread(s), METRIC_MAX_SETS + 1);
}

/* The process runs the same program again: its series begin anew, and stand there once. */
static void same_identity_again(void **state)
{
	struct setup *s = *state;
	int reader = add_reader(s, METRIC_READER_PERIODIC);
	struct service *again = fixture_service("shop", 1);

	count_for(s, s->one, 2);
	count_for(s, s->two, 2);
	metrics_end_service(s->metrics, s->one);
	metrics_end_service(s->metrics, s->two);
	metrics_begin_service(s->metrics, again);
	count_for(s, again, 1);
	assert_int_equal(points(s, reader, s->one), 0);
	assert_int_equal(points(s, reader, s->two), 2);
	assert_int_equal(points(s, reader, again), 1);
	assert_int_equal(unread(s), 2);
	metrics_end_service(s->metrics, again);
	metrics_remove_reader(s->metrics, reader);
	assert_int_equal(atomic_load(&again->refs), 1);
	service_unref(again);
}

static void too_many_readers(void **state)
{
	struct setup *s = *state;

	for (int i = 0; i < METRIC_MAX_READERS; i++)
		assert_int_equal(add_reader(s, METRIC_READER_PERIODIC), i);
	assert_int_equal(metrics_add_reader(s->metrics, METRIC_READER_PERIODIC, HOUR_NS), -E2BIG);
	metrics_remove_reader(s->metrics, 7);
	assert_int_equal(add_reader(s, METRIC_READER_ON_DEMAND), 7);
}

/* --- the periodic exporter ------------------------------------------------------------------- */

struct backend {
	struct setup *s;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int refuse;     /* so many requests, before it takes all */
	int requests;   /* that tell of the process */
	double counted; /* sum of what is taken */
	bool lived;     /* the process that counts 5 */
};

/* Between two exports: on the exporter's thread. */
static void live(struct backend *backend)
{
	if (!backend->lived) {
		metric_record(backend->s->counter, backend->s->one, NULL, 0, 5, NULL);
		metrics_end_service(backend->s->metrics, backend->s->one);
	}
	backend->lived = true;
}

/* The sum of a round's counters is all that goes out. */
static size_t encode_sum(struct buf *out, const struct metric_snapshot *snapshot,
    const struct service *own, const struct clock_base *clock)
{
	double sum = 0;
	size_t n = 0;

	(void)own;
	(void)clock;
	for (size_t f = 0; f < snapshot->n_families; f++)
		for (size_t i = 0; i < snapshot->families[f].n_points; i++, n++)
			if (snapshot->families[f].desc.type == METRIC_COUNTER)
				sum += snapshot->families[f].points[i].value;
	buf_append(out, &sum, sizeof(sum));
	return n;
}

static size_t backend_send(
    void *ctx, const struct buf *request, size_t n, const struct otlp_waiter *waiter)
{
	struct backend *backend = ctx;
	double sum;
	bool take;

	(void)waiter;
	memcpy(&sum, request->data, sizeof(sum));
	if (sum == 0) {
		live(backend);
		return n;
	}
	pthread_mutex_lock(&backend->lock);
	backend->requests++;
	take = backend->requests > backend->refuse;
	if (take)
		backend->counted += sum;
	pthread_cond_signal(&backend->changed);
	pthread_mutex_unlock(&backend->lock);
	return take ? n : 0;
}

static void await_counted(struct backend *backend, double sum)
{
	struct timespec deadline;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 20;
	pthread_mutex_lock(&backend->lock);
	while (backend->counted != sum && !err)
		err = pthread_cond_timedwait(&backend->changed, &backend->lock, &deadline);
	pthread_mutex_unlock(&backend->lock);
	assert_int_equal(err, 0);
}

/* A process that lived between two exports: asked again until it is taken, and then no more. */
static void export_once(struct setup *s, enum metric_temporality temporality, int refuse)
{
	struct backend backend = {.s = s, .refuse = refuse};
	const struct otlp_target target = {.name = "fake", .send = backend_send, .ctx = &backend};
	const struct otlp_metrics_options options = {
	    .interval_ms = 2, .temporality = temporality, .encode = encode_sum};
	const struct clock_base clock = {.offset_ns = 0};
	struct otlp_metrics *exporter;
	struct otlp_metrics_stats stats;

	pthread_mutex_init(&backend.lock, NULL);
	pthread_cond_init(&backend.changed, NULL);
	metric_record(s->gauge, s->two, NULL, 0, 1, NULL); /* in each round */
	exporter = otlp_metrics_new(&options, &target, s->metrics, s->two, &clock);
	assert_non_null(exporter);
	await_counted(&backend, 5);
	otlp_metrics_close(exporter, &stats);
	assert_true(backend.counted == 5);
	assert_int_equal(backend.requests, refuse + 1);
	assert_int_equal(stats.failed_points, 2 * refuse);
	assert_int_equal(atomic_load(&s->one->refs), 1);
	assert_int_equal(unread(s), 0);
}

static void exported_once(void **state)
{
	export_once(*state, METRIC_TEMPORALITY_CUMULATIVE, 0);
}

static void exported_until_taken(void **state)
{
	export_once(*state, METRIC_TEMPORALITY_CUMULATIVE, 3);
}

static void exported_as_change(void **state)
{
	export_once(*state, METRIC_TEMPORALITY_DELTA, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(what_counts_stays),
	    CASE(nothing_after_the_end),
	    CASE(had_until_then),
	    CASE(each_reader_for_itself),
	    CASE(kept_for_a_time),
	    CASE(bounded),
	    CASE(same_identity_again),
	    CASE(too_many_readers),
	    CASE(exported_once),
	    CASE(exported_until_taken),
	    CASE(exported_as_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
