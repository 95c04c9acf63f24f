// SPDX-License-Identifier: Apache-2.0
/* The registry and its instruments, made and freed, and how they record; see metric.h. */
#include <stdlib.h>
#include <string.h>

#include "metric/registry.h"

struct metrics *metrics_new(void)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return NULL;
	pthread_mutex_init(&metrics->lock, NULL);
	list_init(&metrics->instruments);
	list_init(&metrics->ended);
	return metrics;
}

/* Under the lock: what can be done of the filter when a value is recorded. */
static void choose_at_record(struct metrics *metrics)
{
	metrics->at_record = metrics->filter;
	if (metrics->deferred && metrics->filter == METRIC_EXEMPLAR_TRACE_BASED)
		metrics->at_record = METRIC_EXEMPLAR_ALWAYS_OFF;
}

void metrics_set_exemplar_filter(struct metrics *metrics, enum metric_exemplar_filter filter)
{
	pthread_mutex_lock(&metrics->lock);
	metrics->filter = filter;
	choose_at_record(metrics);
	pthread_mutex_unlock(&metrics->lock);
}

void metrics_defer_exemplars(struct metrics *metrics, bool deferred)
{
	pthread_mutex_lock(&metrics->lock);
	metrics->deferred = deferred;
	choose_at_record(metrics);
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

void metrics_each(const struct metrics *metrics,
    void (*visit)(void *ctx, const struct metric_desc *desc), void *ctx)
{
	list_for_each (link, &metrics->instruments)
		visit(ctx, &container_of(link, struct instrument, link)->desc);
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
		metric_set_free(container_of(link, struct metric_set, link));
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
