// SPDX-License-Identifier: Apache-2.0
/* Rules and whom they are for; see rules.h. */
#include "rule/rules.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/http1.h"

/* Of histograms whose rules name none: those of the OpenTelemetry specification where no advice is given (metrics SDK, explicit bucket
 * histogram aggregation). */
static const double default_bounds[] = {
    0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000};

/* A text of the configuration that expressions point into, in a chain. */
struct text {
	struct text *next;
	char bytes[];
};

struct rules *rules_new(struct names *names)
{
	struct rules *rules = calloc(1, sizeof(*rules));

	if (!rules)
		return NULL;
	atomic_init(&rules->refs, 1);
	rules->names = names;
	return rules;
}

struct rules *rules_ref(struct rules *rules)
{
	atomic_fetch_add(&rules->refs, 1);
	return rules;
}

static void label_release(struct rule_label *label)
{
	rule_expr_free(label->expr);
	for (size_t i = 0; i < label->n_cases; i++)
		rule_expr_free(label->cases[i].when);
}

static void metric_free(struct rule_metric *metric)
{
	rule_expr_free(metric->value);
	rule_expr_free(metric->when);
	for (size_t i = 0; i < metric->n_labels; i++)
		label_release(&metric->labels[i]);
	free(metric);
}

static void rule_free(struct rule *rule)
{
	struct text *text = rule->texts;

	for (size_t i = 0; i < rule->n_attributes; i++)
		rule_expr_free(rule->attributes[i].expr);
	for (size_t i = 0; i < rule->n_metrics; i++)
		metric_free(rule->metrics[i]);
	route_patterns_free(rule->patterns);
	while (text) {
		struct text *next = text->next;

		free(text);
		text = next;
	}
	free(rule);
}

void rules_unref(struct rules *rules)
{
	if (!rules || atomic_fetch_sub(&rules->refs, 1) != 1)
		return;
	for (size_t i = 0; i < rules->n; i++)
		rule_free(rules->rules[i]);
	free(rules);
}

/* --- building ------------------------------------------------------------------------------------ */

static int set_pattern(struct rule *rule, struct sv pattern, struct buf *why)
{
	if (sv_eq(pattern, SV("*")))
		return 0;
	rule->patterns = route_patterns_new();
	return rule->patterns ? route_patterns_add(rule->patterns, pattern, why) : -ENOMEM;
}

static int set_match(struct rule *rule, struct sv match, struct buf *why)
{
	struct sv first = sv_from(match.p, sv_find(match, ' '));
	struct sv rest = sv_trim_ows(sv_skip(match, first.len));

	if (!rest.len) {
		buf_append_cstr(why,
		    "is no METHOD and PATTERN, as in \"POST /checkout\", \"* /users/{id}\" or \"GET *\", and no \"SQL INSERT orders\"");
		return -EINVAL;
	}
	if (sv_eq(first, SV("SQL"))) {
		rule->subject = RULE_STATEMENT;
		rule->summary = rest;
		return 0;
	}
	if (!http1_is_token(first)) {
		buf_append_cstr(why, "begins with what is no method");
		return -EINVAL;
	}
	rule->subject = RULE_SERVER;
	rule->method = first;
	return set_pattern(rule, rest, why);
}

int rules_add(struct rules *rules, struct sv match, struct rule **ret_rule, struct buf *why)
{
	struct rule *rule;
	int err;

	if (rules->n == RULES_MAX) {
		buf_printf(why, "is one rule more than %d", RULES_MAX);
		return -E2BIG;
	}
	rule = calloc(1, sizeof(*rule));
	if (!rule)
		return -ENOMEM;
	match = sv_trim_ows(match);
	rule->match = names_keep(rules->names, match);
	err = rule->match ? set_match(rule, sv_cstr(rule->match), why) : -ENOMEM;
	if (err) {
		rule_free(rule);
		return err;
	}
	rules->rules[rules->n++] = rule;
	rules->has_statements |= rule->subject == RULE_STATEMENT;
	*ret_rule = rule;
	return 0;
}

int rule_set_client(struct rule *rule, struct buf *why)
{
	if (rule->subject == RULE_STATEMENT) {
		buf_append_cstr(why, "is for requests: a statement has no other side");
		return -EINVAL;
	}
	rule->subject = RULE_CLIENT;
	return 0;
}

/* Sources that requests, or statements, do not have would never give anything. */
static int check_sources(const struct rule *rule, struct buf *why)
{
	for (size_t i = 0; i < rule->sources.n; i++) {
		enum rule_root root = rule->sources.sources[i].root;

		if (rule->subject == RULE_STATEMENT && rule_root_of_request(root)) {
			buf_append_cstr(why,
			    "asks a statement for what only requests have; of statements there are sql.text, sql.summary, rows, duration, error and time");
			return -EINVAL;
		}
		if (rule->subject != RULE_STATEMENT && rule_root_of_statement(root)) {
			buf_append_cstr(why,
			    "asks a request for what only statements have; a rule for those matches \"SQL SUMMARY\"");
			return -EINVAL;
		}
	}
	return 0;
}

int rule_compile(struct rule *rule, struct sv text, rule_state_name *states,
    struct rule_expr **ret_expr, struct buf *why)
{
	struct text *copy = malloc(sizeof(*copy) + text.len + 1);
	struct rule_expr *expr;
	int err;

	if (!copy)
		return -ENOMEM;
	if (text.len)
		memcpy(copy->bytes, text.p, text.len);
	copy->next = rule->texts;
	rule->texts = copy;
	err = rule_expr_compile(sv_from(copy->bytes, text.len), &rule->sources, states, &expr, why);
	if (err)
		return err;
	err = check_sources(rule, why);
	if (err)
		rule_expr_free(expr);
	else
		*ret_expr = expr;
	return err;
}

/* The first name in an expression under which secrets stand. Empty: none. */
static struct sv secret_in(const struct rule *rule, const struct rule_expr *expr)
{
	struct sv secret = {0};

	for (size_t i = 0; i < rule->sources.n && !secret.len; i++)
		if (rule_expr_uses(expr, i))
			secret = rule_source_secret(&rule->sources.sources[i]);
	return secret;
}

int rule_check_guise(const struct rules *rules, const struct rule *rule,
    const struct rule_expr *expr, enum rule_guise guise, struct buf *why)
{
	struct sv secret;

	if (guise == RULE_HASHED && !rules->has_hash_key) {
		buf_append_cstr(why,
		    "is to be hashed without a key: set redaction.hash_key, of 32 hexadecimal digits, above the rules");
		return -EINVAL;
	}
	secret = secret_in(rule, expr);
	if (guise != RULE_PLAIN || !secret.len)
		return 0;
	buf_printf(why,
	    "takes \"%.*s\", under which secrets stand: write {value: ..., as: hash} or {value: ..., as: mask}",
	    SV_ARG(secret));
	return -EINVAL;
}

int rule_check_number(const struct rule *rule, const struct rule_expr *expr, struct buf *why)
{
	struct sv secret = secret_in(rule, expr);

	if (!secret.len)
		return 0;
	buf_printf(why,
	    "takes \"%.*s\", under which secrets stand: what is counted is neither hashed nor masked",
	    SV_ARG(secret));
	return -EINVAL;
}

/* A name of an attribute or a label. */
static int keep_key(struct rules *rules, struct sv key, const char **ret_key, struct buf *why)
{
	if (!key.len || key.len > RULE_NAME_MAX_BYTES || sv_find(key, '\0') < key.len) {
		buf_printf(why, "is no name of 1 to %d bytes", RULE_NAME_MAX_BYTES);
		return -EINVAL;
	}
	*ret_key = names_keep(rules->names, key);
	return *ret_key ? 0 : -ENOMEM;
}

int rule_add_attribute(struct rules *rules, struct rule *rule, struct sv key,
    struct rule_expr *expr, enum rule_guise guise, struct buf *why)
{
	struct rule_attribute *attribute = &rule->attributes[rule->n_attributes];
	const char *kept = NULL;
	int err = rule->n_attributes == RULE_MAX_ATTRIBUTES ? -E2BIG : 0;

	if (err)
		buf_printf(why, "is one attribute more than %d", RULE_MAX_ATTRIBUTES);
	else
		err = keep_key(rules, key, &kept, why);
	if (!err)
		err = rule_check_guise(rules, rule, expr, guise, why);
	if (err) {
		rule_expr_free(expr);
		return err;
	}
	*attribute = (struct rule_attribute){.key = kept, .expr = expr, .guise = guise};
	rule->n_attributes++;
	return 0;
}

/* Of metrics and labels: what backends of every kind take. */
static bool is_plain_name(struct sv name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = ascii_lower(name.p[i]);
		bool letter = c >= 'a' && c <= 'z';

		if (!letter && (i == 0 || ((c < '0' || c > '9') && c != '_' && c != '.')))
			return false;
	}
	return name.len && name.len <= RULE_NAME_MAX_BYTES;
}

static int no_name(struct buf *why)
{
	buf_printf(why, "is no name: 1 to %d letters, digits, \"_\" and \".\", a letter first",
	    RULE_NAME_MAX_BYTES);
	return -EINVAL;
}

/* The metric that another rule has under this name, or NULL. */
static const struct rule_metric *metric_named(const struct rules *rules, const char *name)
{
	for (size_t i = 0; i < rules->n; i++)
		for (size_t j = 0; j < rules->rules[i]->n_metrics; j++)
			if (rules->rules[i]->metrics[j]->name == name)
				return rules->rules[i]->metrics[j];
	return NULL;
}

/* As the other one with its name is, or as one is of which only that is said. */
static void describe(struct rule_metric *metric, const struct rule_metric *other)
{
	metric->shared = other != NULL;
	metric->unit = other ? other->unit : "";
	metric->description = other ? other->description : "";
	if (other) {
		metric->max_sets = other->max_sets;
		metric->n_bounds = other->n_bounds;
		metric->bounds = other->bounds;
	} else if (metric->type == RULE_HISTOGRAM) {
		metric->n_bounds = sizeof(default_bounds) / sizeof(default_bounds[0]);
		metric->bounds = default_bounds;
	}
}

int rule_add_metric(struct rules *rules, struct rule *rule, enum rule_metric_type type,
    struct sv name, struct rule_metric **ret_metric, struct buf *why)
{
	const char *kept = is_plain_name(name) ? names_keep(rules->names, name) : NULL;
	const struct rule_metric *other = kept ? metric_named(rules, kept) : NULL;
	struct rule_metric *metric;

	if (!is_plain_name(name))
		return no_name(why);
	if (other && other->type != type) {
		buf_append_cstr(why, "is the name of a metric of another kind");
		return -EEXIST;
	}
	if (rule->n_metrics == RULE_MAX_METRICS) {
		buf_printf(why, "is one metric more than %d", RULE_MAX_METRICS);
		return -E2BIG;
	}
	metric = kept ? calloc(1, sizeof(*metric)) : NULL;
	if (!metric)
		return -ENOMEM;
	metric->type = type;
	metric->name = kept;
	describe(metric, other);
	rule->metrics[rule->n_metrics++] = metric;
	*ret_metric = metric;
	return 0;
}

int rule_metric_add_label(struct rules *rules, struct rule_metric *metric, struct sv key,
    struct rule_label **ret_label, struct buf *why)
{
	const char *kept = NULL;
	int err;

	if (metric->n_labels == RULE_MAX_LABELS) {
		buf_printf(why, "is one label more than %d", RULE_MAX_LABELS);
		return -E2BIG;
	}
	err = is_plain_name(key) ? keep_key(rules, key, &kept, why) : no_name(why);
	if (err)
		return err;
	*ret_label = &metric->labels[metric->n_labels++];
	**ret_label = (struct rule_label){.key = kept};
	return 0;
}

int rule_label_add_case(struct rules *rules, struct rule_label *label, struct sv value,
    struct rule_expr *when, struct buf *why)
{
	const char *kept = NULL;
	int err = label->n_cases == RULE_MAX_CASES ? -E2BIG : 0;

	if (err)
		buf_printf(why, "is one value more than %d", RULE_MAX_CASES);
	else
		err = keep_key(rules, value, &kept, why);
	if (err) {
		rule_expr_free(when);
		return err;
	}
	label->cases[label->n_cases++] = (struct rule_case){.value = kept, .when = when};
	return 0;
}

/* --- using --------------------------------------------------------------------------------------- */

size_t rules_match(const struct rules *rules, enum rule_subject subject, struct sv method,
    struct sv path, const struct rule *ret_rules[RULE_MAX_MATCHES])
{
	size_t n = 0;

	for (size_t i = 0; i < rules->n && n < RULE_MAX_MATCHES; i++) {
		const struct rule *rule = rules->rules[i];

		if (rule->subject != subject ||
		    (!sv_eq(rule->method, method) && !sv_eq(rule->method, SV("*"))))
			continue;
		if (!rule->patterns || route_patterns_match(rule->patterns, path).len)
			ret_rules[n++] = rule;
	}
	return n;
}

static bool summary_matches(struct sv wanted, struct sv summary)
{
	if (wanted.len && wanted.p[wanted.len - 1] == '*')
		return sv_starts(summary, sv_from(wanted.p, wanted.len - 1));
	return sv_eq(wanted, summary);
}

size_t rules_match_statement(
    const struct rules *rules, struct sv summary, const struct rule *ret_rules[RULE_MAX_MATCHES])
{
	size_t n = 0;

	for (size_t i = 0; i < rules->n && n < RULE_MAX_MATCHES; i++) {
		const struct rule *rule = rules->rules[i];

		if (rule->subject == RULE_STATEMENT && summary_matches(rule->summary, summary))
			ret_rules[n++] = rule;
	}
	return n;
}
