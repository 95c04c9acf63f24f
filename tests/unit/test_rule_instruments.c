// SPDX-License-Identifier: Apache-2.0
/* What the metrics of rules may be called: beside zerospan's own, beside each other, and beside those of rules before. */
#include <errno.h>
#include <stdio.h>

#include "metric/rule_instruments.h"
#include "support.h"

struct fixture {
	struct names *names;
	struct metrics *metrics;
	struct rule_instruments instruments;
};

static void start(struct fixture *f)
{
	static const struct metric_desc own = {
	    .name = "http.server.request.duration", .unit = "s", .type = METRIC_HISTOGRAM};

	f->names = names_new();
	f->metrics = metrics_new();
	assert_non_null(metrics_add(f->metrics, &own));
	rule_instruments_init(&f->instruments, f->metrics);
}

static void stop(struct fixture *f)
{
	rule_instruments_release(&f->instruments);
	metrics_free(f->metrics);
	names_free(f->names);
}

static size_t count(struct fixture *f)
{
	struct metric_snapshot *snapshot = metrics_snapshot(f->metrics);
	size_t n = snapshot->n_families;

	metric_snapshot_free(snapshot);
	return n;
}

/* Rules with these metrics, "c" (counter), "u" or "h" before each name. */
static struct rules *rules_of(struct fixture *f, const char *const *metrics, size_t n)
{
	struct rules *rules = rules_new(f->names);
	struct rule_metric *metric;
	struct rule *rule = NULL;
	struct buf why;

	buf_init(&why);
	for (size_t i = 0; i < n; i++) {
		enum rule_metric_type type = metrics[i][0] == 'c' ? RULE_COUNTER
		    : metrics[i][0] == 'u'                        ? RULE_UP_DOWN_COUNTER
								  : RULE_HISTOGRAM;

		if (i % RULE_MAX_METRICS == 0)
			assert_int_equal(rules_add(rules, SV("GET *"), &rule, &why), 0);
		assert_int_equal(
		    rule_add_metric(rules, rule, type, sv_cstr(metrics[i] + 2), &metric, &why), 0);
	}
	buf_release(&why);
	return rules;
}

/* says NULL: they are taken. */
static void add(struct fixture *f, const char *const *metrics, size_t n, const char *says)
{
	struct rules *rules = rules_of(f, metrics, n);
	size_t before = count(f);
	struct buf message;
	int err;

	buf_init(&message);
	err = rule_instruments_add(&f->instruments, rules, &message);
	if (err != (says ? -EEXIST : 0) ||
	    strcmp(message.len ? message.data : "", says ? says : ""))
		fail_msg("%s: %d, '%s'", metrics[0], err, message.len ? message.data : "");
	if (says)
		assert_int_equal(count(f), before);
	else
		assert_non_null(rule_instruments_get(&f->instruments, rules->rules[0]->metrics[0]));
	buf_release(&message);
	rules_unref(rules);
}

/* Of one file, in both orders: the later one would never be seen. */
static void names_of_one_file(void **state)
{
	static const char *const pairs[][2] = {
	    {"c order.total", "u order_total"},
	    {"c orders", "c orders_total"},
	    {"c orders", "u orders_total"},
	    {"h x", "c x_count"},
	    {"h x", "u x_sum"},
	    {"h x", "u x.bucket"},
	    {"c a.b", "c a_b"},
	    {"c a", "u a"},
	    {"c a.", "h a"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		for (size_t first = 0; first < 2; first++) {
			const char *const metrics[] = {pairs[i][first], pairs[i][!first]};
			struct fixture f;
			char says[128];

			if (!strcmp(metrics[0] + 2, metrics[1] + 2))
				continue; /* refused when the file is read */
			snprintf(says, sizeof(says),
			    "the metric \"%s\" would be mixed up with \"%s\"; choose another name",
			    metrics[1] + 2, metrics[0] + 2);
			start(&f);
			add(&f, metrics, 2, says);
			add(&f, metrics, 1, NULL);
			stop(&f);
		}
	}
}

static void names_that_are_taken(void **state)
{
	static const char *const taken[] = {"c http_server_request_duration",
	    "u http_server_request_duration_seconds",
	    "c http_server_request_duration_seconds_count"};
	static const char *const info[] = {"u target_info", "c target", "c first_total", "h first"};
	struct fixture f;

	(void)state;
	start(&f);
	for (size_t i = 0; i < 3; i++) {
		char says[160];

		snprintf(says, sizeof(says),
		    "the metric \"%s\" would be mixed up with \"http.server.request.duration\"; choose another name",
		    taken[i] + 2);
		add(&f, &taken[i], 1, says);
	}
	add(&f, &info[0], 1,
	    "the metric \"target_info\" would be mixed up with \"target_info\"; choose another name");
	add(&f, &info[1], 1,
	    "the metric \"target\" would be mixed up with \"target_info\"; choose another name");
	/* What earlier rules had is theirs. */
	add(&f, (const char *const[]){"c first"}, 1, NULL);
	add(&f, (const char *const[]){"h second"}, 1, NULL);
	add(&f, &info[2], 1,
	    "the metric \"first_total\" would be mixed up with \"first\"; choose another name");
	add(&f, &info[3], 1,
	    "the metric \"first\" had another kind until now, and a new one holds from the next start on; choose another name or restart");
	add(&f, (const char *const[]){"c first", "h second", "c second_totals", "u seconds"}, 4,
	    NULL);
	stop(&f);
}

/* Rules that are read again may say nothing else of a metric that goes on. */
static void what_a_metric_was(void **state)
{
	static const double bounds[] = {1, 10}, others[] = {1, 11};
	static const struct rule_metric versions[] = {
	    {.unit = "s", .description = "d", .max_sets = 5, .n_bounds = 2, .bounds = bounds},
	    {.unit = "By", .description = "d", .max_sets = 5, .n_bounds = 2, .bounds = bounds},
	    {.unit = "s", .description = "", .max_sets = 5, .n_bounds = 2, .bounds = bounds},
	    {.unit = "s", .description = "d", .max_sets = 0, .n_bounds = 2, .bounds = bounds},
	    {.unit = "s", .description = "d", .max_sets = 5, .n_bounds = 1, .bounds = bounds},
	    {.unit = "s", .description = "d", .max_sets = 5, .n_bounds = 2, .bounds = others},
	    {.unit = "s", .description = "d", .max_sets = 5},
	};
	static const char *const differ[] = {NULL, "unit", "description", "number of sets",
	    "list of bounds", "list of bounds", "list of bounds"};
	struct fixture f;

	(void)state;
	start(&f);
	for (size_t i = 0; i < 7; i++) {
		const char *const names[] = {"h x", "c new"};
		struct rules *rules = rules_of(&f, names, i ? 2 : 1);
		struct rule_metric *metric = rules->rules[0]->metrics[0];
		struct buf message;
		char says[160] = "";

		buf_init(&message);
		buf_append_cstr(&message, "");
		metric->unit = versions[i].unit;
		metric->description = versions[i].description;
		metric->max_sets = versions[i].max_sets;
		metric->n_bounds = versions[i].n_bounds;
		metric->bounds = versions[i].bounds;
		if (differ[i])
			snprintf(says, sizeof(says),
			    "the metric \"x\" had another %s until now, and a new one holds from the next start on; choose another name or restart",
			    differ[i]);
		assert_int_equal(
		    rule_instruments_add(&f.instruments, rules, &message), differ[i] ? -EEXIST : 0);
		assert_string_equal(message.data ? message.data : "", says);
		assert_int_equal(count(&f), 2);
		/* Another time in the same words. */
		if (!differ[i])
			assert_int_equal(rule_instruments_add(&f.instruments, rules, &message), 0);
		buf_release(&message);
		rules_unref(rules);
	}
	stop(&f);
}

static void there_are_not_too_many(void **state)
{
	static char text[1025][8];
	const char *metrics[1025];
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < 1025; i++) {
		snprintf(text[i], sizeof(text[i]), "c m%zu", i);
		metrics[i] = text[i];
	}
	start(&f);
	add(&f, metrics, 1025, "there were more than 1024 metrics of rules; restart");
	add(&f, metrics, 1024, NULL);
	assert_int_equal(count(&f), 1025);
	add(&f, metrics + 1000, 25, "there were more than 1024 metrics of rules; restart");
	add(&f, metrics, 1024, NULL);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_of_one_file),
	    cmocka_unit_test(names_that_are_taken),
	    cmocka_unit_test(what_a_metric_was),
	    cmocka_unit_test(there_are_not_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
