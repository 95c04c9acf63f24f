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

static struct metric_set *set_new(struct instrument *instrument, struct service *service,
    const struct attr *attrs, size_t n_attrs)
{
	size_t n = instrument->desc.type == METRIC_HISTOGRAM ? instrument->desc.n_bounds + 1 : 0;
	size_t n_parts = instrument->desc.n_parts;
	struct metric_set *set = calloc(1,
	    sizeof(*set) + n * (sizeof(set->exemplars[0]) + sizeof(set->buckets[0])) +
		n_parts * sizeof(set->parts[0]));

	if (!set)
		return NULL;
	list_init(&set->link);
	set->start_ns = clock_monotonic_ns();
	if (n) {
		set->exemplars = (struct metric_exemplar *)(set + 1);
		set->buckets = (uint64_t *)(set->exemplars + n);
	}
	if (n_parts)
		set->parts = (uint64_t *)(set + 1);
	set->key = key_new(service, attrs, n_attrs);
	if (!set->key) {
		free(set);
		return NULL;
	}
	list_add_tail(&instrument->order, &set->link);
	return set;
}

static struct metric_set *overflow_set(struct instrument *instrument)
{
	static const struct attr mark = {
	    .key = "otel.metric.overflow", .type = ATTR_BOOL, .boolean = true};

	if (!instrument->overflow)
		instrument->overflow = set_new(instrument, NULL, &mark, 1);
	return instrument->overflow;
}

/* The same attributes are recorded many times on end: those of the last time are compared without being hashed. */
static struct metric_set *find_or_add(
    struct instrument *instrument, struct service *service, const struct attr *attrs, size_t n)
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
	if (instrument->sets.count >= METRIC_MAX_SETS)
		return overflow_set(instrument);
	set = set_new(instrument, service, attrs, n);
	if (set && hmap_add(&instrument->sets, hash, &set->node)) {
		set_free(set);
		return NULL;
	}
	instrument->recent = set;
	return set;
}

/* --- recording ------------------------------------------------------------------------------- */

static void histogram_add(
    const struct metric_desc *desc, struct metric_set *set, double value, const struct span *span)
{
	size_t i = 0;

	while (i < desc->n_bounds && value > desc->bounds[i])
		i++;
	if (!set->count || value < set->min)
		set->min = value;
	if (!set->count || value > set->max)
		set->max = value;
	set->value += value;
	set->count++;
	set->buckets[i]++;
	if (span && (span->flags & SPAN_FLAG_SAMPLED))
		set->exemplars[i] = (struct metric_exemplar){.present = true,
		    .value = value,
		    .time_ns = span->end_ns,
		    .trace_id = span->trace_id,
		    .span_id = span->span_id};
}

void metric_record(struct instrument *instrument, struct service *service, const struct attr *attrs,
    size_t n_attrs, double value, const struct span *exemplar_of)
{
	struct metrics *metrics = instrument->metrics;
	const struct metric_desc *desc = &instrument->desc;
	struct metric_set *set = NULL;

	pthread_mutex_lock(&metrics->lock);
	if (desc->type == METRIC_GAUGE ||
	    (isfinite(value) && (value >= 0 || desc->type == METRIC_UPDOWN)))
		set = find_or_add(instrument, service, attrs, n_attrs);
	if (!set)
		metrics->lost_records++;
	else if (desc->type == METRIC_HISTOGRAM)
		histogram_add(desc, set, value, exemplar_of);
	else if (desc->type == METRIC_GAUGE)
		set->value = value;
	else
		set->value += value;
	pthread_mutex_unlock(&metrics->lock);
}

void metric_record_parts(struct instrument *instrument, struct service *service,
    const struct attr *attrs, size_t n_attrs, const uint64_t *values)
{
	struct metrics *metrics = instrument->metrics;
	struct metric_set *set;

	pthread_mutex_lock(&metrics->lock);
	set = find_or_add(instrument, service, attrs, n_attrs);
	for (size_t i = 0; set && i < instrument->desc.n_parts; i++)
		set->parts[i] += values[i];
	if (!set)
		metrics->lost_records++;
	pthread_mutex_unlock(&metrics->lock);
}

void metric_set(
    struct instrument *instrument, const struct attr *attrs, size_t n_attrs, double value)
{
	struct metrics *metrics = instrument->metrics;
	struct metric_set *set;

	pthread_mutex_lock(&metrics->lock);
	instrument->observed = true;
	set = find_or_add(instrument, NULL, attrs, n_attrs);
	if (set)
		set->value = value;
	else
		metrics->lost_records++;
	pthread_mutex_unlock(&metrics->lock);
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

struct instrument *metrics_add(struct metrics *metrics, const struct metric_desc *desc)
{
	struct instrument *instrument = calloc(1, sizeof(*instrument));

	if (!instrument)
		return NULL;
	instrument->metrics = metrics;
	instrument->desc = *desc;
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
