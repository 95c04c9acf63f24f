// SPDX-License-Identifier: Apache-2.0
/* Metrics of exporters from the figures that they keep; see exporter_metrics.h. */
#include "collector/exporter_metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"

enum kind {
	EXPORTED,
	INFLIGHT,
	PROCESSED,
	QUEUE_SIZE,
	QUEUE_CAPACITY,
	KINDS,
};

#define EXPORTER(item, unit_of, plural)                                                                                     \
	[EXPORTED] = {.name = "otel.sdk.exporter." item ".exported",                                                        \
	    .unit = unit_of,                                                                                                \
	    .description = plural                                                                                           \
	    " whose export has ended, each counted once, after the last retry; with error.type those that were not taken.", \
	    .type = METRIC_COUNTER},                                                                                        \
	[INFLIGHT] = {.name = "otel.sdk.exporter." item ".inflight",                                                        \
	    .unit = unit_of,                                                                                                \
	    .description = plural " handed to an exporter, whose export has not ended.",                                    \
	    .type = METRIC_GAUGE}

#define PROCESSOR(item, unit_of, plural)                                                       \
	[PROCESSED] = {.name = "otel.sdk.processor." item ".processed",                        \
	    .unit = unit_of,                                                                   \
	    .description = plural                                                              \
	    " that left an exporter's queue, or (error.type queue_full) found no room in it.", \
	    .type = METRIC_COUNTER},                                                           \
	[QUEUE_SIZE] = {.name = "otel.sdk.processor." item ".queue.size",                      \
	    .unit = unit_of,                                                                   \
	    .description = plural " in an exporter's queue, those in flight included.",        \
	    .type = METRIC_GAUGE},                                                             \
	[QUEUE_CAPACITY] = {.name = "otel.sdk.processor." item ".queue.capacity",              \
	    .unit = unit_of,                                                                   \
	    .description = plural " an exporter's queue holds.",                               \
	    .type = METRIC_GAUGE}

static const struct metric_desc descs[OTLP_SIGNALS][KINDS] = {
    [OTLP_TRACES] = {EXPORTER("span", "{span}", "Spans"), PROCESSOR("span", "{span}", "Spans")},
    [OTLP_METRICS] = {EXPORTER("metric_data_point", "{data_point}", "Data points")},
    [OTLP_LOGS] = {EXPORTER("log", "{log_record}", "Log records"),
	PROCESSOR("log", "{log_record}", "Log records")},
};

/* Of writing to a pipe, and of trying for five minutes. */
static const double duration_bounds[] = {
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};

static const struct metric_desc duration_desc = {
    .name = "otel.sdk.exporter.operation.duration",
    .unit = "s",
    .description =
	"The duration of exporting a batch of telemetry records, with all attempts; with error.type of those that were not taken as a whole.",
    .type = METRIC_HISTOGRAM,
    .bounds = duration_bounds,
    .n_bounds = sizeof(duration_bounds) / sizeof(duration_bounds[0]),
};

struct exporter_metrics {
	struct instrument *of[OTLP_SIGNALS][KINDS]; /* NULL where there is none */
	struct instrument *duration;
	struct list watched;
};

/* --- components ------------------------------------------------------------------------------ */

/* otel.component.*, and room for error.type: without it what went well. */
struct component {
	char type[64], name[96];
	struct attr attrs[3];
};

static void component_init(
    struct component *component, const char *prefix, const char *kind, size_t number)
{
	snprintf(component->type, sizeof(component->type), "%s%s", prefix, kind);
	snprintf(component->name, sizeof(component->name), "%s/%zu", component->type, number);
	component->attrs[0] = (struct attr){
	    .key = "otel.component.name", .type = ATTR_STRING, .string = sv_cstr(component->name)};
	component->attrs[1] = (struct attr){
	    .key = "otel.component.type", .type = ATTR_STRING, .string = sv_cstr(component->type)};
	component->attrs[2] = (struct attr){.key = "error.type", .type = ATTR_STRING};
}

/* The component of an exporter of items: a sink's or reader's name is that of where it goes. */
static void exporter_init(
    struct component *component, const char *name, const char *item, size_t number)
{
	char kind[32];

	snprintf(kind, sizeof(kind), "_%s_exporter", item);
	component_init(component, name, kind, number);
}

static const char *item_name(enum otlp_signal signal)
{
	static const char *const names[OTLP_SIGNALS] = {
	    [OTLP_TRACES] = "span", [OTLP_METRICS] = "metric", [OTLP_LOGS] = "log"};

	return names[signal];
}

/* --- each export ----------------------------------------------------------------------------- */

/* An exporter whose exports are observed, by its own thread. */
struct watched {
	struct list link;
	struct instrument *duration;
	struct component component;
};

static void on_ended(void *ctx, const struct export_operation *operation)
{
	struct watched *watched = ctx;
	struct component *component = &watched->component;

	component->attrs[2].string = sv_cstr(operation->error_type);
	metric_record(watched->duration, NULL, component->attrs, operation->error_type ? 3 : 2,
	    (double)operation->duration_ns / (double)NS_PER_S, NULL);
}

/* NULL without memory. */
static struct watched *watch(
    struct exporter_metrics *exporters, const char *name, const char *item, size_t number)
{
	struct watched *watched = calloc(1, sizeof(*watched));

	if (!watched)
		return NULL;
	watched->duration = exporters->duration;
	exporter_init(&watched->component, name, item, number);
	list_add_tail(&exporters->watched, &watched->link);
	return watched;
}

int exporter_metrics_watch_sink(
    struct exporter_metrics *exporters, enum otlp_signal signal, struct sink *sink, size_t number)
{
	struct export_observer observer = {
	    .ended = on_ended, .ctx = watch(exporters, sink_name(sink), item_name(signal), number)};

	if (!observer.ctx)
		return -ENOMEM;
	sink_observe(sink, &observer);
	return 0;
}

int exporter_metrics_watch_reader(
    struct exporter_metrics *exporters, struct otlp_metrics *reader, size_t number)
{
	struct export_observer observer = {.ended = on_ended,
	    .ctx = watch(exporters, otlp_metrics_name(reader), item_name(OTLP_METRICS), number)};

	if (!observer.ctx)
		return -ENOMEM;
	otlp_metrics_observe(reader, &observer);
	return 0;
}

/* --- what they count ------------------------------------------------------------------------- */

static void set_good(
    struct instrument *instrument, const struct component *component, uint64_t value)
{
	metric_set(instrument, component->attrs, 2, (double)value);
}

static void set_bad(struct instrument *instrument, struct component *component,
    const char *error_type, uint64_t value)
{
	component->attrs[2].string = sv_cstr(error_type);
	metric_set(instrument, component->attrs, 3, (double)value);
}

static void set_exported(struct instrument *instrument, struct component *exporter,
    uint64_t delivered, const struct export_failures *failures)
{
	set_good(instrument, exporter, delivered);
	for (size_t i = 0; i < failures->n; i++)
		set_bad(instrument, exporter, failures->causes[i].error_type,
		    failures->causes[i].items);
}

static void set_gauge(
    struct instrument *instrument, const struct component *component, uint64_t value)
{
	metric_record(instrument, NULL, component->attrs, 2, (double)value, NULL);
}

static void update_sink(
    struct instrument *const of[KINDS], const char *item, struct sink *sink, size_t number)
{
	struct component exporter, queue;
	struct sink_stats stats;
	char kind[32];

	sink_stats(sink, &stats);
	exporter_init(&exporter, sink_name(sink), item, number);
	snprintf(kind, sizeof(kind), "_%s_processor", item);
	component_init(&queue, "batching", kind, number);
	set_exported(of[EXPORTED], &exporter, stats.delivered, &stats.failures);
	set_gauge(of[INFLIGHT], &exporter, stats.inflight);
	set_good(of[PROCESSED], &queue, stats.delivered + stats.failed);
	set_bad(of[PROCESSED], &queue, "queue_full", stats.dropped);
	set_gauge(of[QUEUE_SIZE], &queue, stats.queued);
	set_gauge(of[QUEUE_CAPACITY], &queue, stats.queue_capacity);
}

void exporter_metrics_sinks(const struct exporter_metrics *exporters, enum otlp_signal signal,
    struct sink *const *sinks, size_t n_sinks)
{
	for (size_t i = 0; i < n_sinks; i++)
		update_sink(exporters->of[signal], item_name(signal), sinks[i], i);
}

void exporter_metrics_readers(
    const struct exporter_metrics *exporters, struct otlp_metrics *const *readers, size_t n_readers)
{
	for (size_t i = 0; i < n_readers; i++) {
		struct otlp_metrics_stats stats;
		struct component exporter;

		otlp_metrics_stats(readers[i], &stats);
		exporter_init(&exporter, otlp_metrics_name(readers[i]), item_name(OTLP_METRICS), i);
		set_exported(exporters->of[OTLP_METRICS][EXPORTED], &exporter,
		    stats.delivered_points, &stats.failures);
		set_gauge(exporters->of[OTLP_METRICS][INFLIGHT], &exporter, stats.inflight_points);
	}
}

struct exporter_metrics *exporter_metrics_new(struct metrics *metrics)
{
	struct exporter_metrics *exporters = calloc(1, sizeof(*exporters));
	bool all;

	if (!exporters)
		return NULL;
	list_init(&exporters->watched);
	exporters->duration = metrics_add(metrics, &duration_desc);
	all = exporters->duration != NULL;
	for (size_t signal = 0; signal < OTLP_SIGNALS && all; signal++) {
		for (size_t kind = 0; kind < KINDS && all; kind++) {
			if (!descs[signal][kind].name)
				continue;
			exporters->of[signal][kind] = metrics_add(metrics, &descs[signal][kind]);
			all = exporters->of[signal][kind] != NULL;
		}
	}
	if (!all) {
		exporter_metrics_free(exporters);
		return NULL;
	}
	return exporters;
}

void exporter_metrics_free(struct exporter_metrics *exporters)
{
	if (!exporters)
		return;
	list_for_each (link, &exporters->watched)
		free(container_of(link, struct watched, link));
	free(exporters);
}
