// SPDX-License-Identifier: Apache-2.0
/* Which spans feed which duration histogram, and with which of their attributes. */
#include <math.h>

#include "http_span_fixture.h"
#include "metric/operation.h"
#include "span/statement.h"

static struct metrics *metrics;
static struct operation_metrics operations;

/* The only point of the family, which alone has one; its snapshot is *ret_snapshot. */
static const struct metric_point *only_point(
    const char *family, struct metric_snapshot **ret_snapshot)
{
	struct metric_snapshot *snapshot = metrics_snapshot(metrics);
	const struct metric_point *point = NULL;

	assert_non_null(snapshot);
	for (size_t i = 0; i < snapshot->n_families; i++) {
		bool wanted = strcmp(snapshot->families[i].desc.name, family) == 0;

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
	s->text_bytes = sizeof(sql) - 1;
	memcpy(s->text, sql, sizeof(sql));
	span_builder_init(&builder);
	span = statement_span_build(
	    &builder, texts, s, SV("/srv/shop.db"), &(struct transaction_part){0}, service);
	operation_metrics_span(&operations, span);
	expect_keys(only_point("db.client.operation.duration", &snapshot), keys);
	metric_snapshot_free(snapshot);
	span_free(span);
	span_builder_release(&builder);
	statement_texts_free(texts);
	free(s);
}

static int setup(void **state)
{
	metrics = metrics_new();
	return http_span_setup(state) || operation_metrics_init(&operations, metrics) ? -1 : 0;
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
	    cmocka_unit_test_setup_teardown(database, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
