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

static inline uint64_t set_hash(const struct service *service, const struct attr *attrs, size_t n)
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

void metric_set_free(struct metric_set *set)
{
	if (set->ended_ns) {
		list_remove(&set->ended);
		set->instrument->n_ended--;
		set->instrument->metrics->n_ended--;
	}
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
	set->instrument = instrument;
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
		metric_set_free(set);
		return NULL;
	}
	instrument->recent = set;
	return set;
}

/* The set with this key, which becomes the recent one; NULL: there is none. */
static inline struct metric_set *find(struct instrument *instrument, const struct service *service,
    const struct attr *attrs, size_t n, uint64_t hash)
{
	hmap_for_each_hash (node, &instrument->sets, hash) {
		struct metric_set *set = container_of(node, struct metric_set, node);

		if (key_matches(set->key, service, attrs, n)) {
			instrument->recent = set;
			return set;
		}
	}
	return NULL;
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
	set = find(instrument, service, attrs, n, hash);
	if (set)
		return set;
	if (instrument->sets.count >= instrument->desc.max_sets)
		return overflow_set(instrument, start_of(span));
	return add_set(instrument, key_new(service, attrs, n), hash, span);
}

/* The set of another instrument of the same event: it shares the key. NULL: there is none. */
static inline struct metric_set *find_like(
    struct instrument *instrument, const struct metric_set *first)
{
	hmap_for_each_hash (node, &instrument->sets, first->node.hash) {
		struct metric_set *set = container_of(node, struct metric_set, node);

		if (set->key == first->key) {
			instrument->recent = set;
			return set;
		}
	}
	return NULL;
}

static struct metric_set *find_or_add_like(struct instrument *instrument,
    const struct metric_set *first, bool overflow, const struct span *span)
{
	struct metric_set *set = instrument->recent;

	if (overflow)
		return overflow_set(instrument, start_of(span));
	if (set && set->key == first->key)
		return set;
	set = find_like(instrument, first);
	return set ? set : add_set(instrument, metric_key_ref(first->key), first->node.hash, span);
}

/* --- recording ------------------------------------------------------------------------------- */

static bool may_be_exemplar(const struct metrics *metrics, const struct span *span)
{
	if (metrics->at_record == METRIC_EXEMPLAR_TRACE_BASED)
		return span->flags & SPAN_FLAG_SAMPLED;
	return metrics->at_record == METRIC_EXEMPLAR_ALWAYS_ON;
}

static size_t bucket_of(const struct metric_desc *desc, double value)
{
	size_t i = 0;

	while (i < desc->n_bounds && value > desc->bounds[i])
		i++;
	return i;
}

static void set_exemplar(
    struct metric_set *set, size_t bucket, double value, const struct span *span)
{
	set->exemplars[bucket] = (struct metric_exemplar){.present = true,
	    .value = value,
	    .time_ns = span->end_ns,
	    .trace_id = span->trace_id,
	    .span_id = span->span_id};
}

/*
 * Amounts of money have to add up: what a sum in doubles leaves out is added up beside it (Neumaier, 1974; found as in Knuth's
 * TwoSum, TAOCP 2, 4.2.2). The sum of a set is value + rest, and stays finite: false, and nothing is added, if it would not.
 */
static bool sum_add(struct metric_set *set, double value)
{
	double sum = set->value + value, taken = sum - set->value;
	double rest = set->rest + (set->value - (sum - taken)) + (value - taken);

	if (!isfinite(sum + rest))
		return false;
	set->value = sum;
	set->rest = rest;
	return true;
}

static bool histogram_add(const struct instrument *instrument, struct metric_set *set, double value,
    const struct span *span)
{
	size_t i = bucket_of(&instrument->desc, value);

	if (!sum_add(set, value))
		return false;
	set->count++;
	set->buckets[i]++;
	if (value < set->min)
		set->min = value;
	if (value > set->max)
		set->max = value;
	if (set->exponential)
		metric_exponential_record(set->exponential, value);
	if (span && may_be_exemplar(instrument->metrics, span))
		set_exemplar(set, i, value, span);
	return true;
}

/* Can it be recorded? */
static bool is_good(const struct instrument *instrument, double value)
{
	enum metric_type type = instrument->desc.type;

	return type == METRIC_GAUGE || (isfinite(value) && (value >= 0 || type == METRIC_UPDOWN));
}

/* False: the sum would be no number any more. */
static bool add(const struct instrument *instrument, struct metric_set *set,
    const struct metric_value *value, const struct span *span)
{
	if (instrument->desc.type == METRIC_HISTOGRAM)
		return histogram_add(instrument, set, value->value, span);
	if (instrument->desc.type == METRIC_GAUGE)
		set->value = value->value;
	else if (!instrument->desc.n_parts)
		return sum_add(set, value->value);
	else
		for (size_t i = 0; i < instrument->desc.n_parts; i++)
			set->parts[i] += value->parts[i];
	return true;
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
	recorded += add(values[0].instrument, first, &values[0], span);
	for (size_t i = 1; i < n; i++) {
		struct instrument *instrument = values[i].instrument;

		if (!is_good(instrument, values[i].value))
			continue;
		set = find_or_add_like(
		    instrument, first, first == values[0].instrument->overflow, span);
		if (!set)
			continue;
		recorded += add(instrument, set, &values[i], span);
	}
	return recorded;
}

/*
 * A service that has ended has no sets, and gets none: they would stay for good, and after an exec beside those of the service that has
 * the same name. How many of the values are counted nowhere for that; a state of what is gone is nothing that is missing.
 */
static size_t too_late(const struct metric_value *values, size_t n)
{
	size_t late = 0;

	for (size_t i = 0; i < n; i++)
		late += metric_counts(values[i].instrument);
	return late;
}

void metric_record_together(const struct metric_value *values, size_t n, struct service *service,
    const struct attr *attrs, size_t n_attrs, const struct span *exemplar_of)
{
	struct metrics *metrics = values[0].instrument->metrics;

	pthread_mutex_lock(&metrics->lock);
	if (service && service->ended)
		metrics->late_records += too_late(values, n);
	else
		metrics->lost_records +=
		    n - record_all(values, n, service, attrs, n_attrs, exemplar_of);
	pthread_mutex_unlock(&metrics->lock);
}

void metric_record(struct instrument *instrument, struct service *service, const struct attr *attrs,
    size_t n_attrs, double value, const struct span *exemplar_of)
{
	const struct metric_value one = {.instrument = instrument, .value = value};

	metric_record_together(&one, 1, service, attrs, n_attrs, exemplar_of);
}

/* A bucket that has counted nothing gets none: the span's end was corrected after it was counted. */
static void offer(const struct instrument *instrument, struct metric_set *set, double value,
    const struct span *span)
{
	size_t i;

	if (!set || instrument->desc.type != METRIC_HISTOGRAM || !is_good(instrument, value))
		return;
	i = bucket_of(&instrument->desc, value);
	if (set->buckets[i])
		set_exemplar(set, i, value, span);
}

/* Offer them to the sets that have counted them, under the lock. */
static void offer_all(const struct metric_value *values, size_t n, const struct service *service,
    const struct attr *attrs, size_t n_attrs, const struct span *span)
{
	struct instrument *instrument = values[0].instrument;
	struct metric_set *first =
	    find(instrument, service, attrs, n_attrs, set_hash(service, attrs, n_attrs));
	bool overflow = !first && instrument->sets.count >= instrument->desc.max_sets;

	if (!first && !overflow)
		return;
	for (size_t i = 0; i < n; i++) {
		instrument = values[i].instrument;
		offer(instrument,
		    overflow ? instrument->overflow
			: i  ? find_like(instrument, first)
			     : first,
		    values[i].value, span);
	}
}

void metric_offer_together(const struct metric_value *values, size_t n, struct service *service,
    const struct attr *attrs, size_t n_attrs, const struct span *exemplar_of)
{
	struct metrics *metrics = values[0].instrument->metrics;

	pthread_mutex_lock(&metrics->lock);
	if (metrics->deferred && metrics->filter == METRIC_EXEMPLAR_TRACE_BASED)
		offer_all(values, n, service, attrs, n_attrs, exemplar_of);
	pthread_mutex_unlock(&metrics->lock);
}

/* Set it, under the lock. */
static void set_value(struct instrument *instrument, struct service *service,
    const struct attr *attrs, size_t n_attrs, double value)
{
	struct metric_set *set = find_or_add(instrument, service, attrs, n_attrs, NULL);

	if (set) {
		set->value = value;
		set->rest = 0;
	} else
		instrument->metrics->lost_records++;
}

void metric_set_of(struct instrument *instrument, struct service *service, const struct attr *attrs,
    size_t n_attrs, double value)
{
	struct metrics *metrics = instrument->metrics;

	pthread_mutex_lock(&metrics->lock);
	instrument->observed = true;
	if (service && service->ended)
		metrics->late_records += metric_counts(instrument);
	else
		set_value(instrument, service, attrs, n_attrs, value);
	pthread_mutex_unlock(&metrics->lock);
}

void metric_set(
    struct instrument *instrument, const struct attr *attrs, size_t n_attrs, double value)
{
	metric_set_of(instrument, NULL, attrs, n_attrs, value);
}
