// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as the registers and the stack of this very process, whose own modules are walked
 * through: bounded, and every frame is code. So that stacks go on for a while, a part of the
 * numbers is made to point into code or into the stack, and to where return probes return to: as
 * root the process gives itself one, so that the kernel maps that.
 */
#include <dlfcn.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "discover/proc.h"
#include "fuzz.h"
#include "stack/stack.h"

enum {
	WORDS_MAX = 64,
	STACK = 0x7ffe0000, /* where the copy is said to come from */
};

static struct stack_reader *reader;
static struct stack_trace trace;
static uint64_t anchors[4]; /* in our own program and in libraries */

static uint64_t return_probe; /* 0: none */
static volatile int sink;

__attribute__((noinline)) static void probed(void)
{
	sink++;
}

/* The place in the file of what is at an address. */
static int take_offset(const struct proc_map *map, void *arg)
{
	uint64_t *address = arg;

	if (*address < map->start || *address >= map->end)
		return 0;
	*address = *address - map->start + map->offset;
	return 1;
}

static int take_return_probe(const struct proc_map *map, void *arg)
{
	(void)arg;
	if (sv_eq(map->path, SV("[uprobes]")))
		return_probe = map->start;
	return 0;
}

static void map_return_probe(void)
{
	struct perf_event_attr attr = {.size = sizeof(attr), .config = 1};
	FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "r");
	uint64_t offset = (uint64_t)(uintptr_t)probed;
	unsigned type;
	int fd = -1;

	if (f && fscanf(f, "%u", &type) == 1 &&
	    proc_each_map(getpid(), take_offset, &offset) == 1) {
		attr.type = type;
		attr.uprobe_path = (uint64_t)(uintptr_t) "/proc/self/exe";
		attr.probe_offset = offset;
		fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	}
	if (f)
		fclose(f);
	if (fd < 0)
		return;
	probed();
	close(fd);
	proc_each_map(getpid(), take_return_probe, NULL);
}

static void start(void)
{
	static const char *const functions[] = {"qsort", "dwarf_attr", "inflate"};

	map_return_probe();
	reader = stack_reader_new();
	REQUIRE(reader);
	anchors[0] = (uint64_t)(uintptr_t)LLVMFuzzerTestOneInput;
	for (size_t i = 0; i < 3; i++)
		anchors[1 + i] = (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, functions[i]);
}

static uint64_t number(struct fuzz_choices *c)
{
	uint64_t kind = fuzz_byte(c), value = fuzz_word(c);

	switch (kind >> 6) {
	case 0: /* code around a known function */
		return anchors[kind & 3] + value - 1024;
	case 1: /* the stack itself */
		return STACK + (value & 0x3ff);
	case 2:
		return value | (uint64_t)fuzz_word(c) << 16 | (uint64_t)fuzz_word(c) << 32 |
		    (uint64_t)fuzz_word(c) << 48;
	default:
		return value & 8 ? return_probe : value & 7;
	}
}

static void check_frame(const struct stack_frame *f, struct buf *text)
{
	const char *end = trace.text + trace.text_len;

	REQUIRE(!f->function || (f->function >= trace.text && f->function < end));
	REQUIRE(!f->file || (f->file >= trace.text && f->file < end));
	REQUIRE(f->file || !f->line);
	REQUIRE(!f->inlined || f->function);
	buf_clear(text);
	stack_frame_print(f, text);
	REQUIRE(text->len && utf8_valid(buf_sv(text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_choices c = {.p = data, .left = size};
	struct stack_sample sample = {.pid = getpid(), .regs = {.sp = STACK}};
	uint64_t words[WORDS_MAX];
	struct buf text = {0};
	struct sv copy;
	size_t n = 0;

	if (!reader)
		start();
	sample.regs.ip = number(&c);
	sample.regs.fp = number(&c);
	sample.regs.lr = number(&c);
	for (size_t i = 0; i < 3; i++)
		sample.regs.saved[i] = number(&c);
	sample.len = fuzz_byte(&c);
	sample.regs.saved_known = !(sample.len & 8);
	sample.len &= 7;
	while (c.left && n < WORDS_MAX)
		words[n++] = number(&c);
	copy = fuzz_copy(words, n * sizeof(words[0]));
	sample.bytes = copy.p;
	sample.len = copy.len > sample.len ? copy.len - sample.len : 0;
	REQUIRE(stack_reader_trace(reader, &sample, clock_monotonic_ns(), &trace) == 0);
	REQUIRE(trace.n >= 1 && trace.n <= STACK_FRAMES_MAX);
	REQUIRE(trace.text_len <= sizeof(trace.text));
	REQUIRE(trace.end >= STACK_END_COMPLETE && trace.end <= STACK_END_LOST);
	for (size_t i = 0; i < trace.n; i++)
		check_frame(&trace.frames[i], &text);
	buf_release(&text);
	fuzz_free(copy);
	return 0;
}
