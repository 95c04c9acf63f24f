// SPDX-License-Identifier: Apache-2.0
/* The queues of OTLP, from the variables of the environment to what a destination gets: their defaults, and OTEL_BSP_* and OTEL_BLRP_*. */
#include <pthread.h>
#include <time.h>

#include "base/log.h"
#include "env_fixture.h"
#include "export/exporters.h"
#include "span_fixture.h"

#define ENV(...) ((const char *const[]){"OTEL_EXPORTER_OTLP_ENDPOINT", "http://a", __VA_ARGS__})

/* Keeps of the first request how many items it had, and when it came. */
struct first {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t n_items; /* 0: none came yet */
	uint64_t at_ns;
};

static size_t keep_first(
    void *ctx, const struct buf *request, size_t n_items, const struct otlp_waiter *waiter)
{
	struct first *first = ctx;

	(void)request;
	(void)waiter;
	pthread_mutex_lock(&first->lock);
	if (!first->n_items) {
		first->n_items = n_items;
		first->at_ns = clock_monotonic_ns();
		pthread_cond_signal(&first->changed);
	}
	pthread_mutex_unlock(&first->lock);
	return n_items;
}

static void await_first(struct first *first)
{
	struct timespec deadline;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 60;
	pthread_mutex_lock(&first->lock);
	while (!first->n_items && !err)
		err = pthread_cond_timedwait(&first->changed, &first->lock, &deadline);
	pthread_mutex_unlock(&first->lock);
	assert_int_equal(err, 0);
}

/* One span or log record. */
static void publish(struct sink *sink, enum otlp_signal signal, struct service *service)
{
	if (signal == OTLP_LOGS) {
		const struct log_record record = {
		    .observed_ns = 1, .body = SV("text"), .service = service};
		struct log_batch *batch = log_batch_new(1);

		batch->records[batch->n_records++] = log_record_new(&record);
		sink_publish_logs(sink, batch);
		log_batch_unref(batch);
	} else {
		struct trace *trace = fixture_plain_trace(1);

		sink_publish(sink, trace);
		trace_unref(trace);
	}
}

/* Of n items at once that go through such a queue, with room for so many: how many are in the first request, and how long after the
 * first item that came. */
static size_t first_of(const struct sink_options *queue, enum otlp_signal signal, size_t capacity,
    size_t n, uint64_t *ret_after_ns)
{
	struct first first = {
	    .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	const struct otlp_target target = {.name = "fake", .send = keep_first, .ctx = &first};
	const struct clock_base clock = {.offset_ns = 1};
	struct service self = {.name = "zerospan", .instance_id = "1", .refs = 1};
	struct sink *sink = export_otlp_to(&target, signal, queue, &clock);
	struct sink_stats stats;
	uint64_t begin_ns;

	assert_non_null(sink);
	sink_stats(sink, &stats);
	assert_int_equal(stats.queue_capacity, capacity);
	begin_ns = clock_monotonic_ns();
	for (size_t i = 0; i < n; i++)
		publish(sink, signal, &self);
	await_first(&first);
	sink_free(sink);
	*ret_after_ns = first.at_ns - begin_ns;
	return first.n_items;
}

/* A signal's queue as this environment has it. */
static struct sink_options queue_of(const char *const *env, enum otlp_signal signal)
{
	struct otlp_settings settings;
	struct sink_options queue;

	environment = env;
	assert_int_equal(otlp_settings_from_env(&settings, fake_getenv, NULL), 0);
	queue = settings.signals[signal].queue;
	otlp_settings_release(&settings);
	return queue;
}

/* It has room for so many; of n items, which are more than a batch, the first request has a batch. */
static void expect_batch(
    struct sink_options queue, enum otlp_signal signal, size_t capacity, size_t n, size_t batch)
{
	uint64_t after_ns;

	queue.linger_ns = 3600 * NS_PER_S; /* publishing may take longer than the delay */
	assert_int_equal(first_of(&queue, signal, capacity, n, &after_ns), batch);
}

/* A single item goes after delay_ms. */
static void expect_delay(
    struct sink_options queue, enum otlp_signal signal, size_t capacity, uint64_t delay_ms)
{
	uint64_t after_ns;

	assert_int_equal(first_of(&queue, signal, capacity, 1, &after_ns), 1);
	assert_true(after_ns >= delay_ms * NS_PER_MS);
}

static void defaults(void **state)
{
	struct sink_options traces = queue_of(ENV(NULL), OTLP_TRACES);
	struct sink_options logs = queue_of(ENV(NULL), OTLP_LOGS);

	(void)state;
	expect_batch(traces, OTLP_TRACES, 16384, 1000, 512);
	expect_batch(logs, OTLP_LOGS, 2048, 1000, 512);
	expect_delay(traces, OTLP_TRACES, 16384, 1000);
	expect_delay(logs, OTLP_LOGS, 2048, 1000);
}

/* Each of both has its own variables. */
static void by_environment(void **state)
{
	const char *const *env =
	    ENV("OTEL_BSP_MAX_QUEUE_SIZE", "200", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "150",
		"OTEL_BSP_SCHEDULE_DELAY", "1300", "OTEL_BLRP_MAX_QUEUE_SIZE", "60",
		"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "50", "OTEL_BLRP_SCHEDULE_DELAY", "1200", NULL);
	struct sink_options traces = queue_of(env, OTLP_TRACES), logs = queue_of(env, OTLP_LOGS);

	(void)state;
	expect_batch(traces, OTLP_TRACES, 200, 200, 150);
	expect_batch(logs, OTLP_LOGS, 60, 60, 50);
	expect_delay(traces, OTLP_TRACES, 200, 1300);
	expect_delay(logs, OTLP_LOGS, 60, 1200);
}

/* How long a batch is tried, a part of what the client gets. */
static void export_timeouts(void **state)
{
	struct otlp_settings settings;

	(void)state;
	environment =
	    ENV("OTEL_BSP_EXPORT_TIMEOUT", "30000", "OTEL_BLRP_EXPORT_TIMEOUT", "20000", NULL);
	assert_int_equal(otlp_settings_from_env(&settings, fake_getenv, NULL), 0);
	assert_int_equal(settings.signals[OTLP_TRACES].retry_elapsed_ms, 30000);
	assert_int_equal(settings.signals[OTLP_LOGS].retry_elapsed_ms, 20000);
	assert_int_equal(settings.signals[OTLP_METRICS].retry_elapsed_ms, 0);
	otlp_settings_release(&settings);
}

/* What is no positive number is as if it were not set. */
static void wrong_numbers(void **state)
{
	static const char *const wrong[] = {"", "0", "-5", "many", "1e3", "99999999999999999999"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct sink_options queue = queue_of(
		    ENV("OTEL_BSP_MAX_QUEUE_SIZE", wrong[i], "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
			wrong[i], "OTEL_BSP_SCHEDULE_DELAY", wrong[i], NULL),
		    OTLP_TRACES);

		assert_int_equal(queue.linger_ns, 0); /* the default */
		expect_batch(queue, OTLP_TRACES, 16384, 600, 512);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults),
	    cmocka_unit_test(by_environment),
	    cmocka_unit_test(export_timeouts),
	    cmocka_unit_test(wrong_numbers),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
