// SPDX-License-Identifier: Apache-2.0
/* Requests under way; see active_metrics.h. */
#include "collector/active_metrics.h"

#include <stdlib.h>

#include "base/hmap.h"
#include "base/list.h"
#include "span/semconv.h"

static const struct metric_desc desc = {
    .name = "http.server.active_requests",
    .unit = "{request}",
    .description = "Number of active HTTP server requests.",
    .type = METRIC_UPDOWN,
};

/* Requests of one service with one method and scheme. Stays until the service is gone: its set in the registry does as well. */
struct row {
	struct hnode node;        /* in active_metrics.by_request */
	struct list link;         /* in active_metrics.rows */
	struct active_request of; /* the service is a reference */
	uint64_t count, told;     /* now, and what the registry has */
};

struct active_metrics {
	struct instrument *instrument;
	struct hmap by_request;
	struct list rows;
	uint64_t others, others_told; /* for which there is no row */
};

struct active_metrics *active_metrics_new(struct metrics *metrics)
{
	struct active_metrics *active = calloc(1, sizeof(*active));

	if (!active)
		return NULL;
	hmap_init(&active->by_request);
	list_init(&active->rows);
	active->instrument = metrics_add(metrics, &desc);
	if (!active->instrument) {
		active_metrics_free(active);
		return NULL;
	}
	return active;
}

static void row_free(struct active_metrics *active, struct row *row)
{
	hmap_remove(&active->by_request, &row->node);
	list_remove(&row->link);
	service_unref(row->of.service);
	free(row);
}

void active_metrics_free(struct active_metrics *active)
{
	if (!active)
		return;
	list_for_each (at, &active->rows)
		row_free(active, container_of(at, struct row, link));
	hmap_release(&active->by_request);
	free(active);
}

/* --- counting ---------------------------------------------------------------------------------------- */

static uint64_t request_hash(const struct active_request *request)
{
	uint64_t hash = hash_bytes(request->method.p, request->method.len);

	hash = hash_combine(hash, hash_bytes(request->scheme.p, request->scheme.len));
	return hash_combine(hash, (uintptr_t)request->service);
}

static bool is_same(const struct active_request *a, const struct active_request *b)
{
	return a->service == b->service && sv_eq(a->method, b->method) &&
	    sv_eq(a->scheme, b->scheme);
}

/* NULL: no room, or no memory. */
static struct row *row_add(
    struct active_metrics *active, const struct active_request *request, uint64_t hash)
{
	struct row *row = NULL;

	if (active->by_request.count < ACTIVE_METRICS_ROWS)
		row = calloc(1, sizeof(*row));
	if (!row)
		return NULL;
	if (hmap_add(&active->by_request, hash, &row->node)) {
		free(row);
		return NULL;
	}
	list_add_tail(&active->rows, &row->link);
	row->of = *request;
	service_ref(row->of.service);
	return row;
}

static void count(void *ctx, const struct active_request *request)
{
	struct active_metrics *active = ctx;
	uint64_t hash = request_hash(request);
	struct row *row;

	hmap_for_each_hash (node, &active->by_request, hash) {
		row = container_of(node, struct row, node);
		if (is_same(&row->of, request)) {
			row->count++;
			return;
		}
	}
	row = row_add(active, request, hash);
	if (row)
		row->count++;
	else
		active->others++;
}

/* --- telling the registry ---------------------------------------------------------------------------- */

static void tell_row(const struct active_metrics *active, struct row *row)
{
	const struct attr attrs[] = {
	    {.key = semconv_http_request_method, .type = ATTR_STRING, .string = row->of.method},
	    {.key = semconv_url_scheme, .type = ATTR_STRING, .string = row->of.scheme},
	};

	if (row->count != row->told)
		metric_set_of(active->instrument, row->of.service, attrs, 2, (double)row->count);
	row->told = row->count;
}

static void tell_others(struct active_metrics *active)
{
	const struct attr mark = {
	    .key = "otel.metric.overflow", .type = ATTR_BOOL, .boolean = true};

	if (active->others != active->others_told)
		metric_set(active->instrument, &mark, 1, (double)active->others);
	active->others_told = active->others;
}

void active_metrics_update(struct active_metrics *active, const struct pipeline *pipeline)
{
	list_for_each (at, &active->rows) {
		struct row *row = container_of(at, struct row, link);
		uint32_t pid = (uint32_t)row->of.service->pid;

		row->count = 0;
		/* Of a service that has ended the registry has forgotten all: nothing is to come back. */
		if (pipeline_service(pipeline, pid) != row->of.service)
			row_free(active, row);
	}
	active->others = 0;
	pipeline_each_active(pipeline, count, active);
	list_for_each (at, &active->rows)
		tell_row(active, container_of(at, struct row, link));
	tell_others(active);
}
