// SPDX-License-Identifier: Apache-2.0
/* Rules at work; see rule_metrics.h. */
#include "metric/rule_metrics.h"

#include <errno.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "metric/rule_instruments.h"
#include "span/semconv.h"

struct rule_metrics {
	struct metrics *metrics;
	struct rules *rules; /* a reference; NULL: none */
	struct rule_instruments instruments;
	struct instrument *unfit;
	struct buf text; /* of the attributes of one span, or the labels of one record */
};

static const struct metric_desc unfit_desc = {
    .name = "zerospan.rule.unfit",
    .unit = "{value}",
    .description =
	"Attributes and metrics that a rule did not give, because its request lacked or held otherwise what it asks for.",
    .type = METRIC_COUNTER,
};

struct rule_metrics *rule_metrics_new(struct metrics *metrics)
{
	struct rule_metrics *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->metrics = metrics;
	rule_instruments_init(&r->instruments, metrics);
	buf_init(&r->text);
	return r;
}

void rule_metrics_free(struct rule_metrics *r)
{
	if (!r)
		return;
	rule_instruments_release(&r->instruments);
	rules_unref(r->rules);
	buf_release(&r->text);
	free(r);
}

int rule_metrics_set(struct rule_metrics *r, struct rules *set, struct buf *message)
{
	int err = 0;

	if (set && set->n && !r->unfit) {
		r->unfit = metrics_add(r->metrics, &unfit_desc);
		if (!r->unfit)
			return -ENOMEM;
	}
	if (set)
		err = rule_instruments_add(&r->instruments, set, message);
	if (err)
		return err;
	rules_unref(r->rules);
	r->rules = set ? rules_ref(set) : NULL;
	return 0;
}

/* --- values -------------------------------------------------------------------------------------- */

static void count_unfit(struct rule_metrics *r, const struct rule *rule, const char *what)
{
	const struct attr attrs[] = {
	    {.key = "zerospan.rule", .type = ATTR_STRING, .string = sv_cstr(rule->match)},
	    {.key = "zerospan.rule.output", .type = ATTR_STRING, .string = sv_cstr(what)},
	};

	metric_record(r->unfit, NULL, attrs, 2, 1, NULL);
}

/* The longest beginning of a text that is valid UTF-8 and no longer than max. */
static struct sv cut_to(struct sv text, size_t max)
{
	if (text.len > max)
		text.len = utf8_valid_prefix(sv_from(text.p, max));
	return text;
}

/* Append a value as a text that may leave, of max bytes at most: in its guise, repaired. Its place is from *ret_at on. */
static size_t append_text(struct rule_metrics *r, const struct rules *rules,
    const struct rule_value *value, enum rule_guise guise, size_t max)
{
	struct buf plain;
	size_t at = r->text.len;

	buf_init(&plain);
	rule_value_append(&plain, value);
	if (guise == RULE_PLAIN) {
		utf8_append_repaired(&r->text, buf_sv(&plain));
	} else {
		struct buf dressed;

		buf_init(&dressed);
		rule_guise_append(&dressed, guise, rules->hash_key, buf_sv(&plain));
		utf8_append_repaired(&r->text, buf_sv(&dressed));
		buf_release(&dressed);
	}
	buf_release(&plain);
	if (!r->text.failed)
		r->text.len = at + cut_to(sv_skip(buf_sv(&r->text), at), max).len;
	return at;
}

/* --- attributes ---------------------------------------------------------------------------------- */

/* Texts: string.p is NULL and at their place in r->text. */
struct pending {
	size_t n;
	struct attr attrs[RULE_MAX_MATCHES * RULE_MAX_ATTRIBUTES];
	size_t at[RULE_MAX_MATCHES * RULE_MAX_ATTRIBUTES];
};

static bool has_key(const struct pending *pending, const char *key)
{
	for (size_t i = 0; i < pending->n; i++)
		if (pending->attrs[i].key == key)
			return true;
	return false;
}

static void add_attribute(struct rule_metrics *r, const struct rules *rules,
    const struct rule_attribute *attribute, const struct rule_value *value, struct pending *pending)
{
	struct attr *attr = &pending->attrs[pending->n];

	*attr = (struct attr){.key = attribute->key};
	if (attribute->guise != RULE_PLAIN || value->type == RULE_TEXT) {
		attr->type = ATTR_STRING;
		pending->at[pending->n] =
		    append_text(r, rules, value, attribute->guise, RULE_ATTRIBUTE_MAX_BYTES);
		attr->string.len = r->text.len - pending->at[pending->n];
	} else if (value->type == RULE_INT) {
		attr->type = ATTR_INT;
		attr->integer = value->integer;
	} else if (value->type == RULE_REAL) {
		attr->type = ATTR_DOUBLE;
		attr->real = value->real;
	} else {
		attr->type = ATTR_BOOL;
		attr->boolean = value->boolean;
	}
	pending->n++;
}

static void take_attributes(struct rule_metrics *r, const struct rules *rules,
    const struct rule *rule, const struct rule_value *values, struct pending *pending)
{
	for (size_t i = 0; i < rule->n_attributes; i++) {
		const struct rule_attribute *attribute = &rule->attributes[i];
		struct rule_value value = rule_expr_eval(attribute->expr, values);

		if (value.type == RULE_NONE)
			count_unfit(r, rule, attribute->key);
		else if (!has_key(pending, attribute->key)) /* the first rule of the file wins */
			add_attribute(r, rules, attribute, &value, pending);
	}
}

static void give_attributes(struct rule_metrics *r, struct pending *pending, struct span *span)
{
	if (r->text.failed || !pending->n)
		return;
	for (size_t i = 0; i < pending->n; i++)
		if (pending->attrs[i].type == ATTR_STRING)
			pending->attrs[i].string.p = r->text.data + pending->at[i];
	span_append_attrs(span, pending->attrs, pending->n);
}

/* --- metrics ------------------------------------------------------------------------------------- */

static bool holds(const struct rule_expr *when, const struct rule_value *values, bool *ret_unfit)
{
	struct rule_value value = rule_expr_eval(when, values);

	*ret_unfit = value.type != RULE_BOOL;
	return value.type == RULE_BOOL && value.boolean;
}

/* Fill in a label whose text is at *ret_at. 1; 0: it is left out; -EINVAL: it does not fit. */
static int take_label(struct rule_metrics *r, const struct rules *rules,
    const struct rule_label *label, const struct rule_value *values, struct attr *attr,
    size_t *ret_at)
{
	struct rule_value value = {.type = RULE_TEXT};
	bool unfit;

	if (label->expr) {
		value = rule_expr_eval(label->expr, values);
		if (value.type == RULE_NONE)
			return -EINVAL;
	} else {
		size_t i = 0;

		while (i < label->n_cases && !holds(label->cases[i].when, values, &unfit))
			i++;
		if (i == label->n_cases)
			return 0;
		value.text = sv_cstr(label->cases[i].value);
	}
	*ret_at = append_text(r, rules, &value, label->guise, RULE_LABEL_MAX_BYTES);
	*attr = (struct attr){.key = label->key, .type = ATTR_STRING};
	attr->string.len = r->text.len - *ret_at;
	return 1;
}

static void record(struct rule_metrics *r, const struct rules *rules, const struct rule *rule,
    const struct rule_metric *metric, const struct rule_value *values, const struct span *span)
{
	struct instrument *instrument = rule_instruments_get(&r->instruments, metric);
	struct attr attrs[RULE_MAX_LABELS];
	size_t at[RULE_MAX_LABELS], n = 0;
	struct rule_value value;
	double number = 1;
	bool unfit = false;

	if (metric->when && !holds(metric->when, values, &unfit)) {
		if (unfit)
			count_unfit(r, rule, metric->name);
		return;
	}
	if (metric->value) {
		value = rule_expr_eval(metric->value, values);
		unfit = !rule_number(&value, &number) ||
		    (number < 0 && metric->type != RULE_UP_DOWN_COUNTER);
	}
	buf_clear(&r->text);
	for (size_t i = 0; i < metric->n_labels && !unfit; i++) {
		int taken = take_label(r, rules, &metric->labels[i], values, &attrs[n], &at[n]);

		unfit = taken < 0;
		n += taken > 0;
	}
	if (unfit || !instrument || r->text.failed) {
		count_unfit(r, rule, metric->name);
		return;
	}
	for (size_t i = 0; i < n; i++)
		attrs[i].string.p = r->text.data + at[i];
	metric_record(instrument, span->service, attrs, n, number, span);
}

/* --- spans --------------------------------------------------------------------------------------- */

static struct sv string_attr(const struct span *span, const char *key)
{
	const struct attr *attr = span_attr(span, key);

	return attr && attr->type == ATTR_STRING ? attr->string : (struct sv){0};
}

static void take_facts(struct rule_facts *facts, const struct span *span)
{
	*facts = (struct rule_facts){
	    .error = string_attr(span, semconv_error_type),
	    .duration_ns = span->end_ns - span->start_ns,
	    .time_ns = span->ledger.ns,
	};
}

static void apply(struct rule_metrics *r, const struct rules *rules, struct payload *payload,
    const struct rule *const *matches, size_t n, const struct rule_facts *facts, struct span *span,
    bool brief)
{
	struct rule_value values[RULE_MAX_SOURCES];
	struct pending pending;

	pending.n = 0;
	buf_clear(&r->text);
	for (size_t i = 0; i < n && !brief; i++) {
		payload_values(payload, matches[i], facts, values);
		take_attributes(r, rules, matches[i], values, &pending);
	}
	give_attributes(r, &pending, span);
	for (size_t i = 0; i < n; i++) {
		if (!matches[i]->n_metrics)
			continue;
		payload_values(payload, matches[i], facts, values);
		for (size_t j = 0; j < matches[i]->n_metrics; j++)
			record(r, rules, matches[i], matches[i]->metrics[j], values, span);
	}
}

void rule_metrics_request(
    struct rule_metrics *r, struct payload *payload, struct span *span, struct sv query, bool brief)
{
	const struct attr *status = span_attr(span, semconv_http_response_status_code);
	const struct rule *const *matches;
	size_t n = payload_rules(payload, &matches);
	struct rule_facts facts;

	take_facts(&facts, span);
	facts.method = string_attr(span, semconv_http_request_method);
	facts.route = string_attr(span, semconv_http_route);
	facts.query = query;
	if (status && status->type == ATTR_INT)
		facts.status = (int)status->integer;
	apply(r, payload_ruleset(payload), payload, matches, n, &facts, span, brief);
}

void rule_metrics_statement(struct rule_metrics *r, struct span *span, bool brief)
{
	const struct rule *matches[RULE_MAX_MATCHES];
	struct rule_facts facts;
	size_t n;

	if (!r->rules || !r->rules->has_statements)
		return;
	take_facts(&facts, span);
	facts.sql_text = string_attr(span, semconv_db_query_text);
	facts.sql_summary = string_attr(span, semconv_db_query_summary);
	facts.rows = (int64_t)span->returned_rows;
	n = rules_match_statement(r->rules, facts.sql_summary, matches);
	if (n)
		apply(r, r->rules, NULL, matches, n, &facts, span, brief);
}
