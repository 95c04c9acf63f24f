// SPDX-License-Identifier: Apache-2.0
/* What user space asks of the table of observed threads; see thread_table.h. */
#include "probe/thread_table.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>

#include "zerospan.skel.h"

void thread_table_set_size(struct zerospan_bpf *skel, uint32_t entries)
{
	bpf_map__set_max_entries(skel->maps.zsp_threads, entries);
	bpf_map__set_max_entries(skel->maps.zsp_threads_free, entries);
}

int thread_table_fill(struct zerospan_bpf *skel)
{
	uint32_t end = bpf_map__max_entries(skel->maps.zsp_threads);
	struct zsp_thread_run run = {.first = 1};

	for (uint32_t left = THREAD_TABLE_RUNS; left > 0; left--, run.first += run.n) {
		run.n = (end - run.first) / left;
		if (bpf_map_update_elem(
			bpf_map__fd(skel->maps.zsp_threads_free), NULL, &run, BPF_ANY))
			return -errno;
	}
	return 0;
}

int thread_table_command(struct zerospan_bpf *skel, uint32_t tid, enum zsp_thread_command command)
{
	uint64_t args[] = {tid, command};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));
	int err = bpf_prog_test_run_opts(bpf_program__fd(skel->progs.zsp_thread_command), &opts);

	return err ? err : (int)opts.retval;
}
