// SPDX-License-Identifier: Apache-2.0
/* Counting what nobody saw; see lost_runs.h. */
#include "probe/lost_runs.h"

#include <bpf/libbpf.h>
#include <stdbool.h>

#include "base/log.h"
#include "event.h"
#include "probe/program_counts.h"
#include "zerospan.skel.h"

struct program_twins program_twins_of(const struct zerospan_bpf *skel, size_t i)
{
	const struct program_twins twins[PROGRAM_TWINS] = {
	    {skel->progs.zsp_posix_lock_inode, skel->progs.zsp_posix_lock_inode_twin},
	    {skel->progs.zsp_sched_process_exit, skel->progs.zsp_sched_process_exit_twin},
	};

	return twins[i];
}

static bool is_loaded(const struct bpf_program *program)
{
	return bpf_program__fd(program) >= 0;
}

static uint64_t skipped_runs_of(const struct bpf_program *program)
{
	struct program_counts counts;

	if (!is_loaded(program) || program_counts_read(bpf_program__fd(program), &counts))
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

static uint64_t lost_by_twins(const struct program_twins *twins)
{
	uint64_t one = skipped_runs_of(twins->program), other = skipped_runs_of(twins->twin);

	return is_loaded(twins->twin) && other < one ? other : one;
}

static bool has_others(const struct zerospan_bpf *skel, const struct bpf_program *program)
{
	for (size_t i = 0; i < PROGRAM_TWINS; i++) {
		struct program_twins twins = program_twins_of(skel, i);

		if (program == twins.program || program == twins.twin)
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
	for (size_t i = 0; i < PROGRAM_TWINS; i++) {
		struct program_twins twins = program_twins_of(skel, i);

		lost += lost_by_twins(&twins);
	}
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
