// SPDX-License-Identifier: Apache-2.0
/*
 * The writing side of the metric registry: find the attribute set, add the value; see metric.h.
 *
 * The hash of a set is the sum of its values' hashes, so the order of attributes does not matter
 * and keys (long, the same for every set of an instrument) are not hashed at all. Equality
 * compares keys by address first: callers use static strings, so the text is rarely touched.
 */
#include "metric/registry.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"

struct metric_key *metric_key_ref(struct metric_key *key)
{
	atomic_fetch_add(&key->refs, 1);
	return key;
}

void metric_key_unref(struct metric_key *key)
{
	if (!key || atomic_fetch_sub(&key->refs, 1) != 1)
		return;
	service_unref(key->service);
	free(key);
}

static uint64_t attr_hash(const struct attr *attr)
{
	uint64_t bits;

	switch (attr->type) {
	case ATTR_STRING:
		return hash_bytes(attr->string.p, attr->string.len);
	case ATTR_BOOL:
		bits = attr->boolean;
		break;
	case ATTR_DOUBLE:
		memcpy(&bits, &attr->real, sizeof(bits));
		break;
	default:
		bits = (uint64_t)attr->integer;
	}
	return hash_u64(bits + attr->type);
}

static uint64_t set_hash(const struct service *service, const struct attr *attrs, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += attr_hash(&attrs[i]);
	return hash_combine(sum, (uint64_t)(uintptr_t)service);
}

static bool attr_eq(const struct attr *a, const struct attr *b)
{
	if (a->type != b->type || (a->key != b->key && strcmp(a->key, b->key) != 0))
		return false;
	switch (a->type) {
	case ATTR_STRING:
		return sv_eq(a->string, b->string);
	case ATTR_BOOL:
		return a->boolean == b->boolean;
	case ATTR_DOUBLE:
		return memcmp(&a->real, &b->real, sizeof(a->real)) == 0;
	default:
		return a->integer == b->integer;
	}
}

static bool key_matches(
    const struct metric_key *key, const struct service *service, const struct attr *attrs, size_t n)
{
	if (key->service != service || key->n_attrs != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		size_t j = 0;

		if (attr_eq(&key->attrs[i], &attrs[i]))
			continue;
		while (j < n && !attr_eq(&key->attrs[i], &attrs[j]))
			j++;
		if (j == n)
			return false;
	}
	return true;
}

static struct metric_key *key_new(struct service *service, const struct attr *attrs, size_t n)
{
	size_t text_len = 0;
	struct metric_key *key;
	char *text;

	for (size_t i = 0; i < n; i++)
		if (attrs[i].type == ATTR_STRING)
			text_len += attrs[i].string.len;
	key = malloc(sizeof(*key) + n * sizeof(key->attrs[0]) + text_len);
	if (!key)
		return NULL;
	atomic_init(&key->refs, 1);
	key->service = service ? service_ref(service) : NULL;
	key->n_attrs = n;
	text = (char *)(key->attrs + n);
	for (size_t i = 0; i < n; i++) {
		struct attr *attr = &key->attrs[i];

		*attr = attrs[i];
		if (attr->type != ATTR_STRING)
			continue;
		if (attr->string.len)
			memcpy(text, attr->string.p, attr->string.len);
		attr->string.p = text;
		text += attr->string.len;
	}
	return key;
}

/* --- sets ------------------------------------------------------------------------------------ */

static void set_free(struct metric_set *set)
{
	list_remove(&set->link);
	metric_key_unref(set->key);
	free(set);
}

/* Bytes of a set with its numbers. */
static size_t set_bytes(const struct instrument *instrument)
{
	size_t n = instrument->desc.type == METRIC_HISTOGRAM ? instrument->desc.n_bounds + 1 : 0;
	size_t bytes = sizeof(struct metric_set) +
	    n * (sizeof(struct metric_exemplar) + sizeof(uint64_t)) +
	    instrument->desc.n_parts * sizeof(uint64_t);

	if (n && instrument->metrics->keep_exponential)
		bytes += sizeof(struct metric_exponential) +
		    METRIC_EXPONENTIAL_BUCKETS * sizeof(uint64_t);
	return bytes;
}

/* A set in the order, but in no table yet. Takes over the key, which may be NULL: then, as without memory, there is no set. */
static struct metric_set *set_new(
    struct instrument *instrument, struct metric_key *key, uint64_t start_ns)
{
	size_t n = instrument->desc.type == METRIC_HISTOGRAM ? instrument->desc.n_bounds + 1 : 0;
	struct metric_set *set = key ? calloc(1, set_bytes(instrument)) : NULL;

	if (!set) {
		metric_key_unref(key);
		return NULL;
	}
	if (n) {
		set->exemplars = (struct metric_exemplar *)(set + 1);
		set->buckets = (uint64_t *)(set->exemplars + n);
	}
	if (n && instrument->metrics->keep_exponential) {
		set->exponential = (struct metric_exponential *)(set->buckets + n);
		metric_exponential_init(set->exponential, (uint64_t *)(set->exponential + 1));
	}
	if (instrument->desc.n_parts)
		set->parts = (uint64_t *)(set + 1);
	set->key = key;
	set->start_ns = start_ns;
	set->min = INFINITY;
	set->max = -INFINITY;
	list_init(&set->link);
	list_add_tail(&instrument->order, &set->link);
	return set;
}

static struct metric_set *overflow_set(struct instrument *instrument, uint64_t start_ns)
{
	static const struct attr mark = {
	    .key = "otel.metric.overflow", .type = ATTR_BOOL, .boolean = true};

	if (!instrument->overflow)
		instrument->overflow = set_new(instrument, key_new(NULL, &mark, 1), start_ns);
	return instrument->overflow;
}

/* Since when the numbers of a set count that is made for this event. */
static uint64_t start_of(const struct span *span)
{
	return span ? span->start_ns : clock_monotonic_ns();
}

/* Enter a new set with this key, which it takes over; NULL without memory. */
static struct metric_set *add_set(
    struct instrument *instrument, struct metric_key *key, uint64_t hash, const struct span *span)
{
	struct metric_set *set = set_new(instrument, key, start_of(span));

	if (set && hmap_add(&instrument->sets, hash, &set->node)) {
		set_free(set);
		return NULL;
	}
	instrument->recent = set;
	return set;
}

/* The same attributes are recorded many times on end: those of the last time are compared without being hashed. */
static struct metric_set *find_or_add(struct instrument *instrument, struct service *service,
    const struct attr *attrs, size_t n, const struct span *span)
{
	struct metric_set *set = instrument->recent;
	uint64_t hash;

	if (set && key_matches(set->key, service, attrs, n))
		return set;
	hash = set_hash(service, attrs, n);
	hmap_for_each_hash (node, &instrument->sets, hash) {
		set = container_of(node, struct metric_set, node);
		if (key_matches(set->key, service, attrs, n)) {
			instrument->recent = set;
			return set;
		}
	}
	if (instrument->sets.count >= instrument->desc.max_sets)
		return overflow_set(instrument, start_of(span));
	return add_set(instrument, key_new(service, attrs, n), hash, span);
}

/* The set of another instrument of the same event: it shares the key. */
static struct metric_set *find_or_add_like(struct instrument *instrument,
    const struct metric_set *first, bool overflow, const struct span *span)
{
	struct metric_set *set = instrument->recent;

	if (overflow)
		return overflow_set(instrument, start_of(span));
	if (set && set->key == first->key)
		return set;
	hmap_for_each_hash (node, &instrument->sets, first->node.hash) {
		set = container_of(node, struct metric_set, node);
		if (set->key == first->key) {
			instrument->recent = set;
			return set;
		}
	}
	return add_set(instrument, metric_key_ref(first->key), first->node.hash, span);
}

/* --- recording ------------------------------------------------------------------------------- */

static bool may_be_exemplar(const struct metrics *metrics, const struct span *span)
{
	if (metrics->filter == METRIC_EXEMPLAR_TRACE_BASED)
		return span->flags & SPAN_FLAG_SAMPLED;
	return metrics->filter == METRIC_EXEMPLAR_ALWAYS_ON;
}

/*
 * Amounts of money have to add up: what a sum in doubles leaves out is added up beside it (Neumaier, 1974). The sum of a set is value + rest.
 */
static void sum_add(struct metric_set *set, double value)
{
	double sum = set->value + value;

	set->rest +=
	    fabs(set->value) >= fabs(value) ? set->value - sum + value : value - sum + set->value;
	set->value = sum;
}

static void histogram_add(const struct instrument *instrument, struct metric_set *set, double value,
    const struct span *span)
{
	const struct metric_desc *desc = &instrument->desc;
	size_t i = 0;

	while (i < desc->n_bounds && value > desc->bounds[i])
		i++;
	sum_add(set, value);
	set->count++;
	set->buckets[i]++;
	if (value < set->min)
		set->min = value;
	if (value > set->max)
		set->max = value;
	if (set->exponential)
		metric_exponential_record(set->exponential, value);
	if (span && may_be_exemplar(instrument->metrics, span))
		set->exemplars[i] = (struct metric_exemplar){.present = true,
		    .value = value,
		    .time_ns = span->end_ns,
		    .trace_id = span->trace_id,
		    .span_id = span->span_id};
}

/* Can it be recorded? */
static bool is_good(const struct instrument *instrument, double value)
{
	enum metric_type type = instrument->desc.type;

	return type == METRIC_GAUGE || (isfinite(value) && (value >= 0 || type == METRIC_UPDOWN));
}

static void add(const struct instrument *instrument, struct metric_set *set,
    const struct metric_value *value, const struct span *span)
{
	if (instrument->desc.type == METRIC_HISTOGRAM)
		histogram_add(instrument, set, value->value, span);
	else if (instrument->desc.type == METRIC_GAUGE)
		set->value = value->value;
	else if (!instrument->desc.n_parts)
		sum_add(set, value->value);
	else
		for (size_t i = 0; i < instrument->desc.n_parts; i++)
			set->parts[i] += value->parts[i];
}

/* Record them, under the lock; how many were. */
static size_t record_all(const struct metric_value *values, size_t n, struct service *service,
    const struct attr *attrs, size_t n_attrs, const struct span *span)
{
	struct metric_set *first = NULL, *set;
	size_t recorded = 0;

	if (is_good(values[0].instrument, values[0].value))
		first = find_or_add(values[0].instrument, service, attrs, n_attrs, span);
	if (!first)
		return 0;
	add(values[0].instrument, first, &values[0], span);
	recorded++;
	for (size_t i = 1; i < n; i++) {
		struct instrument *instrument = values[i].instrument;

		if (!is_good(instrument, values[i].value))
			continue;
		set = find_or_add_like(
		    instrument, first, first == values[0].instrument->overflow, span);
		if (!set)
			continue;
		add(instrument, set, &values[i], span);
		recorded++;
	}
	return recorded;
}

void metric_record_together(const struct metric_value *values, size_t n, struct service *service,
    const struct attr *attrs, size_t n_attrs, const struct span *exemplar_of)
{
	struct metrics *metrics = values[0].instrument->metrics;

	pthread_mutex_lock(&metrics->lock);
	metrics->lost_records += n - record_all(values, n, service, attrs, n_attrs, exemplar_of);
	pthread_mutex_unlock(&metrics->lock);
}

void metric_record(struct instrument *instrument, struct service *service, const struct attr *attrs,
    size_t n_attrs, double value, const struct span *exemplar_of)
{
	const struct metric_value one = {.instrument = instrument, .value = value};

	metric_record_together(&one, 1, service, attrs, n_attrs, exemplar_of);
}

void metric_set_of(struct instrument *instrument, struct service *service, const struct attr *attrs,
    size_t n_attrs, double value)
{
	struct metrics *metrics = instrument->metrics;
	struct metric_set *set;

	pthread_mutex_lock(&metrics->lock);
	instrument->observed = true;
	set = find_or_add(instrument, service, attrs, n_attrs, NULL);
	if (set) {
		set->value = value;
		set->rest = 0;
	} else
		metrics->lost_records++;
	pthread_mutex_unlock(&metrics->lock);
}

void metric_set(
    struct instrument *instrument, const struct attr *attrs, size_t n_attrs, double value)
{
	metric_set_of(instrument, NULL, attrs, n_attrs, value);
}

static void forget_in(struct instrument *instrument, const struct service *service)
{
	list_for_each (link, &instrument->order) {
		struct metric_set *set = container_of(link, struct metric_set, link);

		if (set == instrument->overflow || set->key->service != service)
			continue;
		hmap_remove(&instrument->sets, &set->node);
		if (instrument->recent == set)
			instrument->recent = NULL;
		set_free(set);
	}
}

void metrics_forget_service(struct metrics *metrics, const struct service *service)
{
	if (!service)
		return;
	pthread_mutex_lock(&metrics->lock);
	list_for_each (link, &metrics->instruments)
		forget_in(container_of(link, struct instrument, link), service);
	pthread_mutex_unlock(&metrics->lock);
}

/* --- life cycle ------------------------------------------------------------------------------ */

struct metrics *metrics_new(void)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return NULL;
	pthread_mutex_init(&metrics->lock, NULL);
	list_init(&metrics->instruments);
	return metrics;
}

void metrics_set_exemplar_filter(struct metrics *metrics, enum metric_exemplar_filter filter)
{
	pthread_mutex_lock(&metrics->lock);
	metrics->filter = filter;
	pthread_mutex_unlock(&metrics->lock);
}

void metrics_keep_exponential(struct metrics *metrics)
{
	pthread_mutex_lock(&metrics->lock);
	metrics->keep_exponential = true;
	pthread_mutex_unlock(&metrics->lock);
}

static struct instrument *instrument_find(struct metrics *metrics, const char *name)
{
	struct instrument *found = NULL;

	pthread_mutex_lock(&metrics->lock);
	list_for_each (link, &metrics->instruments) {
		struct instrument *instrument = container_of(link, struct instrument, link);

		if (strcmp(instrument->desc.name, name) == 0)
			found = instrument;
	}
	pthread_mutex_unlock(&metrics->lock);
	return found;
}

static bool reads_alike(struct sv a, struct sv b)
{
	for (size_t i = 0; i < a.len && i < b.len; i++)
		if (a.p[i] != b.p[i] && (a.p[i] != '.' || b.p[i] != '_') &&
		    (a.p[i] != '_' || b.p[i] != '.'))
			return false;
	return a.len == b.len;
}

const char *metrics_find_alike(const struct metrics *metrics, const char *name)
{
	list_for_each (link, &metrics->instruments) {
		const struct instrument *instrument = container_of(link, struct instrument, link);

		if (reads_alike(sv_cstr(instrument->desc.name), sv_cstr(name)))
			return instrument->desc.name;
	}
	return NULL;
}

struct instrument *metrics_add(struct metrics *metrics, const struct metric_desc *desc)
{
	struct instrument *instrument = instrument_find(metrics, desc->name);

	if (instrument)
		return instrument;
	instrument = calloc(1, sizeof(*instrument));
	if (!instrument)
		return NULL;
	instrument->metrics = metrics;
	instrument->desc = *desc;
	if (!desc->max_sets)
		instrument->desc.max_sets = METRIC_MAX_SETS;
	hmap_init(&instrument->sets);
	list_init(&instrument->order);
	pthread_mutex_lock(&metrics->lock);
	list_add_tail(&metrics->instruments, &instrument->link);
	metrics->n_instruments++;
	pthread_mutex_unlock(&metrics->lock);
	return instrument;
}

static void instrument_free(struct instrument *instrument)
{
	list_for_each (link, &instrument->order)
		set_free(container_of(link, struct metric_set, link));
	hmap_release(&instrument->sets);
	list_remove(&instrument->link);
	free(instrument);
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	list_for_each (link, &metrics->instruments)
		instrument_free(container_of(link, struct instrument, link));
	pthread_mutex_destroy(&metrics->lock);
	free(metrics);
}
