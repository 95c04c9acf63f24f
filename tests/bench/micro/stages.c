// SPDX-License-Identifier: Apache-2.0
/* The measured stages; see stages.h. */
#include "stages.h"

#include <stdio.h>
#include <stdlib.h>

#include "export/exporters.h"
#include "export/gzip.h"
#include "metric/operation.h"
#include "span/http_span.h"

enum {
	BATCH_SPANS = 512, /* as the OTLP sink's */
	SERIES = 10000,
};

struct stage_run {
	struct tape tape;
	uint64_t passes;
	void (*event)(struct stage_run *run, const struct event *event);
	void (*tick)(struct stage_run *run, uint64_t now_ns);

	struct service_table *services;
	struct exchanges *exchanges;
	struct conn_table *conns;
	struct span_builder builder;
	struct route_table *routes;
	struct assembler *assembler;
	uint64_t spans;

	struct metrics *metrics;
	struct pipeline *pipeline;
	struct journal *journal;
	struct sink *sink;

	struct trace **traces;
	size_t n_traces;
	struct buf out;
	struct clock_base clock;
};

static struct stage_run *run_new(const char *recording)
{
	struct stage_run *run = calloc(1, sizeof(*run));

	if (!run)
		abort();
	tape_read(&run->tape, recording);
	buf_init(&run->out);
	span_builder_init(&run->builder);
	run->services = service_table_new();
	run->routes = route_table_new(&http_naming_default);
	run->metrics = metrics_new();
	return run;
}

static void run_close(struct stage_run *run)
{
	pipeline_free(run->pipeline, 0);
	journal_free(run->journal);
	sink_free(run->sink);
	conn_table_free(run->conns, 0);
	exchanges_free(run->exchanges);
	assembler_free(run->assembler);
	for (size_t i = 0; i < run->n_traces; i++)
		trace_unref(run->traces[i]);
	free(run->traces);
	metrics_free(run->metrics);
	route_table_free(run->routes);
	service_table_free(run->services);
	span_builder_release(&run->builder);
	buf_release(&run->out);
	tape_free(&run->tape);
	free(run);
}

/* --- playing ------------------------------------------------------------------------------------- */

static void process(struct stage_run *run, const struct journal_process *process)
{
	const struct service_facts facts = {.pid = process->pid,
	    .exe = "/usr/sbin/program",
	    .command = "program",
	    .start_id = process->start_id};

	service_table_put(run->services, &facts);
	if (run->pipeline)
		pipeline_process(run->pipeline, &facts);
}

static void play(struct stage_run *run)
{
	for (size_t i = 0; i < run->tape.n; i++) {
		struct tape_entry *entry = &run->tape.entries[i];
		struct event event;

		tape_move_on(&run->tape, entry);
		if (entry->type == JOURNAL_PROCESS && run->passes == 0)
			process(run, entry->body);
		else if (entry->type == JOURNAL_TICK && run->tick)
			run->tick(run, ((struct journal_time *)entry->body)->time_ns);
		else if (entry->type == JOURNAL_EVENT && run->event &&
		    event_decode(entry->body, entry->len, &event) == 0)
			run->event(run, &event);
	}
	run->passes++;
}

/* --- loop, decode -------------------------------------------------------------------------------- */

static void ignore_event(struct stage_run *run, const struct event *event)
{
	(void)run;
	__asm__ volatile("" : : "r"(event->h) : "memory");
}

static struct stage_run *open_decode(const char *recording)
{
	struct stage_run *run = run_new(recording);

	run->event = ignore_event;
	return run;
}

/* --- connections and exchanges, with and without spans ------------------------------------------- */

static void ignore(void *ctx, struct exchange *exchange)
{
	(void)ctx;
	(void)exchange;
}

static void ignore_piece(void *ctx, struct exchange *exchange, const struct piece *piece)
{
	(void)ctx;
	(void)exchange;
	(void)piece;
}

static void build_span(void *ctx, struct exchange *exchange)
{
	struct stage_run *run = ctx;
	struct service *service = service_table_get(run->services, exchange->pid);

	if (exchange->has_head && service) {
		span_free(http_span_build(
		    &run->builder, run->routes, &http_methods_default, exchange, service));
		run->spans++;
	}
}

static void to_conns(struct stage_run *run, const struct event *event)
{
	if (event->h->kind != ZSP_KIND_STATEMENT)
		conn_table_event(run->conns, event);
}

static struct stage_run *open_conns(const char *recording, const struct exchange_listener *listener)
{
	struct stage_run *run = run_new(recording);

	run->exchanges = exchanges_new(listener, run);
	run->conns = conn_table_new(&exchange_conn_handler, run->exchanges);
	run->event = to_conns;
	return run;
}

static struct stage_run *open_exchanges(const char *recording)
{
	static const struct exchange_listener nobody = {
	    ignore_piece, ignore, ignore, ignore, ignore};

	return open_conns(recording, &nobody);
}

static struct stage_run *open_spans(const char *recording)
{
	static const struct exchange_listener builder = {
	    ignore_piece, ignore, ignore, ignore, build_span};

	return open_conns(recording, &builder);
}

/* --- assembler ----------------------------------------------------------------------------------- */

static void count_span(void *ctx, struct span *span, const struct exchange *exchange)
{
	(void)exchange;
	(void)span;
	(void)exchange;
	((struct stage_run *)ctx)->spans++;
}

static void ignore_trace(void *ctx, struct trace *trace)
{
	(void)ctx;
	(void)trace;
}

static struct sv any_database(void *ctx, uint32_t pid, uint64_t db, uint32_t db_closes)
{
	(void)ctx;
	(void)pid;
	(void)db;
	(void)db_closes;
	return SV("/srv/shop.db");
}

static void to_assembler(struct stage_run *run, const struct event *event)
{
	if (event->h->kind == ZSP_KIND_STATEMENT)
		assembler_statement(run->assembler, event->statement);
	else
		conn_table_event(run->conns, event);
}

static void tick_assembler(struct stage_run *run, uint64_t now_ns)
{
	assembler_tick(run->assembler, now_ns);
}

static struct stage_run *open_assembler_for(
    const char *recording, void (*take_trace)(void *ctx, struct trace *trace))
{
	struct stage_run *run = run_new(recording);
	struct assembler_options options = {
	    .services = run->services,
	    .span = count_span,
	    .trace = take_trace,
	    .database = any_database,
	    .ctx = run,
	};

	rng_seed(&options.rng, 1);
	run->assembler = assembler_new(&options);
	run->exchanges = exchanges_new(&assembler_listener, run->assembler);
	run->conns = conn_table_new(&exchange_conn_handler, run->exchanges);
	run->event = to_assembler;
	run->tick = tick_assembler;
	return run;
}

static struct stage_run *open_assembler(const char *recording)
{
	return open_assembler_for(recording, ignore_trace);
}

/* --- the whole pipeline: metrics only, recorded, with a queue ------------------------------------ */

static void to_pipeline(struct stage_run *run, const struct event *event)
{
	pipeline_event(run->pipeline, event);
}

static void tick_pipeline(struct stage_run *run, uint64_t now_ns)
{
	pipeline_tick(run->pipeline, now_ns);
}

static int any_path(void *ctx, const struct database_handle *handle, char *ret_path, size_t len)
{
	(void)ctx;
	(void)handle;
	snprintf(ret_path, len, "/srv/shop.db");
	return 0;
}

static struct stage_run *open_pipeline_for(const char *recording, bool record, struct sink *sink)
{
	struct stage_run *run = run_new(recording);
	struct pipeline_options options = {.metrics = run->metrics, .database_path = any_path};
	struct buf message;

	buf_init(&message);
	if (record &&
	    journal_new("/dev/null", 1, JOURNAL_SLOW_US, &run->clock, &run->journal, &message))
		abort();
	buf_release(&message);
	rng_seed(&options.rng, 1);
	options.journal = run->journal;
	run->pipeline = pipeline_new(&options);
	run->sink = sink;
	if (sink)
		pipeline_add_sink(run->pipeline, sink);
	run->event = to_pipeline;
	run->tick = tick_pipeline;
	return run;
}

static struct stage_run *open_pipeline(const char *recording)
{
	return open_pipeline_for(recording, false, NULL);
}

static struct stage_run *open_record(const char *recording)
{
	return open_pipeline_for(recording, true, NULL);
}

static size_t deliver(
    void *driver, struct sink *sink, struct trace *const *traces, size_t n, size_t *ret_failed)
{
	size_t spans = 0;

	(void)driver;
	(void)sink;
	for (size_t i = 0; i < n; i++)
		spans += traces[i]->n_spans;
	*ret_failed = 0;
	return spans;
}

static struct stage_run *open_queue(const char *recording)
{
	static const struct sink_driver nowhere = {.name = "nowhere", .deliver = deliver};
	static const struct sink_options options = {.max_queue_items = 16384,
	    .max_batch_items = BATCH_SPANS,
	    .linger_ns = NS_PER_S,
	    .flush_timeout_ns = NS_PER_S};

	return open_pipeline_for(recording, false, sink_new(&nowhere, NULL, &options));
}

/* --- encoders: what one pass publishes, encoded again and again ---------------------------------- */

static void keep_trace(void *ctx, struct trace *trace)
{
	struct stage_run *run = ctx;

	run->traces = realloc(run->traces, (run->n_traces + 1) * sizeof(struct trace *));
	if (!run->traces)
		abort();
	run->traces[run->n_traces++] = trace_ref(trace);
}

static struct stage_run *open_encoder(const char *recording)
{
	struct stage_run *run = open_assembler_for(recording, keep_trace);

	play(run);
	conn_table_close_all(run->conns, UINT64_MAX / 2);
	assembler_tick(run->assembler, UINT64_MAX);
	return run;
}

static void encode_batches(struct stage_run *run)
{
	for (size_t first = 0, next; first < run->n_traces; first = next) {
		size_t spans = 0;

		for (next = first; next < run->n_traces && spans < BATCH_SPANS; next++)
			spans += run->traces[next]->n_spans;
		buf_clear(&run->out);
		encode_otlp_protobuf(&run->out, run->traces + first, next - first, &run->clock);
	}
}

static void encode_lines(struct stage_run *run)
{
	for (size_t i = 0; i < run->n_traces; i++) {
		buf_clear(&run->out);
		encode_otlp_json(&run->out, run->traces + i, 1, &run->clock);
	}
}

/* --- the exposition of SERIES series -------------------------------------------------------------- */

static const double route_bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

/* A route's requests, one in each bucket but the last, each of them an exemplar. */
static void record_route(struct stage_run *run, struct instrument *instrument, int number)
{
	static const struct span sampled = {.flags = SPAN_FLAG_SAMPLED,
	    .end_ns = 1,
	    .trace_id = {{1, 2, 3}},
	    .span_id = {{4, 5, 6}}};
	char route[32];
	struct attr attrs[] = {
	    {.key = "http.request.method", .type = ATTR_STRING, .string = SV("GET")},
	    {.key = "http.response.status_code", .type = ATTR_INT, .integer = 200},
	    {.key = "http.route", .type = ATTR_STRING},
	    {.key = "url.scheme", .type = ATTR_STRING, .string = SV("http")},
	};

	snprintf(route, sizeof(route), "/route/number/%d", number);
	attrs[2].string = sv_cstr(route);
	for (size_t i = 0; i < sizeof(route_bounds) / sizeof(route_bounds[0]); i++)
		metric_record(instrument, service_table_get(run->services, 1), attrs, 4,
		    route_bounds[i] * 0.987654321, &sampled);
}

static struct stage_run *open_exposition(const char *recording)
{
	enum {
		LINES = sizeof(route_bounds) / sizeof(route_bounds[0]) + 3, /* +Inf, sum, count */
	};
	static const struct metric_desc desc = {.name = "http.server.request.duration",
	    .unit = "s",
	    .description = "Duration.",
	    .type = METRIC_HISTOGRAM,
	    .bounds = route_bounds,
	    .n_bounds = sizeof(route_bounds) / sizeof(route_bounds[0])};
	struct stage_run *run = run_new(recording);
	struct instrument *instrument = metrics_add(run->metrics, &desc);
	struct service_facts facts = {.pid = 1, .name = "shop"};

	service_table_put(run->services, &facts);
	for (int i = 0; i < SERIES / LINES; i++)
		record_route(run, instrument, i);
	return run;
}

static void scrape_text(struct stage_run *run)
{
	struct metric_snapshot *snapshot = metrics_snapshot(run->metrics);

	buf_clear(&run->out);
	encode_prometheus_text(&run->out, snapshot);
	metric_snapshot_free(snapshot);
}

static void scrape_openmetrics(struct stage_run *run)
{
	struct metric_snapshot *snapshot = metrics_snapshot(run->metrics);

	buf_clear(&run->out);
	encode_openmetrics(&run->out, snapshot, &run->clock);
	metric_snapshot_free(snapshot);
}

static void scrape_openmetrics_gzip(struct stage_run *run)
{
	struct buf packed;

	scrape_openmetrics(run);
	buf_init(&packed);
	gzip_pack(&packed, buf_sv(&run->out));
	buf_release(&packed);
}

/* --- all ------------------------------------------------------------------------------------------ */

const struct stage stages[] = {
    {"loop", run_new, play, run_close},
    {"decode", open_decode, play, run_close},
    {"exchanges", open_exchanges, play, run_close},
    {"spans", open_spans, play, run_close},
    {"assembler", open_assembler, play, run_close},
    {"pipeline", open_pipeline, play, run_close},
    {"record", open_record, play, run_close},
    {"queue", open_queue, play, run_close},
    {"protobuf", open_encoder, encode_batches, run_close},
    {"json", open_encoder, encode_lines, run_close},
    {"text", open_exposition, scrape_text, run_close},
    {"openmetrics", open_exposition, scrape_openmetrics, run_close},
    {"openmetrics-gzip", open_exposition, scrape_openmetrics_gzip, run_close},
};

const size_t n_stages = sizeof(stages) / sizeof(stages[0]);

void stages_count(const char *recording, struct stage_counts *ret_counts)
{
	struct stage_run *run = open_assembler(recording);
	struct exchange_stats stats;

	play(run);
	exchanges_stats(run->exchanges, &stats);
	ret_counts->events = run->tape.n_events;
	ret_counts->requests = stats.requests;
	ret_counts->spans = run->spans;
	run_close(run);
}
