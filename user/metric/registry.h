/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the metric registry, shared by metrics.c (life), registry.c (writing), snapshot.c (reading) and ended.c (what stays of
 * services that are gone) only.
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
	struct instrument *instrument;          /* whose it is */
	/* Once its service has ended it is in no table any more. */
	struct list ended; /* in metrics.ended */
	uint64_t ended_ns; /* monotonic; 0: it lives */
	uint32_t unread;   /* bit n: reader n has not had it since; not 0 */
};

struct instrument {
	struct metrics *metrics;
	struct list link; /* in metrics.instruments */
	struct metric_desc desc;
	struct hmap sets;
	struct list order; /* every set, the overflow set and those that ended, too, oldest first */
	size_t n_ended;
	struct metric_set *overflow;
	bool observed;             /* set by metric_set() or metric_set_of() */
	struct metric_set *recent; /* the one that was used last; NULL: none */
};

struct metric_reader {
	enum metric_reader_kind kind; /* invalid: there is none of this number */
	bool came;                    /* has read */
	uint64_t keep_ns;
};

struct metrics {
	pthread_mutex_t lock; /* guards everything below */
	struct list instruments;
	size_t n_instruments;
	enum metric_exemplar_filter filter;
	enum metric_exemplar_filter at_record; /* what of it is done when a value is recorded */
	bool deferred;                         /* sampled spans are offered later */
	bool keep_exponential;
	struct list ended; /* sets, oldest end first */
	size_t n_ended;
	struct metric_reader readers[METRIC_MAX_READERS];
	uint64_t lost_records, late_records, unread_sets;
};

struct metric_key *metric_key_ref(struct metric_key *key);
void metric_key_unref(struct metric_key *key);

/* Is it a total, of which what is missing is missed? The others tell a present state. */
static inline bool metric_counts(const struct instrument *instrument)
{
	return instrument->desc.type == METRIC_COUNTER || instrument->desc.type == METRIC_HISTOGRAM;
}

/* Free a set that is in no table, under the lock. */
void metric_set_free(struct metric_set *set);

/* Free the ended sets for which it is too late, or which are too many, under the lock. */
void metric_ended_expire(struct metrics *metrics, uint64_t now_ns);

#endif
