// SPDX-License-Identifier: Apache-2.0
/* The text exposition: names, labels, histograms, numbers, and what must not break a scrape. */
#include <math.h>
#include <stdio.h>

#include "export/exporters.h"
#include "export/put.h"
#include "metric/prometheus_names.h"
#include "span_fixture.h"

static void expect_text(struct metrics *metrics, const char *want)
{
	struct metric_snapshot *snapshot = metrics_snapshot(metrics);
	struct buf out;

	buf_init(&out);
	encode_prometheus_text(&out, snapshot);
	assert_false(out.failed);
	assert_string_equal(out.data ? out.data : "", want);
	buf_release(&out);
	metric_snapshot_free(snapshot);
}

static void test_services_and_histogram(void **state)
{
	static const double bounds[] = {0.005, 1, 1e6};
	static const struct metric_desc duration = {.name = "http.server.request.duration",
	    .unit = "s",
	    .description = "Duration\nof \"HTTP\" \\ requests.",
	    .type = METRIC_HISTOGRAM,
	    .bounds = bounds,
	    .n_bounds = 3};
	struct service *shop = fixture_service("sh\"op", 12);
	struct metrics *metrics = metrics_new();
	struct instrument *h = metrics_add(metrics, &duration);
	const struct attr attrs[] = {ATTR_S("http.route", "/a\\b\"c\nd"),
	    ATTR_I("http.response.status_code", 200), ATTR_S("error.type", ""), ATTR_B("ok", true)};

	(void)state;
	metric_record(h, shop, attrs, 4, 0.005, NULL);
	metric_record(h, shop, attrs, 4, 0.3, NULL);
	metric_record(h, shop, attrs, 4, 1e7, NULL);
	expect_text(metrics,
	    "# TYPE target_info gauge\n"
	    "# HELP target_info Resource attributes of the observed services.\n"
	    "target_info{job=\"sh\\\"op\",instance=\"0b6c-1\",process_pid=\"12\","
	    "process_executable_name=\"shop\"} 1\n"
	    "# TYPE http_server_request_duration_seconds histogram\n"
	    "# HELP http_server_request_duration_seconds Duration\\nof \"HTTP\" \\\\ requests.\n"
#define LABELS                                                                   \
	"{job=\"sh\\\"op\",instance=\"0b6c-1\",http_route=\"/a\\\\b\\\"c\\nd\"," \
	"http_response_status_code=\"200\",ok=\"true\""
	    "http_server_request_duration_seconds_bucket" LABELS ",le=\"0.005\"} 1\n"
	    "http_server_request_duration_seconds_bucket" LABELS ",le=\"1.0\"} 2\n"
	    "http_server_request_duration_seconds_bucket" LABELS ",le=\"1e+06\"} 2\n"
	    "http_server_request_duration_seconds_bucket" LABELS ",le=\"+Inf\"} 3\n"
	    "http_server_request_duration_seconds_sum" LABELS "} 10000000.305\n"
	    "http_server_request_duration_seconds_count" LABELS "} 3\n");
	metrics_free(metrics);
	service_unref(shop);
}

static void test_own_metrics(void **state)
{
	static const struct metric_desc descs[] = {
	    {.name = "zerospan.events", .unit = "{event}", .type = METRIC_COUNTER},
	    {.name = "zerospan.events.total", .unit = "", .type = METRIC_COUNTER}, /* same name */
	    {.name = "zerospan.capture.coverage", .unit = "1", .type = METRIC_GAUGE},
	    {.name = "zerospan.unused", .unit = "1", .type = METRIC_GAUGE},
	    {.name = "...", .unit = "1", .type = METRIC_GAUGE},
	    {.name = "target.info", .type = METRIC_GAUGE},
	};
	struct metrics *metrics = metrics_new();
	const struct attr clash[] = {
	    ATTR_S("a.b", "1"), ATTR_S("job", "x"), ATTR_S("a_b", "2"), ATTR_S("1st", "y")};
	struct instrument *made[6];

	(void)state;
	for (size_t i = 0; i < 6; i++)
		made[i] = metrics_add(metrics, &descs[i]);
	metric_set(made[0], clash, 4, 12345678901234.0);
	for (size_t i = 1; i < 6; i++)
		if (i != 3)
			metric_set(made[i], NULL, 0, i == 2 ? 0.875 : 1);
	expect_text(metrics,
	    "# TYPE zerospan_events_total counter\n"
	    "zerospan_events_total{a_b=\"1;2\",exported_job=\"x\",key_1st=\"y\"} 12345678901234\n"
	    "# TYPE zerospan_capture_coverage_ratio gauge\n"
	    "zerospan_capture_coverage_ratio 0.875\n");
	metrics_free(metrics);
}

static void expect_openmetrics(struct metrics *metrics, const char *want)
{
	const struct clock_base clock = {.offset_ns = 1520879600000000000};
	struct metric_snapshot *snapshot = metrics_snapshot(metrics);
	struct buf out;

	buf_init(&out);
	encode_openmetrics(&out, snapshot, &clock);
	assert_false(out.failed);
	assert_string_equal(out.data, want);
	buf_release(&out);
	metric_snapshot_free(snapshot);
}

/* Heads, units, the service as target, an exemplar in the bucket that holds it and nowhere else. */
static void test_openmetrics(void **state)
{
	static const double bounds[] = {0.005, 1};
	static const struct metric_desc duration = {.name = "http.server.request.duration",
	    .unit = "s",
	    .description = "A \"quoted\" \\\nhelp.",
	    .type = METRIC_HISTOGRAM,
	    .bounds = bounds,
	    .n_bounds = 2};
	struct service *shop = fixture_service("shop", 12);
	const struct span_model model = {.name = "GET /",
	    .flags = SPAN_FLAG_SAMPLED,
	    .id = 7,
	    .start_ns = 1,
	    .end_ns = 7789000000,
	    .service = shop};
	struct span *span = fixture_span(&model);
	struct metrics *metrics = metrics_new();
	struct instrument *h = metrics_add(metrics, &duration);

	(void)state;
	metric_record(h, shop, NULL, 0, 0.005, NULL);
	metric_record(h, shop, NULL, 0, 0.25, span);
	expect_openmetrics(metrics,
	    "# TYPE target info\n"
	    "# HELP target Resource attributes of the observed services.\n"
	    "target_info{job=\"shop\",instance=\"0b6c-1\",process_pid=\"12\","
	    "process_executable_name=\"shop\"} 1\n"
#define NAME "http_server_request_duration_seconds"
#define EXEMPLAR                                         \
	"trace_id=\"a0a1a2a3a4a5a6a7a8a9aaabacadaeaf\"," \
	"span_id=\"0000000000000007\""
#define TARGET "{job=\"shop\",instance=\"0b6c-1\""
	    "# TYPE " NAME " histogram\n"
	    "# UNIT " NAME " seconds\n"
	    "# HELP " NAME " A \\\"quoted\\\" \\\\\\nhelp.\n" NAME "_bucket" TARGET
	    ",le=\"0.005\"} 1\n" NAME "_bucket" TARGET ",le=\"1.0\"} 2 # {" EXEMPLAR "} 0.25 "
	    "1520879607.789\n" NAME "_bucket" TARGET ",le=\"+Inf\"} 2\n" NAME "_sum" TARGET
	    "} 0.255\n" NAME "_count" TARGET "} 2\n"
	    "# EOF\n");
	metrics_free(metrics);
	span_free(span);
	service_unref(shop);
}

/* Counters are families without _total, units only where they end the name, and names do not clash. */
static void test_openmetrics_families(void **state)
{
	static const struct metric_desc descs[] = {
	    {.name = "foo", .unit = "By", .type = METRIC_COUNTER},
	    {.name = "seconds.busy", .unit = "s", .type = METRIC_GAUGE},
	    {.name = "share", .unit = "1", .type = METRIC_GAUGE},
	    {.name = "active", .unit = "1", .type = METRIC_UPDOWN},
	    {.name = "io", .unit = "By/s", .type = METRIC_UPDOWN},
	    {.name = "foo.bytes", .type = METRIC_GAUGE},         /* the counter's family */
	    {.name = "foo.bytes.created", .type = METRIC_GAUGE}, /* and one of its samples */
	    {.name = "target", .type = METRIC_GAUGE},
	};
	struct metrics *metrics = metrics_new();

	(void)state;
	for (size_t i = 0; i < sizeof(descs) / sizeof(descs[0]); i++)
		metric_set(metrics_add(metrics, &descs[i]), NULL, 0, 1);
	expect_openmetrics(metrics,
	    "# TYPE foo_bytes counter\n# UNIT foo_bytes bytes\nfoo_bytes_total 1\n"
	    "# TYPE seconds_busy gauge\nseconds_busy 1\n"
	    "# TYPE share_ratio gauge\n# UNIT share_ratio ratio\nshare_ratio 1\n"
	    "# TYPE active gauge\nactive 1\n"
	    "# TYPE io_bytes_per_second gauge\n# UNIT io_bytes_per_second bytes_per_second\n"
	    "io_bytes_per_second 1\n"
	    "# EOF\n");
	metrics_free(metrics);
	metrics = metrics_new();
	expect_openmetrics(metrics, "# EOF\n");
	metrics_free(metrics);
}

/* Services are one family of infos, each once however many points it has and in whichever order they come. */
static void test_openmetrics_services(void **state)
{
	static const struct metric_desc desc = {.name = "foo", .type = METRIC_COUNTER};
	static const struct metric_desc other = {.name = "bar", .type = METRIC_GAUGE};
	struct service *shop = fixture_service("shop", 12), *cart = fixture_service("cart", 13);
	struct metrics *metrics = metrics_new();
	struct instrument *counter = metrics_add(metrics, &desc);

	(void)state;
	for (int i = 0; i < 2; i++) {
		metric_record(counter, shop, &ATTR_I("n", i), 1, 1, NULL);
		metric_record(counter, cart, &ATTR_I("n", i), 1, 1, NULL);
	}
	metric_set(metrics_add(metrics, &other), NULL, 0, 1);
#define SHOP "job=\"shop\",instance=\"0b6c-1\""
#define CART "job=\"cart\",instance=\"0b6c-1\""
	expect_openmetrics(metrics,
	    "# TYPE target info\n"
	    "# HELP target Resource attributes of the observed services.\n"
	    "target_info{" CART ",process_pid=\"13\",process_executable_name=\"shop\"} 1\n"
	    "target_info{" SHOP ",process_pid=\"12\",process_executable_name=\"shop\"} 1\n"
	    "# TYPE foo counter\n"
	    "foo_total{" SHOP ",n=\"0\"} 1\nfoo_total{" CART ",n=\"0\"} 1\n"
	    "foo_total{" SHOP ",n=\"1\"} 1\nfoo_total{" CART ",n=\"1\"} 1\n"
	    "# TYPE bar gauge\nbar 1\n"
	    "# EOF\n");
	metrics_free(metrics);
	service_unref(shop);
	service_unref(cart);
}

static const char *state_name(size_t part)
{
	return part ? "sleep" : "cpu";
}

/* A divided counter: the part is one more label. */
static void test_parts(void **state)
{
	static const struct metric_desc desc = {.name = "zerospan.request.time",
	    .unit = "s",
	    .type = METRIC_COUNTER,
	    .part_key = "state",
	    .part_name = state_name,
	    .n_parts = 2,
	    .part_unit = 0.25};
	const uint64_t values[] = {2, 8};
	struct metrics *metrics = metrics_new();
	const struct metric_value divided = {
	    .instrument = metrics_add(metrics, &desc), .parts = values};

	(void)state;
	metric_record_together(&divided, 1, NULL, &ATTR_S("http.route", "/"), 1, NULL);
	metric_record_together(&divided, 1, NULL, NULL, 0, NULL);
	expect_text(metrics,
	    "# TYPE zerospan_request_time_seconds_total counter\n"
	    "zerospan_request_time_seconds_total{http_route=\"/\",state=\"cpu\"} 0.5\n"
	    "zerospan_request_time_seconds_total{http_route=\"/\",state=\"sleep\"} 2\n"
	    "zerospan_request_time_seconds_total{state=\"cpu\"} 0.5\n"
	    "zerospan_request_time_seconds_total{state=\"sleep\"} 2\n");
	metrics_free(metrics);
}

static void test_overflow_set(void **state)
{
	static const struct metric_desc desc = {
	    .name = "order.revenue", .unit = "USD", .type = METRIC_COUNTER};
	struct metrics *metrics = metrics_new();
	struct instrument *c = metrics_add(metrics, &desc);
	struct metric_snapshot *snapshot;
	struct buf out;

	(void)state;
	for (int i = 0; i <= METRIC_MAX_SETS; i++)
		metric_record(c, NULL, &ATTR_I("n", i), 1, 1, NULL);
	snapshot = metrics_snapshot(metrics);
	buf_init(&out);
	encode_prometheus_text(&out, snapshot);
	assert_non_null(
	    strstr(out.data, "\norder_revenue_USD_total{otel_metric_overflow=\"true\"} 1\n"));
	buf_release(&out);
	metric_snapshot_free(snapshot);
	metrics_free(metrics);
}

static void test_names(void **state)
{
	static const struct {
		const char *name, *unit, *want;
		enum metric_type type;
	} cases[] = {
	    {"http.server.active_requests", "{request}", "http_server_active_requests",
		METRIC_GAUGE},
	    {"process.cpu.time", "s", "process_cpu_time_seconds_total", METRIC_COUNTER},
	    {"process.memory.usage", "By", "process_memory_usage_bytes", METRIC_GAUGE},
	    {"process.cpu.utilization", "1", "process_cpu_utilization_ratio", METRIC_GAUGE},
	    {"hits", "1", "hits_total", METRIC_COUNTER},
	    {"request.seconds", "s", "request_seconds", METRIC_HISTOGRAM},
	    {"bytes.total", "By", "bytes_total", METRIC_COUNTER},
	    {"foo_total", "By", "foo_bytes_total", METRIC_COUNTER},
	    {"io", "By/s", "io_bytes_per_second", METRIC_GAUGE},
	    {"io", "{op}/min", "io_per_minute", METRIC_GAUGE},
	    {"_a..b--c_", "", "a_b_c", METRIC_GAUGE},
	    {"9lives", NULL, "_9lives", METRIC_GAUGE},
	    {"x", "weird.unit", "x_weird_unit", METRIC_GAUGE},
	    {"a:b", "%", "a:b_percent", METRIC_GAUGE},
	    {"é", "s", "", METRIC_GAUGE},
	};
	struct buf out;

	(void)state;
	buf_init(&out);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct metric_desc desc = {
		    .name = cases[i].name, .unit = cases[i].unit, .type = cases[i].type};

		buf_clear(&out);
		prometheus_append_name(&out, &desc);
		assert_string_equal(out.data ? out.data : "", cases[i].want);
	}
	buf_release(&out);
}

static void expect_double(double value, const char *want)
{
	char text[PUT_DOUBLE_MAX + 1];

	*put_double(text, value) = '\0';
	assert_string_equal(text, want);
}

static void test_numbers(void **state)
{
	uint64_t bits = 0x9e3779b97f4a7c15ULL;

	(void)state;
	expect_double(0, "0");
	expect_double(-3, "-3");
	expect_double(0.1, "0.1");
	expect_double(0.1 + 0.2, "0.30000000000000004");
	expect_double(1e15, "1e+15");
	expect_double(999999999999999, "999999999999999");
	expect_double(5e-324, "4.94065645841247e-324");
	expect_double((double)NAN, "NaN");
	expect_double((double)INFINITY, "+Inf");
	expect_double(-(double)INFINITY, "-Inf");
	for (int i = 0; i < 20000; i++) {
		char text[PUT_DOUBLE_MAX + 1];
		double value;

		bits = bits * 6364136223846793005ULL + 1442695040888963407ULL;
		memcpy(&value, &bits, sizeof(value));
		if (!isfinite(value))
			continue;
		*put_double(text, value) = '\0';
		assert_true(strlen(text) < PUT_DOUBLE_MAX);
		assert_true(strtod(text, NULL) == value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_services_and_histogram),
	    cmocka_unit_test(test_own_metrics),
	    cmocka_unit_test(test_openmetrics),
	    cmocka_unit_test(test_openmetrics_families),
	    cmocka_unit_test(test_openmetrics_services),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_overflow_set),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
