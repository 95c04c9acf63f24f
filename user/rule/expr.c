// SPDX-License-Identifier: Apache-2.0
/*
 * Expressions, compiled to a tree in an array by recursive descent, one function per level of binding; see expr.h.
 *
 * Each node knows what kind of value it gives: operators refuse, when they are compiled, operands that can never fit.
 */
#include "rule/expr.h"

#include <errno.h>
#include <stdlib.h>

enum op {
	OP_LITERAL,
	OP_SOURCE,
	OP_NOT,
	OP_NEGATE,
	OP_AND,
	OP_OR,
	OP_EQUAL,
	OP_UNEQUAL,
	OP_LESS,
	OP_LESS_EQUAL,
	OP_GREATER,
	OP_GREATER_EQUAL,
	OP_ADD,
	OP_SUBTRACT,
	OP_MULTIPLY,
	OP_DIVIDE,
};

struct node {
	enum op op;
	enum rule_kind kind;
	int left, right; /* operands; of OP_SOURCE, left: its number */
	struct rule_value literal;
};

struct rule_expr {
	size_t n;
	struct node nodes[]; /* operands before their operators: the last one is the whole */
};

struct parser {
	struct sv rest;
	struct rule_sources *sources;
	rule_state_name *states;
	struct buf *why;
	size_t n, depth;
	int err;
	struct node nodes[RULE_EXPR_MAX_NODES];
};

/* --- reading ------------------------------------------------------------------------------------- */

static int parse_or(struct parser *p);

static int fail(struct parser *p, const char *why)
{
	if (!p->err) {
		p->err = -EINVAL;
		buf_append_cstr(p->why, why);
	}
	return -1;
}

static void skip_space(struct parser *p)
{
	while (p->rest.len && strchr(" \t\r\n", p->rest.p[0]) && p->rest.p[0])
		p->rest = sv_skip(p->rest, 1);
}

static bool take_word(struct parser *p, const char *word)
{
	size_t length;

	skip_space(p);
	length = rule_word_length(p->rest);
	if (!sv_eq(sv_from(p->rest.p, length), sv_cstr(word)))
		return false;
	p->rest = sv_skip(p->rest, length);
	return true;
}

static bool take_sign(struct parser *p, const char *sign)
{
	skip_space(p);
	if (!sv_starts(p->rest, sv_cstr(sign)))
		return false;
	p->rest = sv_skip(p->rest, strlen(sign));
	return true;
}

/* The new node's number; -1 after a complaint. */
static int add(struct parser *p, struct node node)
{
	if (p->n == RULE_EXPR_MAX_NODES)
		return fail(p, "is too long");
	p->nodes[p->n] = node;
	return (int)p->n++;
}

static bool may_be(const struct parser *p, int node, enum rule_kind kind)
{
	return p->nodes[node].kind == kind || p->nodes[node].kind == RULE_KIND_ANY;
}

static int add_operator(
    struct parser *p, enum op op, int left, int right, enum rule_kind of, enum rule_kind gives)
{
	if (left < 0 || right < 0)
		return -1;
	if (!may_be(p, left, of) || !may_be(p, right, of))
		return fail(p,
		    of == RULE_KIND_BOOL ? "joins with and, or, not what is neither true nor false"
					 : "reckons with what is no number");
	return add(p, (struct node){.op = op, .kind = gives, .left = left, .right = right});
}

static int add_literal(struct parser *p, enum rule_kind kind, struct rule_value value)
{
	return add(p, (struct node){.op = OP_LITERAL, .kind = kind, .literal = value});
}

/* What a unit of time is in seconds; 0: it is none. */
static double unit_seconds(struct sv unit)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = {{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (sv_eq(unit, sv_cstr(units[i].name)))
			return units[i].seconds;
	return 0;
}

static int parse_number(struct parser *p)
{
	struct sv text = p->rest;
	struct rule_value value, seconds = {.type = RULE_REAL};
	size_t unit;

	text.len = 0;
	while (text.len < p->rest.len && strchr("0123456789.", p->rest.p[text.len]) &&
	    p->rest.p[text.len])
		text.len++;
	p->rest = sv_skip(p->rest, text.len);
	value = rule_number_parse(text);
	if (value.type == RULE_NONE)
		return fail(p, "has a number that is written otherwise than 12 or 1.5");
	unit = rule_word_length(p->rest);
	if (unit) {
		seconds.real = unit_seconds(sv_from(p->rest.p, unit));
		if (seconds.real == 0)
			return fail(p, "has a number with a unit other than us, ms, s or m");
		p->rest = sv_skip(p->rest, unit);
		value = rule_reckon(RULE_MULTIPLY, &value, &seconds);
	}
	return add_literal(p, RULE_KIND_NUMBER, value);
}

static int parse_text(struct parser *p)
{
	struct rule_value value = {.type = RULE_TEXT};

	if (!rule_quoted_take(&p->rest, &value.text))
		return fail(p, "has a quote that is not closed");
	return add_literal(p, RULE_KIND_TEXT, value);
}

static int parse_source(struct parser *p)
{
	int source = rule_source_take(p->sources, &p->rest, p->states, p->why);

	if (source < 0) {
		p->err = source;
		return -1;
	}
	return add(p,
	    (struct node){.op = OP_SOURCE,
		.kind = rule_root_kind(p->sources->sources[source].root),
		.left = source});
}

static int parse_name(struct parser *p)
{
	if (take_word(p, "true"))
		return add_literal(
		    p, RULE_KIND_BOOL, (struct rule_value){.type = RULE_BOOL, .boolean = true});
	if (take_word(p, "false"))
		return add_literal(p, RULE_KIND_BOOL, (struct rule_value){.type = RULE_BOOL});
	if (take_word(p, "null"))
		return add_literal(p, RULE_KIND_NULL, (struct rule_value){.type = RULE_NONE});
	return parse_source(p);
}

static int parse_inner(struct parser *p)
{
	int inner = parse_or(p);

	if (inner >= 0 && !take_sign(p, ")"))
		return fail(p, "has a \"(\" without its \")\"");
	return inner;
}

static int parse_primary(struct parser *p)
{
	char c;

	skip_space(p);
	c = p->rest.len ? p->rest.p[0] : '\0';
	if (take_sign(p, "("))
		return parse_inner(p);
	if (c == '"' || c == '\'')
		return parse_text(p);
	if (c >= '0' && c <= '9')
		return parse_number(p);
	if (rule_word_length(p->rest))
		return parse_name(p);
	if (!c)
		return fail(p, "ends where a value must stand");
	buf_printf(p->why, "has \"%c\" where a value must stand", c >= ' ' && c < 127 ? c : '?');
	p->err = -EINVAL;
	return -1;
}

/* Parentheses, and signs before a value, are nested no deeper than the limit. */
static int parse_unary(struct parser *p)
{
	int operand;

	if (p->depth == RULE_EXPR_MAX_DEPTH)
		return fail(p, "is nested too deeply");
	p->depth++;
	if (take_sign(p, "-")) {
		operand = parse_unary(p);
		operand = add_operator(
		    p, OP_NEGATE, operand, operand, RULE_KIND_NUMBER, RULE_KIND_NUMBER);
	} else {
		operand = parse_primary(p);
	}
	p->depth--;
	return operand;
}

static int parse_product(struct parser *p)
{
	int left = parse_unary(p);

	while (left >= 0) {
		enum op op;

		if (take_sign(p, "*"))
			op = OP_MULTIPLY;
		else if (take_sign(p, "/"))
			op = OP_DIVIDE;
		else
			break;
		left =
		    add_operator(p, op, left, parse_unary(p), RULE_KIND_NUMBER, RULE_KIND_NUMBER);
	}
	return left;
}

static int parse_sum(struct parser *p)
{
	int left = parse_product(p);

	while (left >= 0) {
		enum op op;

		if (take_sign(p, "+"))
			op = OP_ADD;
		else if (take_sign(p, "-"))
			op = OP_SUBTRACT;
		else
			break;
		left =
		    add_operator(p, op, left, parse_product(p), RULE_KIND_NUMBER, RULE_KIND_NUMBER);
	}
	return left;
}

/* Can the two ever be the same? A text that came untyped may be a number. */
static bool comparable(const struct parser *p, int left, int right)
{
	enum rule_kind a = p->nodes[left].kind, b = p->nodes[right].kind;

	return a == b || a == RULE_KIND_ANY || b == RULE_KIND_ANY || a == RULE_KIND_NULL ||
	    b == RULE_KIND_NULL;
}

static int add_equality(struct parser *p, enum op op, int left, int right)
{
	if (left < 0 || right < 0)
		return -1;
	if (!comparable(p, left, right))
		return fail(p, "compares values that can never be the same: a text is no number");
	return add(
	    p, (struct node){.op = op, .kind = RULE_KIND_BOOL, .left = left, .right = right});
}

static int parse_comparison(struct parser *p)
{
	static const struct {
		const char *sign;
		enum op op;
	} rows[] = {
	    {"==", OP_EQUAL},
	    {"!=", OP_UNEQUAL},
	    {"<=", OP_LESS_EQUAL},
	    {">=", OP_GREATER_EQUAL},
	    {"<", OP_LESS},
	    {">", OP_GREATER},
	};
	int left = parse_sum(p);

	for (size_t i = 0; left >= 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!take_sign(p, rows[i].sign))
			continue;
		if (rows[i].op == OP_EQUAL || rows[i].op == OP_UNEQUAL)
			return add_equality(p, rows[i].op, left, parse_sum(p));
		return add_operator(
		    p, rows[i].op, left, parse_sum(p), RULE_KIND_NUMBER, RULE_KIND_BOOL);
	}
	return left;
}

static int parse_not(struct parser *p)
{
	int operand;

	if (!take_word(p, "not"))
		return parse_comparison(p);
	if (p->depth == RULE_EXPR_MAX_DEPTH)
		return fail(p, "is nested too deeply");
	p->depth++;
	operand = parse_not(p);
	p->depth--;
	return add_operator(p, OP_NOT, operand, operand, RULE_KIND_BOOL, RULE_KIND_BOOL);
}

static int parse_and(struct parser *p)
{
	int left = parse_not(p);

	while (left >= 0 && take_word(p, "and"))
		left = add_operator(p, OP_AND, left, parse_not(p), RULE_KIND_BOOL, RULE_KIND_BOOL);
	return left;
}

static int parse_or(struct parser *p)
{
	int left = parse_and(p);

	while (left >= 0 && take_word(p, "or"))
		left = add_operator(p, OP_OR, left, parse_and(p), RULE_KIND_BOOL, RULE_KIND_BOOL);
	return left;
}

int rule_expr_compile(struct sv text, struct rule_sources *sources, rule_state_name *states,
    struct rule_expr **ret_expr, struct buf *why)
{
	struct parser p = {.rest = text, .sources = sources, .states = states, .why = why};
	struct rule_expr *expr;

	if (text.len > RULE_EXPR_MAX_BYTES) {
		buf_printf(why, "is longer than %d bytes", RULE_EXPR_MAX_BYTES);
		return -E2BIG;
	}
	if (parse_or(&p) >= 0) {
		skip_space(&p);
		if (p.rest.len) {
			buf_printf(why, "goes on with \"%.*s\", which nothing joins to it",
			    SV_ARG(p.rest));
			p.err = -EINVAL;
		}
	}
	if (p.err)
		return p.err;
	expr = malloc(sizeof(*expr) + p.n * sizeof(expr->nodes[0]));
	if (!expr)
		return -ENOMEM;
	expr->n = p.n;
	memcpy(expr->nodes, p.nodes, p.n * sizeof(expr->nodes[0]));
	*ret_expr = expr;
	return 0;
}

void rule_expr_free(struct rule_expr *expr)
{
	free(expr);
}

enum rule_kind rule_expr_kind(const struct rule_expr *expr)
{
	return expr->nodes[expr->n - 1].kind;
}

int rule_expr_source(const struct rule_expr *expr)
{
	return expr->n == 1 && expr->nodes[0].op == OP_SOURCE ? expr->nodes[0].left : -1;
}

bool rule_expr_uses(const struct rule_expr *expr, size_t source)
{
	for (size_t i = 0; i < expr->n; i++)
		if (expr->nodes[i].op == OP_SOURCE && (size_t)expr->nodes[i].left == source)
			return true;
	return false;
}

/* --- evaluating ---------------------------------------------------------------------------------- */

static struct rule_value truth(bool value)
{
	return (struct rule_value){.type = RULE_BOOL, .boolean = value};
}

/* decided: the value that one operand alone decides it by. */
static struct rule_value join(const struct rule_value *a, const struct rule_value *b, bool decided)
{
	bool a_known = a->type == RULE_BOOL, b_known = b->type == RULE_BOOL;

	if ((a_known && a->boolean == decided) || (b_known && b->boolean == decided))
		return truth(decided);
	return a_known && b_known ? truth(!decided) : (struct rule_value){.type = RULE_NONE};
}

static struct rule_value compare(enum op op, const struct rule_value *a, const struct rule_value *b)
{
	int order;

	if (!rule_compare(a, b, &order))
		return (struct rule_value){.type = RULE_NONE};
	switch (op) {
	case OP_LESS:
		return truth(order < 0);
	case OP_LESS_EQUAL:
		return truth(order <= 0);
	case OP_GREATER:
		return truth(order > 0);
	default:
		return truth(order >= 0);
	}
}

static struct rule_value apply(enum op op, const struct rule_value *a, const struct rule_value *b)
{
	static const struct rule_value zero = {.type = RULE_INT};

	switch (op) {
	case OP_NOT:
		return a->type == RULE_BOOL ? truth(!a->boolean)
					    : (struct rule_value){.type = RULE_NONE};
	case OP_NEGATE:
		return rule_reckon(RULE_SUBTRACT, &zero, a);
	case OP_AND:
		return join(a, b, false);
	case OP_OR:
		return join(a, b, true);
	case OP_EQUAL:
		return truth(rule_same(a, b));
	case OP_UNEQUAL:
		return truth(!rule_same(a, b));
	case OP_ADD:
		return rule_reckon(RULE_ADD, a, b);
	case OP_SUBTRACT:
		return rule_reckon(RULE_SUBTRACT, a, b);
	case OP_MULTIPLY:
		return rule_reckon(RULE_MULTIPLY, a, b);
	case OP_DIVIDE:
		return rule_reckon(RULE_DIVIDE, a, b);
	default:
		return compare(op, a, b);
	}
}

struct rule_value rule_expr_eval(const struct rule_expr *expr, const struct rule_value *values)
{
	struct rule_value results[RULE_EXPR_MAX_NODES];

	for (size_t i = 0; i < expr->n; i++) {
		const struct node *node = &expr->nodes[i];

		if (node->op == OP_LITERAL)
			results[i] = node->literal;
		else if (node->op == OP_SOURCE)
			results[i] = values[node->left];
		else
			results[i] = apply(node->op, &results[node->left], &results[node->right]);
	}
	return results[expr->n - 1];
}
