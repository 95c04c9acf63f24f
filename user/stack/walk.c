// SPDX-License-Identifier: Apache-2.0
/* Steps up a stack; see walk.h. */
#include "stack/walk.h"

#include <errno.h>

#include "base/clock.h"
#include "stack/unwind.h"

/* For an unknown address mappings are read again, but not more often than this. */
static const uint64_t maps_pause_ns = 100 * NS_PER_MS;

bool walk_find_place(struct walk *w, uint64_t address, struct space_place *ret_place)
{
	if (space_find(w->space, address, ret_place))
		return true;
	space_refresh(w->space, w->now_ns, maps_pause_ns);
	return space_find(w->space, address, ret_place);
}

void walk_find_rules(struct walk *w, const struct space_place *place, struct walk_rules *ret_rules)
{
	struct walk_rules *r = ret_rules;

	r->err = -ENOENT;
	r->start = 0;
	if (place->binary)
		r->err = binary_find_rules(
		    place->binary, &place->user, place->address, w->memory, &r->found);
	if (!r->err) {
		r->start = place->load + r->found.function.start;
		r->err = cfi_row(&r->found.common, &r->found.function, place->address, &r->row);
	}
}

int walk_step(struct walk *w, const struct walk_rules *rules)
{
	enum elf_machine machine = elf_machine_host();

	w->called = rules->start;
	w->guessed = rules->err == -ENOENT;
	w->exact = !rules->err && rules->found.common.signal;
	if (w->guessed)
		return unwind_by_frame_pointer(machine, &w->copy, &w->registers);
	if (rules->err)
		return rules->err;
	if (w->exact && machine == ELF_MACHINE_AARCH64)
		return unwind_by_signal_frame(&w->copy, &w->registers);
	return unwind_by_rules(machine, &rules->found.common, &rules->row, &w->copy, &w->registers);
}

bool walk_is_at_return_probe(struct walk *w)
{
	struct space_place place;

	return !w->exact && walk_find_place(w, w->registers.ip, &place) &&
	    space_is_return_probe(w->space, w->registers.ip);
}
