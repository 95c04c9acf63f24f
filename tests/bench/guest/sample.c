// SPDX-License-Identifier: Apache-2.0
/*
 * Where the instructions go: the instruction pointer each 20 us, in user and in kernel space. Switched on for a phase only;
 * what is sampled is dearer, so figures of such a machine are worth nothing else.
 *
 * One perf event of the CPU writes to one buffer, which holds a whole phase. It is not one of tasks: whose clock stands while
 * they sleep, and which lock to what a task does again and again, while this one drifts along the requests. Kernel addresses become
 * symbols here, where /proc/kallsyms is; user addresses are told as they are, with the mappings they lie in.
 */
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

#define PERIOD_NS    19997 /* a request each ms is hit 0.15 us later than the one before */
#define BUFFER_BYTES (32UL << 20)
#define SYMBOLS_MAX  200000
#define SAMPLES_MAX  1000000
#define NAME_LEN     56

struct symbol {
	uint64_t address;
	char name[NAME_LEN];
};

struct sample {
	struct perf_event_header header;
	uint64_t ip;
	uint32_t pid, tid;
};

static int event = -1;
static struct perf_event_mmap_page *control;
static struct symbol *symbols;
static size_t n_symbols;

void sample_open(void)
{
	struct perf_event_attr attr = {
	    .type = PERF_TYPE_SOFTWARE,
	    .size = sizeof(attr),
	    .config = PERF_COUNT_SW_CPU_CLOCK,
	    .sample_period = PERIOD_NS,
	    .sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID,
	    .disabled = 1,
	    .exclude_idle = 1,
	};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	event = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	control = event < 0
	    ? MAP_FAILED
	    : mmap(NULL, BUFFER_BYTES + page, PROT_READ | PROT_WRITE, MAP_SHARED, event, 0);
	if (control == MAP_FAILED)
		die("perf_event_open");
}

void sample_start(void)
{
	if (event < 0)
		return;
	control->data_tail = control->data_head;
	ioctl(event, PERF_EVENT_IOC_ENABLE, 0);
}

static int by_address(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Functions of the kernel, of its modules and of BPF programs as they are now. */
static void read_symbols(void)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[512], type;

	if (!symbols)
		symbols = calloc(SYMBOLS_MAX, sizeof(*symbols));
	n_symbols = 0;
	while (f && symbols && n_symbols < SYMBOLS_MAX && fgets(line, sizeof(line), f)) {
		struct symbol *s = &symbols[n_symbols];
		unsigned long long address;

		if (sscanf(line, "%llx %c %55s", &address, &type, s->name) == 3 &&
		    strchr("tTwW", type)) {
			s->address = address;
			n_symbols++;
		}
	}
	if (f)
		fclose(f);
	qsort(symbols, n_symbols, sizeof(*symbols), by_address);
}

static const struct symbol *symbol_of(uint64_t address)
{
	size_t low = 0, high = n_symbols;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (symbols[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &symbols[low - 1] : NULL;
}

/* The addresses of one process' samples; kernel ones as those of their functions. Returns how many. */
static size_t collect(pid_t pid, uint64_t *ret_ips)
{
	const char *data = (const char *)control + control->data_offset;
	uint64_t at = control->data_tail, head = control->data_head;
	size_t n = 0;

	while (at < head && n < SAMPLES_MAX) {
		struct sample s; /* records are multiples of 8 bytes, and may lie across the end */

		for (size_t i = 0; i < sizeof(s); i += 8)
			memcpy((char *)&s + i, data + (at + i) % BUFFER_BYTES, 8);
		if (s.header.size == 0)
			break;
		if (s.header.type == PERF_RECORD_SAMPLE && s.pid == (uint32_t)pid) {
			const struct symbol *symbol = s.ip >> 63 ? symbol_of(s.ip) : NULL;

			ret_ips[n++] = symbol ? symbol->address : s.ip;
		}
		at += s.header.size;
	}
	return n;
}

static void report_ips(const char *phase, const uint64_t *ips, size_t n)
{
	char key[96];

	for (size_t i = 0, next; i < n; i = next) {
		for (next = i; next < n && ips[next] == ips[i]; next++)
			;
		if (ips[i] >> 63)
			snprintf(key, sizeof(key), "k:%s", symbol_of(ips[i])->name);
		else
			snprintf(key, sizeof(key), "u:%llx", (unsigned long long)ips[i]);
		report(phase, key, next - i);
	}
}

void sample_stop(void)
{
	if (event < 0)
		return;
	ioctl(event, PERF_EVENT_IOC_DISABLE, 0);
	read_symbols();
}

void sample_report(const char *phase, const char *who, const struct process *p)
{
	uint64_t *ips = event >= 0 && p->pid ? calloc(SAMPLES_MAX, sizeof(*ips)) : NULL;
	char name[64], path[64];
	size_t n;

	if (!ips)
		return;
	n = collect(p->pid, ips);
	qsort(ips, n, sizeof(*ips), by_address);
	snprintf(name, sizeof(name), "sample:%s:%s", phase, who);
	report_ips(name, ips, n);
	free(ips);
	snprintf(name, sizeof(name), "maps:%s", who);
	snprintf(path, sizeof(path), "/proc/%d/maps", p->pid);
	report_file(name, path, (const char *const[]){"", NULL});
}
