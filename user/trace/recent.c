// SPDX-License-Identifier: Apache-2.0
/* A ring and a few slots per process; see recent.h. */
#include "trace/recent.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_PER_WORD 64
#define NO_SLOT        SIZE_MAX

struct entry {
	uint64_t id; /* never used twice; 0: there is none */
	uint64_t trace;
	uint64_t start_ns, end_ns; /* end_ns is 0 while open */
	uint8_t name_len;          /* 0: not asked for yet */
	char name[NEIGHBOUR_NAME_MAX];
};

struct process {
	uint32_t pid;
	uint64_t last_id;                                  /* of its latest one */
	uint64_t in_use[RECENT_OPEN_MAX / SLOTS_PER_WORD]; /* a bit per slot */
	size_t next_open;  /* that one gives way next, when all are in use */
	size_t next_ended; /* goes there */
	const void *owners[RECENT_OPEN_MAX];
	struct entry open[RECENT_OPEN_MAX];
	struct entry ended[RECENT_ENDED_MAX];
};

struct recent {
	recent_name *name;
	void *ctx;
	uint64_t last_id;
	struct process *processes[RECENT_PROCESSES_MAX]; /* NULL: a free place */
	size_t at;                                       /* the one that was asked for last */
};

struct recent *recent_new(recent_name *name, void *ctx)
{
	struct recent *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->name = name;
	r->ctx = ctx;
	return r;
}

void recent_free(struct recent *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < RECENT_PROCESSES_MAX; i++)
		free(r->processes[i]);
	free(r);
}

/* --- processes ----------------------------------------------------------------------------------- */

/* It is at r->at then. NULL: nothing is remembered of it. */
static struct process *process_find(struct recent *r, uint32_t pid)
{
	size_t at = r->at;

	for (size_t i = 0; i < RECENT_PROCESSES_MAX; i++, at = (at + 1) % RECENT_PROCESSES_MAX) {
		if (!r->processes[at] || r->processes[at]->pid != pid)
			continue;
		r->at = at;
		return r->processes[at];
	}
	return NULL;
}

/* A free place, made so at the cost of the process that has been quiet for longest if need be. */
static size_t free_place(struct recent *r)
{
	size_t quiet = 0, i;

	for (i = 0; i < RECENT_PROCESSES_MAX && r->processes[i]; i++)
		if (r->processes[i]->last_id < r->processes[quiet]->last_id)
			quiet = i;
	if (i < RECENT_PROCESSES_MAX)
		return i;
	free(r->processes[quiet]);
	r->processes[quiet] = NULL;
	return quiet;
}

static struct process *process_get(struct recent *r, uint32_t pid)
{
	struct process *process = process_find(r, pid);

	if (process)
		return process;
	process = calloc(1, sizeof(*process));
	if (!process)
		return NULL;
	process->pid = pid;
	r->at = free_place(r);
	r->processes[r->at] = process;
	return process;
}

void recent_forget(struct recent *r, uint32_t pid)
{
	struct process *process = process_find(r, pid);

	if (!process)
		return;
	r->processes[r->at] = NULL;
	free(process);
}

/* --- entries ------------------------------------------------------------------------------------- */

/* What the reference is to; NULL when that is forgotten. */
static struct entry *entry_of(const struct recent *r, const struct recent_ref *ref)
{
	struct process *process = ref->id ? r->processes[ref->process] : NULL;
	struct entry *entry;

	if (!process)
		return NULL;
	entry = ref->ended ? &process->ended[ref->slot] : &process->open[ref->slot];
	return entry->id == ref->id ? entry : NULL;
}

/* A free slot, made so at the cost of another open one if need be: of each in turn. */
static size_t free_slot(struct process *process)
{
	for (size_t i = 0; i < RECENT_OPEN_MAX / SLOTS_PER_WORD; i++)
		if (~process->in_use[i])
			return i * SLOTS_PER_WORD + (size_t)__builtin_ctzll(~process->in_use[i]);
	process->next_open = (process->next_open + 1) % RECENT_OPEN_MAX;
	return process->next_open;
}

/* The entry is a new one's, of the process at r->at. */
static void begin(struct recent *r, struct entry *entry, uint64_t trace, uint64_t start_ns)
{
	entry->id = r->processes[r->at]->last_id = ++r->last_id;
	entry->trace = trace;
	entry->start_ns = start_ns;
	entry->end_ns = 0;
	entry->name_len = 0;
}

void recent_open(struct recent *r, uint32_t pid, uint64_t trace, uint64_t start_ns,
    const void *owner, struct recent_ref *ret_ref)
{
	struct process *process = process_get(r, pid);
	size_t slot;

	if (!process)
		return;
	slot = free_slot(process);
	process->in_use[slot / SLOTS_PER_WORD] |= 1ULL << slot % SLOTS_PER_WORD;
	process->owners[slot] = owner;
	begin(r, &process->open[slot], trace, start_ns);
	*ret_ref = (struct recent_ref){
	    .id = r->last_id, .process = (uint16_t)r->at, .slot = (uint16_t)slot};
}

void recent_close(struct recent *r, struct recent_ref *ref)
{
	struct entry *entry = ref->ended ? NULL : entry_of(r, ref);

	if (entry) {
		struct process *process = r->processes[ref->process];

		process->in_use[ref->slot / SLOTS_PER_WORD] &=
		    ~(1ULL << ref->slot % SLOTS_PER_WORD);
		entry->id = 0;
	}
	*ref = (struct recent_ref){.id = 0};
}

void recent_add(struct recent *r, uint32_t pid, uint64_t trace, uint64_t start_ns, uint64_t end_ns,
    struct sv name, struct recent_ref *ret_ref)
{
	struct process *process = process_get(r, pid);
	size_t slot;
	struct entry *entry;

	if (!process)
		return;
	slot = process->next_ended;
	process->next_ended = (slot + 1) % RECENT_ENDED_MAX;
	entry = &process->ended[slot];
	begin(r, entry, trace, start_ns);
	entry->end_ns = end_ns;
	entry->name_len = (uint8_t)neighbour_name(entry->name, name);
	*ret_ref = (struct recent_ref){
	    .id = r->last_id, .process = (uint16_t)r->at, .slot = (uint16_t)slot, .ended = true};
}

void recent_join(struct recent *r, const struct recent_ref *ref, uint64_t trace)
{
	struct entry *entry = entry_of(r, ref);

	if (entry)
		entry->trace = trace;
}

/* --- neighbours ---------------------------------------------------------------------------------- */

/* How long the entry was under way between these times; 0: not at all. */
static uint64_t overlap_ns(const struct entry *entry, uint64_t from_ns, uint64_t to_ns)
{
	uint64_t since_ns = entry->start_ns > from_ns ? entry->start_ns : from_ns;
	uint64_t until_ns = entry->end_ns && entry->end_ns < to_ns ? entry->end_ns : to_ns;

	return until_ns > since_ns ? until_ns - since_ns : 0;
}

static void count(const struct entry *entry, uint64_t ns, struct neighbour_tally *tally)
{
	if (entry->name_len)
		neighbour_tally_add(tally, sv_from(entry->name, entry->name_len), ns);
}

void recent_overlaps(struct recent *r, uint32_t pid, uint64_t trace, uint64_t from_ns,
    uint64_t to_ns, struct neighbour_tally *ret_tally)
{
	struct process *process = process_find(r, pid);

	for (size_t i = 0; process && i < RECENT_ENDED_MAX; i++) {
		const struct entry *entry = &process->ended[i];
		uint64_t ns = overlap_ns(entry, from_ns, to_ns);

		if (ns && entry->id && entry->trace != trace)
			count(entry, ns, ret_tally);
	}
	for (size_t i = 0; process && i < RECENT_OPEN_MAX; i++) {
		struct entry *entry = &process->open[i];
		uint64_t ns = overlap_ns(entry, from_ns, to_ns);

		if (!ns || !entry->id || entry->trace == trace)
			continue;
		if (!entry->name_len)
			entry->name_len = (uint8_t)neighbour_name(
			    entry->name, r->name(r->ctx, process->owners[i]));
		count(entry, ns, ret_tally);
	}
}
