// SPDX-License-Identifier: Apache-2.0
/* From writes to records in sinks; see log_flow.h. */
#include "log_flow.h"

#include <errno.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "logs/lines.h"
#include "proto/log_level.h"

/* Records of no request that go out together at most. */
#define LOOSE_MAX 256
/* How often the metrics are brought up to date. */
#define UPDATE_NS (500 * NS_PER_MS)

static const struct metric_desc records_desc = {
    .name = "zerospan.logs.records",
    .unit = "{record}",
    .description = "Lines of stdout and stderr of observed processes that became log records.",
    .type = METRIC_COUNTER,
};

static const struct metric_desc dropped_desc = {
    .name = "zerospan.logs.dropped",
    .unit = "{line}",
    .description = "Lines of stdout and stderr of observed processes that became none, by reason.",
    .type = METRIC_COUNTER,
};

static const struct metric_desc truncated_desc = {
    .name = "zerospan.logs.truncated",
    .unit = "{record}",
    .description = "Log records of lines that are not whole.",
    .type = METRIC_COUNTER,
};

static const char *const severity_names[LOG_FLOW_SEVERITIES] = {
    "unspecified", "trace", "debug", "info", "warn", "error", "fatal"};

struct log_flow {
	struct log_flow_options options;
	struct lines *lines;
	struct rates *rates;
	struct log_batch *loose; /* records of no request; NULL: none yet */
	struct buf body;
	struct instrument *records, *dropped, *truncated;
	uint64_t update_ns;
	struct log_flow_stats stats;
	struct {
		struct sink *sink;
		bool loose;
	} sinks[LOG_FLOW_MAX_SINKS];
	size_t n_sinks;
};

/* --- publishing ---------------------------------------------------------------------------------- */

static bool is_wanted(const struct log_flow *flow, const struct log_record *record)
{
	return trace_id_begins(&record->trace_id, flow->options.only_trace);
}

/* Leave only those of the trace that is wanted. */
static void leave_wanted(const struct log_flow *flow, struct log_batch *logs)
{
	size_t n = 0;

	for (size_t i = 0; i < logs->n_records; i++) {
		if (is_wanted(flow, logs->records[i]))
			logs->records[n++] = logs->records[i];
		else
			log_record_free(logs->records[i]);
	}
	logs->n_records = n;
}

static bool has_wanted(const struct log_flow *flow, const struct log_batch *logs)
{
	for (size_t i = 0; i < logs->n_records; i++)
		if (is_wanted(flow, logs->records[i]))
			return true;
	return false;
}

static void publish(struct log_flow *flow, struct log_batch *logs, bool in_trace)
{
	for (size_t i = 0; i < flow->n_sinks; i++)
		if (!in_trace || !flow->sinks[i].loose)
			sink_publish_logs(flow->sinks[i].sink, logs);
}

void log_flow_publish(struct log_flow *flow, struct log_batch *logs, bool in_trace)
{
	for (size_t i = 0; i < logs->n_records; i++)
		flow->stats.of_requests += !trace_id_is_zero(&logs->records[i]->trace_id);
	if (!in_trace) /* else they are its trace's as well */
		leave_wanted(flow, logs);
	if (logs->n_records && (!in_trace || has_wanted(flow, logs)))
		publish(flow, logs, in_trace);
}

static void publish_loose(struct log_flow *flow)
{
	struct log_batch *loose = flow->loose;

	if (!loose)
		return;
	flow->loose = NULL;
	leave_wanted(flow, loose);
	if (loose->n_records)
		publish(flow, loose, false);
	log_batch_unref(loose);
}

static void add_loose(struct log_flow *flow, struct log_record *record)
{
	if (!flow->loose)
		flow->loose = log_batch_new(LOOSE_MAX);
	if (!flow->loose) {
		log_record_free(record);
		flow->stats.no_memory++;
		return;
	}
	flow->loose->records[flow->loose->n_records++] = record;
	if (flow->loose->n_records == LOOSE_MAX)
		publish_loose(flow);
}

/* --- records ------------------------------------------------------------------------------------- */

/* Valid UTF-8; NUL, which few backends take in a text, is repaired as what is no UTF-8. */
static struct sv repair(struct log_flow *flow, struct sv text)
{
	buf_clear(&flow->body);
	for (;;) {
		struct sv part = sv_from(text.p, sv_find(text, '\0'));

		utf8_append_repaired(&flow->body, part);
		if (part.len == text.len)
			break;
		buf_append_cstr(&flow->body, "\xef\xbf\xbd");
		text = sv_skip(text, part.len + 1);
	}
	return buf_sv(&flow->body);
}

static struct log_record *make_record(
    struct log_flow *flow, const struct log_line *line, struct service *service)
{
	struct log_level_found level = log_level_find(line->text);
	struct attr attrs[] = {
	    {.key = "log.iostream",
		.type = ATTR_STRING,
		.string = line->stream == ZSP_STDERR ? SV("stderr") : SV("stdout")},
	    {.key = "thread.id", .type = ATTR_INT, .integer = line->tid},
	    {.key = "zerospan.log.missing_bytes",
		.type = ATTR_INT,
		.integer = (int64_t)line->missing},
	};
	struct log_record model = {.time_ns = line->first_ns,
	    .observed_ns = line->last_ns,
	    .severity = (enum log_severity)level.number,
	    .severity_text = sv_from(level.text, level.text_len),
	    .body = repair(flow, line->text),
	    .attrs = attrs,
	    .n_attrs = line->missing ? 3 : 2,
	    .service = service};

	if (flow->body.failed)
		return NULL;
	if (flow->options.attrs)
		model.n_attrs = attr_limits_apply(
		    flow->options.attrs, attrs, model.n_attrs, &model.dropped_attrs);
	return log_record_new(&model);
}

static void on_line(void *ctx, const struct log_line *line)
{
	struct log_flow *flow = ctx;
	const struct line_author author = {.pid = line->pid,
	    .tid = line->tid,
	    .slice = line->slice,
	    .first_ns = line->first_ns,
	    .time_ns = line->last_ns,
	    .woken_ns = line->woken_ns};
	struct service *service = service_table_get(flow->options.services, line->pid);
	struct log_record *record;

	if (!service) {
		flow->stats.unknown++;
		return;
	}
	if (!rates_pass(flow->rates, line->pid, line->last_ns)) {
		flow->stats.limited++;
		return;
	}
	record = make_record(flow, line, service);
	if (!record) {
		flow->stats.no_memory++;
		return;
	}
	flow->stats.records[record->severity ? 1 + (record->severity - 1) / 4 : 0]++;
	flow->stats.truncated += line->missing > 0;
	if (line->kept || !assembler_log(flow->options.assembler, record, &author))
		add_loose(flow, record);
}

void log_flow_write(struct log_flow *flow, const struct zsp_log *log)
{
	flow->stats.no_memory += !lines_write(flow->lines, log);
}

/* --- metrics ------------------------------------------------------------------------------------- */

static void set(struct instrument *instrument, const char *key, const char *value, uint64_t count)
{
	const struct attr attr = {.key = key, .type = ATTR_STRING, .string = sv_cstr(value)};

	metric_set(instrument, &attr, 1, (double)count);
}

static void update_metrics(const struct log_flow *flow)
{
	const struct log_flow_stats *stats = &flow->stats;

	for (size_t i = 0; i < LOG_FLOW_SEVERITIES; i++)
		set(flow->records, "severity", severity_names[i], stats->records[i]);
	set(flow->dropped, "reason", "rate_limit", stats->limited);
	set(flow->dropped, "reason", "process_unknown", stats->unknown);
	set(flow->dropped, "reason", "no_memory", stats->no_memory);
	metric_set(flow->truncated, NULL, 0, (double)stats->truncated);
}

void log_flow_tick(struct log_flow *flow, uint64_t now_ns)
{
	lines_tick(flow->lines, now_ns);
	publish_loose(flow);
	if (now_ns < flow->update_ns)
		return;
	update_metrics(flow);
	flow->update_ns = now_ns == UINT64_MAX ? 0 : now_ns + UPDATE_NS;
}

/* --- life cycle ---------------------------------------------------------------------------------- */

struct log_flow *log_flow_new(const struct log_flow_options *options)
{
	struct log_flow *flow = calloc(1, sizeof(*flow));

	if (!flow)
		return NULL;
	flow->options = *options;
	buf_init(&flow->body);
	flow->lines = lines_new(on_line, flow);
	flow->rates = rates_new(&options->limit);
	flow->records = metrics_add(options->metrics, &records_desc);
	flow->dropped = metrics_add(options->metrics, &dropped_desc);
	flow->truncated = metrics_add(options->metrics, &truncated_desc);
	if (!flow->lines || !flow->rates || !flow->records || !flow->dropped || !flow->truncated ||
	    assembler_keep_logs(options->assembler)) {
		log_flow_free(flow);
		return NULL;
	}
	return flow;
}

void log_flow_free(struct log_flow *flow)
{
	if (!flow)
		return;
	log_batch_unref(flow->loose);
	lines_free(flow->lines);
	rates_free(flow->rates);
	buf_release(&flow->body);
	free(flow);
}

int log_flow_add_sink(struct log_flow *flow, struct sink *sink, bool loose)
{
	if (flow->n_sinks == LOG_FLOW_MAX_SINKS)
		return -E2BIG;
	flow->sinks[flow->n_sinks].sink = sink;
	flow->sinks[flow->n_sinks++].loose = loose;
	return 0;
}

void log_flow_stats(const struct log_flow *flow, struct log_flow_stats *ret_stats)
{
	*ret_stats = flow->stats;
}
