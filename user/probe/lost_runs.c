// SPDX-License-Identifier: Apache-2.0
/* Counting what nobody saw; see lost_runs.h. */
#include "probe/lost_runs.h"

#include <bpf/libbpf.h>
#include <stdbool.h>

#include "base/log.h"
#include "event.h"
#include "probe/program_counts.h"
#include "zerospan.skel.h"

/* A program, and the one that makes up for what the kernel skips of it. */
struct twins {
	const struct bpf_program *first, *second;
};

static struct twins twins_of(const struct zerospan_bpf *skel, enum zsp_twins which)
{
	const struct twins twins[ZSP_TWINS_MAX] = {
	    [ZSP_TWINS_FORK] = {skel->progs.zsp_sched_process_fork,
		skel->progs.zsp_call_wake_up_new_task},
	    [ZSP_TWINS_EXEC] = {skel->progs.zsp_sched_process_exec,
		skel->progs.zsp_call_proc_exec_connector},
	    [ZSP_TWINS_EXIT] = {skel->progs.zsp_sched_process_exit,
		skel->progs.zsp_call_exit_files},
	    [ZSP_TWINS_LOCK] = {skel->progs.zsp_posix_lock_inode,
		skel->progs.zsp_posix_lock_inode_twin},
	};

	return twins[which];
}

static uint64_t skipped_runs_of(const struct bpf_program *program)
{
	struct program_counts counts;

	if (bpf_program__fd(program) < 0 || program_counts_read(bpf_program__fd(program), &counts))
		return 0;
	return counts.skipped;
}

/* Counted as they happen, so at most by those that are being made. */
static uint64_t lost_changes(const struct zerospan_bpf *skel)
{
	uint64_t all = skipped_runs_of(skel->progs.zsp_inet_sock_set_state), seen = 0;
	int cpus = libbpf_num_possible_cpus();

	if (cpus < 0 || cpus > ZSP_CPUS_MAX)
		cpus = ZSP_CPUS_MAX;
	for (int i = 0; i < cpus; i++)
		all += skel->bss->zsp_changes_seen[i].runs;
	for (int i = 0; i < cpus; i++)
		seen += skel->bss->zsp_changes_seen[i].seen;
	return all - seen;
}

/* A run is made up for before the kernel's count of it is seen, or after: see lost_runs_look(). */
static uint64_t lost_by_twins(const struct zerospan_bpf *skel, enum zsp_twins which)
{
	return skipped_runs_of(twins_of(skel, which).first) - skel->bss->zsp_made_up[which];
}

static bool has_others(const struct zerospan_bpf *skel, const struct bpf_program *program)
{
	for (enum zsp_twins i = 0; i < ZSP_TWINS_MAX; i++) {
		struct twins twins = twins_of(skel, i);

		if (program == twins.first || program == twins.second)
			return true;
	}
	return program == skel->progs.zsp_inet_sock_set_state ||
	    program == skel->progs.zsp_inet_sock_set_state_twin ||
	    program == skel->progs.zsp_call_tcp_set_state ||
	    program == skel->progs.zsp_sock_recv_length;
}

static uint64_t all_lost(const struct zerospan_bpf *skel)
{
	uint64_t lost = lost_changes(skel);
	struct bpf_program *program;

	bpf_object__for_each_program(program, skel->obj)
	{
		if (!has_others(skel, program))
			lost += skipped_runs_of(program);
	}
	for (enum zsp_twins i = 0; i < ZSP_TWINS_MAX; i++)
		lost += lost_by_twins(skel, i);
	return lost;
}

void lost_runs_begin(struct lost_runs *lost, const struct zerospan_bpf *skel)
{
	*lost = (struct lost_runs){.skel = skel, .before = all_lost(skel)};
}

uint64_t lost_runs_look(struct lost_runs *lost)
{
	uint64_t found = all_lost(lost->skel) - lost->before;
	uint64_t stays = (int64_t)(found - lost->found) < 0 ? found : lost->found;

	lost->found = found;
	if ((int64_t)(stays - lost->told) > 0)
		lost->told = stays;
	return lost->told;
}

void lost_runs_log(const struct zerospan_bpf *skel)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, skel->obj)
	{
		uint64_t skipped = skipped_runs_of(program);

		if (skipped)
			log_warn("the kernel skipped %llu runs of '%s'",
			    (unsigned long long)skipped, bpf_program__name(program));
	}
}
