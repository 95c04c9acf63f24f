// SPDX-License-Identifier: Apache-2.0
/* Gauges of what is open; see open_metrics.h. */
#include "collector/open_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "span/frames.h"
#include "span/semconv.h"

#define TEXT_MAX 128

enum {
	OPEN_COUNT = 0,
	OPEN_AGE = 1,
	OPEN_TIME = 2,
	OPEN_METRICS = 3,
};

#define GAUGE(id, of_unit, text)                                                             \
	{                                                                                    \
		.name = (id), .unit = (of_unit), .description = (text), .type = METRIC_GAUGE \
	}

static const struct metric_desc descs[OPEN_METRICS] = {
    [OPEN_COUNT] = GAUGE("zerospan.open_requests", "{request}",
	"Requests that are slow and have not ended, by what their thread waits in."),
    [OPEN_AGE] = GAUGE("zerospan.open_request.age", "s", "Age of the oldest of them."),
    [OPEN_TIME] = GAUGE(
	"zerospan.open_request.time", "s", "Where the time of the oldest of them went so far."),
};

/* Requests of one route that wait in one place. */
struct row {
	struct service *service; /* a reference */
	char method[TEXT_MAX], route[TEXT_MAX], frame[TEXT_MAX];
	double count, age_s;
	struct ledger ledger; /* of the oldest */
};

struct open_metrics {
	struct instrument *instruments[OPEN_METRICS];
	struct row rows[OPEN_METRICS_ROWS];
	size_t n;
};

struct open_metrics *open_metrics_new(struct metrics *metrics)
{
	struct open_metrics *open = calloc(1, sizeof(*open));

	for (int i = 0; open && i < OPEN_METRICS; i++) {
		open->instruments[i] = metrics_add(metrics, &descs[i]);
		if (!open->instruments[i]) {
			free(open);
			return NULL;
		}
	}
	return open;
}

static void forget_rows(struct open_metrics *open)
{
	while (open->n)
		service_unref(open->rows[--open->n].service);
}

void open_metrics_free(struct open_metrics *open)
{
	if (open)
		forget_rows(open);
	free(open);
}

/* --- what is open ------------------------------------------------------------------------------------ */

static void copy(char to[TEXT_MAX], struct sv text)
{
	size_t len = text.len < TEXT_MAX ? text.len : TEXT_MAX - 1;

	len = utf8_valid_prefix(sv_from(text.p, len)); /* not in the middle of a character */
	memcpy(to, text.p, len);
	to[len] = '\0';
}

static void copy_attr(char to[TEXT_MAX], const struct span *span, const char *key)
{
	const struct attr *attr = span_attr(span, key);

	copy(to, attr && attr->type == ATTR_STRING ? attr->string : (struct sv){0});
}

static bool is_same(const struct row *a, const struct row *b)
{
	return a->service == b->service && !strcmp(a->method, b->method) &&
	    !strcmp(a->route, b->route) && !strcmp(a->frame, b->frame);
}

static struct row *row_find(struct open_metrics *open, const struct row *like)
{
	for (size_t i = 0; i < open->n; i++)
		if (is_same(&open->rows[i], like))
			return &open->rows[i];
	return NULL;
}

static void add(void *ctx, const struct span *span)
{
	struct open_metrics *open = ctx;
	struct row row = {.service = span->service}, *known;

	if (span->kind != SPAN_KIND_SERVER)
		return;
	copy_attr(row.method, span, semconv_http_request_method);
	copy_attr(row.route, span, semconv_http_route);
	if (span->wait.place)
		copy(row.frame, frames_own(span->wait.place->user));
	known = row_find(open, &row);
	if (!known && open->n == OPEN_METRICS_ROWS)
		return;
	if (!known) { /* they come oldest first */
		row.age_s = (double)(span->end_ns - span->start_ns) / 1e9;
		row.ledger = span->ledger;
		service_ref(row.service);
		known = &open->rows[open->n++];
		*known = row;
	}
	known->count++;
}

/* --- gauges ------------------------------------------------------------------------------------------- */

static struct attr string_attr(const char *key, const char *value)
{
	return (struct attr){.key = key, .type = ATTR_STRING, .string = sv_cstr(value)};
}

/* over: they are open no more. */
static void record(const struct open_metrics *open, const struct row *row, bool over)
{
	struct attr attrs[4] = {string_attr(semconv_http_request_method, row->method)};
	size_t n = 1;

	if (*row->route)
		attrs[n++] = string_attr(semconv_http_route, row->route);
	if (*row->frame)
		attrs[n++] = string_attr("at", row->frame);
	metric_record(
	    open->instruments[OPEN_COUNT], row->service, attrs, n, over ? 0 : row->count, NULL);
	metric_record(
	    open->instruments[OPEN_AGE], row->service, attrs, n, over ? 0 : row->age_s, NULL);
	for (int i = 0; i < LEDGER_STATES; i++) {
		if (!row->ledger.ns[i])
			continue;
		attrs[n] = string_attr("state", ledger_state_name(i));
		metric_record(open->instruments[OPEN_TIME], row->service, attrs, n + 1,
		    over ? 0 : (double)row->ledger.ns[i] / 1e9, NULL);
	}
}

void open_metrics_update(
    struct open_metrics *open, struct pipeline *pipeline, uint64_t now_ns, uint64_t over_ns)
{
	for (size_t i = 0; i < open->n; i++) {
		const struct row *row = &open->rows[i];

		/* Of a service that has ended all is forgotten: nothing is to come back. */
		if (pipeline_service(pipeline, (uint32_t)row->service->pid) == row->service)
			record(open, row, true);
	}
	forget_rows(open);
	pipeline_each_open(pipeline, now_ns, now_ns > over_ns ? now_ns - over_ns : 0, add, open);
	for (size_t i = 0; i < open->n; i++)
		record(open, &open->rows[i], false);
}
