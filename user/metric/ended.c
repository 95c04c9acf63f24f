// SPDX-License-Identifier: Apache-2.0
/*
 * Sets of services that have ended, and who still has to read them; see metric.h.
 *
 *	instrument.sets    those that live: found by their attributes, bounded by METRIC_MAX_SETS
 *	metrics.ended      those that ended, oldest first: found by nobody, bounded by METRIC_MAX_ENDED
 *	instrument.order   both
 *
 * A process that lives for two seconds is over before the next export. So what it counted last stays for each reader until
 * that has had it: an ended set has a bit for each that has not, and goes with the last one. What does not count but tells a
 * present state goes at once: how much memory a process has that is gone is nothing.
 */
#include "metric/registry.h"

#include <errno.h>

#include "base/clock.h"

/* --- readers --------------------------------------------------------------------------------- */

int metrics_add_reader(struct metrics *metrics, enum metric_reader_kind kind, uint64_t keep_ns)
{
	int found = -E2BIG;

	pthread_mutex_lock(&metrics->lock);
	for (int i = 0; i < METRIC_MAX_READERS && found < 0; i++)
		if (!metrics->readers[i].kind)
			found = i;
	if (found >= 0)
		metrics->readers[found] = (struct metric_reader){.kind = kind, .keep_ns = keep_ns};
	pthread_mutex_unlock(&metrics->lock);
	return found;
}

/* It wants this set no more: with the last one that did, the set goes. */
static void release(struct metric_set *set, int reader)
{
	set->unread &= ~(1u << reader);
	if (!set->unread)
		metric_set_free(set);
}

static void had(struct metrics *metrics, int reader, uint64_t until_ns)
{
	list_for_each (link, &metrics->ended) {
		struct metric_set *set = container_of(link, struct metric_set, ended);

		if (set->ended_ns > until_ns)
			break;
		release(set, reader);
	}
}

void metrics_reader_had(struct metrics *metrics, int reader, uint64_t until_ns)
{
	pthread_mutex_lock(&metrics->lock);
	had(metrics, reader, until_ns);
	pthread_mutex_unlock(&metrics->lock);
}

void metrics_remove_reader(struct metrics *metrics, int reader)
{
	pthread_mutex_lock(&metrics->lock);
	had(metrics, reader, UINT64_MAX);
	metrics->readers[reader] = (struct metric_reader){0};
	pthread_mutex_unlock(&metrics->lock);
}

/* --- those that nobody came for in time ------------------------------------------------------ */

/* Nobody misses it who comes when he likes and never came. */
static bool is_missed(const struct metric_reader *reader)
{
	return reader->kind == METRIC_READER_PERIODIC || reader->came;
}

/* For these readers it is too late. */
static void give_up(struct metrics *metrics, struct metric_set *set, uint32_t readers)
{
	bool missed = false;

	for (int i = 0; i < METRIC_MAX_READERS; i++)
		missed |= readers >> i & 1 && is_missed(&metrics->readers[i]);
	metrics->unread_sets += missed;
	set->unread &= ~readers;
	if (!set->unread)
		metric_set_free(set);
}

/* Those of its readers for whom it was kept long enough. */
static uint32_t impatient(
    const struct metrics *metrics, const struct metric_set *set, uint64_t now_ns)
{
	uint32_t readers = 0;

	for (int i = 0; i < METRIC_MAX_READERS; i++)
		if (now_ns - set->ended_ns > metrics->readers[i].keep_ns)
			readers |= 1u << i;
	return readers & set->unread;
}

void metric_ended_expire(struct metrics *metrics, uint64_t now_ns)
{
	list_for_each (link, &metrics->ended) {
		struct metric_set *set = container_of(link, struct metric_set, ended);
		uint32_t late = metrics->n_ended > METRIC_MAX_ENDED
		    ? set->unread
		    : impatient(metrics, set, now_ns);

		if (late)
			give_up(metrics, set, late);
	}
}

/* --- the beginning and the end of services --------------------------------------------------- */

static uint32_t all_readers(const struct metrics *metrics)
{
	uint32_t readers = 0;

	for (int i = 0; i < METRIC_MAX_READERS; i++)
		if (metrics->readers[i].kind)
			readers |= 1u << i;
	return readers;
}

static void end_set(struct instrument *instrument, struct metric_set *set, uint64_t now_ns)
{
	struct metrics *metrics = instrument->metrics;

	hmap_remove(&instrument->sets, &set->node);
	if (instrument->recent == set)
		instrument->recent = NULL;
	set->unread = metric_counts(instrument) ? all_readers(metrics) : 0;
	if (!set->unread) {
		metric_set_free(set);
		return;
	}
	set->ended_ns = now_ns;
	list_add_tail(&metrics->ended, &set->ended);
	instrument->n_ended++;
	metrics->n_ended++;
}

static void end_in(struct instrument *instrument, const struct service *service, uint64_t now_ns)
{
	list_for_each (link, &instrument->order) {
		struct metric_set *set = container_of(link, struct metric_set, link);

		if (set != instrument->overflow && !set->ended_ns && set->key->service == service)
			end_set(instrument, set, now_ns);
	}
}

void metrics_end_service(struct metrics *metrics, struct service *service)
{
	uint64_t now_ns;

	if (!service)
		return;
	pthread_mutex_lock(&metrics->lock);
	service->ended = true;
	now_ns = clock_monotonic_ns();
	list_for_each (link, &metrics->instruments)
		end_in(container_of(link, struct instrument, link), service, now_ns);
	metric_ended_expire(metrics, now_ns);
	pthread_mutex_unlock(&metrics->lock);
}

static bool is_same(const struct service *a, const struct service *b)
{
	return strcmp(a->instance_id, b->instance_id) == 0 && strcmp(a->name, b->name) == 0;
}

void metrics_begin_service(struct metrics *metrics, const struct service *service)
{
	pthread_mutex_lock(&metrics->lock);
	list_for_each (link, &metrics->ended) {
		struct metric_set *set = container_of(link, struct metric_set, ended);

		if (is_same(set->key->service, service))
			give_up(metrics, set, set->unread);
	}
	pthread_mutex_unlock(&metrics->lock);
}
