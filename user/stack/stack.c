// SPDX-License-Identifier: Apache-2.0
/* The reader: processes, and the way from a sample to a trace; see stack.h. */
#include "stack/stack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "stack/seam.h"
#include "stack/trace_text.h"
#include "stack/walk.h"

/* Mappings change under us (dlopen, dlclose): none older than this are used. */
static const uint64_t maps_age_ns = 1 * NS_PER_S;

struct process {
	struct list link; /* by last use, the oldest first */
	struct space *space;
};

struct stack_reader {
	struct binaries *binaries;
	struct list processes;
	size_t n_processes;
	struct cfi_memory memory;
	struct stack_counts counts;
};

struct stack_reader *stack_reader_new(void)
{
	struct stack_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	list_init(&reader->processes);
	reader->binaries = binaries_new();
	if (!reader->binaries) {
		stack_reader_free(reader);
		return NULL;
	}
	return reader;
}

static void drop_process(struct stack_reader *reader, struct process *process)
{
	list_remove(&process->link);
	reader->n_processes--;
	reader->counts.files_refused += space_refused(process->space);
	space_free(process->space);
	free(process);
}

void stack_reader_forget_all(struct stack_reader *reader)
{
	list_for_each (link, &reader->processes)
		drop_process(reader, container_of(link, struct process, link));
	binaries_drop_unused(reader->binaries);
	cfi_memory_release(&reader->memory);
}

void stack_reader_free(struct stack_reader *reader)
{
	if (!reader)
		return;
	if (reader->binaries)
		stack_reader_forget_all(reader);
	binaries_free(reader->binaries);
	free(reader);
}

static struct process *find_process(struct stack_reader *reader, pid_t pid)
{
	list_for_each (link, &reader->processes) {
		struct process *process = container_of(link, struct process, link);

		if (space_pid(process->space) == pid)
			return process;
	}
	return NULL;
}

void stack_reader_forget(struct stack_reader *reader, pid_t pid)
{
	struct process *process = find_process(reader, pid);

	if (process)
		drop_process(reader, process);
}

struct stack_counts stack_reader_counts(const struct stack_reader *reader)
{
	const struct list *head = &reader->processes;
	struct stack_counts counts = reader->counts;

	for (const struct list *link = head->next; link != head; link = link->next)
		counts.files_refused +=
		    space_refused(container_of(link, struct process, link)->space);
	counts.debug_too_large = binaries_too_large(reader->binaries);
	return counts;
}

static int add_process(struct stack_reader *reader, pid_t pid, uint64_t now_ns)
{
	struct process *process;
	struct space *space;
	int err = space_new(reader->binaries, pid, now_ns, &space);

	if (err)
		return err;
	process = calloc(1, sizeof(*process));
	if (!process) {
		space_free(space);
		return -ENOMEM;
	}
	if (reader->n_processes == STACK_PROCESSES_MAX)
		drop_process(reader, container_of(reader->processes.next, struct process, link));
	process->space = space;
	list_add_tail(&reader->processes, &process->link);
	reader->n_processes++;
	return 0;
}

/* The space of a process as it is now, or was at its end. */
static int need_space(
    struct stack_reader *reader, pid_t pid, uint64_t now_ns, struct space **ret_space)
{
	struct process *process = find_process(reader, pid);
	int err = 0;

	if (process && space_is_stale(process->space)) {
		drop_process(reader, process);
		process = NULL;
	}
	if (!process) {
		err = add_process(reader, pid, now_ns);
		if (err)
			return err;
		process = find_process(reader, pid);
	}
	list_remove(&process->link);
	list_add_tail(&reader->processes, &process->link);
	space_refresh(process->space, now_ns, maps_age_ns);
	*ret_space = process->space;
	return 0;
}

/* Go on behind a return probe. */
static bool cross(struct walk *w, struct stack_trace *trace)
{
	struct space_place place;
	struct seam seam;

	if (seam_cross(w, &seam))
		return false;
	if (seam.missing && walk_find_place(w, seam.missing, &place) &&
	    !trace_text_add(trace, &place, seam.missing, TRACE_KIND_MISSING))
		return false;
	w->guessed = seam.gap && !seam.missing;
	w->registers = seam.registers;
	return true;
}

/*
 * A return address follows its call, which may be the function's last instruction: what holds for
 * the caller is found one byte before.
 */
static enum stack_end walk(struct walk *w, struct stack_trace *trace)
{
	struct space_place place;
	struct walk_rules rules;
	int result = 1;

	while (result == 1) {
		enum trace_kind kind;

		if (walk_is_at_return_probe(w) && !cross(w, trace)) {
			if (trace->n == STACK_FRAMES_MAX)
				return STACK_END_LIMIT;
			return w->copy.cut ? STACK_END_CUT : STACK_END_LOST;
		}
		if (!walk_find_place(w, w->registers.ip - !w->exact, &place))
			return STACK_END_LOST;
		kind = w->guessed ? TRACE_KIND_GUESSED : TRACE_KIND_PLAIN;
		walk_find_rules(w, &place, &rules);
		if (!rules.err && rules.found.common.signal)
			kind = TRACE_KIND_SIGNAL;
		if (!trace_text_add(trace, &place, w->registers.ip, kind))
			return STACK_END_LIMIT;
		result = walk_step(w, &rules);
	}
	if (result == 0)
		return STACK_END_COMPLETE;
	return result == -ENODATA && w->copy.cut ? STACK_END_CUT : STACK_END_LOST;
}

static struct registers registers_from(const struct stack_regs *regs)
{
	bool arm = elf_machine_host() == ELF_MACHINE_AARCH64;
	const struct register_roles *roles = register_roles_of(elf_machine_host());
	static const uint8_t saved_x86[] = {3, 12, 13, 14, 15};
	struct registers r = {.ip = regs->ip};

	register_set(&r, roles->sp, regs->sp);
	register_set(&r, roles->fp, regs->fp);
	if (arm)
		register_set(&r, roles->ra, regs->lr);
	for (unsigned i = 0; regs->saved_known && i < (arm ? STACK_SAVED : sizeof(saved_x86)); i++)
		register_set(&r, arm ? 19 + i : saved_x86[i], regs->saved[i]);
	return r;
}

int stack_reader_trace(struct stack_reader *reader, const struct stack_sample *sample,
    uint64_t now_ns, struct stack_trace *ret_trace)
{
	unsigned seam_work = SEAM_WORK_MAX;
	struct walk w = {
	    .memory = &reader->memory, .now_ns = now_ns, .seam_work = &seam_work, .exact = true};
	int err = need_space(reader, sample->pid, now_ns, &w.space);

	if (err) {
		reader->counts.gone += err == -ESRCH;
		return err;
	}
	w.copy = (struct stack_copy){
	    .start = sample->regs.sp, .bytes = sample->bytes, .len = sample->len};
	w.registers = registers_from(&sample->regs);
	ret_trace->n = ret_trace->text_len = 0;
	ret_trace->end = walk(&w, ret_trace);
	if (!ret_trace->n) /* stopped outside of all code */
		trace_text_add_address(ret_trace, sample->regs.ip);
	reader->counts.traces++;
	reader->counts.cut += ret_trace->end == STACK_END_CUT;
	reader->counts.lost += ret_trace->end == STACK_END_LOST;
	binaries_trim(reader->binaries);
	return 0;
}
