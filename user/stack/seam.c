// SPDX-License-Identifier: Apache-2.0
/* The way past a return probe; see seam.h. */
#include "stack/seam.h"

#include <errno.h>

#include "stack/seam_calls.h"
#include "stack/unwind.h"

enum {
	WORD = 8,
};

/* Signal handlers are called by nobody, but return to where it is known how to go on. */
static bool is_signal_frame(struct walk *w, const struct space_place *place)
{
	struct walk_rules rules;

	walk_find_rules(w, place, &rules);
	return rules.err == 0 && rules.found.common.signal;
}

/*
 * Whether a walk from there comes to an end, or to a return probe, with a call in front of every
 * return address.
 */
static bool leads_on(const struct walk *w, const struct registers *from, bool sure)
{
	struct walk t = *w;
	struct space_place place;
	struct walk_rules rules;
	struct code_return r;
	int result;

	t.registers = *from;
	t.exact = false;
	t.copy.cut = false;
	for (int i = 0; i < SEAM_STEPS_MAX; i++) {
		if (!seam_spend(w, SEAM_STEP_WORK) ||
		    !walk_find_place(&t, t.registers.ip - !t.exact, &place))
			return false;
		if (!t.exact && !seam_call_before(&t, t.registers.ip, &place, &r) &&
		    !is_signal_frame(&t, &place))
			return false;
		walk_find_rules(&t, &place, &rules);
		result = walk_step(&t, &rules);
		if (result == 0 || (result == 1 && walk_is_at_return_probe(&t)))
			return true;
		if (result != 1)
			return sure && result == -ENODATA && t.copy.cut;
	}
	return sure;
}

/* By the function's table. */
static bool cross_surely(struct walk *w, struct seam_slot *slot, struct seam *ret_seam)
{
	struct seam_calls calls = seam_calls_fitting(w, slot);
	struct seam seam = {.registers = calls.beyond, .gap = true, .missing = slot->called};

	if (!calls.probed && !calls.unknown)
		return false;
	if (calls.probed == 1) {
		seam = (struct seam){.registers = w->registers};
		seam.registers.ip = calls.last_probed;
	}
	if (!leads_on(w, &calls.beyond, true))
		return false;
	*ret_seam = seam;
	return true;
}

/* Whether the slot is of a frame whose frame pointer is known; then also what it was before. */
static bool is_of_frame_pointer(struct walk *w, const struct seam_slot *slot, uint64_t *ret_saved)
{
	uint64_t fp;

	return register_get(&w->registers, register_roles_of(elf_machine_host())->fp, &fp) &&
	    fp + WORD == slot->at && stack_copy_read(&w->copy, fp, WORD, ret_saved);
}

/*
 * Without one, or by way of a function that called the probed one by a jump. Of the registers only
 * the frame pointer may be known, and where a call pushes the return address the stack pointer:
 * whatever else the missing function has changed, it was to restore.
 */
static bool cross_anyhow(struct walk *w, struct seam_slot *slot, struct seam *ret_seam)
{
	const struct register_roles *roles = register_roles_of(elf_machine_host());
	struct seam_calls calls = seam_calls_of(w, slot);
	struct seam seam = {.registers.ip = slot->value, .gap = true};
	bool sure = false;
	uint64_t saved;

	if (calls.table && !calls.other)
		return false; /* of a call that has returned */
	if (calls.table || slot->direct)
		seam.missing = slot->called;
	if (calls.table) {
		seam.registers = calls.beyond;
	} else {
		if (elf_machine_host() == ELF_MACHINE_X86_64)
			register_set(&seam.registers, roles->sp, slot->at + WORD);
		sure = is_of_frame_pointer(w, slot, &saved);
		if (sure)
			register_set(&seam.registers, roles->fp, saved);
	}
	if (!sure && !leads_on(w, &seam.registers, false))
		return false;
	*ret_seam = seam;
	return true;
}

/*
 * What stands there, if it is a return address; -EXDEV for another return probe, -ENODATA behind
 * the copy's end.
 */
static int find_slot(struct walk *w, uint64_t at, struct seam_slot *ret_slot)
{
	struct seam_slot slot = {.at = at};
	struct space_place place;
	struct code_return r;

	if (!stack_copy_read(&w->copy, at, WORD, &slot.value))
		return -ENODATA;
	slot.value = unwind_code_address(elf_machine_host(), slot.value);
	if (space_is_return_probe(w->space, slot.value)) {
		*ret_slot = slot;
		return -EXDEV;
	}
	if (!space_find(w->space, slot.value - 1, &place) || !place.binary || !seam_spend(w, 1))
		return -ENOENT;
	if (seam_call_before(w, slot.value, &place, &r)) {
		slot.called = seam_callee(w, &place, &r);
		slot.direct = r.target && !r.word && !r.any;
	} else if (!is_signal_frame(w, &place)) {
		return -ENOENT;
	}
	*ret_slot = slot;
	return 0;
}

/*
 * At a slot that holds another return probe, which the caller has then itself. Its frame ends
 * here; its own caller's begins, and what that one called is not known.
 */
static void go_behind(struct walk *w, uint64_t at)
{
	w->registers = (struct registers){0};
	w->called = 0;
	if (elf_machine_host() == ELF_MACHINE_X86_64)
		register_set(&w->registers, register_roles_of(ELF_MACHINE_X86_64)->sp, at + WORD);
}

/* One way to cross, and whether it takes it that the caller has a return probe, too. */
struct way {
	bool (*cross)(struct walk *, struct seam_slot *, struct seam *);
	bool behind_others;
};

static bool try_way(struct walk *w, const struct way *way, struct seam *ret_seam)
{
	struct walk here = *w;
	struct seam_slot slot;
	bool found = false;
	uint64_t sp;

	if (!register_get(&w->registers, register_roles_of(elf_machine_host())->sp, &sp))
		return false;
	for (uint64_t i = 0; i < SEAM_WORDS && !found; i++) {
		int err = find_slot(&here, sp + i * WORD, &slot);

		if (err == -ENODATA)
			break;
		if (err == -EXDEV && way->behind_others)
			go_behind(&here, slot.at);
		found = err == 0 && way->cross(&here, &slot, ret_seam);
	}
	w->copy.cut = here.copy.cut;
	return found;
}

int seam_cross(struct walk *w, struct seam *ret_seam)
{
	static const struct way ways[] = {
	    {cross_surely, false}, {cross_surely, true}, {cross_anyhow, false}};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (try_way(w, &ways[i], ret_seam))
			return 0;
	return -ENOENT;
}
