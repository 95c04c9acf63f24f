// SPDX-License-Identifier: Apache-2.0
/* A hundred thousand orders, through the whole pipeline, in one order and the other: what they add up to is exact, whoever asks. */
#include <stdio.h>
#include <stdlib.h>

#include "json_reader.h"
#include "rule_fixture.h"

enum {
	ORDERS = 100000,
};

/* No trace is kept, for so many would be. */
static void start_counting(struct fixture *f, const char *text)
{
	struct world *world = world_without_sink(1, (struct pipeline_options){0});

	process(world, 10, "shop", 1);
	start_in(f, world, text);
}

/* --- in OTLP ------------------------------------------------------------------------------------- */

/* "item:value " of each point; of a histogram the sum. */
static void append_points(struct buf *out, const struct json *metric)
{
	const bool histogram = json_at(metric, "histogram");
	const struct json *point =
	    json_at(metric, histogram ? "histogram/dataPoints/0" : "sum/dataPoints/0");

	for (; point; point = point->next)
		buf_printf(out, "%s:%.17g ", json_text(point, "attributes/0/value/stringValue"),
		    strtod(json_text(point, histogram ? "sum" : "asDouble"), NULL));
}

static void expect_otlp(struct fixture *f, const char *name, const char *expected)
{
	static const struct clock_base clock;
	struct metric_snapshot *snapshot = metrics_snapshot(f->world->metrics);
	struct buf text, out;
	struct json *json;

	buf_init(&text);
	buf_init(&out);
	encode_otlp_metrics_json(&text, snapshot, NULL, &clock);
	json = json_parse(text.data);
	assert_non_null(json);
	for (const struct json *of = json_at(json, "resourceMetrics/0"); of; of = of->next)
		for (const struct json *metric = json_at(of, "scopeMetrics/0/metrics/0"); metric;
		     metric = metric->next)
			if (strcmp(json_text(metric, "name"), name) == 0)
				append_points(&out, metric);
	if (strcmp(out.len ? out.data : "", expected) != 0)
		fail_msg("%s: %s, not %s", name, out.len ? out.data : "nothing", expected);
	json_free(json);
	buf_release(&out);
	buf_release(&text);
	metric_snapshot_free(snapshot);
}

/* --- small ones ---------------------------------------------------------------------------------- */

/* Each alone leaves a double of this size as it is. */
static void small_amounts(void **state)
{
	struct fixture f;

	(void)state;
	start_counting(
	    &f, "rules: [{match: POST /a, metrics: [{counter: c, value: request.v}]}]\n");
	ask(&f, "POST /a HTTP/1.1", "{\"v\": 9007199254740992}", 200, "");
	for (int i = 0; i < ORDERS; i++)
		ask(&f, "POST /a HTTP/1.1", "{\"v\": 1}", 200, "");
	expect_points(&f, "c", ":9007199254840992 ");
	stop(&f);
}

/* --- revenue ------------------------------------------------------------------------------------- */

/* A fifth of them fail. */
struct order {
	long quantity, cents;
	bool sold;
};

static void think_up(struct order *orders)
{
	struct rng rng;

	rng_seed(&rng, 8);
	for (size_t i = 0; i < ORDERS; i++)
		orders[i] = (struct order){.quantity = 1 + (long)(rng_next(&rng) % 9),
		    .cents = 1 + (long)(rng_next(&rng) % 99999),
		    .sold = rng_next(&rng) % 5};
}

/* Adds to what plain doubles make of it. */
static void place(struct fixture *f, const char *item, const struct order *order, double *naive)
{
	char body[128];

	snprintf(body, sizeof(body), "{\"item\":\"%s\",\"quantity\":%ld,\"price\":%ld.%02ld}", item,
	    order->quantity, order->cents / 100, order->cents % 100);
	ask(f, "POST /checkout HTTP/1.1", body, order->sold ? 200 : 400, "{}");
	if (order->sold)
		*naive += (double)(order->quantity * order->cents) / 100;
}

/* In whole numbers; the nearest double is what there has to be. */
static double revenue_of(const struct order *orders)
{
	int64_t cents = 0;

	for (size_t i = 0; i < ORDERS; i++)
		if (orders[i].sold)
			cents += orders[i].quantity * orders[i].cents;
	return (double)cents / 100;
}

static void expect_revenue(struct fixture *f, double exact)
{
	char points[128], exposed[512];

	snprintf(points, sizeof(points), "x:%.17g y:%.17g ", exact, exact);
	expect_otlp(f, "order_revenue", points);
	expect_otlp(f, "order_value", points);
	snprintf(exposed, sizeof(exposed),
	    "# TYPE order_revenue_total counter\n"
	    "order_revenue_total{,item=\"x\"} %.17g\n"
	    "order_revenue_total{,item=\"y\"} %.17g\n",
	    exact, exact);
	expect_exposition(f, "order_revenue", exposed);
	snprintf(exposed, sizeof(exposed),
	    "order_value_sum{,item=\"x\"} %.17g\n"
	    "order_value_sum{,item=\"y\"} %.17g\n",
	    exact, exact);
	expect_exposition(f, "order_value_sum", exposed);
}

/* What was sold, to the cent, of counters and histograms; doubles that are just added up are not that, whichever comes first. */
static void revenue(void **state)
{
	struct order *orders = calloc(ORDERS, sizeof(*orders));
	double forth = 0, back = 0, exact;
	struct fixture f;

	(void)state;
	start_counting(&f,
	    "rules:\n"
	    "  - match: POST /checkout\n"
	    "    metrics:\n"
	    "      - counter: order_revenue\n"
	    "        value: request.quantity * request.price\n"
	    "        when: status == 200\n"
	    "        labels: {item: request.item}\n"
	    "      - histogram: order_value\n"
	    "        bounds: []\n"
	    "        value: request.quantity * request.price\n"
	    "        when: status == 200\n"
	    "        labels: {item: request.item}\n");
	think_up(orders);
	for (size_t i = 0; i < ORDERS; i++)
		place(&f, "x", &orders[i], &forth);
	for (size_t i = ORDERS; i-- > 0;)
		place(&f, "y", &orders[i], &back);
	exact = revenue_of(orders);
	expect_revenue(&f, exact);
	assert_true(forth != exact && back != exact);
	stop(&f);
	free(orders);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(small_amounts),
	    cmocka_unit_test(revenue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
