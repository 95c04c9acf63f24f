// SPDX-License-Identifier: Apache-2.0
/* Costs of SQLite probes per process; see sqlite_budget.h. */
#include "probe/sqlite_budget.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "probe/probe_cost.h"
#include "probe/sqlite_plan.h"

/*
 * What our programs add: to each hit, and for the record of an execution. In parts of what an emulated hit costs, with which it
 * grows and shrinks. Measured on a machine where that is 0.7 us: a row of a long query, a query of one row from memory,
 * the same query with detail `statements` took 1.77, 5.9 and 3.0 us more than without probes; these make it 1.78, 5.7 and 3.1.
 */
#define PROGRAM_HIT       0.3
#define PROGRAM_EXECUTION 1.65

/* Nothing is measured before a process has hit probes so often: some milliseconds of its time. */
#define MEASURE_HITS 2000

/* Whether hits are measured by now. */
enum measuring {
	MEASURING_NOT = 0,
	MEASURING_NOW = 1,
	MEASURING_DONE = 2,
};

struct sqlite_budget {
	struct probes *probes;
	double budget_pct;
	struct list processes;
	bool taken[ZSP_SQLITE_PROCESSES]; /* numbers in use */
	bool overflow_said;
	struct sqlite_budget_stats stats; /* but processes */
	pthread_t thread;                 /* that measures, unless MEASURING_NOT */
	atomic_int measuring;             /* enum measuring */
	struct probe_costs costs;         /* valid when MEASURING_DONE */
};

struct sqlite_budget *sqlite_budget_new(struct probes *probes, double budget_pct)
{
	struct sqlite_budget *budget = calloc(1, sizeof(*budget));

	if (!budget)
		return NULL;
	budget->probes = probes;
	budget->budget_pct = budget_pct;
	budget->taken[0] = true;
	list_init(&budget->processes);
	return budget;
}

void sqlite_budget_free(struct sqlite_budget *budget)
{
	if (!budget)
		return;
	if (atomic_load(&budget->measuring) != MEASURING_NOT)
		pthread_join(budget->thread, NULL);
	free(budget);
}

/* --- processes ----------------------------------------------------------------------------------- */

static struct sqlite_process *find(const struct sqlite_budget *budget, uint32_t pid)
{
	list_for_each (at, &budget->processes) {
		struct sqlite_process *process = container_of(at, struct sqlite_process, link);

		if (process->pid == pid)
			return process;
	}
	return NULL;
}

static uint32_t take_number(struct sqlite_budget *budget)
{
	for (uint32_t i = 1; i < ZSP_SQLITE_PROCESSES; i++) {
		if (!budget->taken[i]) {
			budget->taken[i] = true;
			return i;
		}
	}
	if (!budget->overflow_said)
		log_warn(
		    "more than %d processes with SQLite: the others are observed in full, whatever it costs",
		    ZSP_SQLITE_PROCESSES - 1);
	budget->overflow_said = true;
	return 0;
}

static volatile struct zsp_sqlite_process *shared(
    const struct sqlite_budget *budget, const struct sqlite_process *process)
{
	return probes_sqlite_process(budget->probes, process->number);
}

static void read_counters(const struct sqlite_budget *budget, const struct sqlite_process *process,
    struct zsp_sqlite_process *ret_counters)
{
	volatile struct zsp_sqlite_process *from = shared(budget, process);

	*ret_counters = (struct zsp_sqlite_process){
	    .steps = from->steps,
	    .ends = from->ends,
	    .prepares = from->prepares,
	    .executions = from->executions,
	    .refused = from->refused,
	    .cut = from->cut,
	};
}

struct sqlite_process *sqlite_budget_process(
    struct sqlite_budget *budget, uint32_t pid, const struct sqlite_process *parent)
{
	struct sqlite_process *process = find(budget, pid);

	if (process) {
		process->refs++;
		return process;
	}
	process = calloc(1, sizeof(*process));
	if (!process)
		return NULL;
	process->pid = pid;
	process->refs = 1;
	process->number = take_number(budget);
	process->sampled_ns = clock_monotonic_ns();
	tier_init(&process->tier, ZSP_SQLITE_FULL, clock_monotonic_ns());
	if (parent && process->number) {
		tier_init(&process->tier, parent->tier.detail, clock_monotonic_ns());
		process->tier.no_statements = parent->tier.no_statements;
		process->full = parent->full;
	}
	if (process->number)
		shared(budget, process)->mode = process->tier.detail;
	read_counters(budget, process, &process->last); /* the number was another's before */
	list_add_tail(&budget->processes, &process->link);
	return process;
}

/* What the kernel side has counted since the last time, into the totals; nothing for number 0. */
static struct zsp_sqlite_process take_counters(
    struct sqlite_budget *budget, struct sqlite_process *process, uint64_t now_ns)
{
	struct zsp_sqlite_process now, since = {0};

	if (!process->number)
		return since;
	read_counters(budget, process, &now);
	since.steps = now.steps - process->last.steps;
	since.ends = now.ends - process->last.ends;
	since.prepares = now.prepares - process->last.prepares;
	since.executions = now.executions - process->last.executions;
	since.refused = now.refused - process->last.refused;
	since.cut = now.cut - process->last.cut;
	process->last = now;
	budget->stats.cut += since.cut;
	budget->stats.hits += since.steps + since.ends + since.prepares;
	if (process->tier.detail <= ZSP_SQLITE_EXECUTIONS) /* returns are hits, too */
		budget->stats.hits += since.steps;
	if (process->tier.detail == ZSP_SQLITE_FULL)
		budget->stats.hits += since.prepares;
	if (process->tier.detail == ZSP_SQLITE_OFF)
		budget->stats.unobserved_ns += now_ns - process->sampled_ns;
	process->sampled_ns = now_ns;
	return since;
}

void sqlite_budget_release(struct sqlite_budget *budget, struct sqlite_process *process)
{
	if (!process || --process->refs > 0)
		return;
	take_counters(budget, process, clock_monotonic_ns());
	if (process->number)
		budget->taken[process->number] = false;
	list_remove(&process->link);
	free(process);
}

void sqlite_budget_copy(struct sqlite_process *process, const struct sqlite_copy *copy)
{
	struct sqlite_plan_row rows[SQLITE_PLAN_MAX];
	size_t n = sqlite_plan(copy, rows);

	for (size_t i = 0; i < n; i++) {
		unsigned shape = 1u << probe_cost_shape(&copy->probe[rows[i].function]);

		if (rows[i].program == PROBES_SQLITE_STEP)
			process->step_shapes |= shape;
		else if (rows[i].program == PROBES_SQLITE_END)
			process->end_shapes |= shape;
		else if (rows[i].program == PROBES_SQLITE_PREPARE &&
		    rows[i].function != SQLITE_FN_EXEC) /* not on its entry */
			process->prepare_shapes |= shape;
	}
	if (!copy->row_offset)
		process->tier.no_statements = true;
}

uint32_t sqlite_budget_cookie(const struct sqlite_process *process, uint32_t copy)
{
	return copy | process->number << ZSP_SQLITE_PROCESS_SHIFT;
}

/* --- costs --------------------------------------------------------------------------------------- */

static void *measure(void *arg)
{
	struct sqlite_budget *budget = arg;
	struct probe_costs costs = probe_costs_default;
	int err = probe_cost_measure(budget->probes, &costs);

	log_debug(
	    "a probe's hit costs %u ns, single-stepped %u ns, with the return %u and %u ns more%s",
	    costs.of[PROBE_SHAPE_EMULATED].entry_ns, costs.of[PROBE_SHAPE_STEPPED].entry_ns,
	    costs.of[PROBE_SHAPE_EMULATED].return_ns, costs.of[PROBE_SHAPE_STEPPED].return_ns,
	    err ? " (not measured)" : "");
	budget->costs = costs;
	atomic_store(&budget->measuring, MEASURING_DONE);
	return NULL;
}

/* Are hits measured? Begin with it, beside all else, when this process gives a reason to. */
static bool is_measured(struct sqlite_budget *budget, const struct sqlite_process *process)
{
	int state = atomic_load(&budget->measuring);

	if (state != MEASURING_NOT || budget->stats.hits < MEASURE_HITS || !process->number)
		return state == MEASURING_DONE;
	atomic_store(&budget->measuring, MEASURING_NOW);
	if (pthread_create(&budget->thread, NULL, measure, budget) != 0)
		atomic_store(&budget->measuring, MEASURING_NOT); /* next time */
	return false;
}

static double program_ns(const struct sqlite_budget *budget, double part)
{
	return part * budget->costs.of[PROBE_SHAPE_EMULATED].entry_ns;
}

/* A hit on a function's entry, or on its return: of the dearest shape. */
static double hit_ns(const struct sqlite_budget *budget, unsigned shapes, bool on_return)
{
	uint32_t most = 0;

	for (int i = 0; i < PROBE_SHAPE_COUNT; i++) {
		const struct probe_cost *cost = &budget->costs.of[i];
		uint32_t ns = on_return ? cost->return_ns : cost->entry_ns;

		if (shapes >> i & 1 && ns > most)
			most = ns;
	}
	return most + program_ns(budget, PROGRAM_HIT);
}

/* What these hits cost in this detail. */
static uint64_t cost_of(const struct sqlite_budget *budget, const struct sqlite_process *process,
    const struct zsp_sqlite_process *hits, enum zsp_sqlite_detail detail)
{
	double ns = (double)hits->steps * hit_ns(budget, process->step_shapes, false) +
	    (double)hits->executions * program_ns(budget, PROGRAM_EXECUTION);

	if (detail == ZSP_SQLITE_OFF)
		return 0;
	if (detail <= ZSP_SQLITE_EXECUTIONS) {
		ns += (double)hits->steps * hit_ns(budget, process->step_shapes, true);
		ns += (double)hits->ends * hit_ns(budget, process->end_shapes, false);
	}
	if (detail == ZSP_SQLITE_FULL)
		ns += (double)hits->prepares *
			(hit_ns(budget, process->prepare_shapes, false) +
			    hit_ns(budget, process->prepare_shapes, true)) +
		    (double)hits->refused * program_ns(budget, PROGRAM_EXECUTION);
	return (uint64_t)ns;
}

/*
 * With what is not counted in this detail: in part of what was counted in full, ends and prepares stood so to executions; that
 * many are to be expected again.
 */
static struct zsp_sqlite_process complete(
    const struct sqlite_process *process, const struct zsp_sqlite_process *hits)
{
	const struct zsp_sqlite_process *full = &process->full;
	struct zsp_sqlite_process all = *hits;
	double ends = 1, prepares = 1, executions = (double)hits->executions;

	if (full->executions) {
		ends = (double)full->ends / (double)full->executions;
		prepares = (double)full->prepares / (double)full->executions;
	}
	if (process->tier.detail > ZSP_SQLITE_EXECUTIONS)
		all.ends = (uint64_t)(executions * ends);
	if (process->tier.detail > ZSP_SQLITE_FULL)
		all.prepares = (uint64_t)(executions * prepares);
	return all;
}

static void learn_full(struct sqlite_process *process, const struct zsp_sqlite_process *hits)
{
	process->full.ends += hits->ends;
	process->full.prepares += hits->prepares;
	process->full.executions += hits->executions;
}

/* --- sampling ------------------------------------------------------------------------------------ */

static struct tier_sample make_sample(const struct sqlite_budget *budget,
    const struct sqlite_process *process, const struct zsp_sqlite_process *hits, uint64_t cpu_ns)
{
	struct zsp_sqlite_process all = complete(process, hits);
	struct tier_sample sample = {
	    .now_ns = process->sampled_ns,
	    .cpu_ns = cpu_ns > process->cpu_ns ? cpu_ns - process->cpu_ns : 0,
	};

	for (int i = 0; i < ZSP_SQLITE_OFF && process->tier.detail < ZSP_SQLITE_OFF; i++)
		sample.cost_ns[i] = cost_of(budget, process, &all, (enum zsp_sqlite_detail)i);
	return sample;
}

bool sqlite_budget_sample(
    struct sqlite_budget *budget, struct sqlite_process *process, uint64_t now_ns, uint64_t cpu_ns)
{
	struct zsp_sqlite_process hits = take_counters(budget, process, now_ns);
	bool measured = is_measured(budget, process), first = process->cpu_ns == 0, changed = false;
	struct tier_sample sample = {0};

	if (process->tier.detail == ZSP_SQLITE_FULL)
		learn_full(process, &hits);
	/* The first time there is nothing to compare with; while probes are being detached they are hit uncounted. */
	if (measured && process->number && cpu_ns)
		sample = make_sample(budget, process, &hits, cpu_ns);
	if (!first && process->tier.detail < ZSP_SQLITE_OFF)
		budget->stats.cost_ns += sample.cost_ns[process->tier.detail];
	if (sample.now_ns && !first && !probes_drops_links(budget->probes, process->number))
		changed = tier_sample(&process->tier, &sample, budget->budget_pct);
	process->cpu_ns = measured ? cpu_ns : 0;
	return changed;
}

void sqlite_budget_enter(struct sqlite_budget *budget, struct sqlite_process *process)
{
	volatile struct zsp_sqlite_process *to = shared(budget, process);
	enum zsp_sqlite_detail before = to->mode & ZSP_SQLITE_DETAIL_MASK,
			       now = process->tier.detail;
	uint32_t era = (to->mode >> ZSP_SQLITE_ERA_SHIFT) + 1;

	to->mode = now | era << ZSP_SQLITE_ERA_SHIFT;
	if (now > before)
		budget->stats.lowered[now]++;
	else
		budget->stats.raised[now]++;
}

struct list *sqlite_budget_processes(struct sqlite_budget *budget)
{
	return &budget->processes;
}

double sqlite_budget_pct(const struct sqlite_budget *budget)
{
	return budget->budget_pct;
}

void sqlite_budget_stats(const struct sqlite_budget *budget, struct sqlite_budget_stats *ret_stats)
{
	*ret_stats = budget->stats;
	list_for_each (at, &budget->processes) {
		const struct sqlite_process *process =
		    container_of(at, struct sqlite_process, link);

		ret_stats->processes[process->tier.detail]++;
	}
}
