// SPDX-License-Identifier: Apache-2.0
/* What is tried again, and when. */
#include "base/clock.h"
#include "export/otlp_retry.h"
#include "support.h"

static int64_t retry_after(const char *text)
{
	struct edge edge = edge_copy(text, strlen(text));
	/* Sun, 06 Nov 1994 08:49:37 GMT */
	int64_t ms = otlp_retry_after_parse(sv_from(edge.p, edge.len), 784111777);

	edge_free(&edge);
	return ms;
}

static void test_retry_after(void **state)
{
	(void)state;
	assert_int_equal(retry_after(" 2\t"), 2000);
	assert_int_equal(retry_after("0"), 0);
	assert_int_equal(retry_after("119"), 119000);
	assert_int_equal(retry_after("1000000000000"), OTLP_RETRY_AFTER_MAX_MS);
	assert_int_equal(
	    retry_after("99999999999999999999999999999999999"), OTLP_RETRY_AFTER_MAX_MS);
	assert_int_equal(retry_after("Sun, 06 Nov 1994 08:49:39 GMT"), 2000);
	assert_int_equal(retry_after("Sunday, 06-Nov-94 08:49:39 GMT"), 2000);
	assert_int_equal(retry_after("Sun Nov  6 08:49:39 1994"), 2000);
	assert_int_equal(retry_after("Sun, 06 Nov 1994 08:00:00 GMT"), 0);
	assert_int_equal(retry_after("Fri, 31 Dec 2100 23:59:59 GMT"), OTLP_RETRY_AFTER_MAX_MS);
	assert_int_equal(retry_after(""), -1);
	assert_int_equal(retry_after("-5"), -1);
	assert_int_equal(retry_after("2.5"), -1);
	assert_int_equal(retry_after("soon"), -1);
	assert_int_equal(retry_after("2 seconds"), -1);
}

static void test_backoff(void **state)
{
	const struct otlp_retry_options options = {
	    .initial_ms = 5000, .max_ms = 30000, .elapsed_ms = 300000};
	static const uint64_t interval_ms[] = {5000, 7500, 11250, 16875, 25312, 30000, 30000};
	struct otlp_retry retry;
	uint64_t wait_ns, distinct = 0, before = 0;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	otlp_retry_init(&retry, &options, 1000);
	for (size_t i = 0; i < sizeof(interval_ms) / sizeof(interval_ms[0]); i++) {
		assert_true(otlp_retry_next(&retry, &rng, 1000, -1, &wait_ns));
		assert_in_range(
		    wait_ns, interval_ms[i] * NS_PER_MS / 2, interval_ms[i] * NS_PER_MS * 3 / 2);
		distinct += wait_ns != before;
		before = wait_ns;
	}
	assert_int_equal(distinct, 7);
	assert_true(otlp_retry_next(&retry, &rng, 1000, 1234, &wait_ns));
	assert_int_equal(wait_ns, 1234 * NS_PER_MS);
	/* a wish beyond the interval is what the next one grows from */
	assert_true(otlp_retry_next(&retry, &rng, 1000, 20000, &wait_ns));
	assert_false(otlp_retry_next(&retry, &rng, 1000 + 300001 * NS_PER_MS, 0, &wait_ns));
	assert_false(otlp_retry_next(&retry, &rng, 1000 + 299000 * NS_PER_MS, 2000, &wait_ns));
}

/* What the server wishes is waited for in full, and what comes then grows from it: RetryInfo, Retry-After. */
static void test_growth_from_a_wish(void **state)
{
	const struct otlp_retry_options options = {
	    .initial_ms = 1000, .max_ms = 30000, .elapsed_ms = 300000};
	static const uint64_t interval_ms[] = {12000, 18000, 27000, 30000};
	struct otlp_retry retry;
	uint64_t wait_ns;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	otlp_retry_init(&retry, &options, 0);
	assert_true(otlp_retry_next(&retry, &rng, 0, 8000, &wait_ns));
	assert_int_equal(wait_ns, 8000 * NS_PER_MS);
	for (size_t i = 0; i < sizeof(interval_ms) / sizeof(interval_ms[0]); i++) {
		assert_true(otlp_retry_next(&retry, &rng, 0, -1, &wait_ns));
		assert_in_range(
		    wait_ns, interval_ms[i] * NS_PER_MS / 2, interval_ms[i] * NS_PER_MS * 3 / 2);
	}
}

/* "At once", "in a moment", again and again: the interval grows all the same, and keeps its jitter. */
static void test_wishes_too_short(void **state)
{
	static const int64_t wishes[] = {0, 1, OTLP_RETRY_AFTER_MIN_MS - 1, 0};
	static const uint64_t interval_ms[] = {5000, 7500, 11250, 16875};
	const struct otlp_retry_options options = {
	    .initial_ms = 5000, .max_ms = 30000, .elapsed_ms = 300000};
	struct otlp_retry retry;
	uint64_t wait_ns;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	otlp_retry_init(&retry, &options, 1000);
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		assert_true(otlp_retry_next(&retry, &rng, 1000, wishes[i], &wait_ns));
		assert_in_range(
		    wait_ns, interval_ms[i] * NS_PER_MS / 2, interval_ms[i] * NS_PER_MS * 3 / 2);
	}
	assert_true(otlp_retry_next(&retry, &rng, 1000, OTLP_RETRY_AFTER_MIN_MS, &wait_ns));
	assert_int_equal(wait_ns, OTLP_RETRY_AFTER_MIN_MS * NS_PER_MS);
}

static void test_statuses(void **state)
{
	(void)state;
	for (long status = 300; status < 600; status++)
		assert_int_equal(otlp_http_status_retryable(status),
		    status == 429 || status == 502 || status == 503 || status == 504);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_retry_after),
	    cmocka_unit_test(test_backoff),
	    cmocka_unit_test(test_growth_from_a_wish),
	    cmocka_unit_test(test_wishes_too_short),
	    cmocka_unit_test(test_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
