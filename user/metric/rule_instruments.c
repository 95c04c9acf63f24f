// SPDX-License-Identifier: Apache-2.0
/* What the metrics of rules are called; see rule_instruments.h. */
#include "metric/rule_instruments.h"

#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "metric/prometheus_names.h"

/* Metrics that all rules since the start have had, together. */
#define RULE_INSTRUMENTS_MAX 1024

/* A metric of some rule, by its name, which is kept for good: one address per name. */
struct rule_instrument {
	struct hnode node;
	struct metric_desc desc;
	struct instrument *instrument; /* NULL: it is being added */
	struct rule_instrument *next;  /* that is being added behind it */
};

void rule_instruments_init(struct rule_instruments *instruments, struct metrics *metrics)
{
	instruments->metrics = metrics;
	hmap_init(&instruments->all);
}

void rule_instruments_release(struct rule_instruments *instruments)
{
	struct hnode *node;
	size_t slot = 0;

	while ((node = hmap_pop(&instruments->all, &slot)))
		free(container_of(node, struct rule_instrument, node));
	hmap_release(&instruments->all);
}

static uint64_t address_hash(const char *name)
{
	return hash_u64((uint64_t)(uintptr_t)name);
}

static struct rule_instrument *find(const struct rule_instruments *instruments, const char *name)
{
	hmap_for_each_hash (node, &instruments->all, address_hash(name)) {
		struct rule_instrument *known = container_of(node, struct rule_instrument, node);

		if (known->desc.name == name)
			return known;
	}
	return NULL;
}

struct instrument *rule_instruments_get(
    const struct rule_instruments *instruments, const struct rule_metric *metric)
{
	const struct rule_instrument *known = find(instruments, metric->name);

	return known ? known->instrument : NULL;
}

/* --- names that are taken ------------------------------------------------------------------------ */

struct name {
	const char *name;
	enum metric_type type;
	size_t at, len; /* as Prometheus spells it, in names.text */
};

struct names_taken {
	struct buf text;
	struct buf list; /* of struct name */
};

static void take(void *ctx, const struct metric_desc *desc)
{
	struct names_taken *names = ctx;
	struct name name = {.name = desc->name, .type = desc->type, .at = names->text.len};

	prometheus_append_name(&names->text, desc);
	name.len = names->text.len - name.at;
	if (name.len)
		buf_append(&names->list, &name, sizeof(name));
}

/* The same where "." and "_" are. */
static bool reads_alike(struct sv a, struct sv b)
{
	for (size_t i = 0; i < a.len && i < b.len; i++)
		if (a.p[i] != b.p[i] && (a.p[i] != '.' || b.p[i] != '_') &&
		    (a.p[i] != '_' || b.p[i] != '.'))
			return false;
	return a.len == b.len;
}

/* Who has a name that this one must not stand beside, for people or for Prometheus; NULL: nobody. */
static const char *holder(
    const struct names_taken *names, const struct metric_desc *desc, struct sv spelled)
{
	const struct name *list = (const struct name *)(const void *)names->list.data;

	for (size_t i = 0; i < names->list.len / sizeof(*list); i++) {
		struct sv other = sv_from(names->text.data + list[i].at, list[i].len);

		if (reads_alike(sv_cstr(list[i].name), sv_cstr(desc->name)) ||
		    prometheus_names_clash(spelled, desc->type, other, list[i].type))
			return list[i].name;
	}
	return prometheus_name_is_reserved(spelled, desc->type) ? "target_info" : NULL;
}

/* Take a name if nobody has it. */
static int take_free(struct names_taken *names, const struct metric_desc *desc, struct buf *message)
{
	const char *other;
	struct buf spelled;
	bool failed;

	buf_init(&spelled);
	prometheus_append_name(&spelled, desc);
	failed = spelled.failed || names->text.failed || names->list.failed;
	other = failed ? NULL : holder(names, desc, buf_sv(&spelled));
	buf_release(&spelled);
	if (failed)
		return -ENOMEM;
	if (other) {
		buf_printf(message,
		    "the metric \"%s\" would be mixed up with \"%s\"; choose another name",
		    desc->name, other);
		return -EEXIST;
	}
	take(names, desc);
	return 0;
}

/* --- adding -------------------------------------------------------------------------------------- */

static enum metric_type type_of(enum rule_metric_type type)
{
	static const enum metric_type types[] = {
	    [RULE_COUNTER] = METRIC_COUNTER,
	    [RULE_UP_DOWN_COUNTER] = METRIC_UPDOWN,
	    [RULE_HISTOGRAM] = METRIC_HISTOGRAM,
	};

	return types[type];
}

static struct metric_desc desc_of(const struct rule_metric *metric)
{
	return (struct metric_desc){
	    .name = metric->name,
	    .unit = metric->unit,
	    .description = metric->description,
	    .type = type_of(metric->type),
	    .bounds = metric->bounds,
	    .n_bounds = metric->n_bounds,
	    .max_sets = metric->max_sets,
	    .plain_name = true,
	};
}

/* In what two metrics with one name differ; NULL: they are the same. */
static const char *difference(const struct metric_desc *a, const struct metric_desc *b)
{
	if (a->type != b->type)
		return "kind";
	if (strcmp(a->unit, b->unit) != 0)
		return "unit";
	if (strcmp(a->description, b->description) != 0)
		return "description";
	if (a->max_sets != b->max_sets)
		return "number of sets";
	if (a->n_bounds != b->n_bounds ||
	    (a->n_bounds && memcmp(a->bounds, b->bounds, a->n_bounds * sizeof(*a->bounds)) != 0))
		return "list of bounds";
	return NULL;
}

/* A metric that is known is what it was: its numbers go on. */
static int check_same(
    const struct metric_desc *was, const struct metric_desc *is, struct buf *message)
{
	const char *what = difference(was, is);

	if (!what)
		return 0;
	buf_printf(message,
	    "the metric \"%s\" had another %s until now, and a new one holds from the next start on; choose another name or restart",
	    is->name, what);
	return -EEXIST;
}

/* What is being added, in the order of the rules. */
struct addition {
	struct rule_instruments *to;
	struct rule_instrument *first, **end;
	struct names_taken names;
};

/* Put a metric behind the others that are being added, unless it is known. */
static int add_one(struct addition *addition, const struct rule_metric *metric, struct buf *message)
{
	const struct metric_desc desc = desc_of(metric);
	struct hmap *all = &addition->to->all;
	struct rule_instrument *one = find(addition->to, metric->name);
	int err;

	if (one)
		return check_same(&one->desc, &desc, message);
	if (all->count >= RULE_INSTRUMENTS_MAX) {
		buf_printf(message, "there were more than %d metrics of rules; restart",
		    RULE_INSTRUMENTS_MAX);
		return -EEXIST;
	}
	err = take_free(&addition->names, &desc, message);
	if (err)
		return err;
	one = calloc(1, sizeof(*one));
	if (!one)
		return -ENOMEM;
	one->desc = desc;
	if (hmap_add(all, address_hash(desc.name), &one->node)) {
		free(one);
		return -ENOMEM;
	}
	*addition->end = one;
	addition->end = &one->next;
	return 0;
}

static int make(struct addition *addition)
{
	for (struct rule_instrument *one = addition->first; one; one = one->next) {
		one->instrument = metrics_add(addition->to->metrics, &one->desc);
		if (!one->instrument)
			return -ENOMEM;
	}
	return 0;
}

/* Those without an instrument are as if they had not been. */
static void take_back(struct addition *addition)
{
	struct rule_instrument *one, *next;

	for (one = addition->first; one; one = next) {
		next = one->next;
		if (one->instrument)
			continue;
		hmap_remove(&addition->to->all, &one->node);
		free(one);
	}
}

int rule_instruments_add(
    struct rule_instruments *instruments, const struct rules *rules, struct buf *message)
{
	struct addition addition = {.to = instruments, .end = &addition.first};
	int err = 0;

	buf_init(&addition.names.text);
	buf_init(&addition.names.list);
	metrics_each(instruments->metrics, take, &addition.names);
	for (size_t i = 0; i < rules->n && !err; i++)
		for (size_t j = 0; j < rules->rules[i]->n_metrics && !err; j++)
			err = add_one(&addition, rules->rules[i]->metrics[j], message);
	if (!err)
		err = make(&addition);
	if (err)
		take_back(&addition);
	buf_release(&addition.names.text);
	buf_release(&addition.names.list);
	return err;
}
