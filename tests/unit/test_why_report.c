// SPDX-License-Identifier: Apache-2.0
/* The report's numbers: percentiles, time lost, findings and their order, slow against normal, confidence. */
#include <stdio.h>

#include "why_fixture.h"

static bool is_about(double a, double b)
{
	return a > b * 0.999 - 1 && a < b * 1.001 + 1;
}

/* The n-th request of a route that sleeps so long. */
static void sleeper(struct why_case *c, const char *name, uint64_t sleep_ns)
{
	CASE_ADD(c,
	    SERVER(name, 1, 0, sleep_ns + MS, LEDGER([LEDGER_CPU] = MS, [LEDGER_SLEEP] = sleep_ns),
		ATTRS(HTTP_STATUS(200))));
}

static void test_percentiles(void **state)
{
	const struct why_route *route;
	struct why_case c;

	(void)state;
	case_init(&c);
	for (uint64_t i = 200; i > 0; i--)
		sleeper(&c, "GET /", i * MS - MS);
	case_make(&c);
	route = case_route(&c, "GET /");
	assert_true(route->requests == 200);
	assert_int_equal(route->p50_ns, 100 * MS);
	assert_int_equal(route->p95_ns, 190 * MS);
	assert_int_equal(route->p99_ns, 198 * MS);
	assert_int_equal(route->max_ns, 200 * MS);
	assert_false(route->sampled);
	assert_true(is_about(route->total_ns, 20100.0 * MS));
	assert_true(is_about(route->lost_ns, 19900.0 * MS));
	assert_true(is_about(route->state_ns[LEDGER_CPU], 200.0 * MS));
	case_release(&c);
}

/* More than can be kept: counts stay exact, percentiles nearly so, and what is rare is there. */
static void test_percentiles_of_a_sample(void **state)
{
	const struct why_route *route;
	struct why_case c;

	(void)state;
	case_init(&c);
	for (uint64_t i = 1; i <= 20000; i++)
		sleeper(&c, "GET /", i * 7919 % 20000 * MS / 100);
	sleeper(&c, "GET /", 5000 * MS);
	case_make(&c);
	route = case_route(&c, "GET /");
	assert_true(is_about(route->requests, 20001));
	assert_true(route->sampled);
	assert_true(route->p50_ns > 90 * MS && route->p50_ns < 112 * MS);
	assert_true(route->p95_ns > 181 * MS && route->p95_ns < 200 * MS);
	assert_int_equal(route->max_ns, 5001 * MS);
	assert_true(route->lost_ns > 1.9e6 * MS && route->lost_ns < 2.1e6 * MS);
	case_release(&c);
}

/* Computing is work up to 10 ms, and loss beyond. */
static void test_work_is_no_loss(void **state)
{
	struct why_case c;

	(void)state;
	case_init(&c);
	for (int i = 0; i < 40; i++) {
		CASE_ADD(&c, SERVER("GET /short", 1, 0, 9 * MS, LEDGER([LEDGER_CPU] = 9 * MS)));
		CASE_ADD(&c, SERVER("GET /long", 1, 0, 90 * MS, LEDGER([LEDGER_CPU] = 90 * MS)));
	}
	case_make(&c);
	assert_true(case_route(&c, "GET /short")->lost_ns == 0);
	assert_true(is_about(case_route(&c, "GET /long")->lost_ns, 40.0 * 80 * MS));
	assert_int_equal(c.report.n_findings, 1);
	assert_int_equal(c.report.findings[0].state, LEDGER_CPU);
	assert_int_equal(c.report.findings[0].max_ns, 90 * MS); /* with what is no loss */
	case_release(&c);
}

/* The leaf is blamed, with what its absence would change; who waits for it is named. */
static void test_sleep_in_a_callee(void **state)
{
	const struct why_finding *f;
	struct why_case c;

	(void)state;
	case_init(&c);
	for (int i = 0; i < 90; i++)
		case_checkout(&c, MS / 5, 0);
	for (uint64_t i = 0; i < 10; i++)
		case_checkout(&c, MS / 5, 1000 * MS + i * 100 * MS);
	case_make(&c);
	f = &c.report.findings[0];
	assert_int_equal(c.report.n_findings, 1);
	assert_int_equal(f->kind, WHY_FINDING_TIME);
	assert_int_equal(f->state, LEDGER_SLEEP);
	assert_true(case_is_named(&c, f->route, "POST /inventory/deduct"));
	assert_true(f->requests == 10 && f->of == 100);
	assert_int_equal(f->min_ns, 1000 * MS);
	assert_int_equal(f->max_ns, 1900 * MS);
	assert_true(is_about(f->mean_ns, 1450.0 * MS));
	assert_true(f->share > 0.99);
	assert_int_equal(f->percentile, 95);
	assert_int_equal(f->without_ns, MS / 2);
	assert_int_equal(f->n_callers, 1);
	assert_true(case_is_named(&c, f->callers[0].name, "POST /checkout"));
	assert_true(f->callers[0].amount > 0.98);
	assert_true(is_about(c.report.lost_ns, 14500.0 * MS + 100 * (MS / 5 + MS / 4)));
	case_release(&c);
}

/* A chain of three services: the time is lost once, at its end. */
static void test_chain(void **state)
{
	struct service *gate = fixture_service("gate", 1), *store = fixture_service("store", 3);
	const struct why_finding *f;
	struct why_case c;

	(void)state;
	case_init(&c);
	for (int i = 0; i < 30; i++)
		CASE_ADD(&c,
		    SERVER("GET /a", 1, 0, 90 * MS, .service = gate,
			LEDGER([LEDGER_CPU] = MS, [LEDGER_DOWNSTREAM] = 89 * MS)),
		    CLIENT("GET", 2, 1, 88 * MS, LEDGER([LEDGER_DOWNSTREAM] = 88 * MS)),
		    SERVER("GET /b", 3, 2, 87 * MS, LEDGER([LEDGER_DOWNSTREAM] = 87 * MS)),
		    CLIENT("GET", 4, 3, 86 * MS, LEDGER([LEDGER_DOWNSTREAM] = 86 * MS)),
		    SERVER("GET /c", 5, 4, 85 * MS, .service = store,
			LEDGER([LEDGER_CPU] = 5 * MS, [LEDGER_LOCK] = 80 * MS)));
	case_make(&c);
	f = &c.report.findings[0];
	assert_true(case_is_named(&c, f->route, "GET /c"));
	assert_int_equal(f->n_callers, 2);
	assert_true(case_is_named(&c, f->callers[0].name, "GET /b"));
	assert_true(case_is_named(&c, f->callers[1].name, "GET /a"));
	assert_true(is_about(c.report.lost_ns, 30.0 * (80 + 2 + 2) * MS));
	case_release(&c);
	service_unref(gate);
	service_unref(store);
}

static void test_failures(void **state)
{
	const struct why_finding *f;
	struct why_case c;

	(void)state;
	case_init(&c);
	for (int i = 0; i < 30; i++)
		case_checkout(&c, MS, 0);
	for (int i = 0; i < 6; i++)
		case_conflict(&c, 20 - i / 2, 100 + i);
	case_make(&c);
	f = &c.report.findings[0];
	assert_int_equal(f->kind, WHY_FINDING_FAILURE);
	assert_true(case_is_named(&c, f->route, "POST /inventory/deduct"));
	assert_int_equal(f->status, 500);
	assert_true(f->requests == 6 && f->of == 36);
	assert_int_equal(f->culprit.n_examples, 3);
	assert_false(f->culprit.more);
	assert_int_equal(f->culprit.examples[0].transaction, 18);
	assert_int_equal(f->culprit.examples[2].transaction, 20);
	assert_int_equal(f->culprit.examples[0].thread, 4242);
	assert_int_equal(f->culprit.min_ns, 100 * MS);
	assert_int_equal(f->culprit.max_ns, 105 * MS);
	assert_int_equal(f->min_ns, 15 * MS);
	assert_int_equal(f->n_callers, 1);
	assert_true(f->callers[0].amount == 6);
	/* The back-off is told with it; the disk of the others is another finding; nothing fails twice. */
	for (size_t i = 1; i < c.report.n_findings; i++) {
		assert_int_equal(c.report.findings[i].kind, WHY_FINDING_TIME);
		assert_int_not_equal(c.report.findings[i].state, LEDGER_SQLITE_BUSY);
	}
	assert_true(c.report.failed == 12);
	case_release(&c);
}

/* Those who back off and succeed are told of beside those who fail. */
static void test_back_off_without_failure(void **state)
{
	bool told = false;
	struct why_case c;

	(void)state;
	case_init(&c);
	case_conflict(&c, 1, 20);
	for (int i = 0; i < 5; i++)
		CASE_ADD(&c,
		    SERVER("POST /inventory/deduct", 1, 0, 90 * MS,
			LEDGER([LEDGER_SQLITE_BUSY] = 90 * MS)),
		    CLIENT("UPDATE inventory", 2, 1, 90 * MS,
			LEDGER([LEDGER_SQLITE_BUSY] = 90 * MS), ATTRS(SQLITE)));
	case_make(&c);
	for (size_t i = 0; i < c.report.n_findings; i++)
		told |= c.report.findings[i].kind == WHY_FINDING_TIME &&
		    c.report.findings[i].state == LEDGER_SQLITE_BUSY;
	assert_true(told);
	case_release(&c);
}

/* A statement outside of requests that fails is not all that fails, unless it is all there is. */
static void test_failures_outside_of_requests(void **state)
{
	struct why_case c;

	(void)state;
	case_init(&c);
	CASE_ADD(&c,
	    CLIENT("VACUUM", 1, 0, MS, .status = SPAN_STATUS_ERROR, LEDGER([LEDGER_CPU] = MS),
		ATTRS(SQLITE, ATTR_S("db.response.status_code", "5"), ATTR_S("error.type", "5"))));
	case_make(&c);
	assert_int_equal(c.report.n_findings, 1);
	assert_true(c.report.findings[0].weight == WHY_FAILURE_WEIGHT);
	for (int i = 0; i < 99; i++)
		sleeper(&c, "GET /", 10 * MS);
	case_make(&c);
	assert_int_equal(c.report.n_findings, 2);
	assert_int_equal(c.report.findings[0].kind, WHY_FINDING_TIME);
	assert_true(c.report.failed == 0); /* of requests */
	case_release(&c);
}

/* All fail in several ways, and nothing else is there. */
static void test_only_errors(void **state)
{
	struct why_case c;

	(void)state;
	case_init(&c);
	for (int i = 0; i < 20; i++) {
		CASE_ADD(&c,
		    SERVER("GET /a", 1, 0, MS, .status = SPAN_STATUS_ERROR,
			LEDGER([LEDGER_CPU] = MS),
			ATTRS(HTTP_STATUS(503), ATTR_S("error.type", "503"))));
		CASE_ADD(&c,
		    SERVER("GET /b", 1, 0, MS, .status = SPAN_STATUS_ERROR,
			LEDGER([LEDGER_CPU] = MS), ATTRS(ATTR_S("error.type", "connection_reset"))),
		    CLIENT("GET", 2, 1, MS / 2, .status = SPAN_STATUS_ERROR,
			ATTRS(ATTR_S("server.address", "10.0.0.9"), ATTR_I("server.port", 80),
			    ATTR_S("error.type", "timeout"))));
	}
	case_make(&c);
	assert_int_equal(c.report.n_findings, 2);
	assert_true(c.report.failed == 40);
	for (size_t i = 0; i < 2; i++) {
		const struct why_finding *f = &c.report.findings[i];

		assert_int_equal(f->kind, WHY_FINDING_FAILURE);
		assert_true(f->requests == 20 && f->of == 20);
		assert_int_equal(
		    f->failure != WHY_NAME_NONE, case_is_named(&c, f->route, "GET /b"));
	}
	case_release(&c);
}

/* --- open requests ----------------------------------------------------------------------------- */

static void open_request(struct why_case *c, uint64_t age_ns, uint64_t lock_ns)
{
	CASE_ADD(c,
	    SERVER("GET /pool", 1, 0, age_ns, .status = SPAN_STATUS_ERROR, .cut = true,
		LEDGER([LEDGER_LOCK] = lock_ns), ATTRS(ATTR_S("error.type", "connection_closed"))));
}

/* What the observation cut off has not failed, and is in no percentile; waiting too long is told. */
static void test_open_requests(void **state)
{
	const struct why_route *route;
	const struct why_finding *f;
	struct why_case c;

	(void)state;
	case_init(&c);
	for (int i = 0; i < 40; i++)
		CASE_ADD(&c, SERVER("GET /pool", 1, 0, 2 * MS, LEDGER([LEDGER_CPU] = 2 * MS)));
	open_request(&c, 5 * MS, 0); /* as one that has just come */
	case_make(&c);
	c.options.end_ns = 0;
	route = case_route(&c, "GET /pool");
	assert_true(route->requests == 40 && route->open == 1 && route->failed == 0);
	assert_int_equal(route->max_ns, 2 * MS);
	assert_true(route->lost_ns == 0); /* where its time went is not known */
	for (int i = 0; i < 8; i++)
		open_request(&c, 8000 * MS, 0);
	case_make(&c);
	f = &c.report.findings[0];
	assert_int_equal(f->kind, WHY_FINDING_NO_ANSWER);
	assert_true(f->requests >= 8 && f->of == 49);
	assert_false(f->known);
	assert_true(c.report.failed == 0 && c.report.open == 9);
	assert_int_equal(c.report.confidence, WHY_CONFIDENCE_MEDIUM);
	case_release(&c);
}

/* If it is known what they wait for, it counts. */
static void test_open_requests_with_ledger(void **state)
{
	struct why_case c;

	(void)state;
	case_init(&c);
	for (int i = 0; i < 8; i++)
		open_request(&c, 8000 * MS, 8000 * MS);
	case_make(&c);
	assert_int_equal(c.report.n_findings, 2);
	assert_int_equal(c.report.findings[0].kind, WHY_FINDING_NO_ANSWER);
	assert_true(c.report.findings[0].known);
	assert_int_equal(c.report.findings[1].state, LEDGER_LOCK);
	assert_true(c.report.findings[1].requests == 8 && c.report.findings[1].of == 8);
	assert_true(is_about(c.report.lost_ns, 64000.0 * MS));
	case_release(&c);
}

/* What began before the observation was seen in part: it is in nothing but a count. */
static void test_early_requests(void **state)
{
	struct why_case c;

	(void)state;
	case_init(&c);
	for (int i = 0; i < 4; i++)
		sleeper(&c, "GET /early", 100 * MS);
	c.options.start_ns = c.now_ns - 2 * MS; /* each began a millisecond after the one before */
	sleeper(&c, "GET /", MS);
	case_make(&c);
	assert_true(c.report.early == 2);
	assert_true(case_route(&c, "GET /early")->requests == 2);
	assert_true(case_route(&c, "GET /")->requests == 1);
	case_release(&c);
}

/* --- slow against normal ----------------------------------------------------------------------- */

static void test_comparison(void **state)
{
	const struct why_comparison *slow;
	struct span_model models[42];
	const struct attr sqlite[] = {SQLITE};
	struct why_case c;

	(void)state;
	case_init(&c);
	for (uint64_t i = 0; i < 30; i++)
		CASE_ADD(&c,
		    SERVER("GET /list", 1, 0, 2 * MS + i * MS / 50,
			LEDGER([LEDGER_CPU] = 2 * MS, [LEDGER_DISK] = i * MS / 50)),
		    CLIENT("SELECT list", 2, 1, MS, LEDGER([LEDGER_CPU] = MS), ATTRS(SQLITE)));
	models[0] = (struct span_model)SERVER(
	    "GET /list", 1, 0, 50 * MS, LEDGER([LEDGER_CPU] = 10 * MS, [LEDGER_DISK] = 40 * MS));
	for (uint64_t i = 1; i <= 40; i++)
		models[i] = (struct span_model)CLIENT("SELECT item", i + 1, 1, MS,
		    LEDGER([LEDGER_DISK] = MS), .attrs = sqlite, .n_attrs = 2);
	models[41] = (struct span_model)CLIENT(
	    "SELECT list", 99, 1, MS, LEDGER([LEDGER_CPU] = MS), .attrs = sqlite, .n_attrs = 2);
	for (int i = 0; i < 6; i++)
		case_add(&c, models, 42);
	case_make(&c);
	slow = &case_route(&c, "GET /list")->comparison;
	assert_true(slow->slow == 6 && slow->normal == 30);
	assert_int_equal(slow->threshold_ns, 2 * MS + 29 * MS / 50);
	assert_true(is_about(slow->slow_mean_ns, 50.0 * MS));
	assert_int_equal(slow->differences[0].kind, WHY_FACT_TIME);
	assert_int_equal(slow->differences[0].state, LEDGER_DISK);
	assert_true(is_about(slow->differences[0].slow, 40.0 * MS));
	assert_true(slow->differences[0].in_slow == 6 && slow->differences[0].in_normal == 0);
	assert_int_equal(slow->differences[1].state, LEDGER_CPU);
	assert_int_equal(slow->n_differences, 3);
	assert_int_equal(slow->differences[2].kind, WHY_FACT_STATEMENT);
	assert_true(slow->differences[2].slow == 40 && slow->differences[2].normal == 0);
	c.options.slower_than_ns = 100 * MS; /* none is */
	case_make(&c);
	slow = &case_route(&c, "GET /list")->comparison;
	assert_true(slow->slow == 0 && slow->normal == 36 && slow->n_differences == 0);
	assert_int_equal(slow->threshold_ns, 100 * MS);
	case_release(&c);
}

/* Requests that all take about as long have no slow ones. */
static void test_comparison_of_like(void **state)
{
	struct why_case c;

	(void)state;
	case_init(&c);
	for (uint64_t i = 0; i < 50; i++)
		sleeper(&c, "GET /", 100 * MS + i * MS);
	case_make(&c);
	assert_int_equal(case_route(&c, "GET /")->comparison.threshold_ns, 0);
	assert_int_equal(c.report.findings[0].state, LEDGER_SLEEP); /* all are slow */
	assert_true(c.report.findings[0].requests == 50);
	case_release(&c);
}

/* --- the disk under all, beside few that sleep for seconds ------------------------------------- */

static void test_small_but_everywhere(void **state)
{
	const struct why_finding *f;
	struct why_case c;

	(void)state;
	case_init(&c);
	for (int i = 0; i < 50; i++)
		case_checkout(&c, 4 * MS, i < 10 ? 2000 * MS : 0);
	case_make(&c);
	assert_int_equal(c.report.n_findings, 2);
	f = &c.report.findings[1];
	assert_int_equal(f->state, LEDGER_DISK);
	assert_true(f->share < 0.03);
	assert_true(case_is_named(&c, f->route, "POST /checkout"));
	assert_true(f->requests == 40); /* of the other ten it is no tenth of their time */
	assert_int_equal(f->n_places, 1);
	assert_true(
	    sv_eq(why_name_part(c.report.names, f->places[0].name, 0), SV("INSERT orders")));
	case_release(&c);
}

/* --- patterns ---------------------------------------------------------------------------------- */

static void test_routes_asked_for(void **state)
{
	static const char *const cases[][2] = {{"/checkout", "2"}, {"POST *", "2"}, {"/inv*", "1"},
	    {"GET /", "1"}, {"/none", "0"}, {"GET", "0"}};
	struct why_case c;

	(void)state;
	case_init(&c);
	for (int i = 0; i < 10; i++) {
		case_checkout(&c, MS, 5 * MS);
		sleeper(&c, "GET /", MS);
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c.options.routes = cases[i];
		c.options.n_routes = 1;
		case_make(&c);
		assert_int_equal(c.report.n_routes, cases[i][1][0] - '0');
		assert_int_equal(c.report.filtered, c.report.n_routes == 0);
	}
	case_release(&c);
}

/* --- bounds ------------------------------------------------------------------------------------ */

static void test_thousands_of_routes(void **state)
{
	char name[32];
	struct why_case c;

	(void)state;
	case_init(&c);
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "GET /%d", i);
		sleeper(&c, name, 2 * MS);
	}
	case_make(&c);
	assert_true(c.report.n_routes <= WHY_ROUTES_MAX + 1);
	assert_true(is_about(c.report.requests + c.report.lone, 5000));
	assert_true(c.report.crowded > 4000);
	assert_int_equal(c.report.confidence, WHY_CONFIDENCE_LOW);
	case_release(&c);
}

/* --- confidence -------------------------------------------------------------------------------- */

static void test_confidence(void **state)
{
	static const struct {
		uint64_t lost, dropped, ambiguous;
		double seen_share;
		enum why_confidence want;
	} cases[] = {
	    {0, 0, 0, 1, WHY_CONFIDENCE_HIGH},
	    {1, 0, 0, 1, WHY_CONFIDENCE_MEDIUM},
	    {20, 0, 0, 1, WHY_CONFIDENCE_LOW},
	    {0, 1, 0, 1, WHY_CONFIDENCE_LOW}, /* of 40 spans */
	    {0, 0, 1, 1, WHY_CONFIDENCE_MEDIUM},
	    {0, 0, 4, 1, WHY_CONFIDENCE_LOW},
	    {0, 0, 0, 0.995, WHY_CONFIDENCE_MEDIUM},
	    {0, 0, 0, 0.9, WHY_CONFIDENCE_LOW},
	};
	struct why_case c;

	(void)state;
	case_init(&c);
	case_make(&c);
	assert_int_equal(c.report.confidence, WHY_CONFIDENCE_NONE);
	sleeper(&c, "GET /", MS);
	case_make(&c);
	assert_int_equal(c.report.confidence, WHY_CONFIDENCE_LOW);
	assert_int_equal(c.report.reasons[0].kind, WHY_REASON_FEW);
	for (int i = 1; i < 40; i++)
		sleeper(&c, "GET /", MS);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c.coverage.lost = cases[i].lost;
		c.coverage.dropped_spans = cases[i].dropped;
		c.coverage.ambiguous = cases[i].ambiguous;
		c.coverage.seen_share = cases[i].seen_share;
		case_make(&c);
		assert_int_equal(c.report.confidence, cases[i].want);
	}
	case_release(&c);
}

static void test_unattributed(void **state)
{
	struct why_case c;

	(void)state;
	case_init(&c);
	for (int i = 0; i < 40; i++)
		CASE_ADD(&c, SERVER("GET /", 1, 0, 5 * MS)); /* no ledger */
	case_make(&c);
	assert_true(c.report.unattributed_share == 1);
	assert_int_equal(c.report.confidence, WHY_CONFIDENCE_LOW);
	assert_int_equal(c.report.findings[0].state, LEDGER_UNATTRIBUTED);
	case_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_percentiles),
	    cmocka_unit_test(test_percentiles_of_a_sample),
	    cmocka_unit_test(test_work_is_no_loss),
	    cmocka_unit_test(test_sleep_in_a_callee),
	    cmocka_unit_test(test_chain),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_back_off_without_failure),
	    cmocka_unit_test(test_failures_outside_of_requests),
	    cmocka_unit_test(test_only_errors),
	    cmocka_unit_test(test_open_requests),
	    cmocka_unit_test(test_open_requests_with_ledger),
	    cmocka_unit_test(test_early_requests),
	    cmocka_unit_test(test_comparison),
	    cmocka_unit_test(test_comparison_of_like),
	    cmocka_unit_test(test_small_but_everywhere),
	    cmocka_unit_test(test_routes_asked_for),
	    cmocka_unit_test(test_thousands_of_routes),
	    cmocka_unit_test(test_confidence),
	    cmocka_unit_test(test_unattributed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
