// SPDX-License-Identifier: Apache-2.0
/* See program_counts.h. */
#include "probe/program_counts.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

int program_counts_read(int program_fd, struct program_counts *ret_counts)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info); /* afterwards what the kernel knows of it */

	if (bpf_obj_get_info_by_fd(program_fd, &info, &len))
		return -errno;
	*ret_counts = (struct program_counts){
	    .runs = info.run_cnt,
	    .time_ns = info.run_time_ns,
	    .skipped = info.recursion_misses,
	    .counts_skipped = len >=
		offsetof(struct bpf_prog_info, recursion_misses) + sizeof(info.recursion_misses),
	};
	return 0;
}

int program_counts_enable(void)
{
	int fd = bpf_enable_stats(BPF_STATS_RUN_TIME);

	return fd < 0 ? -errno : fd;
}

bool program_counts_always(void)
{
	FILE *f = fopen("/proc/sys/kernel/bpf_stats_enabled", "re");
	int enabled = 0;

	if (!f)
		return false;
	if (fscanf(f, "%d", &enabled) != 1)
		enabled = 0;
	fclose(f);
	return enabled == 1;
}
