// SPDX-License-Identifier: Apache-2.0
/* Grouping of metric points by service and family, a counting sort; see otlp_metric_batch.h. */
#include "export/otlp_metric_batch.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* A point's place before sorting. */
struct place {
	size_t group;
	const struct metric_family *family;
};

static size_t count_points(const struct metric_snapshot *snapshot)
{
	size_t n = 0;

	for (size_t f = 0; f < snapshot->n_families; f++)
		n += snapshot->families[f].n_points;
	return n;
}

/* Neighbours mostly share a service: the last hit is tried first. */
static size_t group_of(struct otlp_metric_batch *batch, const struct service *service, size_t hint)
{
	if (hint < batch->n_groups && batch->groups[hint].service == service)
		return hint;
	for (size_t i = 0; i < batch->n_groups; i++)
		if (batch->groups[i].service == service)
			return i;
	batch->groups[batch->n_groups] = (struct otlp_metric_group){.service = service};
	return batch->n_groups++;
}

static void assign_groups(struct otlp_metric_batch *batch, const struct metric_snapshot *snapshot,
    const struct service *own, struct place *places)
{
	size_t hint = 0, k = 0;

	for (size_t f = 0; f < snapshot->n_families; f++) {
		const struct metric_family *family = &snapshot->families[f];

		for (size_t i = 0; i < family->n_points; i++) {
			const struct service *service = family->points[i].service;

			hint = group_of(batch, service ? service : own, hint);
			batch->groups[hint].n_points++;
			places[k++] = (struct place){hint, family};
		}
	}
}

static struct otlp_metric_run run_of(const struct metric_family *family, size_t first)
{
	struct otlp_metric_run run = {.family = family,
	    .temporality = family->delta ? OTLP_DELTA : OTLP_CUMULATIVE,
	    .first = first};

	switch (family->desc.type) {
	case METRIC_COUNTER:
		run.form = OTLP_FORM_SUM;
		run.monotonic = true;
		break;
	case METRIC_UPDOWN:
		run.form = OTLP_FORM_SUM;
		break;
	case METRIC_HISTOGRAM:
		run.form = OTLP_FORM_EXPONENTIAL;
		break;
	case METRIC_GAUGE:
	case METRIC_TYPE_INVALID:
		run.form = OTLP_FORM_GAUGE;
		break;
	}
	return run;
}

/* Points of a group arrive family after family. first_run is the index of its first point, too. */
static void place_point(struct otlp_metric_batch *batch, struct otlp_metric_group *group,
    const struct metric_family *family, const struct metric_point *point)
{
	struct otlp_metric_run *run = &batch->runs[group->first_run + group->n_runs];
	size_t at = group->first_run + group->n_points++;

	if (group->n_runs == 0 || run[-1].family != family) {
		*run = run_of(family, at);
		group->n_runs++;
	} else {
		run--;
	}
	run->n_points++;
	if (run->form == OTLP_FORM_EXPONENTIAL && !point->exponential)
		run->form = OTLP_FORM_HISTOGRAM;
	batch->points[at] = point;
}

/* A group has at most as many runs as points, so its first run may have the place of its first point. */
static void sort_points(struct otlp_metric_batch *batch, const struct metric_snapshot *snapshot,
    const struct place *places)
{
	size_t first = 0, k = 0;

	for (size_t g = 0; g < batch->n_groups; g++) {
		batch->groups[g].first_run = first;
		first += batch->groups[g].n_points;
		batch->groups[g].n_points = 0; /* counts up again below */
	}
	for (size_t f = 0; f < snapshot->n_families; f++) {
		for (size_t i = 0; i < snapshot->families[f].n_points; i++) {
			const struct place *place = &places[k++];
			struct otlp_metric_group *group = &batch->groups[place->group];

			place_point(batch, group, place->family, &snapshot->families[f].points[i]);
		}
	}
	for (size_t g = 0; g < batch->n_groups; g++)
		batch->n_runs += batch->groups[g].n_runs;
}

int otlp_metric_batch_init(struct otlp_metric_batch *batch, const struct metric_snapshot *snapshot,
    const struct service *own)
{
	size_t n = count_points(snapshot);
	struct place *places;

	*batch = (struct otlp_metric_batch){.n_points = n, .time_ns = snapshot->time_ns};
	batch->groups = malloc(1 +
	    n *
		(sizeof(*batch->groups) + sizeof(*batch->runs) + sizeof(*batch->points) +
		    sizeof(*places)));
	if (!batch->groups)
		return -ENOMEM;
	batch->runs = (struct otlp_metric_run *)(batch->groups + n);
	places = (struct place *)(batch->runs + n);
	batch->points = (const struct metric_point **)(places + n);
	assign_groups(batch, snapshot, own, places);
	sort_points(batch, snapshot, places);
	return 0;
}

void otlp_metric_batch_release(struct otlp_metric_batch *batch)
{
	free(batch->groups);
	*batch = (struct otlp_metric_batch){0};
}

bool otlp_point_has_extremes(const struct metric_point *point)
{
	return point->count > 0 && !isnan(point->min) && !isnan(point->max);
}

size_t otlp_point_exemplars(const struct otlp_metric_run *run, const struct metric_point *point)
{
	size_t n = 0;

	if (run->family->desc.type != METRIC_HISTOGRAM)
		return 0;
	for (size_t i = 0; i <= run->family->desc.n_bounds; i++)
		n += point->exemplars[i].present;
	return n;
}

uint64_t otlp_exemplar_ns(
    const struct metric_exemplar *exemplar, const struct metric_point *point, uint64_t time_ns)
{
	uint64_t ns = exemplar->time_ns;

	if (ns <= point->start_ns)
		ns = point->start_ns + 1;
	return ns > time_ns ? time_ns : ns;
}
