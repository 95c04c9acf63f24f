// SPDX-License-Identifier: Apache-2.0
/*
 * The queue and the thread of a destination: bounds, batches, back-pressure, the end. A driver
 * made of gates lets each test decide when a delivery starts and ends; nothing sleeps.
 */
#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "export/exporters.h"
#include "export/sink.h"
#include "span_fixture.h"

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open;   /* deliveries may end */
	bool hang;   /* wait for sink_stopping */
	bool sleep;  /* wait in sink_sleep */
	int entered; /* deliveries begun */
	int flushes, interrupts, frees;
	size_t last_batch; /* traces in the last delivery */
	size_t fail;       /* spans to fail per delivery */
};

static void gate_init(struct gate *gate, bool open)
{
	*gate = (struct gate){.open = open};
	pthread_mutex_init(&gate->lock, NULL);
	pthread_cond_init(&gate->changed, NULL);
}

static void gate_set(struct gate *gate, bool *flag, bool value)
{
	pthread_mutex_lock(&gate->lock);
	*flag = value;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

/* Wait until *counter reaches n; fails the test after ten seconds. */
static void gate_await(struct gate *gate, const int *counter, int n)
{
	struct timespec deadline;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 10;
	pthread_mutex_lock(&gate->lock);
	while (*counter < n && !err)
		err = pthread_cond_timedwait(&gate->changed, &gate->lock, &deadline);
	pthread_mutex_unlock(&gate->lock);
	assert_int_equal(err, 0);
}

static size_t gate_deliver(
    void *driver, struct sink *sink, struct trace *const *traces, size_t n, size_t *ret_failed)
{
	struct gate *gate = driver;
	size_t spans = 0, fail;

	for (size_t i = 0; i < n; i++)
		spans += traces[i]->n_spans;
	pthread_mutex_lock(&gate->lock);
	gate->entered++;
	gate->last_batch = n;
	pthread_cond_broadcast(&gate->changed);
	while (!gate->open && !(gate->hang && sink_stopping(sink)))
		pthread_cond_wait(&gate->changed, &gate->lock);
	fail = gate->hang ? spans : gate->fail < spans ? gate->fail : spans;
	pthread_mutex_unlock(&gate->lock);
	if (gate->sleep && !sink_sleep(sink, 3600 * NS_PER_S))
		fail = spans;
	*ret_failed = fail;
	return spans - fail;
}

static size_t gate_deliver_logs(
    void *driver, struct sink *sink, struct log_batch *const *batches, size_t n, size_t *ret_failed)
{
	struct gate *gate = driver;
	size_t records = 0;

	(void)sink;
	pthread_mutex_lock(&gate->lock);
	for (size_t i = 0; i < n; i++)
		records += batches[i]->n_records;
	gate->entered++;
	gate->last_batch = n;
	pthread_cond_broadcast(&gate->changed);
	while (!gate->open)
		pthread_cond_wait(&gate->changed, &gate->lock);
	*ret_failed = gate->fail;
	pthread_mutex_unlock(&gate->lock);
	return records - *ret_failed;
}

static void gate_flush(void *driver)
{
	struct gate *gate = driver;

	pthread_mutex_lock(&gate->lock);
	gate->flushes++;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

static void gate_interrupt(void *driver)
{
	struct gate *gate = driver;

	gate_set(gate, &gate->hang, true);
	gate->interrupts++;
}

static void gate_free(void *driver)
{
	((struct gate *)driver)->frees++;
}

static const struct sink_driver gate_driver = {.name = "gate",
    .deliver = gate_deliver,
    .flush = gate_flush,
    .interrupt = gate_interrupt,
    .free = gate_free};

static const struct sink_driver gate_logs_driver = {
    .name = "gate", .deliver_logs = gate_deliver_logs, .flush = gate_flush, .free = gate_free};

static void publish_logs(struct sink *sink, size_t n)
{
	const struct log_record model = {.observed_ns = 1, .body = SV("hello")};
	struct log_batch *batch = log_batch_new(n);

	while (batch->n_records < n)
		batch->records[batch->n_records++] = log_record_new(&model);
	sink_publish_logs(sink, batch);
	log_batch_unref(batch);
}

static void publish(struct sink *sink, size_t n_spans)
{
	struct trace *trace = fixture_plain_trace(n_spans);

	sink_publish(sink, trace);
	trace_unref(trace);
}

static void test_delivers_all_and_flushes(void **state)
{
	const struct sink_options options = {
	    .max_queue_items = 100, .max_batch_items = 10, .flush_timeout_ns = 10 * NS_PER_S};
	struct sink_stats stats;
	struct gate gate;
	struct sink *sink;

	(void)state;
	gate_init(&gate, true);
	gate.fail = 1;
	sink = sink_new(&gate_driver, &gate, &options);
	assert_string_equal(sink_name(sink), "gate");
	publish(sink, 3);
	publish(sink, 0); /* nothing to say */
	gate_await(&gate, &gate.flushes, 1);
	publish(sink, 4);
	sink_close(sink, &stats);
	assert_int_equal(stats.delivered, 2 + 3);
	assert_int_equal(stats.failed, 2);
	assert_int_equal(stats.dropped, 0);
	assert_int_equal(stats.queue_capacity, 100);
	assert_int_equal(gate.flushes, 2);
	assert_int_equal(gate.frees, 1);
	assert_int_equal(gate.interrupts, 0);
	sink_free(NULL);
}

static void test_full_queue_refuses_new(void **state)
{
	const struct sink_options options = {
	    .max_queue_items = 10, .max_batch_items = 4, .flush_timeout_ns = 10 * NS_PER_S};
	struct sink_stats stats;
	struct gate gate;
	struct sink *sink;

	(void)state;
	gate_init(&gate, false);
	sink = sink_new(&gate_driver, &gate, &options);
	publish(sink, 11); /* never fits */
	publish(sink, 4);
	gate_await(&gate, &gate.entered, 1);
	publish(sink, 2);
	publish(sink, 5); /* 4 in delivery + 2 + 5 > 10 */
	publish(sink, 2);
	publish(sink, 2);
	sink_stats(sink, &stats);
	assert_int_equal(stats.queued, 10);
	assert_int_equal(stats.inflight, 4);
	assert_int_equal(stats.dropped, 11 + 5);
	assert_int_equal(stats.delivered, 0);
	gate_set(&gate, &gate.open, true);
	gate_await(&gate, &gate.entered, 3);
	sink_close(sink, &stats);
	assert_int_equal(stats.delivered, 10);
	assert_int_equal(gate.entered, 3); /* 4 | 2 + 2 | 2 */
}

/* Far more than the queue holds, and a destination that starts when the source is already waiting. */
static void *open_later(void *arg)
{
	struct gate *gate = arg;

	gate_await(gate, &gate->entered, 1);
	gate_set(gate, &gate->open, true);
	return NULL;
}

static void test_patient_source_loses_nothing(void **state)
{
	const struct sink_options options = {
	    .max_queue_items = 10, .max_batch_items = 4, .flush_timeout_ns = 1};
	struct sink_stats stats;
	struct gate gate;
	struct sink *sink;
	pthread_t thread;

	(void)state;
	gate_init(&gate, false);
	sink = sink_new(&gate_driver, &gate, &options);
	sink_set_patient(sink);
	assert_int_equal(pthread_create(&thread, NULL, open_later, &gate), 0);
	for (int i = 0; i < 100; i++)
		publish(sink, 3);
	publish(sink, 11);        /* never fits, and is not waited for */
	sink_close(sink, &stats); /* nor is the end hurried */
	pthread_join(thread, NULL);
	assert_int_equal(stats.delivered, 300);
	assert_int_equal(stats.dropped, 11);
}

static void test_linger_fills_a_batch(void **state)
{
	const struct sink_options options = {.max_queue_items = 100,
	    .max_batch_items = 6,
	    .linger_ns = 3600 * NS_PER_S,
	    .flush_timeout_ns = 10 * NS_PER_S};
	struct gate gate;
	struct sink *sink;

	(void)state;
	gate_init(&gate, true);
	sink = sink_new(&gate_driver, &gate, &options);
	publish(sink, 2);
	publish(sink, 2);
	publish(sink, 2); /* full: goes at once */
	gate_await(&gate, &gate.entered, 1);
	assert_int_equal(gate.last_batch, 3);
	publish(sink, 1);
	sink_free(sink); /* closing ends the wait */
	assert_int_equal(gate.entered, 2);
}

/* A batch that the queue has no room for will not fill: it goes when something is refused, not when the linger is over. */
static void test_small_queue_does_not_linger(void **state)
{
	const struct sink_options options = {.max_queue_items = 10,
	    .max_batch_items = 512,
	    .linger_ns = 3600 * NS_PER_S,
	    .flush_timeout_ns = 10 * NS_PER_S};
	struct sink_stats stats;
	struct sink *sink;
	struct gate gate;

	(void)state;
	gate_init(&gate, true);
	sink = sink_new(&gate_driver, &gate, &options);
	publish(sink, 4);
	publish(sink, 4);
	publish(sink, 4); /* no room */
	gate_await(&gate, &gate.flushes, 1);
	assert_int_equal(gate.last_batch, 2);
	publish(sink, 10); /* as much as there is */
	gate_await(&gate, &gate.flushes, 2);
	sink_close(sink, &stats);
	assert_int_equal(stats.delivered, 18);
	assert_int_equal(stats.dropped, 4);
}

/* The flush time passes: a hanging delivery is interrupted, the rest is dropped. */
static void test_end_is_bounded(void **state)
{
	const struct sink_options options = {
	    .max_queue_items = 100, .max_batch_items = 4, .flush_timeout_ns = NS_PER_MS};
	struct sink_stats stats;
	struct gate gate;
	struct sink *sink;

	(void)state;
	gate_init(&gate, false);
	sink = sink_new(&gate_driver, &gate, &options);
	publish(sink, 4);
	gate_await(&gate, &gate.entered, 1);
	publish(sink, 4);
	publish(sink, 3);
	sink_close(sink, &stats);
	assert_int_equal(gate.interrupts, 1);
	assert_int_equal(stats.failed, 4);
	assert_int_equal(stats.dropped, 7);
	assert_int_equal(stats.queued, 0);
}

/* Told to end, it takes nothing more and drains at once; the time it has begins then, not when it is closed. */
static void test_end_begins_early(void **state)
{
	struct sink *sinks[2];
	struct sink_stats stats;
	struct gate gates[2];
	uint64_t begin_ns;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct sink_options options = {.max_queue_items = 100,
		    .max_batch_items = 100,
		    .linger_ns = 3600 * NS_PER_S,
		    .flush_timeout_ns = 3600 * NS_PER_S};

		gate_init(&gates[i], i == 1);
		gates[i].hang = i == 0;
		sinks[i] = sink_new(&gate_driver, &gates[i], &options);
		publish(sinks[i], 3);
	}
	begin_ns = clock_monotonic_ns();
	for (size_t i = 0; i < 2; i++) {
		sink_end_by(sinks[i], begin_ns + 50 * NS_PER_MS);
		publish(sinks[i], 2);
	}
	gate_await(&gates[1], &gates[1].entered, 1); /* without being closed */
	sink_close(sinks[0], &stats);
	assert_true(clock_monotonic_ns() - begin_ns >= 50 * NS_PER_MS);
	assert_int_equal(stats.failed, 3);
	assert_int_equal(stats.dropped, 2);
	sink_close(sinks[1], &stats);
	assert_int_equal(stats.delivered, 3);
	assert_int_equal(stats.dropped, 2);
}

static void test_sleep_ends_at_stop(void **state)
{
	const struct sink_options options = {
	    .max_queue_items = 100, .max_batch_items = 4, .flush_timeout_ns = NS_PER_MS};
	struct sink_stats stats;
	struct gate gate;
	struct sink *sink;

	(void)state;
	gate_init(&gate, true);
	gate.sleep = true;
	sink = sink_new(&gate_driver, &gate, &options);
	publish(sink, 4);
	gate_await(&gate, &gate.entered, 1);
	sink_close(sink, &stats); /* returns, although the driver wants an hour */
	assert_int_equal(stats.failed, 4);
}

/* The same queue, counted in records. */
static void test_logs(void **state)
{
	const struct sink_options options = {
	    .max_queue_items = 10, .max_batch_items = 4, .flush_timeout_ns = 10 * NS_PER_S};
	struct sink_stats stats;
	struct gate gate;
	struct sink *sink;

	(void)state;
	gate_init(&gate, false);
	gate.fail = 1;
	sink = sink_new(&gate_logs_driver, &gate, &options);
	publish_logs(sink, 4);
	publish_logs(sink, 0); /* nothing to say */
	gate_await(&gate, &gate.entered, 1);
	publish_logs(sink, 2);
	publish_logs(sink, 2);
	publish_logs(sink, 3); /* 4 in delivery + 4 + 3 > 10 */
	sink_stats(sink, &stats);
	assert_int_equal(stats.queued, 8);
	assert_int_equal(stats.dropped, 3);
	gate_set(&gate, &gate.open, true);
	sink_close(sink, &stats);
	assert_int_equal(gate.entered, 2); /* 4 | 2 + 2 */
	assert_int_equal(gate.last_batch, 2);
	assert_int_equal(stats.delivered, 3 + 3);
	assert_int_equal(stats.failed, 2);
	assert_int_equal(gate.frees, 1);
}

/* A reader that never reads must not hold up the end. */
static void test_stalled_pipe(void **state)
{
	const struct clock_base clock = {0};
	struct output_file *file;
	struct sink_stats stats;
	struct sink *sink;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	file = output_file_of_fd(fds[1]);
	sink = export_json_new(file, &clock);
	output_file_unref(file); /* the sink has its own */
	for (int i = 0; i < 20; i++)
		publish(sink, 500); /* some 3 MB into a pipe of 64 KiB */
	sink_close(sink, &stats);
	assert_int_equal(stats.delivered + stats.failed + stats.dropped, 10000);
	assert_true(stats.failed > 0);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_delivers_all_and_flushes),
	    cmocka_unit_test(test_full_queue_refuses_new),
	    cmocka_unit_test(test_patient_source_loses_nothing),
	    cmocka_unit_test(test_linger_fills_a_batch),
	    cmocka_unit_test(test_small_queue_does_not_linger),
	    cmocka_unit_test(test_end_is_bounded),
	    cmocka_unit_test(test_end_begins_early),
	    cmocka_unit_test(test_sleep_ends_at_stop),
	    cmocka_unit_test(test_logs),
	    cmocka_unit_test(test_stalled_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
