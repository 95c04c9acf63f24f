// SPDX-License-Identifier: Apache-2.0
/* What zerospan says of its exporters, under OpenTelemetry's names. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "collector/exporter_metrics.h"
#include "export/exporters.h"
#include "span_fixture.h"

/* Takes all spans but one of a batch. */
static size_t picky_deliver(
    void *driver, struct sink *sink, struct trace *const *traces, size_t n, size_t *ret_failed)
{
	size_t spans = 0;

	(void)driver;
	(void)sink;
	for (size_t i = 0; i < n; i++)
		spans += traces[i]->n_spans;
	*ret_failed = 1;
	return spans - 1;
}

static void picky_free(void *driver)
{
	(void)driver;
}

static const struct sink_driver picky = {
    .name = "picky", .deliver = picky_deliver, .free = picky_free};

static void publish(struct sink *sink, size_t n_spans)
{
	struct trace *trace = fixture_plain_trace(n_spans);

	sink_publish(sink, trace);
	trace_unref(trace);
}

static void await_delivered(struct sink *sink, uint64_t n)
{
	struct sink_stats stats;

	for (int i = 0; i < 10000; i++) {
		sink_stats(sink, &stats);
		if (stats.delivered == n && stats.queued == 0)
			return;
		usleep(1000);
	}
	fail_msg("not delivered within ten seconds");
}

static void expect_sample(const struct buf *text, const char *name, const char *labels, int value)
{
	char line[256];

	snprintf(line, sizeof(line), "\n%s{%s} %d\n", name, labels, value);
	if (!strstr(text->data, line))
		fail_msg("no '%s' in %s", line, text->data);
}

#define EXPORTER(n)                                    \
	"otel_component_name=\"picky_span_exporter/" n \
	"\",otel_component_type=\"picky_span_exporter\""
#define QUEUE(n)                                                 \
	"otel_component_name=\"batching_span_processor/" n "\"," \
	"otel_component_type=\"batching_span_processor\""

static size_t send_all(
    void *ctx, const struct buf *request, size_t n_items, const struct otlp_waiter *waiter)
{
	(void)ctx;
	(void)request;
	(void)waiter;
	return n_items;
}

static void exporters(void **state)
{
	const struct sink_options options = {.max_queue_items = 10, .max_batch_items = 10};
	struct metrics *metrics = metrics_new();
	struct exporter_metrics *figures = exporter_metrics_new(metrics);
	struct service self = {.name = "zerospan", .instance_id = "1", .refs = 1};
	const struct otlp_metrics_options every_hour = {.interval_ms = 3600000};
	const struct otlp_target target = {.name = "fake", .send = send_all};
	const struct clock_base clock = {.offset_ns = 1};
	struct otlp_metrics *reader =
	    otlp_metrics_new(&every_hour, &target, metrics, &self, &clock);
	struct sink *sinks[2];
	struct metric_snapshot *snapshot;
	struct buf text;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		sinks[i] = sink_new(&picky, NULL, &options);
		assert_int_equal(exporter_metrics_watch_sink(figures, OTLP_TRACES, sinks[i], i), 0);
	}
	publish(sinks[1], 11); /* never fits */
	publish(sinks[1], 7);
	await_delivered(sinks[1], 6);
	exporter_metrics_sinks(figures, OTLP_TRACES, sinks, 2);
	exporter_metrics_readers(figures, &reader, 1);
	snapshot = metrics_snapshot(metrics);
	buf_init(&text);
	encode_prometheus_text(&text, snapshot);
	expect_sample(&text, "otel_sdk_exporter_span_exported_total", EXPORTER("0"), 0);
	expect_sample(&text, "otel_sdk_exporter_span_exported_total", EXPORTER("1"), 6);
	expect_sample(&text, "otel_sdk_exporter_span_exported_total",
	    EXPORTER("1") ",error_type=\"_OTHER\"", 1);
	expect_sample(&text, "otel_sdk_exporter_span_inflight", EXPORTER("1"), 0);
	expect_sample(&text, "otel_sdk_processor_span_processed_total", QUEUE("1"), 7);
	expect_sample(&text, "otel_sdk_processor_span_processed_total",
	    QUEUE("1") ",error_type=\"queue_full\"", 11);
	expect_sample(&text, "otel_sdk_processor_span_processed_total",
	    QUEUE("0") ",error_type=\"queue_full\"", 0);
	expect_sample(&text, "otel_sdk_processor_span_queue_size", QUEUE("1"), 0);
	expect_sample(&text, "otel_sdk_processor_span_queue_capacity", QUEUE("1"), 10);
	expect_sample(&text, "otel_sdk_exporter_operation_duration_seconds_count",
	    EXPORTER("1") ",error_type=\"_OTHER\"", 1);
	assert_null(strstr(text.data, "duration_seconds_count{" EXPORTER("0")));
	expect_sample(&text, "otel_sdk_exporter_metric_data_point_exported_total",
	    "otel_component_name=\"fake_metric_exporter/0\",otel_component_type=\"fake_metric_exporter\"",
	    0);
	buf_release(&text);
	metric_snapshot_free(snapshot);
	for (size_t i = 0; i < 2; i++)
		sink_free(sinks[i]);
	otlp_metrics_free(reader);
	exporter_metrics_free(figures);
	metrics_free(metrics);
}

/* Takes what it is sent, or nothing, and says why. */
struct backend {
	const char *why; /* NULL: takes it */
};

static size_t backend_send(
    void *ctx, const struct buf *request, size_t n_items, const struct otlp_waiter *waiter)
{
	const struct timespec a_while = {.tv_nsec = 20 * 1000000};

	(void)request;
	(void)waiter;
	nanosleep(&a_while, NULL);
	return ((struct backend *)ctx)->why ? 0 : n_items;
}

static const char *backend_error(void *ctx)
{
	return ((struct backend *)ctx)->why;
}

#define OF(component, n) \
	"otel_component_name=\"" component "/" n "\",otel_component_type=\"" component "\""

/* A last export of a reader to this backend, and a log record to it. */
static void export_to(
    struct exporter_metrics *figures, struct metrics *metrics, struct backend *backend)
{
	const struct otlp_target target = {
	    .name = "fake", .send = backend_send, .error = backend_error, .ctx = backend};
	const struct otlp_metrics_options every_hour = {.interval_ms = 3600000};
	const struct sink_options queue = {.linger_ns = 1};
	const struct clock_base clock = {.offset_ns = 1};
	struct service self = {.name = "zerospan", .instance_id = "1", .refs = 1};
	const struct log_record record = {.observed_ns = 1, .body = SV("text"), .service = &self};
	struct log_batch *batch = log_batch_new(1);
	struct otlp_metrics *reader =
	    otlp_metrics_new(&every_hour, &target, metrics, &self, &clock);
	struct sink *sink = export_otlp_to(&target, OTLP_LOGS, &queue, &clock);

	assert_int_equal(exporter_metrics_watch_reader(figures, reader, 3), 0);
	assert_int_equal(exporter_metrics_watch_sink(figures, OTLP_LOGS, sink, 3), 0);
	batch->records[batch->n_records++] = log_record_new(&record);
	sink_publish_logs(sink, batch);
	log_batch_unref(batch);
	sink_free(sink);
	otlp_metrics_free(reader);
}

/* One measurement for each export, by component, with the cause of failures, and only of those. */
static void operations(void **state)
{
	struct backend well = {NULL}, ill = {"UNAVAILABLE"};
	struct metrics *metrics = metrics_new();
	struct exporter_metrics *figures = exporter_metrics_new(metrics);
	const char *name = "otel_sdk_exporter_operation_duration_seconds_count";
	struct metric_snapshot *snapshot;
	struct buf text;

	(void)state;
	export_to(figures, metrics, &well);
	export_to(figures, metrics, &ill);
	export_to(figures, metrics, &ill);
	snapshot = metrics_snapshot(metrics);
	buf_init(&text);
	encode_prometheus_text(&text, snapshot);
	expect_sample(&text, name, OF("fake_log_exporter", "3"), 1);
	expect_sample(&text, name, OF("fake_log_exporter", "3") ",error_type=\"UNAVAILABLE\"", 2);
	expect_sample(&text, name, OF("fake_metric_exporter", "3"), 1);
	expect_sample(
	    &text, name, OF("fake_metric_exporter", "3") ",error_type=\"UNAVAILABLE\"", 2);
	expect_sample(&text, "otel_sdk_exporter_operation_duration_seconds_bucket",
	    OF("fake_log_exporter", "3") ",le=\"0.01\"", 0);
	buf_release(&text);
	metric_snapshot_free(snapshot);
	exporter_metrics_free(figures);
	metrics_free(metrics);
}

/* Without its pace: so many records that are refused. */
static void refuse(struct sink *sink, uint64_t n)
{
	const struct service self = {.name = "zerospan", .instance_id = "1", .refs = 1};
	const struct log_record record = {
	    .observed_ns = 1, .body = SV("text"), .service = (struct service *)&self};
	struct sink_stats stats;
	uint64_t before;

	sink_stats(sink, &stats);
	before = stats.failed;
	for (uint64_t i = 0; i < n; i++) {
		struct log_batch *batch = log_batch_new(1);

		batch->records[batch->n_records++] = log_record_new(&record);
		sink_publish_logs(sink, batch);
		log_batch_unref(batch);
	}
	for (int i = 0; i < 10000 && stats.failed < before + n; i++) {
		usleep(1000);
		sink_stats(sink, &stats);
	}
	assert_int_equal(stats.failed, before + n);
}

/* What was not taken counts under why not, each cause by itself. */
static void causes(void **state)
{
	struct backend backend = {"UNAVAILABLE"};
	const struct otlp_target target = {
	    .name = "fake", .send = backend_send, .error = backend_error, .ctx = &backend};
	const struct sink_options queue = {.linger_ns = 1, .max_queue_items = 10};
	const struct clock_base clock = {.offset_ns = 1};
	struct sink *sink = export_otlp_to(&target, OTLP_LOGS, &queue, &clock);
	struct metrics *metrics = metrics_new();
	struct exporter_metrics *figures = exporter_metrics_new(metrics);
	const char *name = "otel_sdk_exporter_log_exported_total";
	struct metric_snapshot *snapshot;
	struct buf text;

	(void)state;
	refuse(sink, 2);
	backend.why = "413";
	refuse(sink, 1);
	exporter_metrics_sinks(figures, OTLP_LOGS, &sink, 1);
	snapshot = metrics_snapshot(metrics);
	buf_init(&text);
	encode_prometheus_text(&text, snapshot);
	expect_sample(&text, name, OF("fake_log_exporter", "0"), 0);
	expect_sample(&text, name, OF("fake_log_exporter", "0") ",error_type=\"UNAVAILABLE\"", 2);
	expect_sample(&text, name, OF("fake_log_exporter", "0") ",error_type=\"413\"", 1);
	buf_release(&text);
	metric_snapshot_free(snapshot);
	sink_free(sink);
	exporter_metrics_free(figures);
	metrics_free(metrics);
}

/* More causes than are kept apart: the others are one, and no item is missing. */
static void many_causes(void **state)
{
	struct export_failures failures = {.n = 0};
	uint64_t all = 0;
	char name[32];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 2 * EXPORT_CAUSES_MAX; i++) {
			snprintf(name, sizeof(name), "cause %d", i);
			export_failures_add(&failures, name, 10);
		}
	}
	assert_int_equal(failures.n, EXPORT_CAUSES_MAX);
	for (size_t i = 0; i < failures.n; i++) {
		all += failures.causes[i].items;
		snprintf(name, sizeof(name), "cause %zu", i);
		assert_string_equal(failures.causes[i].error_type,
		    i < EXPORT_CAUSES_MAX - 1 ? name : EXPORT_ERROR_OTHER);
	}
	assert_int_equal(all, 40 * EXPORT_CAUSES_MAX);
	assert_int_equal(failures.causes[0].items, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(exporters),
	    cmocka_unit_test(operations), cmocka_unit_test(causes), cmocka_unit_test(many_causes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
