// SPDX-License-Identifier: Apache-2.0
/*
 * Metrics as OTLP in protobuf (opentelemetry-proto v1.11.0). Pure.
 *
 * As for spans (otlp_protobuf.c), protobuf-c packs a tree of message structs that lie in one arena, whose size is known
 * from the numbers of groups, runs, points, exemplars and attributes.
 */
#include <stdlib.h>

#include "export/exporters.h"
#include "export/otlp_batch.h"
#include "export/otlp_metric_batch.h"
#include "export/otlp_resource.h"
#include "otlp_metrics.pb-c.h"

typedef Opentelemetry__Proto__Exemplar pb_exemplar;
typedef Opentelemetry__Proto__NumberDataPoint pb_number;
typedef Opentelemetry__Proto__HistogramDataPoint pb_histogram_point;
typedef Opentelemetry__Proto__Buckets pb_buckets;
typedef Opentelemetry__Proto__ExponentialHistogramDataPoint pb_exponential_point;
typedef Opentelemetry__Proto__Metric pb_metric;
typedef Opentelemetry__Proto__InstrumentationScope pb_scope;
typedef Opentelemetry__Proto__ScopeMetrics pb_scope_metrics;
typedef Opentelemetry__Proto__ResourceMetrics pb_resource_metrics;
typedef Opentelemetry__Proto__ExportMetricsServiceRequest pb_request;
typedef ProtobufCBinaryData pb_bytes;

struct group_cells {
	pb_resource_metrics resource_metrics;
	Opentelemetry__Proto__Resource resource;
	pb_scope_metrics scope_metrics;
	pb_scope_metrics *scope_metrics_list[1];
};

struct run_cells {
	pb_metric metric;
	union {
		Opentelemetry__Proto__Gauge gauge;
		Opentelemetry__Proto__Sum sum;
		Opentelemetry__Proto__Histogram histogram;
		Opentelemetry__Proto__ExponentialHistogram exponential;
	} data;
};

struct point_cells {
	union {
		pb_number number;
		pb_histogram_point histogram;
		pb_exponential_point exponential;
	} point;
	pb_buckets positive;
};

/* What the encoding of a batch goes on with. */
struct encoding {
	const struct otlp_metric_batch *batch;
	const struct clock_base *clock;
	pb_scope scope;
	/* One block of memory; the typed pointers point at what is still free of each kind. Lists of points are of
	 * pointers to one type each, all of one size. */
	void *memory;
	struct group_cells *groups;
	struct run_cells *runs;
	struct point_cells *points;
	pb_exemplar *exemplars;
	pb_resource_metrics **group_list;
	pb_metric **run_list;
	void **point_list;
	pb_exemplar **exemplar_list;
	struct otlp_packer packer;
};

/* protobuf-c declares what it only reads as writable. */
static void *borrowed(const void *p)
{
	return (void *)(uintptr_t)p;
}

static pb_bytes to_bytes(const void *p, size_t len)
{
	return (pb_bytes){.len = len, .data = borrowed(p)};
}

/* --- room ------------------------------------------------------------------------------------ */

struct room {
	size_t exemplars;
	struct otlp_room attrs;
};

static void need_run(
    struct room *room, const struct otlp_metric_batch *batch, const struct otlp_metric_run *run)
{
	for (size_t i = 0; i < run->n_points; i++) {
		const struct metric_point *point = batch->points[run->first + i];

		room->exemplars += otlp_point_exemplars(run, point);
		otlp_room_add(&room->attrs, point->attrs, point->n_attrs);
		if (point->part.key)
			otlp_room_add(&room->attrs, &point->part, 1);
	}
}

static struct room measure(const struct otlp_metric_batch *batch)
{
	struct room room = {0};

	for (size_t g = 0; g < batch->n_groups; g++) {
		const struct otlp_metric_group *group = &batch->groups[g];

		otlp_room_add_resource(&room.attrs, group->service);
		for (size_t i = 0; i < group->n_runs; i++)
			need_run(&room, batch, &batch->runs[group->first_run + i]);
	}
	return room;
}

/* Returns 0, or -1 without memory. */
static int make_room(struct encoding *e)
{
	size_t groups = e->batch->n_groups, runs = e->batch->n_runs, points = e->batch->n_points;
	struct room room = measure(e->batch);

	e->memory = malloc(groups * (sizeof(*e->groups) + sizeof(*e->group_list)) +
	    runs * (sizeof(*e->runs) + sizeof(*e->run_list)) +
	    points * (sizeof(*e->points) + sizeof(*e->point_list)) +
	    room.exemplars * (sizeof(*e->exemplars) + sizeof(*e->exemplar_list)) +
	    room.attrs.attrs * sizeof(*e->packer.list) + room.attrs.bytes + 1);
	if (!e->memory)
		return -1;
	e->groups = e->memory;
	e->runs = (struct run_cells *)(e->groups + groups);
	e->points = (struct point_cells *)(e->runs + runs);
	e->exemplars = (pb_exemplar *)(e->points + points);
	e->group_list = (pb_resource_metrics **)(e->exemplars + room.exemplars);
	e->run_list = (pb_metric **)(e->group_list + groups);
	e->point_list = (void **)(e->run_list + runs);
	e->exemplar_list = (pb_exemplar **)(e->point_list + points);
	e->packer.list = (pb_bytes *)(e->exemplar_list + room.exemplars);
	e->packer.bytes = (uint8_t *)(e->packer.list + room.attrs.attrs);
	return 0;
}

/* --- points ---------------------------------------------------------------------------------- */

/* Returns their number; the list begins where e->packer.list was. */
static size_t add_point_attrs(struct encoding *e, const struct metric_point *point)
{
	otlp_packer_add(&e->packer, point->attrs, point->n_attrs);
	if (!point->part.key)
		return point->n_attrs;
	otlp_packer_add(&e->packer, &point->part, 1);
	return point->n_attrs + 1;
}

/* Returns their number; the list begins where e->exemplar_list was. */
static size_t add_exemplars(
    struct encoding *e, const struct otlp_metric_run *run, const struct metric_point *point)
{
	size_t n = 0;

	for (size_t i = 0; i <= run->family->desc.n_bounds; i++) {
		const struct metric_exemplar *from = &point->exemplars[i];

		if (!from->present)
			continue;
		opentelemetry__proto__exemplar__init(e->exemplars);
		e->exemplars->time_unix_nano =
		    clock_wall_ns(e->clock, otlp_exemplar_ns(from, point, e->batch->time_ns));
		e->exemplars->value_case = OPENTELEMETRY__PROTO__EXEMPLAR__VALUE_AS_DOUBLE;
		e->exemplars->as_double = from->value;
		e->exemplars->span_id = to_bytes(from->span_id.b, sizeof(from->span_id.b));
		e->exemplars->trace_id = to_bytes(from->trace_id.b, sizeof(from->trace_id.b));
		*e->exemplar_list++ = e->exemplars++;
		n++;
	}
	return n;
}

static void add_number(
    struct encoding *e, const struct otlp_metric_run *run, const struct metric_point *point)
{
	pb_number *to = &e->points->point.number;

	opentelemetry__proto__number_data_point__init(to);
	/* A gauge's value is of one moment. */
	if (run->form == OTLP_FORM_SUM)
		to->start_time_unix_nano = clock_wall_ns(e->clock, point->start_ns);
	to->time_unix_nano = clock_wall_ns(e->clock, e->batch->time_ns);
	to->value_case = OPENTELEMETRY__PROTO__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
	to->as_double = point->value;
	to->attributes = e->packer.list;
	to->n_attributes = add_point_attrs(e, point);
}

static void add_histogram(
    struct encoding *e, const struct otlp_metric_run *run, const struct metric_point *point)
{
	const struct metric_desc *desc = &run->family->desc;
	pb_histogram_point *to = &e->points->point.histogram;

	opentelemetry__proto__histogram_data_point__init(to);
	to->start_time_unix_nano = clock_wall_ns(e->clock, point->start_ns);
	to->time_unix_nano = clock_wall_ns(e->clock, e->batch->time_ns);
	to->count = point->count;
	to->sum_opt_case = OPENTELEMETRY__PROTO__HISTOGRAM_DATA_POINT__SUM_OPT_SUM;
	to->sum = point->value;
	to->bucket_counts = point->buckets;
	to->n_bucket_counts = desc->n_bounds + 1;
	to->explicit_bounds = borrowed(desc->bounds);
	to->n_explicit_bounds = desc->n_bounds;
	to->exemplars = e->exemplar_list;
	to->n_exemplars = add_exemplars(e, run, point);
	to->attributes = e->packer.list;
	to->n_attributes = add_point_attrs(e, point);
	if (!otlp_point_has_extremes(point))
		return;
	to->min_opt_case = OPENTELEMETRY__PROTO__HISTOGRAM_DATA_POINT__MIN_OPT_MIN;
	to->min = point->min;
	to->max_opt_case = OPENTELEMETRY__PROTO__HISTOGRAM_DATA_POINT__MAX_OPT_MAX;
	to->max = point->max;
}

static void add_exponential(
    struct encoding *e, const struct otlp_metric_run *run, const struct metric_point *point)
{
	const struct metric_exponential *from = point->exponential;
	pb_exponential_point *to = &e->points->point.exponential;

	opentelemetry__proto__exponential_histogram_data_point__init(to);
	to->start_time_unix_nano = clock_wall_ns(e->clock, point->start_ns);
	to->time_unix_nano = clock_wall_ns(e->clock, e->batch->time_ns);
	to->count = point->count;
	to->sum_opt_case = OPENTELEMETRY__PROTO__EXPONENTIAL_HISTOGRAM_DATA_POINT__SUM_OPT_SUM;
	to->sum = point->value;
	to->scale = from->scale;
	to->zero_count = from->zero_count;
	if (from->n) {
		opentelemetry__proto__buckets__init(&e->points->positive);
		e->points->positive.offset = from->offset;
		e->points->positive.bucket_counts = from->counts;
		e->points->positive.n_bucket_counts = from->n;
		to->positive = &e->points->positive;
	}
	to->exemplars = e->exemplar_list;
	to->n_exemplars = add_exemplars(e, run, point);
	to->attributes = e->packer.list;
	to->n_attributes = add_point_attrs(e, point);
	if (!otlp_point_has_extremes(point))
		return;
	to->min_opt_case = OPENTELEMETRY__PROTO__EXPONENTIAL_HISTOGRAM_DATA_POINT__MIN_OPT_MIN;
	to->min = point->min;
	to->max_opt_case = OPENTELEMETRY__PROTO__EXPONENTIAL_HISTOGRAM_DATA_POINT__MAX_OPT_MAX;
	to->max = point->max;
}

/* Returns the list of the run's points. */
static void *add_points(struct encoding *e, const struct otlp_metric_run *run)
{
	void **list = e->point_list;

	for (size_t i = 0; i < run->n_points; i++) {
		const struct metric_point *point = e->batch->points[run->first + i];

		if (run->form == OTLP_FORM_HISTOGRAM)
			add_histogram(e, run, point);
		else if (run->form == OTLP_FORM_EXPONENTIAL)
			add_exponential(e, run, point);
		else
			add_number(e, run, point);
		*e->point_list++ = e->points++;
	}
	return list;
}

/* --- envelopes ------------------------------------------------------------------------------- */

static void set_sum(struct run_cells *to, const struct otlp_metric_run *run, void *points)
{
	opentelemetry__proto__sum__init(&to->data.sum);
	to->data.sum.data_points = points;
	to->data.sum.n_data_points = run->n_points;
	to->data.sum.aggregation_temporality = run->temporality;
	to->data.sum.is_monotonic = run->monotonic;
	to->metric.data_case = OPENTELEMETRY__PROTO__METRIC__DATA_SUM;
	to->metric.sum = &to->data.sum;
}

static void set_gauge(struct run_cells *to, const struct otlp_metric_run *run, void *points)
{
	opentelemetry__proto__gauge__init(&to->data.gauge);
	to->data.gauge.data_points = points;
	to->data.gauge.n_data_points = run->n_points;
	to->metric.data_case = OPENTELEMETRY__PROTO__METRIC__DATA_GAUGE;
	to->metric.gauge = &to->data.gauge;
}

static void set_histogram(struct run_cells *to, const struct otlp_metric_run *run, void *points)
{
	opentelemetry__proto__histogram__init(&to->data.histogram);
	to->data.histogram.data_points = points;
	to->data.histogram.n_data_points = run->n_points;
	to->data.histogram.aggregation_temporality = run->temporality;
	to->metric.data_case = OPENTELEMETRY__PROTO__METRIC__DATA_HISTOGRAM;
	to->metric.histogram = &to->data.histogram;
}

static void set_exponential(struct run_cells *to, const struct otlp_metric_run *run, void *points)
{
	opentelemetry__proto__exponential_histogram__init(&to->data.exponential);
	to->data.exponential.data_points = points;
	to->data.exponential.n_data_points = run->n_points;
	to->data.exponential.aggregation_temporality = run->temporality;
	to->metric.data_case = OPENTELEMETRY__PROTO__METRIC__DATA_EXPONENTIAL_HISTOGRAM;
	to->metric.exponential_histogram = &to->data.exponential;
}

static void add_run(struct encoding *e, const struct otlp_metric_run *run)
{
	const struct metric_desc *desc = &run->family->desc;
	struct run_cells *to = e->runs++;
	void *points = add_points(e, run);

	opentelemetry__proto__metric__init(&to->metric);
	to->metric.name = borrowed(desc->name);
	to->metric.unit = borrowed(desc->unit ? desc->unit : "");
	to->metric.description = borrowed(desc->description ? desc->description : "");
	switch (run->form) {
	case OTLP_FORM_SUM:
		set_sum(to, run, points);
		break;
	case OTLP_FORM_HISTOGRAM:
		set_histogram(to, run, points);
		break;
	case OTLP_FORM_EXPONENTIAL:
		set_exponential(to, run, points);
		break;
	case OTLP_FORM_GAUGE:
	case OTLP_FORM_INVALID:
		set_gauge(to, run, points);
		break;
	}
	*e->run_list++ = &to->metric;
}

static void add_group(struct encoding *e, const struct otlp_metric_group *group)
{
	struct group_cells *to = e->groups++;

	opentelemetry__proto__resource_metrics__init(&to->resource_metrics);
	opentelemetry__proto__scope_metrics__init(&to->scope_metrics);
	otlp_packer_resource(&e->packer, group->service, &to->resource);
	to->scope_metrics.scope = &e->scope;
	to->scope_metrics.schema_url = borrowed(OTLP_SCHEMA_URL);
	to->scope_metrics.n_metrics = group->n_runs;
	to->scope_metrics.metrics = e->run_list;
	for (size_t i = 0; i < group->n_runs; i++)
		add_run(e, &e->batch->runs[group->first_run + i]);
	to->scope_metrics_list[0] = &to->scope_metrics;
	to->resource_metrics.resource = &to->resource;
	to->resource_metrics.n_scope_metrics = 1;
	to->resource_metrics.scope_metrics = to->scope_metrics_list;
	to->resource_metrics.schema_url = borrowed(OTLP_SCHEMA_URL);
	*e->group_list++ = &to->resource_metrics;
}

/* Append the request. False without memory. */
static bool encode_batch(struct encoding *e, struct buf *out)
{
	pb_request request = OPENTELEMETRY__PROTO__EXPORT_METRICS_SERVICE_REQUEST__INIT;

	if (make_room(e))
		return false;
	request.n_resource_metrics = e->batch->n_groups;
	request.resource_metrics = e->group_list;
	for (size_t g = 0; g < e->batch->n_groups; g++)
		add_group(e, &e->batch->groups[g]);
	if (buf_reserve(out, protobuf_c_message_get_packed_size(&request.base)) == 0) {
		out->len += protobuf_c_message_pack(&request.base, (uint8_t *)out->data + out->len);
		out->data[out->len] = '\0';
	}
	free(e->memory);
	return !out->failed;
}

size_t encode_otlp_metrics_protobuf(struct buf *out, const struct metric_snapshot *snapshot,
    const struct service *own, const struct clock_base *clock)
{
	struct otlp_metric_batch batch;
	struct encoding encoding = {.batch = &batch,
	    .clock = clock,
	    .scope = OPENTELEMETRY__PROTO__INSTRUMENTATION_SCOPE__INIT};
	size_t n;

	if (otlp_metric_batch_init(&batch, snapshot, own)) {
		out->failed = true;
		return 0;
	}
	encoding.scope.name = borrowed(OTLP_SCOPE_NAME);
	encoding.scope.version = borrowed(ZEROSPAN_VERSION);
	n = batch.n_points;
	if (!encode_batch(&encoding, out)) {
		out->failed = true;
		n = 0;
	}
	otlp_metric_batch_release(&batch);
	return n;
}
