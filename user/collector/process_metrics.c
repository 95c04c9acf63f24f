// SPDX-License-Identifier: Apache-2.0
/* Metrics of observed processes; see process_metrics.h. */
#include "collector/process_metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "discover/proc.h"

enum {
	PROCESS_CPU = 0,
	PROCESS_MEMORY = 1,
	PROCESS_VIRTUAL = 2,
	PROCESS_THREADS = 3,
	PROCESS_DESCRIPTORS = 4,
	PROCESS_UPTIME = 5,
	PROCESS_METRICS = 6,
};

#define METRIC(id, of_unit, text, kind)                                                \
	{                                                                              \
		.name = (id), .unit = (of_unit), .description = (text), .type = (kind) \
	}

static const struct metric_desc descs[PROCESS_METRICS] = {
    [PROCESS_CPU] = METRIC("process.cpu.time", "s",
	"Total CPU seconds broken down by different CPU modes; zerospan's own: of both.",
	METRIC_COUNTER),
    [PROCESS_MEMORY] = METRIC(
	"process.memory.usage", "By", "The amount of physical memory in use.", METRIC_UPDOWN),
    [PROCESS_VIRTUAL] = METRIC(
	"process.memory.virtual", "By", "The amount of committed virtual memory.", METRIC_UPDOWN),
    [PROCESS_THREADS] =
	METRIC("process.thread.count", "{thread}", "Process threads count.", METRIC_UPDOWN),
    [PROCESS_DESCRIPTORS] = METRIC("process.unix.file_descriptor.count", "{file_descriptor}",
	"Number of unix file descriptors in use by the process.", METRIC_UPDOWN),
    [PROCESS_UPTIME] =
	METRIC("process.uptime", "s", "The time the process has been running.", METRIC_GAUGE),
};

struct process_metrics {
	struct instrument *of[PROCESS_METRICS];
	double ticks_per_s, page_bytes;
};

struct process_metrics *process_metrics_new(struct metrics *metrics)
{
	struct process_metrics *process = calloc(1, sizeof(*process));

	for (int i = 0; process && i < PROCESS_METRICS; i++) {
		process->of[i] = metrics_add(metrics, &descs[i]);
		if (!process->of[i]) {
			free(process);
			return NULL;
		}
	}
	if (process) {
		process->ticks_per_s = (double)sysconf(_SC_CLK_TCK);
		process->page_bytes = (double)sysconf(_SC_PAGESIZE);
	}
	return process;
}

void process_metrics_free(struct process_metrics *process)
{
	free(process);
}

static long count_entries(const char *path)
{
	DIR *dir = opendir(path);
	long n = 0;

	if (!dir)
		return -1;
	for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* Since Linux 6.2 the size of the directory is their number; before, it is 0. -1: not known. */
static long count_descriptors(int pid)
{
	struct stat info;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	if (stat(path, &info) == 0 && info.st_size > 0)
		return (long)info.st_size;
	return count_entries(path);
}

static void update_cpu(const struct process_metrics *process, struct service *service,
    const char *mode, uint64_t ticks)
{
	const struct attr attr = {.key = "cpu.mode", .type = ATTR_STRING, .string = sv_cstr(mode)};

	metric_set_of(
	    process->of[PROCESS_CPU], service, &attr, 1, (double)ticks / process->ticks_per_s);
}

void process_metrics_update(struct process_metrics *process, struct service *service)
{
	long descriptors = count_descriptors(service->pid);
	struct timespec boot = {0};
	struct proc_stat stat;

	if (proc_read_stat(service->pid, &stat) || stat.state == 'Z')
		return;
	clock_gettime(CLOCK_BOOTTIME, &boot);
	update_cpu(process, service, "user", stat.user_ticks);
	update_cpu(process, service, "system", stat.system_ticks);
	metric_set_of(process->of[PROCESS_MEMORY], service, NULL, 0,
	    (double)stat.resident_pages * process->page_bytes);
	metric_set_of(process->of[PROCESS_VIRTUAL], service, NULL, 0, (double)stat.virtual_bytes);
	metric_set_of(process->of[PROCESS_THREADS], service, NULL, 0, (double)stat.threads);
	if (descriptors >= 0)
		metric_set_of(
		    process->of[PROCESS_DESCRIPTORS], service, NULL, 0, (double)descriptors);
	metric_record(process->of[PROCESS_UPTIME], service, NULL, 0,
	    (double)boot.tv_sec + (double)boot.tv_nsec / 1e9 -
		(double)stat.start_ticks / process->ticks_per_s,
	    NULL);
}
