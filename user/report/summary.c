// SPDX-License-Identifier: Apache-2.0
/* The summary at the end; see summary.h. */
#include "report/summary.h"

#include "base/clock.h"
#include "base/log.h"

/* What was not told of SQLite so that its probes stay within the budget; nothing when all was. */
static void print_tiers(const struct sqlite_budget_stats *budget, uint64_t untimed)
{
	uint64_t changes = 0;

	for (int i = ZSP_SQLITE_FULL; i <= ZSP_SQLITE_OFF; i++)
		changes += budget->lowered[i] + budget->raised[i];
	if (changes == 0 && untimed == 0 && budget->unobserved_ns == 0)
		return;
	log_info(
	    "SQLite: detail changed %llu times for --budget; %llu statements told without duration, none seen for %.1f s (sum over processes)",
	    (unsigned long long)changes, (unsigned long long)untimed,
	    (double)budget->unobserved_ns / (double)NS_PER_S);
}

/* What the destinations of traces were not given; nothing when they got all. */
static void print_sampling(const struct sampler_stats *sampling)
{
	uint64_t traces = sampler_stats_traces(sampling), kept = sampler_stats_kept(sampling);
	struct buf reasons;

	if (kept == traces)
		return;
	buf_init(&reasons);
	for (int i = 0; i < SAMPLING_REASONS; i++)
		if (sampling->kept[i])
			buf_printf(&reasons, "%s%llu %s", reasons.len ? ", " : ": ",
			    (unsigned long long)sampling->kept[i],
			    sampling_reason_name((enum sampling_reason)i));
	if (sampling->dropped[SAMPLING_RATE])
		buf_printf(&reasons, "; %llu dropped to keep the rate",
		    (unsigned long long)sampling->dropped[SAMPLING_RATE]);
	log_info("sampling: %llu of %llu traces kept%s", (unsigned long long)kept,
	    (unsigned long long)traces, reasons.data ? reasons.data : "");
	buf_release(&reasons);
}

/* Lines of stdout and stderr, if any came. */
static void print_logs(const struct log_flow_stats *logs)
{
	uint64_t records = 0, dropped = logs->limited + logs->unknown + logs->no_memory;

	for (size_t i = 0; i < LOG_FLOW_SEVERITIES; i++)
		records += logs->records[i];
	if (records + dropped == 0)
		return;
	log_info(
	    "logs: %llu lines, %llu of requests, %llu not whole; %llu dropped (%llu beyond the rate)",
	    (unsigned long long)records, (unsigned long long)logs->of_requests,
	    (unsigned long long)logs->truncated, (unsigned long long)dropped,
	    (unsigned long long)logs->limited);
}

void summary_print(const struct self_counts *counts, size_t processes, uint64_t elapsed_ns)
{
	const struct assembler_stats *spans = &counts->pipeline.assembler;
	uint64_t untraced = counts->sqlite.untraced.refused + counts->sqlite.untraced.stripped;
	struct buf causes;
	double seconds = (double)elapsed_ns / (double)NS_PER_S;

	log_info("%llu spans in %llu traces from %zu process%s in %.1f s",
	    (unsigned long long)spans->spans, (unsigned long long)spans->traces, processes,
	    processes == 1 ? "" : "es", seconds);
	log_info("parents: %llu by header, %llu by socket, %llu by thread, %llu roots",
	    (unsigned long long)spans->by_basis[PARENT_BASIS_HEADER],
	    (unsigned long long)spans->by_basis[PARENT_BASIS_SOCKET],
	    (unsigned long long)spans->by_basis[PARENT_BASIS_THREAD],
	    (unsigned long long)spans->by_basis[PARENT_BASIS_NONE]);
	print_sampling(&counts->pipeline.sampling);
	buf_init(&causes);
	self_counts_describe_losses(counts, &causes);
	log_info("proof: %llu events, %llu lost%s%s%s; %.4g %% of %llu HTTP bytes seen",
	    (unsigned long long)counts->pipeline.events,
	    (unsigned long long)self_counts_lost(counts), causes.len ? " (" : "",
	    causes.len ? causes.data : "", causes.len ? ")" : "",
	    100 * self_counts_coverage(counts),
	    (unsigned long long)(counts->pipeline.conns.seen_bytes +
		counts->pipeline.conns.gap_bytes));
	buf_release(&causes);
	if (untraced)
		log_info(
		    "SQLite: not traced in %llu file%s, %llu of them without symbols: see the warnings",
		    (unsigned long long)untraced, untraced == 1 ? "" : "s",
		    (unsigned long long)counts->sqlite.untraced.stripped);
	print_logs(&counts->pipeline.logs);
	print_tiers(&counts->sqlite.budget, spans->untimed);
	log_debug(
	    "connections: %llu opened, %llu open, %llu requests, %llu open, %llu stray answers, %llu times out of step",
	    (unsigned long long)counts->pipeline.conns.opened,
	    (unsigned long long)counts->pipeline.conns.open,
	    (unsigned long long)counts->pipeline.exchanges.requests,
	    (unsigned long long)counts->pipeline.exchanges.open,
	    (unsigned long long)counts->pipeline.exchanges.strays,
	    (unsigned long long)counts->pipeline.exchanges.losses);
}

void summary_print_cost(const struct self_counts *counts, uint64_t elapsed_ns)
{
	double seconds = (double)elapsed_ns / (double)NS_PER_S;
	double cpu_s = (double)counts->cpu_ns / (double)NS_PER_S;

	log_info("cost: %.2f s CPU (%.2g %% of one), %.1f MB resident", cpu_s,
	    seconds > 0 ? 100 * cpu_s / seconds : 0, (double)counts->rss_bytes / 1e6);
}
