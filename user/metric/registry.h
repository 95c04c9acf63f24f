/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the metric registry, shared by registry.c (writing) and snapshot.c (reading) only.
 *
 *	metrics ── instrument ── metric_set ── metric_key
 *	            (hash map)     numbers       service, attributes: immutable, counted
 *
 * A key never changes after its set was made, so a snapshot shares it by reference and copies
 * numbers only; that keeps the time under the lock short.
 */
#ifndef ZS_METRIC_REGISTRY_H
#define ZS_METRIC_REGISTRY_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/hmap.h"
#include "base/list.h"
#include "metric/metric.h"

struct metric_key {
	atomic_int refs;
	struct service *service; /* reference held; may be NULL */
	size_t n_attrs;
	struct attr attrs[]; /* followed by the bytes of their strings */
};

struct metric_set {
	struct hnode node;
	struct list link; /* in instrument.order */
	struct metric_key *key;
	double value;                           /* counter, gauge, up-down; histogram: sum */
	double rest;                            /* of the sum, what value is too coarse for */
	uint64_t start_ns;                      /* monotonic: see struct metric_point */
	uint64_t count;                         /* histogram */
	double min, max;                        /* histogram */
	uint64_t *buckets;                      /* histogram: n_bounds + 1; in this allocation */
	struct metric_exemplar *exemplars;      /* histogram: n_bounds + 1; in this allocation */
	struct metric_exponential *exponential; /* histogram: in this allocation; NULL: not kept */
	uint64_t *parts;                        /* divided counter: n_parts; in this allocation */
};

struct instrument {
	struct metrics *metrics;
	struct list link; /* in metrics.instruments */
	struct metric_desc desc;
	struct hmap sets;
	struct list order; /* every set, the overflow set too, oldest first */
	struct metric_set *overflow;
	bool observed;             /* set by metric_set() or metric_set_of() */
	struct metric_set *recent; /* the one that was used last; NULL: none */
};

struct metrics {
	pthread_mutex_t lock; /* guards everything below */
	struct list instruments;
	size_t n_instruments;
	enum metric_exemplar_filter filter;
	bool keep_exponential;
	uint64_t lost_records;
};

struct metric_key *metric_key_ref(struct metric_key *key);
void metric_key_unref(struct metric_key *key);

#endif
