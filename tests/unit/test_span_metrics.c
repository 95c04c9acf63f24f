// SPDX-License-Identifier: Apache-2.0
/* Series under Tempo's names: which spans make which edge, and how all is called in the exposition. */
#include <stdio.h>

#include "export/exporters.h"
#include "metric/span_metrics.h"
#include "metric/span_size.h"
#include "span/semconv.h"
#include "span_fixture.h"

struct fixture {
	struct metrics *registry;
	struct span_metrics metrics;
	struct service *gateway, *inventory;
	struct buf text;
	char bytes[8][16]; /* of each span that was fed last, as a number */
};

static void start(struct fixture *f)
{
	f->registry = metrics_new();
	assert_int_equal(span_metrics_init(&f->metrics, f->registry), 0);
	f->gateway = fixture_service("gateway", 1);
	f->inventory = fixture_service("inventory", 2);
	buf_init(&f->text);
}

static void end(struct fixture *f)
{
	buf_release(&f->text);
	service_unref(f->gateway);
	service_unref(f->inventory);
	metrics_free(f->registry);
}

/* Feed the spans as the pipeline does, and write down what comes of it. */
static void feed(struct fixture *f, const struct span_model *models, size_t n)
{
	struct trace *trace = fixture_trace(models, n);
	struct metric_snapshot *snapshot;

	assert_true(n <= sizeof(f->bytes) / sizeof(f->bytes[0]));
	for (size_t i = 0; i < n; i++) {
		span_metrics_span(&f->metrics, trace->spans[i]);
		snprintf(f->bytes[i], sizeof(f->bytes[i]), "%zu", span_size_bytes(trace->spans[i]));
	}
	span_metrics_trace(&f->metrics, trace);
	trace_unref(trace);
	snapshot = metrics_snapshot(f->registry);
	encode_prometheus_text(&f->text, snapshot);
	metric_snapshot_free(snapshot);
}

/* A sample of this name, with these labels behind job and instance, has this value. */
static void expect(const struct fixture *f, const char *name, const char *service,
    const char *labels, const char *value)
{
	char line[512];

	snprintf(line, sizeof(line), "\n%s{job=\"%s\",instance=\"0b6c-1\",%s} %s\n", name, service,
	    labels, value);
	if (!strstr(f->text.data, line))
		fail_msg("no '%s' in %s", line, f->text.data);
}

/* An empty label is none. */
#define EDGE(client, server)             "client=\"" client "\",server=\"" server "\""
#define TARGET(pid)                      "process_pid=\"" pid "\",process_executable_name=\"shop\""
#define TYPED_EDGE(client, server, type) EDGE(client, server) ",connection_type=\"" type "\""
#define CALL(service, name, kind, status)                                            \
	"service=\"" service "\",span_name=\"" name "\",span_kind=\"SPAN_KIND_" kind \
	"\",status_code=\"STATUS_CODE_" status "\""

/* user -> gateway -> inventory -> its database; the inventory fails. */
static void nodes_and_edges(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	const struct span_model models[] = {
	    {.name = "POST /checkout",
		.kind = SPAN_KIND_SERVER,
		.id = 1,
		.start_ns = 0,
		.end_ns = 3 * NS_PER_S,
		.service = f.gateway},
	    {.name = "POST /deduct",
		.kind = SPAN_KIND_CLIENT,
		.id = 2,
		.parent = 1,
		.end_ns = 2 * NS_PER_S,
		.service = f.gateway,
		ATTRS(ATTR_S(semconv_server_address, "localhost"))},
	    {.name = "POST /deduct",
		.kind = SPAN_KIND_SERVER,
		.status = SPAN_STATUS_ERROR,
		.id = 3,
		.parent = 2,
		.end_ns = NS_PER_S,
		.service = f.inventory},
	    {.name = "SELECT stock",
		.kind = SPAN_KIND_CLIENT,
		.id = 4,
		.parent = 3,
		.end_ns = NS_PER_MS,
		.service = f.inventory,
		ATTRS(ATTR_S(semconv_db_system_name, "sqlite"),
		    ATTR_S(semconv_db_namespace, "/shop.db"))},
	};

	feed(&f, models, 4);
	expect(&f, "traces_spanmetrics_calls_total", "gateway",
	    CALL("gateway", "POST /checkout", "SERVER", "UNSET"), "1");
	expect(&f, "traces_spanmetrics_calls_total", "inventory",
	    CALL("inventory", "POST /deduct", "SERVER", "ERROR"), "1");
	expect(&f, "traces_spanmetrics_latency_sum", "gateway",
	    CALL("gateway", "POST /checkout", "SERVER", "UNSET"), "3");
	expect(&f, "traces_spanmetrics_latency_bucket", "gateway",
	    CALL("gateway", "POST /checkout", "SERVER", "UNSET") ",le=\"4.096\"", "1");
	expect(&f, "traces_spanmetrics_size_total", "gateway",
	    CALL("gateway", "POST /checkout", "SERVER", "UNSET"), f.bytes[0]);
	expect(&f, "traces_spanmetrics_size_total", "inventory",
	    CALL("inventory", "SELECT stock", "CLIENT", "UNSET"), f.bytes[3]);
	expect(&f, "traces_target_info", "gateway", TARGET("1"), "1");
	expect(&f, "traces_target_info", "inventory", TARGET("2"), "1");
	expect(&f, "traces_service_graph_request_total", "gateway", EDGE("user", "gateway"), "1");
	expect(&f, "traces_service_graph_request_total", "inventory", EDGE("gateway", "inventory"),
	    "1");
	expect(&f, "traces_service_graph_request_failed_total", "inventory",
	    EDGE("gateway", "inventory"), "1");
	expect(&f, "traces_service_graph_request_client_seconds_sum", "inventory",
	    EDGE("gateway", "inventory"), "2");
	expect(&f, "traces_service_graph_request_server_seconds_sum", "inventory",
	    EDGE("gateway", "inventory"), "1");
	expect(&f, "traces_service_graph_request_server_seconds_bucket", "inventory",
	    EDGE("gateway", "inventory") ",le=\"1.6\"", "1");
	expect(&f, "traces_service_graph_request_total", "inventory",
	    TYPED_EDGE("inventory", "/shop.db", "database"), "1");
	assert_null(strstr(f.text.data, "virtual_node"));
	end(&f);
}

static void others_are_not_observed(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	const struct span_model models[] = {
	    /* somebody elsewhere made it, who tells of it */
	    {.name = "GET /a",
		.kind = SPAN_KIND_SERVER,
		.id = 1,
		.parent = 77,
		.end_ns = 1,
		.service = f.gateway},
	    {.name = "GET",
		.kind = SPAN_KIND_CLIENT,
		.id = 2,
		.parent = 1,
		.end_ns = NS_PER_S,
		.service = f.gateway,
		ATTRS(ATTR_S(semconv_server_address, "api.example"))},
	    /* only its beginning was seen */
	    {.name = "SELECT a",
		.kind = SPAN_KIND_CLIENT,
		.id = 3,
		.parent = 1,
		.service = f.gateway,
		.untimed = true,
		ATTRS(ATTR_S(semconv_db_system_name, "sqlite"))},
	};

	feed(&f, models, 3);
	expect(&f, "traces_service_graph_request_total", "gateway",
	    TYPED_EDGE("gateway", "api.example", "virtual_node"), "1");
	expect(&f, "traces_service_graph_request_client_seconds_count", "gateway",
	    TYPED_EDGE("gateway", "api.example", "virtual_node"), "1");
	expect(&f, "traces_service_graph_request_total", "gateway",
	    TYPED_EDGE("gateway", "sqlite", "database"), "1");
	assert_null(strstr(f.text.data, "client=\"user\""));
	assert_null(strstr(f.text.data,
	    "_client_seconds_count{job=\"gateway\",instance=\"0b6c-1\",client=\"gateway\",server=\"sqlite\""));
	expect(&f, "traces_spanmetrics_calls_total", "gateway",
	    CALL("gateway", "SELECT a", "CLIENT", "UNSET"), "1");
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nodes_and_edges),
	    cmocka_unit_test(others_are_not_observed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
