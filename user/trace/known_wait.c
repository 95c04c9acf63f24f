// SPDX-License-Identifier: Apache-2.0
/* Waits that were looked at; see known_wait.h. */
#include "trace/known_wait.h"

#include <string.h>

static void forget_oldest(struct known_waits *known)
{
	wait_place_unref(known->all[--known->n].place);
}

void known_waits_release(struct known_waits *known)
{
	while (known->n)
		forget_oldest(known);
}

/* Room for the latest one: the others move back. */
static struct known_wait *known_waits_push(struct known_waits *known)
{
	if (known->n == KNOWN_WAITS_MAX)
		forget_oldest(known);
	memmove(&known->all[1], &known->all[0], known->n * sizeof(known->all[0]));
	known->n++;
	return &known->all[0];
}

static void end_at(struct known_wait *wait, uint64_t time_ns)
{
	if (wait->since_ns < time_ns && time_ns < wait->until_ns)
		wait->until_ns = time_ns;
}

unsigned known_waits_alike(enum zsp_wait kind)
{
	const unsigned descriptors = 1u << ZSP_WAIT_PEER | 1u << ZSP_WAIT_TIMER;

	return descriptors >> kind & 1 ? descriptors : 1u << kind;
}

/* A wait of a kind stands for all that come after it, until another one is known. */
static void end_those_of(struct known_waits *known, enum zsp_wait kind, uint64_t time_ns)
{
	for (size_t i = 0; i < known->n; i++)
		if (known_waits_alike(kind) >> known->all[i].kind & 1)
			end_at(&known->all[i], time_ns);
}

void known_waits_look(struct known_waits *known, const struct thread_wait *wait)
{
	struct wait_place *place = NULL;

	known->looked_ns = wait->time_ns;
	known->totals = wait->waits;
	known->totals.ns[wait->kind] += wait->time_ns - wait->since_ns;
	known->totals.switches++;
	end_those_of(known, wait->kind, wait->since_ns);
	if (wait->asked && !known_waits_place(known, wait->since_ns))
		place = wait_place_new();
	if (!place)
		return;
	*known_waits_push(known) = (struct known_wait){
	    .since_ns = wait->since_ns,
	    .until_ns = UINT64_MAX,
	    .kind = wait->kind,
	    .place = place,
	};
}

void known_waits_over(struct known_waits *known, uint64_t time_ns)
{
	for (size_t i = 0; known && i < known->n; i++)
		end_at(&known->all[i], time_ns);
}

struct wait_place *known_waits_place(const struct known_waits *known, uint64_t since_ns)
{
	for (size_t i = 0; known && i < known->n; i++)
		if (known->all[i].since_ns == since_ns)
			return known->all[i].place;
	return NULL;
}

unsigned known_waits_kinds(const struct known_waits *known, uint64_t from_ns)
{
	unsigned kinds = 0;

	for (size_t i = 0; known && i < known->n; i++)
		if (known->all[i].since_ns >= from_ns)
			kinds |= 1u << known->all[i].kind;
	return kinds;
}

/* What was waited for in a call of poll or its like is known at its end: descriptors, or that its time passes. */
static enum zsp_wait kind_at_end(enum zsp_wait kind, const __u64 waits[ZSP_WAIT_MAX])
{
	return kind == ZSP_WAIT_TIMER && waits[ZSP_WAIT_PEER] > waits[ZSP_WAIT_TIMER]
	    ? ZSP_WAIT_PEER
	    : kind;
}

void known_waits_take(const struct known_waits *known, uint64_t from_ns, uint64_t to_ns,
    const __u64 waits[ZSP_WAIT_MAX], enum ledger_state polling, struct span_wait *longest)
{
	for (size_t i = 0; known && i < known->n; i++) {
		const struct known_wait *wait = &known->all[i];
		enum zsp_wait kind = kind_at_end(wait->kind, waits);
		uint64_t end_ns = wait->until_ns < to_ns ? wait->until_ns : to_ns, ns;

		if (wait->since_ns < from_ns || wait->since_ns >= end_ns)
			continue;
		ns = end_ns - wait->since_ns < waits[kind] ? end_ns - wait->since_ns : waits[kind];
		if (ns <= longest->ns)
			continue;
		wait_place_unref(longest->place);
		longest->place = wait_place_ref(wait->place);
		longest->state = ledger_state_of(kind, polling);
		longest->since_ns = wait->since_ns;
		longest->ns = ns;
	}
}
