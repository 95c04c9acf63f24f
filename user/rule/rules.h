/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a configuration: which requests or statements each is for, and the attributes and metrics that it makes of them. Built
 * by who reads the configuration, immutable from then on, counted: a request that is under way keeps the rules it began with.
 */
#ifndef ZS_RULE_RULES_H
#define ZS_RULE_RULES_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/names.h"
#include "proto/route_pattern.h"
#include "rule/expr.h"
#include "rule/guise.h"

#define RULES_MAX           256
#define RULE_MAX_ATTRIBUTES 32
#define RULE_MAX_METRICS    32
#define RULE_MAX_LABELS     16
#define RULE_MAX_CASES      32
#define RULE_MAX_BOUNDS     64
#define RULE_NAME_MAX_BYTES 128

/* Rules that one request can have; of more, the first in the file. */
#define RULE_MAX_MATCHES 8

enum rule_subject {
	RULE_SUBJECT_INVALID = 0,
	RULE_SERVER = 1, /* requests that an observed process answers */
	RULE_CLIENT = 2, /* that it makes */
	RULE_STATEMENT = 3,
};

struct rule_attribute {
	const char *key; /* kept by the names, here and below */
	struct rule_expr *expr;
	enum rule_guise guise;
};

/* One value of a label, and when it is that. */
struct rule_case {
	const char *value;
	struct rule_expr *when;
};

struct rule_label {
	const char *key;
	struct rule_expr *expr; /* NULL: the first case that holds, else the label is left out */
	enum rule_guise guise;
	size_t n_cases;
	struct rule_case cases[RULE_MAX_CASES];
};

enum rule_metric_type {
	RULE_METRIC_INVALID = 0,
	RULE_COUNTER = 1,
	RULE_UP_DOWN_COUNTER = 2,
	RULE_HISTOGRAM = 3,
};

struct rule_metric {
	enum rule_metric_type type;
	const char *name;
	bool shared; /* there is an earlier one with the name: see rule_add_metric() */
	const char *unit, *description; /* may be empty */
	struct rule_expr *value;        /* NULL: 1 */
	struct rule_expr *when;         /* NULL: always */
	size_t max_sets;                /* 0: as many as others have */
	size_t n_bounds;                /* HISTOGRAM; 0, if that was written: only count and sum */
	const double *bounds;           /* kept as the names are, or the default */
	size_t n_labels;
	struct rule_label labels[RULE_MAX_LABELS];
};

struct rule {
	const char *match; /* as it was written */
	enum rule_subject subject;
	struct sv method;                /* "*": any */
	struct route_patterns *patterns; /* the one, or NULL for any path */
	struct sv summary;               /* STATEMENT; a final "*" stands for anything */
	struct rule_sources sources;     /* of all expressions below */
	size_t n_attributes, n_metrics;
	struct rule_attribute attributes[RULE_MAX_ATTRIBUTES];
	struct rule_metric *metrics[RULE_MAX_METRICS];
	void *texts; /* private: what expressions point into */
};

struct rules {
	atomic_int refs;
	struct names *names; /* borrowed */
	size_t n;
	bool has_statements;
	uint8_t hash_key[RULE_HASH_KEY_BYTES];
	bool has_hash_key;
	struct rule *rules[RULES_MAX];
};

/* --- building ------------------------------------------------------------------------------------ */

/* No rules; names live as long as anything made by them. NULL: no memory. */
struct rules *rules_new(struct names *names);

/*
 * Here and below: 0; -EINVAL, -EEXIST or -E2BIG with why as the end of a sentence that what was written begins; -ENOMEM. What was
 * made so far stays valid.
 *
 * "METHOD PATTERN" (method "*": any; a pattern of proto/route_pattern.h, or "*") or "SQL SUMMARY". client: of requests that
 * are made, not answered.
 */
int rules_add(struct rules *rules, struct sv match, struct rule **ret_rule, struct buf *why);
int rule_set_client(struct rule *rule, struct buf *why);

/* Compile an expression of the rule. */
int rule_compile(struct rule *rule, struct sv text, rule_state_name *states,
    struct rule_expr **ret_expr, struct buf *why);

/* expr is the rule's from now on, also on failure. */
int rule_add_attribute(struct rules *rules, struct rule *rule, struct sv key,
    struct rule_expr *expr, enum rule_guise guise, struct buf *why);

/* name: letters, digits, "_", ".", beginning with a letter. If there is such a metric already, this one has its description, unit, bounds and sets. */
int rule_add_metric(struct rules *rules, struct rule *rule, enum rule_metric_type type,
    struct sv name, struct rule_metric **ret_metric, struct buf *why);

/* A label without expression or cases yet; key as the names of metrics. */
int rule_metric_add_label(struct rules *rules, struct rule_metric *metric, struct sv key,
    struct rule_label **ret_label, struct buf *why);

/* expr is the label's from now on, also on failure. */
int rule_label_add_case(struct rules *rules, struct rule_label *label, struct sv value,
    struct rule_expr *when, struct buf *why);

/* May expr leave in this guise? Not a secret as it is, and nothing hashed without a key: -EINVAL with why. */
int rule_check_guise(const struct rules *rules, const struct rule *rule,
    const struct rule_expr *expr, enum rule_guise guise, struct buf *why);

/* May expr be what a metric counts? Numbers have no guise: not if a secret is in it. -EINVAL with why. */
int rule_check_number(const struct rule *rule, const struct rule_expr *expr, struct buf *why);

/* --- using --------------------------------------------------------------------------------------- */

struct rules *rules_ref(struct rules *rules);
void rules_unref(struct rules *rules); /* NULL is fine */

/* The rules for a request, in the order of the file. Their number, up to RULE_MAX_MATCHES. path: without query. */
size_t rules_match(const struct rules *rules, enum rule_subject subject, struct sv method,
    struct sv path, const struct rule *ret_rules[RULE_MAX_MATCHES]);

/* The rules for a statement with this summary. */
size_t rules_match_statement(
    const struct rules *rules, struct sv summary, const struct rule *ret_rules[RULE_MAX_MATCHES]);

#endif
