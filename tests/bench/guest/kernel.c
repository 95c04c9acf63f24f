// SPDX-License-Identifier: Apache-2.0
/* What the kernel knows of its CPU, of BPF programs and of maps; see guest.h. */
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

#define PROGRAMS_MAX 256

struct program {
	uint32_t id;
	uint64_t runs, ns;
};

static struct program last[PROGRAMS_MAX];

uint64_t kernel_busy_ns(void)
{
	FILE *f = fopen("/proc/schedstat", "re");
	unsigned long long value = 0;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "cpu0 %*u %*u %*u %*u %*u %*u %llu", &value) == 1)
			break;
	if (f)
		fclose(f);
	return value;
}

void kernel_stats_enable(bool on)
{
	int fd = open("/proc/sys/kernel/bpf_stats_enabled", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, on ? "1" : "0", 1) != 1)
		die("kernel.bpf_stats_enabled");
	close(fd);
}

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* A descriptor of the object with the next number after *id, or -1. */
static int next_object(int next, int open_by, uint32_t *id)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.start_id = *id;
	if (bpf(next, &attr))
		return -1;
	*id = attr.next_id;
	memset(&attr, 0, sizeof(attr));
	attr.prog_id = *id; /* the same place as map_id */
	return bpf(open_by, &attr);
}

static int object_info(int fd, void *info, uint32_t len)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	memset(info, 0, len);
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = len;
	attr.info.info = (uintptr_t)info;
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static struct program *remembered(uint32_t id)
{
	for (size_t i = 0; i < PROGRAMS_MAX; i++) {
		if (!last[i].id)
			last[i].id = id;
		if (last[i].id == id)
			return &last[i];
	}
	die("too many programs");
}

static void visit_programs(const char *phase)
{
	struct bpf_prog_info info;
	uint32_t id = 0;
	int fd;

	while ((fd = next_object(BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID, &id)) >= 0) {
		struct program *before = remembered(id);
		char key[64];

		if (object_info(fd, &info, sizeof(info)) == 0) {
			if (phase && info.run_cnt > before->runs) {
				snprintf(key, sizeof(key), "runs:%u:%s", id, info.name);
				report(phase, key, info.run_cnt - before->runs);
				snprintf(key, sizeof(key), "ns:%u:%s", id, info.name);
				report(phase, key, info.run_time_ns - before->ns);
			}
			before->runs = info.run_cnt;
			before->ns = info.run_time_ns;
		}
		close(fd);
	}
}

void kernel_report_programs(const char *phase)
{
	visit_programs(phase);
}

void kernel_forget_programs(void)
{
	visit_programs(NULL);
}

/*
 * What the kernel charges for a map: the line memlock of its descriptor. Rings are charged for nothing by older kernels; they
 * have their data and pages for two positions.
 */
static uint64_t map_bytes(int fd, const struct bpf_map_info *map)
{
	unsigned long long bytes = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	if (f)
		fclose(f);
	if (map->type == BPF_MAP_TYPE_RINGBUF && bytes < map->max_entries)
		bytes = map->max_entries + 2 * (uint64_t)sysconf(_SC_PAGESIZE);
	return bytes;
}

void kernel_report_maps(const char *phase)
{
	struct bpf_map_info info;
	uint64_t total = 0;
	uint32_t id = 0;
	int fd;

	while ((fd = next_object(BPF_MAP_GET_NEXT_ID, BPF_MAP_GET_FD_BY_ID, &id)) >= 0) {
		if (object_info(fd, &info, sizeof(info)) == 0) {
			uint64_t bytes = map_bytes(fd, &info);
			char key[64];

			snprintf(key, sizeof(key), "map:%s", info.name);
			report(phase, key, bytes);
			total += bytes;
		}
		close(fd);
	}
	report(phase, "map_bytes", total);
}
