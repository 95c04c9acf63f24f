// SPDX-License-Identifier: Apache-2.0
/* Which spans feed which instruments, and with which of their attributes. */
#include <math.h>

#include "http_span_fixture.h"
#include "metric/operation.h"
#include "span/statement.h"

static struct metrics *metrics;
static struct operation_metrics operations;

static void begin_metrics(void)
{
	metrics = metrics_new();
	assert_int_equal(operation_metrics_init(&operations, metrics), 0);
}

/* The family with this name. */
static const struct metric_family *family_of(
    const struct metric_snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->n_families; i++)
		if (strcmp(snapshot->families[i].desc.name, name) == 0)
			return &snapshot->families[i];
	fail_msg("there is no '%s'", name);
	return NULL;
}

/* The only point of the family, which alone of the durations has one; its snapshot is *ret_snapshot. */
static const struct metric_point *only_point(
    const char *family, struct metric_snapshot **ret_snapshot)
{
	struct metric_snapshot *snapshot = metrics_snapshot(metrics);
	const struct metric_point *point = NULL;

	assert_non_null(snapshot);
	for (size_t i = 0; i < snapshot->n_families; i++) {
		bool wanted = strcmp(snapshot->families[i].desc.name, family) == 0;

		if (strstr(snapshot->families[i].desc.name, ".duration"))
			assert_int_equal(snapshot->families[i].n_points, wanted ? 1 : 0);
		if (wanted)
			point = snapshot->families[i].points;
	}
	assert_non_null(point);
	*ret_snapshot = snapshot;
	return point;
}

/* The point's keys are these, in any order; NULL ends them. */
static void expect_keys(const struct metric_point *point, const char *const *keys)
{
	size_t n = 0;

	for (; keys[n]; n++) {
		size_t i = 0;

		while (i < point->n_attrs && strcmp(point->attrs[i].key, keys[n]) != 0)
			i++;
		if (i == point->n_attrs)
			fail_msg("'%s' is missing", keys[n]);
	}
	assert_int_equal(point->n_attrs, n);
}

/* The exchange's span feeds this family alone, with these attributes. */
static void expect_family(
    const struct exchange *exchange, const char *family, const char *const *keys)
{
	struct made made = make(exchange, PARENT_BASIS_NONE);
	struct metric_snapshot *snapshot;
	const struct metric_point *point;

	operation_metrics_span(&operations, made.span);
	point = only_point(family, &snapshot);
	expect_keys(point, keys);
	assert_ptr_equal(point->service, service);
	assert_int_equal(point->count, 1);
	assert_true(fabs(point->value - 100e-9) < 1e-15);
	metric_snapshot_free(snapshot);
	made_free(&made);
}

static void http_server(void **state)
{
	static const char *const keys[] = {"http.request.method", "url.scheme", "error.type",
	    "http.response.status_code", "http.route", "network.protocol.version", NULL};
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(SERVER, &conn, "GET", "/users/42?q=1");

	(void)state;
	exchange.user_agent = SV("curl/8.0");
	exchange.status = 500;
	expect_family(&exchange, "http.server.request.duration", keys);
}

/* Its span is named by a route that was guessed; no attribute says so, least of all a series. */
static void http_client_has_no_route(void **state)
{
	static const char *const keys[] = {"http.request.method", "server.address", "server.port",
	    "http.response.status_code", "network.protocol.version", NULL};
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(CLIENT, &conn, "GET", "/users/42?q=1");

	(void)state;
	expect_family(&exchange, "http.client.request.duration", keys);
}

/* The table of the conventions: names, units, descriptions, bounds. */
static void instruments(void **state)
{
	static const double http[] = {
	    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10};
	static const double db[] = {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10};
	static const double sizes[] = {
	    0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000};
	static const double returned[] = {
	    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000};
	static const struct {
		const char *name, *unit, *description;
		const double *bounds;
		size_t n;
	} rows[] = {
	    {"http.server.request.duration", "s", "Duration of HTTP server requests.", http, 14},
	    {"http.client.request.duration", "s", "Duration of HTTP client requests.", http, 14},
	    {"db.client.operation.duration", "s", "Duration of database client operations.", db, 9},
	    {"http.server.request.body.size", "By", "Size of HTTP server request bodies.", sizes,
		15},
	    {"http.server.response.body.size", "By", "Size of HTTP server response bodies.", sizes,
		15},
	    {"http.client.request.body.size", "By", "Size of HTTP client request bodies.", sizes,
		15},
	    {"http.client.response.body.size", "By", "Size of HTTP client response bodies.", sizes,
		15},
	    {"db.client.response.returned_rows", "{row}",
		"The actual number of records returned by the database operation.", returned, 13},
	};
	struct metric_snapshot *snapshot = metrics_snapshot(metrics);

	(void)state;
	assert_int_equal(snapshot->n_families, sizeof(rows) / sizeof(rows[0]) + 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct metric_desc *desc = &family_of(snapshot, rows[i].name)->desc;

		assert_string_equal(desc->name, rows[i].name);
		assert_string_equal(desc->description, rows[i].description);
		assert_string_equal(desc->unit, rows[i].unit);
		assert_int_equal(desc->type, METRIC_HISTOGRAM);
		assert_int_equal(desc->n_bounds, rows[i].n);
		assert_memory_equal(desc->bounds, rows[i].bounds, rows[i].n * sizeof(double));
	}
	assert_int_equal(family_of(snapshot, "zerospan.request.time")->desc.type, METRIC_COUNTER);
	metric_snapshot_free(snapshot);
}

/* A server's time by state, under the attributes of its duration; a client's is nowhere. */
static void request_time(void **state)
{
	static const char *const states[] = {"cpu", "sleep", "unattributed"};
	static const double seconds[] = {0.004, 1, 0.25};
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange server = make_exchange(SERVER, &conn, "GET", "/");
	struct exchange client = make_exchange(CLIENT, &conn, "GET", "/");
	struct made made = make(&server, PARENT_BASIS_NONE),
		    other = make(&client, PARENT_BASIS_NONE);
	struct metric_snapshot *snapshot;
	const struct metric_family *family;

	(void)state;
	made.span->ledger = other.span->ledger = (struct ledger){{[LEDGER_CPU] = 2000000,
	    [LEDGER_SLEEP] = 500000000,
	    [LEDGER_UNATTRIBUTED] = 125000000}};
	operation_metrics_span(&operations, made.span);
	operation_metrics_span(&operations, made.span);
	operation_metrics_span(&operations, other.span);
	snapshot = metrics_snapshot(metrics);
	family = family_of(snapshot, "zerospan.request.time");
	assert_int_equal(family->n_points, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct metric_point *point = &family->points[i];

		assert_string_equal(point->part.key, "state");
		assert_true(sv_eq(point->part.string, sv_cstr(states[i])));
		assert_true(fabs(point->value - seconds[i]) < 1e-9);
		assert_int_equal(point->n_attrs, snapshot->families[0].points[0].n_attrs);
	}
	metric_snapshot_free(snapshot);
	made_free(&made);
	made_free(&other);
}

/* The family has one point, of one value, under the attributes of the duration; or, negative, none. */
static void expect_amount(
    const struct metric_snapshot *snapshot, const char *name, double value, size_t n_attrs)
{
	const struct metric_family *family = family_of(snapshot, name);

	assert_int_equal(family->n_points, value < 0 ? 0 : 1);
	if (value < 0)
		return;
	assert_int_equal(family->points[0].count, 1);
	assert_true(family->points[0].value == value);
	assert_true(family->points[0].min == value && family->points[0].max == value);
	assert_int_equal(family->points[0].n_attrs, n_attrs);
	assert_ptr_equal(family->points[0].service, service);
}

static void feed(const struct exchange *exchange)
{
	struct made made = make(exchange, PARENT_BASIS_NONE);

	operation_metrics_span(&operations, made.span);
	made_free(&made);
}

/* Also of empty bodies; each side has its own. */
static void body_sizes(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange server = make_exchange(SERVER, &conn, "POST", "/");
	struct exchange client = make_exchange(CLIENT, &conn, "GET", "/");
	struct metric_snapshot *snapshot;

	(void)state;
	server.request_body_bytes = 4711;
	server.response_body_bytes = 5000000000;
	client.request_body_bytes = 0;
	client.response_body_bytes = 12;
	feed(&server);
	feed(&client);
	snapshot = metrics_snapshot(metrics);
	expect_amount(snapshot, "http.server.request.body.size", 4711, 5);
	expect_amount(snapshot, "http.server.response.body.size", 5e9, 5);
	expect_amount(snapshot, "http.client.request.body.size", 0, 5);
	expect_amount(snapshot, "http.client.response.body.size", 12, 5);
	expect_amount(snapshot, "db.client.response.returned_rows", -1, 0);
	metric_snapshot_free(snapshot);
}

/* Of bytes that were missed nothing is known, and without an answer there is no size of one. */
static void unknown_body_sizes(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange server = make_exchange(SERVER, &conn, "POST", "/");
	struct exchange client = make_exchange(CLIENT, &conn, "GET", "/");
	struct metric_snapshot *snapshot;

	(void)state;
	server.partial = true;
	client.status = 0;
	client.error = EXCHANGE_CONNECTION_RESET;
	client.request_body_bytes = 3;
	feed(&server);
	feed(&client);
	snapshot = metrics_snapshot(metrics);
	assert_int_equal(family_of(snapshot, "http.server.request.duration")->n_points, 1);
	expect_amount(snapshot, "http.server.request.body.size", -1, 0);
	expect_amount(snapshot, "http.server.response.body.size", -1, 0);
	expect_amount(snapshot, "http.client.request.body.size", 3, 5);
	expect_amount(snapshot, "http.client.response.body.size", -1, 0);
	metric_snapshot_free(snapshot);
}

/* Conditional attributes are absent where their condition is: no error, no answer, no route. */
static void conditional_attributes(void **state)
{
	static const char *const fine[] = {"http.request.method", "url.scheme",
	    "http.response.status_code", "http.route", "network.protocol.version", NULL};
	static const char *const no_route[] = {"http.request.method", "url.scheme",
	    "http.response.status_code", "network.protocol.version", NULL};
	struct http_naming unset = {.methods = &http_methods_default, .unmatched_unset = true};
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(SERVER, &conn, "GET", "/users/42");

	(void)state;
	expect_family(&exchange, "http.server.request.duration", fine);
	metrics_free(metrics);
	begin_metrics();
	naming = &unset;
	expect_family(&exchange, "http.server.request.duration", no_route);
	naming = &http_naming_default;
}

static void failed_client(void **state)
{
	static const char *const keys[] = {"http.request.method", "server.address", "server.port",
	    "error.type", "network.protocol.version", NULL};
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct exchange exchange = make_exchange(CLIENT, &conn, "GET", "/");

	(void)state;
	exchange.status = 0;
	exchange.error = EXCHANGE_CONNECTION_RESET;
	expect_family(&exchange, "http.client.request.duration", keys);
}

/* What strangers write into heads makes no series: paths, methods, hosts, schemes, user agents. */
static void scanner(void **state)
{
	struct conn conn = make_conn(ZSP_FAMILY_IPV4);
	struct route_table *routes = route_table_new(&http_naming_default);
	struct metric_snapshot *snapshot;
	struct span_builder builder;
	char path[64], word[32];

	(void)state;
	span_builder_init(&builder);
	endpoint_text(&conn.remote, conn.remote_text);
	for (int i = 0; i < 100000; i++) {
		struct exchange exchange = make_exchange(SERVER, &conn, "", "");
		struct span *span;

		snprintf(path, sizeof(path), "/scan-%dz/%x?%d", i, i, i);
		snprintf(word, sizeof(word), "M%d", i);
		exchange.method = sv_cstr(word);
		exchange.target = sv_cstr(path);
		exchange.host = exchange.user_agent = exchange.forwarded.host = sv_cstr(word);
		span = http_span_build(&builder, routes, &http_methods_default, &exchange, service);
		operation_metrics_span(&operations, span);
		span_free(span);
	}
	snapshot = metrics_snapshot(metrics);
	assert_int_equal(snapshot->families[0].n_points, ROUTE_TABLE_MAX + 1);
	metric_snapshot_free(snapshot);
	span_builder_release(&builder);
	route_table_free(routes);
}

static void database(void **state)
{
	static const char sql[] = "SELECT a FROM t WHERE b = 's3cr3t'";
	static const char *const keys[] = {"db.system.name", "db.namespace", "db.query.summary",
	    "db.response.status_code", "error.type", NULL};
	struct zsp_statement *s = calloc(1, sizeof(*s) + sizeof(sql));
	struct statement_texts *texts = statement_texts_new();
	struct metric_snapshot *snapshot;
	struct span_builder builder;
	struct span *span;

	(void)state;
	assert_non_null(s);
	s->end_ns = 100;
	s->result = 5;
	s->stmt = 1;
	s->rows = 7;
	s->text_bytes = sizeof(sql) - 1;
	memcpy(s->text, sql, sizeof(sql));
	span_builder_init(&builder);
	span = statement_span_build(
	    &builder, texts, s, &(struct statement_facts){.database = SV("/srv/shop.db")}, service);
	operation_metrics_span(&operations, span);
	span->untimed = true;
	operation_metrics_span(&operations, span);
	assert_int_equal(only_point("db.client.operation.duration", &snapshot)->count, 1);
	metric_snapshot_free(snapshot);
	expect_keys(only_point("db.client.operation.duration", &snapshot), keys);
	expect_amount(snapshot, "db.client.response.returned_rows", 7, 5);
	metric_snapshot_free(snapshot);
	span_free(span);
	span_builder_release(&builder);
	statement_texts_free(texts);
	free(s);
}

static int setup(void **state)
{
	begin_metrics();
	return http_span_setup(state);
}

static int teardown(void **state)
{
	metrics_free(metrics);
	return http_span_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(http_server, setup, teardown),
	    cmocka_unit_test_setup_teardown(http_client_has_no_route, setup, teardown),
	    cmocka_unit_test_setup_teardown(instruments, setup, teardown),
	    cmocka_unit_test_setup_teardown(request_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(body_sizes, setup, teardown),
	    cmocka_unit_test_setup_teardown(unknown_body_sizes, setup, teardown),
	    cmocka_unit_test_setup_teardown(conditional_attributes, setup, teardown),
	    cmocka_unit_test_setup_teardown(failed_client, setup, teardown),
	    cmocka_unit_test_setup_teardown(scanner, setup, teardown),
	    cmocka_unit_test_setup_teardown(database, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
