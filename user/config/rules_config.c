// SPDX-License-Identifier: Apache-2.0
/* Rules as they are written; see rules_config.h. */
#include "config/rules_config.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/percent.h"

/* What is being read. */
struct reader {
	struct rules *rules;
	rule_state_name *states;
	struct rule *rule;
	struct rule_metric *metric;
	struct rule_label *label;
	struct rule_expr *expr; /* of a guised value */
	enum rule_guise guise;
	size_t n_bounds;
	double bounds[RULE_MAX_BOUNDS];
};

/* Complain of a text with the end of its sentence; err passes through unless it is about the text. */
static int complain(struct value value, struct sv text, struct buf *why, int err)
{
	if (err && err != -ENOMEM)
		err = value_wrong(
		    value, "\"%.*s\" %s", SV_ARG(text), why->data ? why->data : "is not right");
	buf_release(why);
	return err;
}

/* --- redaction ----------------------------------------------------------------------------------- */

static int read_hash_key(void *ctx, struct value value)
{
	struct rules *rules = ctx;
	struct sv text = {0};
	int err = value_text(value, &text);

	if (err)
		return err;
	if (text.len != 2 * RULE_HASH_KEY_BYTES)
		return value_wrong(value,
		    "expected %d hexadecimal digits, such as \"openssl rand -hex %d\" gives",
		    2 * RULE_HASH_KEY_BYTES, RULE_HASH_KEY_BYTES);
	for (size_t i = 0; i < RULE_HASH_KEY_BYTES; i++) {
		int high = hex_value(text.p[2 * i]), low = hex_value(text.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return value_wrong(
			    value, "\"%.2s\" are no hexadecimal digits", text.p + 2 * i);
		rules->hash_key[i] = (uint8_t)(high << 4 | low);
	}
	rules->has_hash_key = true;
	return 0;
}

int rules_config_read_redaction(struct rules *rules, struct value value)
{
	static const struct value_key keys[] = {
	    {"hash_key", "redaction.hash_key", read_hash_key},
	};

	return value_mapping(value, keys, sizeof(keys) / sizeof(keys[0]), rules);
}

/* --- expressions --------------------------------------------------------------------------------- */

static int read_expression(struct reader *r, struct value value, struct rule_expr **ret_expr)
{
	struct sv text = {0};
	struct buf why;
	int err = value_text(value, &text);

	if (err)
		return err;
	buf_init(&why);
	return complain(value, text, &why, rule_compile(r->rule, text, r->states, ret_expr, &why));
}

/* The same, of what must be true or false. */
static int read_condition(struct reader *r, struct value value, struct rule_expr **ret_expr)
{
	struct rule_expr *expr = NULL;
	int err = read_expression(r, value, &expr);
	enum rule_kind kind = err ? RULE_KIND_ANY : rule_expr_kind(expr);

	if (!err && kind != RULE_KIND_BOOL && kind != RULE_KIND_ANY) {
		rule_expr_free(expr);
		err = value_wrong(value, "expected what is true or false, such as status >= 400");
	}
	if (!err)
		*ret_expr = expr;
	return err;
}

static int read_guised_value(void *ctx, struct value value)
{
	struct reader *r = ctx;

	return read_expression(r, value, &r->expr);
}

static int read_guise(void *ctx, struct value value)
{
	static const char *const words[] = {"plain", "hash", "mask"};
	struct reader *r = ctx;
	size_t word = 0;
	int err = value_word(value, words, 3, &word);

	if (!err)
		r->guise = (enum rule_guise)word;
	return err;
}

/* An expression, or {value: EXPRESSION, as: hash}. */
static int read_value(struct reader *r, struct value value)
{
	static const struct value_key keys[] = {
	    {"value", "rules.value", read_guised_value},
	    {"as", "rules.as", read_guise},
	};
	int err;

	r->expr = NULL;
	r->guise = RULE_PLAIN;
	if (value_kind(value) == VALUE_TEXT)
		return read_expression(r, value, &r->expr);
	err = value_mapping(value, keys, sizeof(keys) / sizeof(keys[0]), r);
	if (!err && !r->expr)
		err = value_wrong(value, "expected {value: EXPRESSION, as: hash} or an expression");
	if (err)
		rule_expr_free(r->expr);
	return err;
}

static int read_attribute(void *ctx, struct sv key, struct value value)
{
	struct reader *r = ctx;
	struct buf why;
	int err = read_value(r, value);

	if (err)
		return err;
	buf_init(&why);
	return complain(
	    value, key, &why, rule_add_attribute(r->rules, r->rule, key, r->expr, r->guise, &why));
}

static int read_attributes(void *ctx, struct value value)
{
	return value_pairs(value, read_attribute, ctx);
}

/* --- metrics ------------------------------------------------------------------------------------- */

static int read_case(void *ctx, struct sv key, struct value value)
{
	struct reader *r = ctx;
	struct rule_expr *when = NULL;
	struct buf why;
	int err = read_condition(r, value, &when);

	if (err)
		return err;
	buf_init(&why);
	return complain(value, key, &why, rule_label_add_case(r->rules, r->label, key, when, &why));
}

/* The keys of a label's mapping. */
struct label_keys {
	size_t n;
	bool value, as;
};

static int note_label_key(void *ctx, struct sv key, struct value value)
{
	struct label_keys *keys = ctx;

	(void)value;
	keys->n++;
	keys->value |= sv_eq(key, SV("value"));
	keys->as |= sv_eq(key, SV("as"));
	return 0;
}

/* Is it {value: EXPRESSION} or {value: EXPRESSION, as: hash}, or is each key a value and says when? */
static bool is_one_value(const struct label_keys *keys)
{
	return keys->as || (keys->value && keys->n == 1);
}

static int read_label_value(struct reader *r, struct sv key, struct value value)
{
	struct buf why;
	int err = read_value(r, value);

	if (err)
		return err;
	buf_init(&why);
	r->label->expr = r->expr;
	r->label->guise = r->guise;
	return complain(
	    value, key, &why, rule_check_guise(r->rules, r->rule, r->expr, r->guise, &why));
}

static int read_label(void *ctx, struct sv key, struct value value)
{
	struct reader *r = ctx;
	struct label_keys keys = {0};
	struct buf why;
	int err;

	buf_init(&why);
	err = complain(
	    value, key, &why, rule_metric_add_label(r->rules, r->metric, key, &r->label, &why));
	if (err)
		return err;
	if (value_kind(value) == VALUE_TEXT)
		return read_label_value(r, key, value);
	err = value_pairs(value, note_label_key, &keys);
	if (err)
		return err;
	return is_one_value(&keys) ? read_label_value(r, key, value)
				   : value_pairs(value, read_case, r);
}

static int read_labels(void *ctx, struct value value)
{
	return value_pairs(value, read_label, ctx);
}

/* A metric of several rules is described once, or everywhere the same. */
static int check_shared(const struct rule_metric *metric, struct value value, bool same)
{
	if (same || !metric->shared)
		return 0;
	return value_wrong(value,
	    "\"%s\" is described otherwise where it stands first; write the same, or leave this out here",
	    metric->name);
}

static int read_kept(struct reader *r, struct value value, const char **text)
{
	const char *kept;
	struct sv read = {0};
	int err = value_text(value, &read);

	if (err)
		return err;
	if (read.len > 4 * RULE_NAME_MAX_BYTES || sv_find(read, '\0') < read.len)
		return value_wrong(value, "is longer than %d bytes", 4 * RULE_NAME_MAX_BYTES);
	err = check_shared(r->metric, value, sv_eq(read, sv_cstr(*text)));
	if (err)
		return err;
	kept = names_keep(r->rules->names, read);
	if (!kept)
		return -ENOMEM;
	*text = kept;
	return 0;
}

static int read_unit(void *ctx, struct value value)
{
	struct reader *r = ctx;

	return read_kept(r, value, &r->metric->unit);
}

static int read_description(void *ctx, struct value value)
{
	struct reader *r = ctx;

	return read_kept(r, value, &r->metric->description);
}

static int read_metric_value(void *ctx, struct value value)
{
	struct reader *r = ctx;
	enum rule_kind kind;
	struct sv text = {0};
	struct buf why;
	int err = read_expression(r, value, &r->metric->value);

	if (err)
		return err;
	kind = rule_expr_kind(r->metric->value);
	if (kind != RULE_KIND_NUMBER && kind != RULE_KIND_ANY)
		return value_wrong(
		    value, "expected a number, such as request.quantity * request.price");
	err = value_text(value, &text);
	if (err)
		return err;
	buf_init(&why);
	return complain(value, text, &why, rule_check_number(r->rule, r->metric->value, &why));
}

static int read_when(void *ctx, struct value value)
{
	struct reader *r = ctx;

	return read_condition(r, value, &r->metric->when);
}

static int read_bound(void *ctx, struct value item)
{
	struct reader *r = ctx;
	struct sv text = {0};
	struct rule_value number;
	double bound = 0;
	int err = value_text(item, &text);

	if (err)
		return err;
	number = rule_number_parse(text);
	if (!rule_number(&number, &bound) || (r->n_bounds && bound <= r->bounds[r->n_bounds - 1]))
		return value_wrong(item, "expected numbers, each greater than the one before");
	if (r->n_bounds == RULE_MAX_BOUNDS)
		return value_wrong(item, "more than %d bounds", RULE_MAX_BOUNDS);
	r->bounds[r->n_bounds++] = bound;
	return 0;
}

static bool same_bounds(const struct reader *r)
{
	if (r->n_bounds != r->metric->n_bounds)
		return false;
	return !r->n_bounds ||
	    memcmp(r->bounds, r->metric->bounds, r->n_bounds * sizeof(r->bounds[0])) == 0;
}

static int read_bounds(void *ctx, struct value value)
{
	struct reader *r = ctx;
	int err;

	if (r->metric->type != RULE_HISTOGRAM)
		return value_wrong(value, "only a histogram has bounds");
	r->n_bounds = 0;
	err = value_list(value, read_bound, r);
	if (!err)
		err = check_shared(r->metric, value, same_bounds(r));
	if (err)
		return err;
	r->metric->bounds =
	    names_keep_bytes(r->rules->names, r->bounds, r->n_bounds * sizeof(r->bounds[0]));
	r->metric->n_bounds = r->n_bounds;
	return r->metric->bounds ? 0 : -ENOMEM;
}

static int read_max_sets(void *ctx, struct value value)
{
	struct reader *r = ctx;
	struct sv text = {0};
	struct rule_value number;
	int err = value_text(value, &text);

	if (err)
		return err;
	number = rule_number_parse(text);
	if (number.type != RULE_INT || number.integer < 1 || number.integer > 100000)
		return value_wrong(value, "expected a number from 1 to 100000");
	err = check_shared(r->metric, value, (size_t)number.integer == r->metric->max_sets);
	if (!err)
		r->metric->max_sets = (size_t)number.integer;
	return err;
}

static int begin_metric(struct reader *r, struct value value, enum rule_metric_type type)
{
	struct sv name = {0};
	struct buf why;
	int err = value_text(value, &name);

	if (err)
		return err;
	if (r->metric)
		return value_wrong(value, "a metric is one of counter, up_down_counter, histogram");
	buf_init(&why);
	return complain(
	    value, name, &why, rule_add_metric(r->rules, r->rule, type, name, &r->metric, &why));
}

static int read_counter(void *ctx, struct value value)
{
	return begin_metric(ctx, value, RULE_COUNTER);
}

static int read_up_down_counter(void *ctx, struct value value)
{
	return begin_metric(ctx, value, RULE_UP_DOWN_COUNTER);
}

static int read_histogram(void *ctx, struct value value)
{
	return begin_metric(ctx, value, RULE_HISTOGRAM);
}

/* First what it is, then the rest, in whatever order they stand. */
static int read_metric(void *ctx, struct value item)
{
	static const struct value_key keys[] = {
	    {"counter", "rules.metrics.counter", read_counter},
	    {"up_down_counter", "rules.metrics.up_down_counter", read_up_down_counter},
	    {"histogram", "rules.metrics.histogram", read_histogram},
	    {"unit", "rules.metrics.unit", read_unit},
	    {"description", "rules.metrics.description", read_description},
	    {"value", "rules.metrics.value", read_metric_value},
	    {"when", "rules.metrics.when", read_when},
	    {"bounds", "rules.metrics.bounds", read_bounds},
	    {"max_sets", "rules.metrics.max_sets", read_max_sets},
	    {"labels", "rules.metrics.labels", read_labels},
	};
	const size_t n = sizeof(keys) / sizeof(keys[0]), types = 3; /* the first ones */
	struct reader *r = ctx;
	int err;

	r->metric = NULL;
	err = value_mapping_range(item, keys, n, 0, types, r);
	if (!err && !r->metric)
		err = value_wrong(
		    item, "expected a metric: counter, up_down_counter or histogram with its name");
	if (!err)
		err = value_mapping_range(item, keys, n, types, n, r);
	if (!err && r->metric->type == RULE_HISTOGRAM && !r->metric->value)
		err = value_wrong(item, "a histogram needs a value");
	return err;
}

static int read_metrics(void *ctx, struct value value)
{
	return value_list(value, read_metric, ctx);
}

/* --- rules --------------------------------------------------------------------------------------- */

static int read_match(void *ctx, struct value value)
{
	struct reader *r = ctx;
	struct sv text = {0};
	struct buf why;
	int err = value_text(value, &text);

	if (err)
		return err;
	buf_init(&why);
	return complain(value, text, &why, rules_add(r->rules, text, &r->rule, &why));
}

static int read_kind(void *ctx, struct value value)
{
	static const char *const words[] = {"server", "client"};
	struct reader *r = ctx;
	struct buf why;
	size_t word = 0;
	int err = value_word(value, words, 2, &word);

	if (err || word == 0)
		return err;
	buf_init(&why);
	return complain(value, SV("client"), &why, rule_set_client(r->rule, &why));
}

static int read_rule(void *ctx, struct value item)
{
	static const struct value_key keys[] = {
	    {"match", "rules.match", read_match},
	    {"kind", "rules.kind", read_kind},
	    {"attributes", "rules.attributes", read_attributes},
	    {"metrics", "rules.metrics", read_metrics},
	};
	const size_t n = sizeof(keys) / sizeof(keys[0]), match = 1; /* the first one */
	struct reader *r = ctx;
	int err;

	r->rule = NULL;
	err = value_mapping_range(item, keys, n, 0, match, r);
	if (!err && !r->rule)
		err = value_wrong(item, "a rule needs the key match, such as POST /checkout");
	if (!err)
		err = value_mapping_range(item, keys, n, match, n, r);
	return err;
}

int rules_config_read(struct rules *rules, rule_state_name *states, struct value value)
{
	struct reader reader = {.rules = rules, .states = states};

	if (value_kind(value) != VALUE_LIST)
		return value_wrong(value, "expected a list of rules, each with the key match");
	return value_list(value, read_rule, &reader);
}
