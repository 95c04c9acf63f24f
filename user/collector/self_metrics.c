// SPDX-License-Identifier: Apache-2.0
/* zerospan's own metrics from one table; see self_metrics.h. */
#include "collector/self_metrics.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum self_metric {
	SELF_RECORDS,
	SELF_LOST,
	SELF_CAPTURED,
	SELF_COVERAGE,
	SELF_UNSEEN_BYTES,
	SELF_SPANS,
	SELF_TRACES,
	SELF_OPEN,
	SELF_SYNC_LOSSES,
	SELF_OPAQUE,
	SELF_PROCESSES,
	SELF_UNTRACED,
	SELF_UNRECORDED,
	SELF_UNLOGGED,
	SELF_METRICS_LOST,
	SELF_SQLITE_TIER,
	SELF_SQLITE_TIER_CHANGES,
	SELF_SQLITE_UNTIMED,
	SELF_SQLITE_UNOBSERVED,
	SELF_SQLITE_HITS,
	SELF_SQLITE_COST,
	SELF_STACKS,
	SELF_SAMPLING,
	SELF_SAMPLING_FORGOTTEN,
	SELF_CPU,
	SELF_RSS,
	SELF_N,
};

#define METRIC(id, of_unit, text, kind)                                                \
	{                                                                              \
		.name = (id), .unit = (of_unit), .description = (text), .type = (kind) \
	}

static const struct metric_desc descs[SELF_N] = {
    [SELF_RECORDS] = METRIC(
	"zerospan.records", "{record}", "Records that came from the kernel.", METRIC_COUNTER),
    [SELF_LOST] = METRIC("zerospan.lost", "{event}", "Events lost, by cause.", METRIC_COUNTER),
    [SELF_CAPTURED] = METRIC(
	"zerospan.captured", "By", "Payload bytes copied from observed processes.", METRIC_COUNTER),
    [SELF_COVERAGE] = METRIC("zerospan.capture.coverage", "1",
	"Share of the bytes on followed connections that were accounted for: seen by a probe, captured or not.",
	METRIC_GAUGE),
    [SELF_UNSEEN_BYTES] = METRIC("zerospan.unseen", "By",
	"Bytes on followed connections that no probe saw.", METRIC_COUNTER),
    [SELF_SPANS] = METRIC(
	"zerospan.spans", "{span}", "Spans built, by what their parent rests on.", METRIC_COUNTER),
    [SELF_TRACES] = METRIC("zerospan.traces", "{trace}",
	"Local traces that are complete, before sampling.", METRIC_COUNTER),
    [SELF_OPEN] =
	METRIC("zerospan.requests.open", "{request}", "Exchanges in flight.", METRIC_GAUGE),
    [SELF_SYNC_LOSSES] =
	METRIC("zerospan.sync.losses", "{loss}", "Times a stream got out of step.", METRIC_COUNTER),
    [SELF_OPAQUE] = METRIC("zerospan.opaque.messages", "{message}",
	"Messages on sockets of observed processes that do not speak HTTP/1.", METRIC_COUNTER),
    [SELF_PROCESSES] =
	METRIC("zerospan.processes", "{process}", "Processes observed.", METRIC_GAUGE),
    [SELF_UNTRACED] = METRIC("zerospan.sqlite.untraced", "{file}",
	"Files with SQLite in observed processes that are not traced, or not searched for it, by reason.",
	METRIC_GAUGE),
    [SELF_UNRECORDED] = METRIC("zerospan.recording.dropped", "{input}",
	"Inputs that are not in the recording, because it could not be written.", METRIC_COUNTER),
    [SELF_UNLOGGED] = METRIC("zerospan.logs.lost", "{log_record}",
	"zerospan's own log lines that became no log record, for lack of memory.", METRIC_COUNTER),
    [SELF_METRICS_LOST] = METRIC("zerospan.metrics.lost", "{value}",
	"Values of metrics that are in no total (not_recorded: out of memory, or no number that can be counted; after_end: of a process that had ended), and sets of processes that ended which an exporter did not get in time (ended_unread).",
	METRIC_COUNTER),
    [SELF_SQLITE_TIER] = METRIC("zerospan.sqlite.tier", "{tier}",
	"How closely SQLite is observed in this process: 3 in full, 2 without failed preparations, 1 statements without duration, 0 off.",
	METRIC_GAUGE),
    [SELF_SQLITE_TIER_CHANGES] = METRIC("zerospan.sqlite.tier.changes", "{change}",
	"Changes of how closely SQLite is observed in a process, by the tier that was entered.",
	METRIC_COUNTER),
    [SELF_SQLITE_UNTIMED] = METRIC("zerospan.sqlite.untimed", "{statement}",
	"Statements told without duration, rows and result, because more would have cost too much.",
	METRIC_COUNTER),
    [SELF_SQLITE_UNOBSERVED] = METRIC("zerospan.sqlite.unobserved", "s",
	"Time for which statements were not observed, because that would have cost too much; sum over processes.",
	METRIC_COUNTER),
    [SELF_SQLITE_HITS] = METRIC("zerospan.sqlite.probe.hits", "{hit}",
	"Hits of SQLite probes in observed processes.", METRIC_COUNTER),
    [SELF_SQLITE_COST] = METRIC("zerospan.sqlite.probe.time", "s",
	"CPU time of observed processes that SQLite probes took: hits, times what one was measured to cost.",
	METRIC_COUNTER),
    [SELF_STACKS] = METRIC("zerospan.stacks", "{stack}",
	"Stacks of threads of slow requests, by outcome.", METRIC_COUNTER),
    [SELF_SAMPLING] = METRIC("zerospan.sampling.traces", "{trace}",
	"Local traces that were kept for the destinations of traces or dropped, by the reason.",
	METRIC_COUNTER),
    [SELF_SAMPLING_FORGOTTEN] = METRIC("zerospan.sampling.forgotten", "{item}",
	"Routes, and traces that come in parts, that sampling forgot because there were too many.",
	METRIC_COUNTER),
    /* OpenTelemetry's names for what every SDK says of itself. */
    [SELF_CPU] = METRIC("process.cpu.time", "s",
	"Total CPU seconds broken down by different CPU modes; zerospan's own: of both.",
	METRIC_COUNTER),
    [SELF_RSS] = METRIC(
	"process.memory.usage", "By", "The amount of physical memory in use.", METRIC_UPDOWN),
};

/* Everything that counts as a loss, by the cause it is shown under; where is an offset in self_counts. */
#define KERNEL_COUNT(which) offsetof(struct self_counts, kernel) + (which) * sizeof(uint64_t)

static const struct {
	size_t where;
	const char *cause;
} losses[] = {
    {KERNEL_COUNT(ZSP_COUNT_LOST_RING_DATA), "ring_full_data"},
    {KERNEL_COUNT(ZSP_COUNT_LOST_RING_OTHER), "ring_full_other"},
    {KERNEL_COUNT(ZSP_COUNT_LOST_RING_LOGS), "ring_full_logs"},
    {KERNEL_COUNT(ZSP_COUNT_LOST_CONN_FULL), "connection_table_full"},
    {KERNEL_COUNT(ZSP_COUNT_LOST_THREAD_FULL), "thread_table_full"},
    {KERNEL_COUNT(ZSP_COUNT_LOST_STMT_FULL), "statement_table_full"},
    {KERNEL_COUNT(ZSP_COUNT_LOST_STMT_RETURN), "statement_begin_unseen"},
    {KERNEL_COUNT(ZSP_COUNT_LOST_BATCH), "message_batch_too_long"},
    {KERNEL_COUNT(ZSP_COUNT_FAULTS), "payload_unreadable"},
    {KERNEL_COUNT(ZSP_COUNT_IO_URING), "io_uring_call_unseen"},
    {offsetof(struct self_counts, skipped_runs), "program_run_skipped"},
    {offsetof(struct self_counts, sqlite.late), "sqlite_attached_late"},
    {offsetof(struct self_counts, sqlite.budget.cut), "statement_cut_by_tier"},
    {offsetof(struct self_counts, bad_records), "bad_record"},
    {offsetof(struct self_counts, pipeline.assembler.dropped), "span_table_full"},
    {offsetof(struct self_counts, pipeline.assembler.logs_lost), "log_memory"},
    {offsetof(struct self_counts, pipeline.assembler.logs_unheld), "log_request_table_full"},
    {offsetof(struct self_counts, pipeline.conns.refused), "connections_refused"},
    {offsetof(struct self_counts, pipeline.conns.disordered), "disordered"},
    {offsetof(struct self_counts, pipeline.conns.unknown_pieces), "connection_unknown"},
    {offsetof(struct self_counts, pipeline.exchanges.given_up), "connection_given_up"},
    {offsetof(struct self_counts, pipeline.exchanges.refused_bodies), "body_refused"},
};

#define N_LOSSES (sizeof(losses) / sizeof(losses[0]))

struct self_metrics {
	struct instrument *of[SELF_N];
};

static uint64_t loss_value(const struct self_counts *counts, size_t i)
{
	uint64_t value;

	memcpy(&value, (const char *)counts + losses[i].where, sizeof(value));
	return value;
}

uint64_t self_counts_lost(const struct self_counts *counts)
{
	uint64_t lost = 0;

	for (size_t i = 0; i < N_LOSSES; i++)
		lost += loss_value(counts, i);
	return lost;
}

void self_counts_describe_losses(const struct self_counts *counts, struct buf *out)
{
	for (size_t i = 0; i < N_LOSSES; i++) {
		uint64_t value = loss_value(counts, i);

		if (value)
			buf_printf(out, "%s%llu %s", out->len ? ", " : "",
			    (unsigned long long)value, losses[i].cause);
	}
}

double self_counts_coverage(const struct self_counts *counts)
{
	double seen = (double)counts->pipeline.conns.seen_bytes;
	double unseen = (double)counts->pipeline.conns.gap_bytes;

	return seen + unseen > 0 ? seen / (seen + unseen) : 1;
}

static uint64_t resident_bytes(void)
{
	unsigned long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	fclose(f);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

void self_counts_take_cost(struct self_counts *counts)
{
	struct timespec ts = {0};

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	counts->cpu_ns = (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
	counts->rss_bytes = resident_bytes();
}

struct self_metrics *self_metrics_new(struct metrics *metrics)
{
	struct self_metrics *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	for (size_t i = 0; i < SELF_N; i++) {
		self->of[i] = metrics_add(metrics, &descs[i]);
		if (!self->of[i]) {
			free(self);
			return NULL;
		}
	}
	return self;
}

void self_metrics_free(struct self_metrics *self)
{
	free(self);
}

static void set(const struct self_metrics *self, enum self_metric which, double value)
{
	if (descs[which].type == METRIC_GAUGE)
		metric_record(self->of[which], NULL, NULL, 0, value, NULL);
	else
		metric_set(self->of[which], NULL, 0, value);
}

static void set_labelled(const struct self_metrics *self, enum self_metric which, const char *key,
    const char *label, uint64_t value)
{
	struct attr attr = {.key = key, .type = ATTR_STRING, .string = sv_cstr(label)};

	metric_set(self->of[which], &attr, 1, (double)value);
}

static void update_losses(const struct self_metrics *self, const struct self_counts *counts)
{
	for (size_t i = 0; i < N_LOSSES; i++)
		set_labelled(self, SELF_LOST, "cause", losses[i].cause, loss_value(counts, i));
}

static void update_stacks(const struct self_metrics *self, const struct lookout_stats *stacks)
{
	set_labelled(self, SELF_STACKS, "outcome", "told", stacks->told);
	set_labelled(self, SELF_STACKS, "outcome", "untold", stacks->untold);
	set_labelled(self, SELF_STACKS, "outcome", "thread_back", stacks->back);
	set_labelled(self, SELF_STACKS, "outcome", "refused", stacks->refused);
}

static void update_untraced(
    const struct self_metrics *self, const struct sqlite_untraced_stats *untraced)
{
	const struct {
		const char *reason;
		uint64_t value;
	} rows[] = {
	    {"refused", untraced->refused},
	    {"stripped", untraced->stripped},
	    {"unsearched", untraced->unsearched},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct attr attr = {
		    .key = "reason", .type = ATTR_STRING, .string = sv_cstr(rows[i].reason)};

		metric_record(self->of[SELF_UNTRACED], NULL, &attr, 1, (double)rows[i].value, NULL);
	}
}

static void update_sqlite(const struct self_metrics *self, const struct sqlite_budget_stats *budget)
{
	struct attr attrs[2] = {
	    {.key = "tier", .type = ATTR_STRING},
	    {.key = "direction", .type = ATTR_STRING},
	};

	for (int detail = ZSP_SQLITE_FULL; detail <= ZSP_SQLITE_OFF; detail++) {
		attrs[0].string = sv_cstr(tier_name((enum zsp_sqlite_detail)detail));
		attrs[1].string = SV("down");
		if (detail != ZSP_SQLITE_FULL)
			metric_set(self->of[SELF_SQLITE_TIER_CHANGES], attrs, 2,
			    (double)budget->lowered[detail]);
		attrs[1].string = SV("up");
		if (detail != ZSP_SQLITE_OFF)
			metric_set(self->of[SELF_SQLITE_TIER_CHANGES], attrs, 2,
			    (double)budget->raised[detail]);
	}
	set(self, SELF_SQLITE_UNOBSERVED, (double)budget->unobserved_ns / 1e9);
	set(self, SELF_SQLITE_HITS, (double)budget->hits);
	set(self, SELF_SQLITE_COST, (double)budget->cost_ns / 1e9);
}

static void update_sampling(const struct self_metrics *self, const struct sampler_stats *sampling)
{
	const struct {
		const char *decision;
		const uint64_t *of;
	} rows[] = {{"kept", sampling->kept}, {"dropped", sampling->dropped}};
	struct attr attrs[2] = {
	    {.key = "decision", .type = ATTR_STRING},
	    {.key = "reason", .type = ATTR_STRING},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		attrs[0].string = sv_cstr(rows[i].decision);
		for (int reason = 0; reason < SAMPLING_REASONS; reason++) {
			attrs[1].string =
			    sv_cstr(sampling_reason_name((enum sampling_reason)reason));
			if (rows[i].of[reason])
				metric_set(
				    self->of[SELF_SAMPLING], attrs, 2, (double)rows[i].of[reason]);
		}
	}
	set_labelled(self, SELF_SAMPLING_FORGOTTEN, "kind", "route", sampling->routes_forgotten);
	set_labelled(self, SELF_SAMPLING_FORGOTTEN, "kind", "trace", sampling->parts_forgotten);
}

void self_metrics_tier(
    struct self_metrics *self, struct service *service, enum zsp_sqlite_detail detail)
{
	metric_record(
	    self->of[SELF_SQLITE_TIER], service, NULL, 0, (double)(ZSP_SQLITE_OFF - detail), NULL);
}

void self_metrics_update(struct self_metrics *self, const struct self_counts *counts)
{
	const struct assembler_stats *spans = &counts->pipeline.assembler;

	set(self, SELF_RECORDS, (double)counts->records);
	update_losses(self, counts);
	set(self, SELF_CAPTURED, (double)counts->pipeline.conns.captured_bytes);
	set(self, SELF_COVERAGE, self_counts_coverage(counts));
	set(self, SELF_UNSEEN_BYTES, (double)counts->pipeline.conns.gap_bytes);
	for (int basis = PARENT_BASIS_NONE; basis <= PARENT_BASIS_THREAD; basis++)
		set_labelled(self, SELF_SPANS, "basis",
		    basis == PARENT_BASIS_NONE ? "none" : parent_basis_name(basis),
		    spans->by_basis[basis]);
	set(self, SELF_TRACES, (double)spans->traces);
	set(self, SELF_OPEN, (double)counts->pipeline.exchanges.open);
	set(self, SELF_SYNC_LOSSES, (double)counts->pipeline.exchanges.losses);
	set(self, SELF_OPAQUE, (double)counts->kernel[ZSP_COUNT_OPAQUE_MESSAGES]);
	set(self, SELF_PROCESSES, (double)counts->processes);
	update_stacks(self, &counts->stacks);
	update_untraced(self, &counts->sqlite.untraced);
	set(self, SELF_UNRECORDED, (double)counts->unrecorded);
	set(self, SELF_UNLOGGED, (double)counts->unlogged);
	set_labelled(
	    self, SELF_METRICS_LOST, "cause", "not_recorded", counts->metrics.lost_records);
	set_labelled(self, SELF_METRICS_LOST, "cause", "after_end", counts->metrics.late_records);
	set_labelled(self, SELF_METRICS_LOST, "cause", "ended_unread", counts->metrics.unread_sets);
	update_sqlite(self, &counts->sqlite.budget);
	if (counts->pipeline.sampled)
		update_sampling(self, &counts->pipeline.sampling);
	set(self, SELF_SQLITE_UNTIMED, (double)counts->pipeline.assembler.untimed);
	set(self, SELF_CPU, (double)counts->cpu_ns / 1e9);
	set(self, SELF_RSS, (double)counts->rss_bytes);
}
