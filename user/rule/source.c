// SPDX-License-Identifier: Apache-2.0
/* What sources are written as; see source.h. */
#include "rule/source.h"

#include <errno.h>

#include "proto/secret.h"

/* What follows a root's name. */
enum rest {
	REST_NONE,
	REST_PATH,  /* any number of steps, but one */
	REST_NAME,  /* one step that is a name */
	REST_STATE, /* one step that is a state of the ledger */
	REST_SQL,
};

static const struct root {
	const char *name;
	enum rule_root root;
	enum rest rest;
	enum rule_kind kind;
} roots[] = {
    {"request", RULE_REQUEST, REST_PATH, RULE_KIND_ANY},
    {"response", RULE_RESPONSE, REST_PATH, RULE_KIND_ANY},
    {"request_header", RULE_REQUEST_HEADER, REST_NAME, RULE_KIND_ANY},
    {"response_header", RULE_RESPONSE_HEADER, REST_NAME, RULE_KIND_ANY},
    {"query", RULE_QUERY, REST_NAME, RULE_KIND_ANY},
    {"method", RULE_METHOD, REST_NONE, RULE_KIND_TEXT},
    {"route", RULE_ROUTE, REST_NONE, RULE_KIND_TEXT},
    {"status", RULE_STATUS, REST_NONE, RULE_KIND_NUMBER},
    {"duration", RULE_DURATION, REST_NONE, RULE_KIND_NUMBER},
    {"error", RULE_ERROR, REST_NONE, RULE_KIND_TEXT},
    {"time", RULE_TIME, REST_STATE, RULE_KIND_NUMBER},
    {"sql", RULE_SQL_TEXT, REST_SQL, RULE_KIND_TEXT}, /* or RULE_SQL_SUMMARY */
    {"rows", RULE_ROWS, REST_NONE, RULE_KIND_NUMBER},
};

#define N_ROOTS (sizeof(roots) / sizeof(roots[0]))

bool rule_root_of_statement(enum rule_root root)
{
	return root == RULE_SQL_TEXT || root == RULE_SQL_SUMMARY || root == RULE_ROWS;
}

bool rule_root_of_request(enum rule_root root)
{
	return root <= RULE_STATUS;
}

enum rule_kind rule_root_kind(enum rule_root root)
{
	if (root == RULE_SQL_SUMMARY)
		return RULE_KIND_TEXT;
	for (size_t i = 0; i < N_ROOTS; i++)
		if (roots[i].root == root)
			return roots[i].kind;
	return RULE_KIND_ANY;
}

static bool is_letter(char c)
{
	c = ascii_lower(c);
	return (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

size_t rule_word_length(struct sv text)
{
	size_t n = 0;

	while (n < text.len && (is_letter(text.p[n]) || (n > 0 && is_digit(text.p[n]))))
		n++;
	return n;
}

static struct sv take_bytes(struct sv *text, size_t n)
{
	struct sv taken = sv_from(text->p, n);

	*text = sv_skip(*text, n);
	return taken;
}

bool rule_quoted_take(struct sv *text, struct sv *ret_text)
{
	struct sv inner = sv_skip(*text, 1);
	size_t end = sv_find(inner, text->p[0]);

	if (end == inner.len)
		return false;
	*ret_text = sv_from(inner.p, end);
	*text = sv_skip(inner, end + 1);
	return true;
}

/* Between brackets: a key in quotes or the number of an item. */
static bool take_bracket(struct sv *text, struct json_step *step)
{
	struct sv in = sv_skip(*text, 1);
	size_t digits = 0;

	*step = (struct json_step){0};
	if (in.len && (in.p[0] == '"' || in.p[0] == '\'')) {
		if (!rule_quoted_take(&in, &step->key))
			return false;
	} else {
		for (; digits < in.len && digits < 9 && is_digit(in.p[digits]); digits++)
			step->index = step->index * 10 + (size_t)(in.p[digits] - '0');
		if (digits == 0)
			return false;
		in = sv_skip(in, digits);
	}
	if (!in.len || in.p[0] != ']')
		return false;
	*text = sv_skip(in, 1);
	return true;
}

/* ".name" or "[...]". 1, or 0 when there is none. */
static int take_step(struct sv *text, struct json_step *step, struct buf *why)
{
	size_t length;

	if (text->len && text->p[0] == '[') {
		if (take_bracket(text, step))
			return 1;
		buf_append_cstr(
		    why, "has a \"[\" behind which neither [0] nor [\"a key\"] is complete");
		return -EINVAL;
	}
	if (!text->len || text->p[0] != '.')
		return 0;
	*text = sv_skip(*text, 1);
	length = rule_word_length(*text);
	if (!length) {
		buf_append_cstr(why,
		    "has a \".\" without a name behind it; other names are written [\"a-key\"]");
		return -EINVAL;
	}
	*step = (struct json_step){.key = take_bytes(text, length)};
	return 1;
}

static int take_path(struct sv *text, struct rule_source *source, struct buf *why)
{
	struct json_step step;
	int err;

	while ((err = take_step(text, &step, why)) == 1) {
		if (source->path.n == JSON_PATH_MAX_STEPS) {
			buf_printf(why, "goes down more than %d steps", JSON_PATH_MAX_STEPS);
			return -EINVAL;
		}
		source->path.steps[source->path.n++] = step;
	}
	return err;
}

static int take_state(
    struct rule_source *source, struct sv name, rule_state_name *states, struct buf *why)
{
	for (size_t i = 0; states(i); i++) {
		if (!sv_eq(name, sv_cstr(states(i))))
			continue;
		source->state = i;
		return 0;
	}
	buf_printf(why, "has time.%.*s; there are", SV_ARG(name));
	for (size_t i = 0; states(i); i++)
		buf_printf(why, "%s %s", i ? "," : "", states(i));
	return -EINVAL;
}

static int take_sql(struct rule_source *source, struct sv name, struct buf *why)
{
	if (sv_eq(name, SV("text")))
		return 0;
	if (!sv_eq(name, SV("summary"))) {
		buf_printf(why, "has sql.%.*s; there are sql.text and sql.summary", SV_ARG(name));
		return -EINVAL;
	}
	source->root = RULE_SQL_SUMMARY;
	return 0;
}

/* What stands behind the root's name. */
static int take_rest(const struct root *root, struct sv *text, struct rule_source *source,
    rule_state_name *states, struct buf *why)
{
	struct json_step *first = &source->path.steps[0];
	int err = root->rest == REST_NONE ? 0 : take_path(text, source, why);
	bool named = source->path.n == 1 && first->key.p;

	if (err || root->rest == REST_NONE)
		return err;
	if (root->rest == REST_PATH ? source->path.n > 0 : named) {
		struct sv name = first->key;

		if (root->rest == REST_PATH)
			return 0;
		source->path = (struct json_path){0};
		if (root->rest == REST_STATE)
			return take_state(source, name, states, why);
		if (root->rest == REST_SQL)
			return take_sql(source, name, why);
		source->name = name;
		return 0;
	}
	buf_printf(why,
	    root->rest == REST_PATH ? "has %s without a field, as in %s.item"
				    : "has %s without one name, as in %s[\"name\"]",
	    root->name, root->name);
	return -EINVAL;
}

static bool same_path(const struct json_path *a, const struct json_path *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct json_step *x = &a->steps[i], *y = &b->steps[i];

		if (!x->key.p != !y->key.p || !sv_eq(x->key, y->key) || x->index != y->index)
			return false;
	}
	return true;
}

static int put(struct rule_sources *sources, const struct rule_source *source, struct buf *why)
{
	for (size_t i = 0; i < sources->n; i++) {
		const struct rule_source *there = &sources->sources[i];

		if (there->root == source->root && there->state == source->state &&
		    sv_eq(there->name, source->name) && same_path(&there->path, &source->path))
			return (int)i;
	}
	if (sources->n == RULE_MAX_SOURCES) {
		buf_printf(
		    why, "needs more than %d different values of a request", RULE_MAX_SOURCES);
		return -E2BIG;
	}
	sources->sources[sources->n] = *source;
	return (int)sources->n++;
}

int rule_source_take(
    struct rule_sources *sources, struct sv *text, rule_state_name *states, struct buf *why)
{
	struct sv word = take_bytes(text, rule_word_length(*text));

	for (size_t i = 0; i < N_ROOTS; i++) {
		struct rule_source source = {.root = roots[i].root};
		int err;

		if (!sv_eq(word, sv_cstr(roots[i].name)))
			continue;
		err = take_rest(&roots[i], text, &source, states, why);
		return err ? err : put(sources, &source, why);
	}
	buf_printf(why, "has \"%.*s\"; there are", SV_ARG(word));
	for (size_t i = 0; i < N_ROOTS; i++)
		buf_printf(why, "%s %s", i ? "," : "", roots[i].name);
	return -EINVAL;
}

struct sv rule_source_secret(const struct rule_source *source)
{
	for (size_t i = 0; i < source->path.n; i++)
		if (secret_is_name(source->path.steps[i].key))
			return source->path.steps[i].key;
	return secret_is_name(source->name) ? source->name : (struct sv){0};
}
