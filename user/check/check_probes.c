// SPDX-License-Identifier: Apache-2.0
/* Tables of SQLite's probes; see check_probes.h. */
#include "check/check_probes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "discover/elf.h"
#include "discover/insn_text.h"
#include "probe/probe_cost.h"
#include "probe/sqlite_plan.h"

enum {
	INSN_BYTES_MAX = 15,
	COPIES_MAX = 256, /* of one host; more are not shown */
};

struct row {
	struct sqlite_plan_row plan;
	uint64_t distance; /* from the function's entry */
	enum probe_shape shape;
	uint8_t code[INSN_BYTES_MAX];
	size_t n_code;
};

struct noted_copy {
	uint64_t dev, inode;
	char *path;
	struct row rows[SQLITE_PLAN_MAX];
	size_t n_rows;
};

struct check_probes {
	struct noted_copy copies[COPIES_MAX];
	size_t n;
};

struct check_probes *check_probes_new(void)
{
	return calloc(1, sizeof(struct check_probes));
}

void check_probes_free(struct check_probes *table)
{
	for (size_t i = 0; table && i < table->n; i++)
		free(table->copies[i].path);
	free(table);
}

static bool is_noted(const struct check_probes *table, const struct sqlite_copy *copy)
{
	for (size_t i = 0; i < table->n; i++)
		if (table->copies[i].dev == copy->dev && table->copies[i].inode == copy->inode)
			return true;
	return false;
}

/* The bytes under the probe, as the file has them. */
static size_t read_code(int fd, uint64_t offset, uint8_t code[INSN_BYTES_MAX])
{
	ssize_t n = pread(fd, code, INSN_BYTES_MAX, (off_t)offset);

	return n > 0 ? (size_t)n : 0;
}

static void note_copy(struct noted_copy *noted, const struct sqlite_copy *copy, int fd)
{
	struct sqlite_plan_row plan[SQLITE_PLAN_MAX];

	noted->dev = copy->dev;
	noted->inode = copy->inode;
	noted->n_rows = sqlite_plan(copy, plan);
	for (size_t i = 0; i < noted->n_rows; i++) {
		const struct sqlite_probe *probe = &copy->probe[plan[i].function];
		struct row *row = &noted->rows[i];

		row->plan = plan[i];
		row->distance = plan[i].offset - probe->entry;
		row->shape = plan[i].function != SQLITE_FN_EXEC ? probe_cost_shape(probe)
		    : plan[i].emulated                          ? PROBE_SHAPE_EMULATED
								: PROBE_SHAPE_STEPPED;
		row->n_code = read_code(fd, plan[i].offset, row->code);
	}
}

void check_probes_note(struct check_probes *table, const struct sqlite_copies *copies)
{
	for (size_t i = 0; i < copies->n && table->n < COPIES_MAX; i++) {
		const struct sqlite_copy *copy = &copies->items[i];
		struct noted_copy *noted = &table->copies[table->n];
		int fd;

		if (copy->state != SQLITE_COPY_TRACEABLE || is_noted(table, copy))
			continue;
		fd = open(copy->attach_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0) /* the process has ended */
			continue;
		note_copy(noted, copy, fd);
		close(fd);
		noted->path = strdup(copy->path);
		if (noted->path)
			table->n++;
	}
}

static void print_cost(const struct probe_cost *cost, bool on_return)
{
	uint32_t ns = !cost ? 0 : on_return ? cost->return_ns : cost->entry_ns;

	if (ns)
		printf("  %8u", ns);
	else
		printf("  %8s", "-");
}

/* What hits cost in observed processes and in others. */
struct costs {
	struct probe_costs observed, other;
};

/* costs is NULL when they are not known. */
static void print_row(const struct row *row, const struct costs *costs)
{
	char name[48], text[INSN_TEXT_MAX], bytes[3 * INSN_BYTES_MAX + 1] = "";
	size_t len = insn_text(elf_machine_host(), row->code, row->n_code, text);
	bool on_return = row->plan.on_return;

	snprintf(name, sizeof(name), row->distance ? "%s+%llu" : "%s",
	    sqlite_function_name(row->plan.function), (unsigned long long)row->distance);
	for (size_t i = 0; i < len; i++)
		snprintf(bytes + 3 * i, 4, "%02x ", row->code[i]);
	if (len)
		bytes[3 * len - 1] = '\0';
	printf("  %-22s  %-6s  0x%-8llx  %-14s  %-9s", name, on_return ? "return" : "entry",
	    (unsigned long long)row->plan.offset, *text ? text : "?",
	    row->plan.emulated ? "emulated" : "stepped");
	print_cost(costs ? &costs->observed.of[row->shape] : NULL, on_return);
	print_cost(costs ? &costs->other.of[row->shape] : NULL, on_return);
	printf("  %s\n", len ? bytes : "?");
}

static void print_copy(const struct noted_copy *copy, const struct costs *costs)
{
	printf("\nprobes of SQLite in %s:\n", copy->path);
	printf("  %-22s  %-6s  %-10s  %-14s  %-9s  %8s  %8s  %s\n", "function", "probe", "offset",
	    "instruction", "kernel", "ns/hit", "others", "bytes");
	for (size_t i = 0; i < copy->n_rows; i++)
		print_row(&copy->rows[i], costs);
}

void check_probes_print(const struct check_probes *table, const char *not_measured)
{
	struct costs costs;
	struct buf message;
	bool measured = false;

	if (!table->n)
		return;
	buf_init(&message);
	if (!not_measured) {
		measured =
		    probe_cost_measure_observed(&costs.observed, &costs.other, &message) == 0;
		not_measured = message.data ? message.data : "no memory";
	}
	for (size_t i = 0; i < table->n; i++)
		print_copy(&table->copies[i], measured ? &costs : NULL);
	if (measured)
		printf(
		    "\nns/hit: what a probe adds to a call in an observed process, measured now in a process made for it; others: in\n"
		    "one that runs the same file and is not observed, which is hit while a command is observed from its start (--).\n");
	else
		printf("\nns/hit is not measured: %s\n", not_measured);
	buf_release(&message);
}
