// SPDX-License-Identifier: Apache-2.0
/* The part of a configuration file that says what payloads mean: what is taken, and how what is wrong is named. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"
#include "span/ledger.h"
#include "support.h"

static char path[] = "/tmp/zerospan-rules-XXXXXX";

static void write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void init(struct config *config)
{
	config_init(config);
	config->states = ledger_state_names;
}

static void take(struct config *config, const char *text)
{
	struct buf message;

	buf_init(&message);
	init(config);
	write_file(text);
	if (config_read_file(config, path, &message))
		fail_msg("refused: %s", message.data ? message.data : "");
	buf_release(&message);
}

/* The file is refused in these words, which its name comes before. */
static void refuse(const char *text, const char *words)
{
	struct config config;
	struct buf message;

	buf_init(&message);
	init(&config);
	write_file(text);
	if (config_read_file(&config, path, &message) != -EINVAL)
		fail_msg("'%s' is not refused", text);
	assert_int_equal(strncmp(message.data, path, strlen(path)), 0);
	if (strcmp(message.data + strlen(path), words) != 0)
		fail_msg("'%s': says '%s'", text, message.data + strlen(path));
	config_release(&config);
	buf_release(&message);
}

/* --- what is taken ------------------------------------------------------------------------------- */

static void the_shop(void **state)
{
	struct config config;
	const struct rule *matches[RULE_MAX_MATCHES];
	const struct rule_metric *metric;
	struct buf said;

	(void)state;
	take(&config,
	    "rules:\n"
	    "  - match: POST /checkout\n"
	    "    attributes:\n"
	    "      order.item: request.item\n"
	    "      order.id: response.order_id\n"
	    "    metrics:\n"
	    "      - labels: {item: request.item}\n" /* in any order */
	    "        counter: order_checkouts\n"
	    "      - counter: order_revenue\n"
	    "        unit: USD\n"
	    "        description: What was sold.\n"
	    "        value: request.quantity * request.price\n"
	    "        when: status == 200\n"
	    "        max_sets: 10\n"
	    "        labels: {item: request.item}\n"
	    "      - histogram: order_value\n"
	    "        value: request.price\n"
	    "        bounds: [1, 10.5, 100]\n"
	    "        labels:\n"
	    "          reason: {cheap: request.price < 10, dear: request.price >= 10}\n"
	    "  - match: '* /users/{id}'\n"
	    "    kind: client\n"
	    "    attributes: {user: {value: query.user, as: mask}}\n"
	    "  - {match: SQL INSERT *, metrics: [{up_down_counter: rows, value: -rows}]}\n");
	assert_int_equal(config.rules->n, 3);
	assert_int_equal(
	    rules_match(config.rules, RULE_SERVER, SV("POST"), SV("/checkout"), matches), 1);
	assert_string_equal(matches[0]->match, "POST /checkout");
	assert_int_equal(matches[0]->sources.n, 5);
	assert_int_equal(matches[0]->n_attributes, 2);
	assert_int_equal(matches[0]->n_metrics, 3);
	metric = matches[0]->metrics[1];
	assert_string_equal(metric->unit, "USD");
	assert_string_equal(metric->description, "What was sold.");
	assert_int_equal(metric->max_sets, 10);
	assert_int_equal(metric->type, RULE_COUNTER);
	assert_int_equal(matches[0]->metrics[2]->n_bounds, 3);
	assert_true(matches[0]->metrics[2]->bounds[1] == 10.5);
	assert_int_equal(matches[0]->metrics[2]->labels[0].n_cases, 2);
	assert_int_equal(
	    rules_match(config.rules, RULE_SERVER, SV("GET"), SV("/checkout"), matches), 0);
	assert_int_equal(
	    rules_match(config.rules, RULE_SERVER, SV("GET"), SV("/users/7"), matches), 0);
	assert_int_equal(
	    rules_match(config.rules, RULE_CLIENT, SV("GET"), SV("/users/7"), matches), 1);
	assert_int_equal(matches[0]->attributes[0].guise, RULE_MASKED);
	assert_int_equal(rules_match_statement(config.rules, SV("INSERT orders"), matches), 1);
	assert_int_equal(rules_match_statement(config.rules, SV("UPDATE orders"), matches), 0);
	buf_init(&said);
	config_describe(&config, &said);
	assert_string_equal(said.data,
	    "0 routes, other paths are inferred, 3 rules with 3 attributes and 4 metrics");
	buf_release(&said);
	config_release(&config);
}

static void several_rules_match(void **state)
{
	struct config config;
	const struct rule *matches[RULE_MAX_MATCHES];
	struct buf text;

	(void)state;
	buf_init(&text);
	buf_append_cstr(&text, "rules:\n");
	for (int i = 0; i < RULE_MAX_MATCHES + 2; i++)
		buf_printf(&text, "  - {match: GET *, attributes: {a%d: status}}\n", i);
	take(&config, text.data);
	assert_int_equal(
	    rules_match(config.rules, RULE_SERVER, SV("GET"), SV("/"), matches), RULE_MAX_MATCHES);
	assert_string_equal(matches[RULE_MAX_MATCHES - 1]->attributes[0].key, "a7");
	config_release(&config);
	buf_release(&text);
}

/* A key that stands behind the rules holds for them, too. */
static void hashes_have_a_key(void **state)
{
	struct config config;

	(void)state;
	take(&config,
	    "rules: [{match: GET *, attributes: {u: {value: query.token, as: hash}}}]\n"
	    "redaction: {hash_key: 000102030405060708090A0b0c0d0e0f}\n");
	assert_int_equal(config.rules->hash_key[10], 10);
	assert_int_equal(config.rules->rules[0]->attributes[0].guise, RULE_HASHED);
	config_release(&config);
}

/* A label is a value, written as one of an attribute may be, or several words, each with its condition. */
static void labels(void **state)
{
	struct config config;
	const struct rule_label *labels;

	(void)state;
	take(&config,
	    "rules:\n"
	    "  - match: GET /a\n"
	    "    metrics:\n"
	    "      - counter: c\n"
	    "        labels:\n"
	    "          a: request.item\n"
	    "          b: {value: request.item}\n"
	    "          c: {value: request.item, as: mask}\n"
	    "          d: {value: status == 200, other: status != 200}\n");
	labels = config.rules->rules[0]->metrics[0]->labels;
	for (size_t i = 0; i < 3; i++) {
		assert_non_null(labels[i].expr);
		assert_int_equal(labels[i].n_cases, 0);
		assert_int_equal(labels[i].guise, i == 2 ? RULE_MASKED : RULE_PLAIN);
	}
	assert_null(labels[3].expr);
	assert_int_equal(labels[3].n_cases, 2);
	config_release(&config);
}

#define RULE(text) "rules:\n  - match: GET /a\n" text

/* Bounds that are not written are those of the specification, unless none are what is written. */
static void bounds_by_default(void **state)
{
	static const double expected[] = {
	    0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000};
	struct config config;
	struct rule *rule;

	(void)state;
	take(&config,
	    "rules:\n"
	    "  - match: GET /a\n"
	    "    metrics:\n"
	    "      - {histogram: a, value: status}\n"
	    "      - {histogram: b, value: status, bounds: []}\n"
	    "      - {histogram: a, value: 2 * status, bounds: [0, 5, 10, 25, 50, 75, 100, 250, 500, 750,"
	    " 1000, 2500, 5000, 7500, 10000]}\n"
	    "      - {counter: c}\n");
	rule = config.rules->rules[0];
	for (size_t i = 0; i < 4; i += 2) {
		assert_int_equal(
		    rule->metrics[i]->n_bounds, sizeof(expected) / sizeof(expected[0]));
		assert_memory_equal(rule->metrics[i]->bounds, expected, sizeof(expected));
	}
	assert_int_equal(rule->metrics[1]->n_bounds, 0);
	assert_int_equal(rule->metrics[3]->n_bounds, 0);
	config_release(&config);
	refuse(
	    RULE("    metrics: [{histogram: h, value: 1}, {histogram: h, value: 1, bounds: []}]\n"),
	    ":3: rules.metrics.bounds: \"h\" is described otherwise where it stands first; write the same, or leave this out here");
}

/* --- what is wrong ------------------------------------------------------------------------------- */

static void wrong_rules(void **state)
{
	(void)state;
	refuse("rules: {}", ":1: rules: expected a list of rules, each with the key match");
	refuse("rules: [a]", ":1: rules: expected a mapping (key: value)");
	refuse("rules:\n  - kind: server",
	    ":2: rules: a rule needs the key match, such as POST /checkout");
	refuse("rules:\n  - match: GET\n",
	    ":2: rules.match: \"GET\" is no METHOD and PATTERN, as in \"POST /checkout\", \"* /users/{id}\" or \"GET *\", and no \"SQL INSERT orders\"");
	refuse("rules:\n  - match: 'G,T /'\n",
	    ":2: rules.match: \"G,T /\" begins with what is no method");
	refuse("rules:\n  - match: GET checkout\n",
	    ":2: rules.match: \"GET checkout\" must begin with '/'");
	refuse(RULE("    kind: internal\n"),
	    ":3: rules.kind: bad value \"internal\", allowed: server, client");
	refuse("rules: [{match: SQL x, kind: client}]",
	    ":1: rules.kind: \"client\" is for requests: a statement has no other side");
	refuse(RULE("    matches: b\n"),
	    ":3: rules: unknown key \"matches\", allowed: match, kind, attributes, metrics");
	refuse(RULE("    attributes: {x: request.a +}\n"),
	    ":3: rules.attributes: \"request.a +\" ends where a value must stand");
	refuse(RULE("    attributes: {x: rows}\n"),
	    ":3: rules.attributes: \"rows\" asks a request for what only statements have; a rule for those matches \"SQL SUMMARY\"");
	refuse("rules: [{match: SQL x, attributes: {x: request.a}}]",
	    ":1: rules.attributes: \"request.a\" asks a statement for what only requests have; of statements there are sql.text, sql.summary, rows, duration, error and time");
}

static void wrong_metrics(void **state)
{
	(void)state;
	refuse(RULE("    metrics: [{unit: s}]\n"),
	    ":3: rules.metrics: expected a metric: counter, up_down_counter or histogram with its name");
	refuse(RULE("    metrics: [{counter: a, histogram: b}]\n"),
	    ":3: rules.metrics.histogram: a metric is one of counter, up_down_counter, histogram");
	refuse(RULE("    metrics: [{histogram: b}]\n"),
	    ":3: rules.metrics: a histogram needs a value");
	refuse(RULE("    metrics: [{counter: a-b}]\n"),
	    ":3: rules.metrics.counter: \"a-b\" is no name: 1 to 128 letters, digits, \"_\" and \".\", a letter first");
	refuse(RULE("    metrics: [{counter: a}, {up_down_counter: a}]\n"),
	    ":3: rules.metrics.up_down_counter: \"a\" is the name of a metric of another kind");
	refuse(RULE("    metrics: [{counter: a, when: status}]\n"),
	    ":3: rules.metrics.when: expected what is true or false, such as status >= 400");
	refuse(RULE("    metrics: [{counter: a, value: method}]\n"),
	    ":3: rules.metrics.value: expected a number, such as request.quantity * request.price");
	refuse(RULE("    metrics: [{counter: a, bounds: [1]}]\n"),
	    ":3: rules.metrics.bounds: only a histogram has bounds");
	refuse(RULE("    metrics: [{histogram: a, value: 1, bounds: [2, 1]}]\n"),
	    ":3: rules.metrics.bounds: expected numbers, each greater than the one before");
	refuse(RULE("    metrics: [{counter: a, max_sets: 0}]\n"),
	    ":3: rules.metrics.max_sets: expected a number from 1 to 100000");
	refuse(RULE("    metrics: [{counter: a, labels: {x-y: status}}]\n"),
	    ":3: rules.metrics.labels: \"x-y\" is no name: 1 to 128 letters, digits, \"_\" and \".\", a letter first");
	refuse(RULE("    metrics: [{counter: a, labels: {x: {b: status}}}]\n"),
	    ":3: rules.metrics.labels: expected what is true or false, such as status >= 400");
}

#define SHARED(second)                                                                               \
	"rules:\n  - match: GET /a\n    metrics: [{histogram: h, value: 1, unit: s, bounds: [1, 2]," \
	" description: d, max_sets: 7}]\n  - match: GET /b\n    metrics:\n"                          \
	"      - histogram: h\n        value: 2\n" second

/* A metric of several rules is described once, or each time the same. */
static void shared_metrics(void **state)
{
	static const char *const same[] = {SHARED(""), SHARED("        unit: s\n"),
	    SHARED("        bounds: [1, 2.0]\n        description: d\n        max_sets: 7\n")};
	static const char says[] =
	    "\"h\" is described otherwise where it stands first; write the same, or leave this out here";
	static const struct {
		const char *text, *key;
	} rows[] = {
	    {SHARED("        unit: By\n"), "unit"},
	    {SHARED("        unit: ''\n"), "unit"},
	    {SHARED("        description: other\n"), "description"},
	    {SHARED("        max_sets: 8\n"), "max_sets"},
	    {SHARED("        bounds: [1]\n"), "bounds"},
	    {SHARED("        bounds: [1, 3]\n"), "bounds"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		const struct rule_metric *metric;
		struct config config;

		take(&config, same[i]);
		metric = config.rules->rules[1]->metrics[0];
		assert_string_equal(metric->unit, "s");
		assert_string_equal(metric->description, "d");
		assert_int_equal(metric->max_sets, 7);
		assert_int_equal(metric->n_bounds, 2);
		assert_true(metric->bounds[1] == 2);
		config_release(&config);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char words[256];

		snprintf(words, sizeof(words), ":8: rules.metrics.%s: %s", rows[i].key, says);
		refuse(rows[i].text, words);
	}
	refuse(RULE("    metrics: [{counter: c}, {counter: c, unit: s}]\n"),
	    ":3: rules.metrics.unit: \"c\" is described otherwise where it stands first; write the same, or leave this out here");
}

#define NUMBER(text) RULE("    metrics: [{counter: a, value: '" text "'}]\n")
#define NO_NUMBER(text, key)                                 \
	":3: rules.metrics.value: \"" text "\" takes \"" key \
	"\", under which secrets stand: what is counted is neither hashed nor masked"
#define ATTRIBUTE(text) RULE("    attributes: {x: '" text "'}\n")
#define NO_ATTRIBUTE(key)                          \
	":3: rules.attributes: \"x\" takes \"" key \
	"\", under which secrets stand: write {value: ..., as: hash} or {value: ..., as: mask}"

/* Whatever stands below the name of a secret is one; numbers too, wherever they are in what is reckoned. */
static void secrets_of_every_place(void)
{
	struct config config;

	refuse(ATTRIBUTE("request.password.value"), NO_ATTRIBUTE("password"));
	refuse(ATTRIBUTE("response.user[\"API-Key\"][0].text"), NO_ATTRIBUTE("API-Key"));
	refuse(ATTRIBUTE("request.a == request.token.b"), NO_ATTRIBUTE("token"));
	refuse(RULE("    metrics: [{counter: a, labels: {t: request.card.pin.first}}]\n"),
	    ":3: rules.metrics.labels: \"t\" takes \"pin\", under which secrets stand: write {value: ..., as: hash} or {value: ..., as: mask}");
	refuse(NUMBER("request.pin"), NO_NUMBER("request.pin", "pin"));
	refuse(NUMBER("1 + 2 * request.a.pin"), NO_NUMBER("1 + 2 * request.a.pin", "pin"));
	refuse(NUMBER("-request.cvv.digits[0]"), NO_NUMBER("-request.cvv.digits[0]", "cvv"));
	refuse(NUMBER("query.otp"), NO_NUMBER("query.otp", "otp"));
	refuse(NUMBER("request.n + request_header.token"),
	    NO_NUMBER("request.n + request_header.token", "token"));
	refuse(RULE("    metrics: [{histogram: a, value: request.pin}]\n"),
	    NO_NUMBER("request.pin", "pin"));
	/* Names that only look alike; and a condition says no more of a secret than that it holds. */
	take(&config,
	    "rules:\n"
	    "  - match: GET /a\n"
	    "    attributes: {x: request.pins.value, y: {value: request.password.value, as: mask}}\n"
	    "    metrics: [{counter: a, value: request.pinned, when: request.password.value != null}]\n");
	config_release(&config);
}

static void secrets_are_refused(void **state)
{
	(void)state;
	refuse(RULE("    attributes: {x: 'request_header[\"authorization\"]'}\n"),
	    ":3: rules.attributes: \"x\" takes \"authorization\", under which secrets stand: write {value: ..., as: hash} or {value: ..., as: mask}");
	refuse(RULE("    attributes: {x: request.user.password}\n"),
	    ":3: rules.attributes: \"x\" takes \"password\", under which secrets stand: write {value: ..., as: hash} or {value: ..., as: mask}");
	refuse(RULE("    metrics: [{counter: a, labels: {t: query.token}}]\n"),
	    ":3: rules.metrics.labels: \"t\" takes \"token\", under which secrets stand: write {value: ..., as: hash} or {value: ..., as: mask}");
	secrets_of_every_place();
	refuse(RULE("    attributes: {x: {value: request.a, as: hash}}\n"),
	    ":3: rules.attributes: \"x\" is to be hashed without a key: set redaction.hash_key, of 32 hexadecimal digits, above the rules");
	refuse(RULE("    attributes: {x: {value: request.a, as: rot13}}\n"),
	    ":3: rules.as: bad value \"rot13\", allowed: plain, hash, mask");
	refuse("redaction: {hash_key: 12}",
	    ":1: redaction.hash_key: expected 32 hexadecimal digits, such as \"openssl rand -hex 16\" gives");
	refuse("redaction: {hash_key: 000102030405060708090a0b0c0d0exy}",
	    ":1: redaction.hash_key: \"xy\" are no hexadecimal digits");
}

/* --- reading again ------------------------------------------------------------------------------- */

static int ready(void *ctx, const struct config *next, struct buf *message)
{
	assert_non_null(next);
	if (*(int *)ctx)
		buf_append_cstr(message, "no");
	return *(int *)ctx;
}

static void reload(void **state)
{
	struct config config;
	struct rules *kept;
	struct buf message;
	int answer = 0;

	(void)state;
	buf_init(&message);
	take(&config, "routes: [/a]\nrules: [{match: GET *, attributes: {x: status}}]\n");
	kept = rules_ref(config.rules);
	write_file("routes: [/a, /b]\nrules:\n  - {match: GET *, attributes: {x: statuss}}\n");
	assert_int_equal(config_reload(&config, path, ready, &answer, &message), -EINVAL);
	assert_non_null(
	    strstr(message.data, ":3: rules.attributes: \"statuss\" has \"statuss\"; there are"));
	assert_ptr_equal(config.rules, kept);
	assert_int_equal(route_patterns_count(config.patterns), 1);
	write_file(
	    "routes: {patterns: [/a, /b], unmatched: unset}\nrules:\n  - {match: POST *, attributes: {x: status}}\n");
	answer = -EEXIST;
	assert_int_equal(config_reload(&config, path, ready, &answer, &message), -EEXIST);
	assert_ptr_equal(config.rules, kept);
	answer = 0;
	assert_int_equal(config_reload(&config, path, ready, &answer, &message), 0);
	assert_ptr_not_equal(config.rules, kept);
	assert_int_equal(route_patterns_count(config.naming.patterns), 2);
	assert_true(config.naming.unmatched_unset);
	/* The same name is the same text in both. */
	assert_ptr_equal(
	    config.rules->rules[0]->attributes[0].key, kept->rules[0]->attributes[0].key);
	rules_unref(kept);
	config_release(&config);
	buf_release(&message);
}

static int open_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_shop),
	    cmocka_unit_test(several_rules_match),
	    cmocka_unit_test(hashes_have_a_key),
	    cmocka_unit_test(labels),
	    cmocka_unit_test(bounds_by_default),
	    cmocka_unit_test(wrong_rules),
	    cmocka_unit_test(wrong_metrics),
	    cmocka_unit_test(shared_metrics),
	    cmocka_unit_test(secrets_are_refused),
	    cmocka_unit_test(reload),
	};

	return cmocka_run_group_tests(tests, open_file, remove_file);
}
