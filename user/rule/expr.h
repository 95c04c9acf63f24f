/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions of rules: a small total language. It has no loops and no calls, its types are checked where it is compiled, and
 * whatever the values are, evaluating it ends and gives a value or none.
 *
 *	or            a or b                      of two, the stronger binds as in arithmetic:
 *	and           a and b                     or < and < not < comparison < + - < * / < -a
 *	not           not a
 *	comparison    == != < <= > >=             one per level: a < b < c is none
 *	arithmetic    + - * /  -a  (a)            numbers; text of headers, queries and forms that spells one
 *	literals      12  1.5  "text" 'text'  true false null  500ms 2s 10us (seconds)
 *	sources       rule/source.h
 *
 * A value that is not there is null: null == null, and null equals nothing else; what is reckoned from it is null. and, or
 * and not know three truths, as in SQL: false and null is false.
 */
#ifndef ZS_RULE_EXPR_H
#define ZS_RULE_EXPR_H

#include "base/buf.h"
#include "base/sv.h"
#include "rule/source.h"
#include "rule/value.h"

#define RULE_EXPR_MAX_BYTES 1024
#define RULE_EXPR_MAX_NODES 128
#define RULE_EXPR_MAX_DEPTH 32

struct rule_expr;

/*
 * Compile text, of which literals and names are borrowed; its sources are put into the list. states: see source.h. Returns 0;
 * -EINVAL or -E2BIG with why as the end of a sentence that the expression begins ("... has no operand behind +"); -ENOMEM.
 */
int rule_expr_compile(struct sv text, struct rule_sources *sources, rule_state_name *states,
    struct rule_expr **ret_expr, struct buf *why);

void rule_expr_free(struct rule_expr *expr); /* NULL is fine */

/* What it gives, as far as that is known before. */
enum rule_kind rule_expr_kind(const struct rule_expr *expr);

/* If the expression is one source and nothing else, that one's number; else -1. */
int rule_expr_source(const struct rule_expr *expr);

/* Does the expression use this source? */
bool rule_expr_uses(const struct rule_expr *expr, size_t source);

/* The value; values[i] is that of source i. Texts are borrowed from values and the expression. */
struct rule_value rule_expr_eval(const struct rule_expr *expr, const struct rule_value *values);

#endif
