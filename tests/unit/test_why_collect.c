// SPDX-License-Identifier: Apache-2.0
/* Requests out of traces: every nanosecond once, in its place; what is kept, and what has no room. */
#include <stdio.h>

#include "why_fixture.h"

/* All requests kept. */
static size_t list(const struct why_case *c, struct why_kept *ret_kept, size_t max)
{
	const struct why_sample *sample = why_collector_sample(c->collector);
	size_t n = why_sample_count(sample);

	assert_true(n <= max);
	why_sample_list(sample, ret_kept);
	return n;
}

/* The request of this route; there is one. */
static const struct why_request *request(const struct why_case *c, const char *route)
{
	const struct why_names *names = why_collector_names(c->collector);
	const struct why_request *found = NULL;
	struct why_kept kept[16];
	size_t n = list(c, kept, 16);

	for (size_t i = 0; i < n; i++) {
		if (!sv_eq(why_name_part(names, kept[i].request->route, 1), sv_cstr(route)))
			continue;
		assert_null(found);
		found = kept[i].request;
	}
	assert_non_null(found);
	return found;
}

/* Nanoseconds, or 0, of the fact whose place has this first part (NULL: no place). */
static uint64_t fact_ns(const struct why_case *c, const struct why_request *r,
    enum why_fact_kind kind, enum ledger_state state, const char *place)
{
	const struct why_names *names = why_collector_names(c->collector);

	for (uint32_t i = 0; i < r->n_facts; i++) {
		const struct why_fact *fact = &r->facts[i];

		if (fact->kind != kind || fact->state != state)
			continue;
		if (place ? sv_eq(why_name_part(names, fact->place, 0), sv_cstr(place))
			  : fact->place == WHY_NAME_NONE)
			return fact->ns;
	}
	return 0;
}

/* Facts of time add up to the duration. */
static void expect_whole(const struct why_request *r)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < r->n_facts; i++)
		if (r->facts[i].kind == WHY_FACT_TIME || r->facts[i].kind == WHY_FACT_PASSED_ON)
			sum += r->facts[i].ns;
	assert_int_equal(sum, r->duration_ns);
}

static void test_checkout(void **state)
{
	const struct why_request *checkout, *deduct;
	struct why_case c;

	(void)state;
	case_init(&c);
	case_checkout(&c, 3 * MS, 100 * MS);
	checkout = request(&c, "POST /checkout");
	deduct = request(&c, "POST /inventory/deduct");
	expect_whole(checkout);
	expect_whole(deduct);
	assert_int_equal(
	    fact_ns(&c, checkout, WHY_FACT_TIME, LEDGER_DISK, "INSERT orders"), 3 * MS);
	assert_int_equal(fact_ns(&c, checkout, WHY_FACT_TIME, LEDGER_DISK, NULL), 0);
	assert_int_equal(
	    fact_ns(&c, checkout, WHY_FACT_TIME, LEDGER_CPU, "INSERT orders"), MS / 10);
	assert_int_equal(fact_ns(&c, checkout, WHY_FACT_TIME, LEDGER_CPU, NULL), MS - MS / 10);
	assert_int_equal(fact_ns(&c, checkout, WHY_FACT_PASSED_ON, LEDGER_DOWNSTREAM, "shop"),
	    100 * MS + MS / 2);
	assert_int_equal(why_request_state_ns(checkout, LEDGER_DOWNSTREAM), MS / 4); /* the way */
	assert_int_equal(fact_ns(&c, deduct, WHY_FACT_TIME, LEDGER_SLEEP, NULL), 100 * MS);
	assert_int_equal(why_request_lost_ns(checkout), 3 * MS + MS / 4);
	assert_int_equal(why_request_lost_ns(deduct), 100 * MS);
	case_release(&c);
}

/* Parts take no more than the request has, and what they take is gone. */
static void test_parts_are_cut(void **state)
{
	const struct why_request *r;
	struct why_case c;

	(void)state;
	case_init(&c);
	CASE_ADD(&c,
	    SERVER("GET /", 1, 0, 10 * MS, LEDGER([LEDGER_CPU] = 4 * MS, [LEDGER_DISK] = 6 * MS)),
	    CLIENT("SELECT a", 2, 1, 5 * MS, LEDGER([LEDGER_DISK] = 5 * MS), ATTRS(SQLITE)),
	    CLIENT("SELECT b", 3, 1, 5 * MS, LEDGER([LEDGER_DISK] = 5 * MS), ATTRS(SQLITE)),
	    CLIENT("GET", 4, 1, 9 * MS, LEDGER([LEDGER_DOWNSTREAM] = 9 * MS),
		ATTRS(ATTR_S("server.address", "::1"), ATTR_I("server.port", 80))));
	r = request(&c, "GET /");
	expect_whole(r);
	assert_int_equal(fact_ns(&c, r, WHY_FACT_TIME, LEDGER_DISK, "SELECT a"), 5 * MS);
	assert_int_equal(fact_ns(&c, r, WHY_FACT_TIME, LEDGER_DISK, "SELECT b"), MS);
	assert_int_equal(fact_ns(&c, r, WHY_FACT_TIME, LEDGER_DOWNSTREAM, "[::1]:80"), 0);
	case_release(&c);
}

/* Many executions of one statement are one fact, however short each is. */
static void test_many_executions(void **state)
{
	const struct attr sqlite[] = {SQLITE};
	const struct why_request *r;
	struct span_model models[1001];
	struct why_case c;

	(void)state;
	case_init(&c);
	models[0] = (struct span_model)SERVER(
	    "GET /", 1, 0, 500 * MS, LEDGER([LEDGER_CPU] = 300 * MS, [LEDGER_DISK] = 200 * MS));
	for (uint64_t i = 1; i <= 1000; i++)
		models[i] = (struct span_model)CLIENT("SELECT item", i + 1, 1, MS / 5,
		    LEDGER([LEDGER_DISK] = MS / 5), .attrs = sqlite, .n_attrs = 2);
	case_add(&c, models, 1001);
	r = request(&c, "GET /");
	expect_whole(r);
	assert_int_equal(fact_ns(&c, r, WHY_FACT_TIME, LEDGER_DISK, "SELECT item"), 200 * MS);
	assert_int_equal(fact_ns(&c, r, WHY_FACT_STATEMENT, LEDGER_CPU, "SELECT item"), 200 * MS);
	for (uint32_t i = 0; i < r->n_facts; i++)
		if (r->facts[i].kind == WHY_FACT_STATEMENT)
			assert_int_equal(r->facts[i].count, 1000);
	case_release(&c);
}

/* More distinct statements than facts: the rest is told with the request's own code, nothing is lost. */
static void test_facts_are_bounded(void **state)
{
	const struct attr sqlite[] = {SQLITE};
	const struct why_request *r;
	struct span_model models[201];
	char names[200][24];
	struct why_case c;

	(void)state;
	case_init(&c);
	models[0] =
	    (struct span_model)SERVER("GET /", 1, 0, 200 * MS, LEDGER([LEDGER_DISK] = 200 * MS));
	for (uint64_t i = 1; i <= 200; i++) {
		snprintf(names[i - 1], sizeof(names[0]), "SELECT t%d", (int)i);
		models[i] = (struct span_model)CLIENT(names[i - 1], i + 1, 1, MS,
		    LEDGER([LEDGER_DISK] = MS), .attrs = sqlite, .n_attrs = 2);
	}
	case_add(&c, models, 201);
	r = request(&c, "GET /");
	expect_whole(r);
	assert_true(r->n_facts <= WHY_FACTS_MAX);
	assert_true(fact_ns(&c, r, WHY_FACT_TIME, LEDGER_DISK, NULL) > 150 * MS);
	case_release(&c);
}

static void test_conflict(void **state)
{
	const struct why_names *names;
	const struct why_request *r;
	const struct why_fact *culprit = NULL;
	struct why_case c;

	(void)state;
	case_init(&c);
	case_conflict(&c, 17, 310);
	names = why_collector_names(c.collector);
	r = request(&c, "POST /inventory/deduct");
	assert_true(r->failed);
	assert_int_equal(r->status, 500);
	assert_int_equal(why_name_kind(names, r->failure), WHY_NAME_FAILED_STATEMENT);
	assert_true(sv_eq(why_name_part(names, r->failure, 1), SV("shop.db")));
	assert_true(sv_eq(why_name_part(names, r->failure, 2), SV("5")));
	for (uint32_t i = 0; i < r->n_facts; i++)
		if (r->facts[i].kind == WHY_FACT_CULPRIT)
			culprit = &r->facts[i];
	assert_non_null(culprit);
	assert_int_equal(culprit->state, LEDGER_SQLITE_BUSY);
	assert_int_equal(culprit->transaction, 17);
	assert_int_equal(culprit->thread, 4242);
	assert_int_equal(culprit->ns, 310 * MS);
	assert_true(
	    sv_eq(why_name_part(names, culprit->place, WHY_CULPRIT_PROCESS), SV("stock-audit")));
	r = request(&c, "POST /checkout"); /* fails with the other's failure */
	assert_int_equal(why_name_kind(names, r->failure), WHY_NAME_REQUEST);
	case_release(&c);
}

/* Statements and calls without a request are told by themselves; those of other batches by none. */
static void test_outside_of_requests(void **state)
{
	struct why_collect_stats stats;
	const struct why_request *r;
	struct why_case c;

	(void)state;
	case_init(&c);
	CASE_ADD(&c,
	    CLIENT("COMMIT", 1, 0, 4 * MS, LEDGER([LEDGER_CPU] = MS, [LEDGER_DISK] = 3 * MS),
		ATTRS(SQLITE)));
	CASE_ADD(
	    &c, CLIENT("UPDATE t", 2, 99, 4 * MS, LEDGER([LEDGER_DISK] = 4 * MS), ATTRS(SQLITE)));
	CASE_ADD(&c, CLIENT("UPDATE u", 3, 0, 0, .untimed = true, ATTRS(SQLITE)));
	CASE_ADD(&c,
	    CLIENT("GET", 4, 0, 7 * MS, LEDGER([LEDGER_DOWNSTREAM] = 7 * MS),
		ATTRS(ATTR_S("server.address", "10.0.0.5"), ATTR_I("server.port", 9000))));
	why_collector_stats(c.collector, &stats);
	assert_int_equal(stats.spans, 4);
	assert_int_equal(stats.requests, 0);
	assert_int_equal(stats.lone, 2);
	assert_int_equal(stats.detached, 1);
	assert_int_equal(stats.untimed, 1);
	r = request(&c, "COMMIT");
	expect_whole(r);
	assert_int_equal(fact_ns(&c, r, WHY_FACT_TIME, LEDGER_DISK, NULL), 3 * MS);
	assert_int_equal(
	    fact_ns(&c, request(&c, "GET"), WHY_FACT_TIME, LEDGER_DOWNSTREAM, "10.0.0.5:9000"),
	    7 * MS);
	case_release(&c);
}

/* Without a ledger all time is unattributed; a ledger that is too long is cut. */
static void test_ledgers_that_do_not_fit(void **state)
{
	const struct why_request *r;
	struct why_case c;

	(void)state;
	case_init(&c);
	CASE_ADD(&c, SERVER("GET /none", 1, 0, 5 * MS));
	CASE_ADD(&c, SERVER("GET /long", 1, 0, 5 * MS, LEDGER([LEDGER_LOCK] = 50 * MS)));
	r = request(&c, "GET /none");
	expect_whole(r);
	assert_false(r->known);
	assert_int_equal(why_request_state_ns(r, LEDGER_UNATTRIBUTED), 5 * MS);
	r = request(&c, "GET /long");
	expect_whole(r);
	assert_true(r->known);
	case_release(&c);
}

/* Whatever ids say, each span is looked at once, and nobody is his own parent. */
static void test_forged_ids(void **state)
{
	struct why_collect_stats stats;
	struct why_case c;

	(void)state;
	case_init(&c);
	CASE_ADD(&c, SERVER("self", 1, 1, MS), SERVER("twin", 1, 1, MS),
	    CLIENT("loop", 2, 3, MS, ATTRS(SQLITE)), CLIENT("pool", 3, 2, MS, ATTRS(SQLITE)));
	why_collector_stats(c.collector, &stats);
	assert_int_equal(stats.requests, 2);
	assert_int_equal(stats.detached, 2);
	case_release(&c);
}

/* As a destination of traces: all that were published are in the collector once it is closed. */
static void test_sink(void **state)
{
	const struct span_model model = SERVER("GET /", 1, 0, MS);
	struct why_collect_stats stats;
	struct sink_stats delivered;
	struct sink *sink;
	struct why_case c;

	(void)state;
	case_init(&c);
	sink = why_sink_new(c.collector);
	assert_non_null(sink);
	for (int i = 0; i < 100; i++) {
		struct trace *trace = fixture_trace(&model, 1);

		sink_publish(sink, trace);
		trace_unref(trace);
	}
	sink_close(sink, &delivered);
	assert_int_equal(delivered.delivered, 100);
	why_collector_stats(c.collector, &stats);
	assert_int_equal(stats.requests, 100);
	case_release(&c);
}

/* --- the sample -------------------------------------------------------------------------------- */

static void offer(struct why_sample *sample, uint32_t route, uint64_t ns, uint64_t n)
{
	const struct why_request r = {.route = route, .duration_ns = ns, .status = 200};

	while (n-- > 0)
		why_sample_add(sample, &r);
}

/* So many requests of this duration the kept ones stand for. */
static double weight_of(const struct why_sample *sample, uint64_t ns, size_t *ret_kept)
{
	size_t n = why_sample_count(sample);
	struct why_kept *kept = calloc(n + 1, sizeof(*kept));
	double weight = 0;

	*ret_kept = 0;
	why_sample_list(sample, kept);
	for (size_t i = 0; i < n; i++) {
		if (kept[i].request->duration_ns != ns)
			continue;
		weight += kept[i].weight;
		++*ret_kept;
	}
	free(kept);
	return weight;
}

/* One slow request among many fast ones is not lost, and all are counted. */
static void test_sample_keeps_the_rare(void **state)
{
	struct why_sample *sample = why_sample_new();
	size_t kept;

	(void)state;
	offer(sample, 2, MS, 100000);
	offer(sample, 2, 2 * NS_PER_S, 1);
	offer(sample, 2, MS, 100000);
	assert_true(weight_of(sample, MS, &kept) > 199999.9);
	assert_int_equal(kept, WHY_STRATUM_MAX);
	assert_true(weight_of(sample, 2 * NS_PER_S, &kept) == 1);
	assert_int_equal(why_sample_refused(sample), 0);
	why_sample_free(sample);
}

/* Many routes: so many requests are kept as there is room, of each route some. */
static void test_sample_is_bounded(void **state)
{
	struct why_sample *sample = why_sample_new();
	size_t kept, n;

	(void)state;
	for (uint32_t route = 2; route < 5002; route++)
		offer(sample, route, route * 1000, 100);
	n = why_sample_count(sample);
	assert_true(n >= WHY_KEPT_MAX);
	assert_true(n <= WHY_KEPT_MAX + WHY_STRATA_MAX * WHY_STRATUM_MIN);
	assert_int_equal(why_sample_refused(sample), (5000 - WHY_STRATA_MAX) * 100);
	assert_true(weight_of(sample, 4000 * 1000, &kept) > 99.9);
	assert_int_equal(kept, WHY_STRATUM_MIN);
	why_sample_free(sample);
}

/* --- names ------------------------------------------------------------------------------------- */

static void test_names(void **state)
{
	struct why_names *names = why_names_new();
	const struct sv a[] = {SV("shop"), SV("GET /")}, b[] = {SV("sho"), SV("pGET /")};
	struct sv long_text = {.len = 1000};
	char text[1000], route[32];
	uint32_t name;

	(void)state;
	name = why_name(names, WHY_NAME_REQUEST, a, 2);
	assert_true(name > WHY_NAME_REST);
	assert_int_equal(why_name(names, WHY_NAME_REQUEST, a, 2), name);
	assert_int_not_equal(why_name(names, WHY_NAME_REQUEST, b, 2), name);
	assert_int_not_equal(why_name(names, WHY_NAME_STATEMENT, a, 2), name);
	for (size_t i = 0; i < sizeof(text) / 2; i++)
		memcpy(text + 2 * i, "é", 2);
	long_text.p = text;
	name = why_name(names, WHY_NAME_STATEMENT, &long_text, 1);
	assert_int_equal(
	    why_name_part(names, name, 0).len, WHY_TEXT_MAX - 1); /* no half character */
	assert_int_equal(why_name(names, WHY_NAME_STATEMENT, &long_text, 1), name);
	for (int i = 0; i < 2 * WHY_ROUTES_MAX; i++) {
		struct sv parts[2] = {SV("shop"), {.p = route}};

		parts[1].len = (size_t)snprintf(route, sizeof(route), "GET /%d", i);
		name = why_name(names, WHY_NAME_REQUEST, parts, 2);
	}
	assert_int_equal(name, WHY_NAME_REST);
	assert_true(why_names_refused(names) > WHY_ROUTES_MAX - 10);
	assert_true(why_name(names, WHY_NAME_STATEMENT, a, 2) > WHY_NAME_REST);
	why_names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_checkout),
	    cmocka_unit_test(test_parts_are_cut),
	    cmocka_unit_test(test_many_executions),
	    cmocka_unit_test(test_facts_are_bounded),
	    cmocka_unit_test(test_conflict),
	    cmocka_unit_test(test_outside_of_requests),
	    cmocka_unit_test(test_ledgers_that_do_not_fit),
	    cmocka_unit_test(test_forged_ids),
	    cmocka_unit_test(test_sink),
	    cmocka_unit_test(test_sample_keeps_the_rare),
	    cmocka_unit_test(test_sample_is_bounded),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
