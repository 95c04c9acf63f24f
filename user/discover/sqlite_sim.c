// SPDX-License-Identifier: Apache-2.0
/* State of the symbolic machine; see sqlite_sim.h. */
#include "discover/sqlite_sim.h"

#include <errno.h>

/* A stack frame of an accessor is tiny; offsets beyond this are nonsense. */
enum {
	SIM_STACK_MAX = 4096
};

void sim_init(struct sim *sim, int argument, int sp, bool null_argument)
{
	*sim = (struct sim){.null_argument = null_argument, .sp = sp, .tested = -1};
	for (int i = 0; i < SIM_REGISTERS; i++)
		sim->reg[i] = (struct sim_value){.kind = SIM_ENTRY, .n = i};
	sim->reg[argument] = (struct sim_value){.kind = SIM_ARGUMENT};
	sim->reg[sp] = (struct sim_value){.kind = SIM_STACK};
}

static bool stack_address(struct sim_value base, int64_t disp, int64_t *ret_at)
{
	if (base.kind != SIM_STACK || disp < -SIM_STACK_MAX || disp > SIM_STACK_MAX)
		return false;
	*ret_at = base.n + disp;
	return true;
}

int sim_load(
    struct sim *sim, struct sim_value base, int64_t disp, size_t size, struct sim_value *ret_value)
{
	struct sim_value value = {.kind = SIM_UNKNOWN};
	int64_t at;

	if (base.kind == SIM_ZERO || (base.kind == SIM_ARGUMENT && sim->null_argument))
		return -ENOTSUP;
	if (base.kind == SIM_ARGUMENT)
		value = (struct sim_value){.kind = size == 8 ? SIM_FIELD
			: size == 4                          ? SIM_WORD
							     : SIM_BYTE,
		    .n = disp};
	if (stack_address(base, disp, &at))
		for (size_t i = 0; i < sim->n_slots; i++)
			if (sim->slot[i].at == at && sim->slot[i].size == size)
				value = sim->slot[i].value;
	*ret_value = value;
	return 0;
}

int sim_store(
    struct sim *sim, struct sim_value base, int64_t disp, size_t size, struct sim_value value)
{
	int64_t at, width = (int64_t)size;

	if (!stack_address(base, disp, &at) || at > -width || at < -SIM_STACK_MAX)
		return -ENOTSUP;
	for (size_t i = 0; i < sim->n_slots;) {
		if (sim->slot[i].at < at + width &&
		    at < sim->slot[i].at + (int64_t)sim->slot[i].size)
			sim->slot[i] = sim->slot[--sim->n_slots];
		else
			i++;
	}
	if (size < 4)
		return 0;
	if (sim->n_slots == SIM_SLOTS)
		return -ENOTSUP;
	sim->slot[sim->n_slots].at = at;
	sim->slot[sim->n_slots].size = size;
	sim->slot[sim->n_slots++].value = size == 8 ? value : sim_narrow(value);
	return 0;
}

void sim_compare_zero(struct sim *sim, struct sim_value value)
{
	sim->flag = SIM_FLAG_UNKNOWN;
	if (value.kind == SIM_ZERO || (value.kind == SIM_ARGUMENT && sim->null_argument)) {
		sim->flag = SIM_FLAG_EQUAL;
	} else if (value.kind == SIM_ARGUMENT || value.kind == SIM_STACK) {
		sim->flag = SIM_FLAG_DIFFER;
	} else if (value.kind == SIM_FIELD && (sim->tested < 0 || sim->tested == value.n)) {
		sim->tested = value.n;
		sim->flag = sim->field_flag;
	}
}

struct sim_value sim_add(struct sim_value value, int64_t n)
{
	if (value.kind != SIM_STACK || n < -SIM_STACK_MAX || n > SIM_STACK_MAX)
		return (struct sim_value){.kind = SIM_UNKNOWN};
	value.n += n;
	return value;
}

struct sim_value sim_narrow(struct sim_value value)
{
	switch (value.kind) {
	case SIM_ZERO:
	case SIM_BYTE:
	case SIM_WORD:
	case SIM_CONSTANT:
	case SIM_ANSWER:
		return value;
	default:
		return (struct sim_value){.kind = SIM_UNKNOWN};
	}
}

int sim_choose(struct sim *sim, bool *ret_taken)
{
	if (!sim->explores || sim->n_choices == SIM_CHOICES)
		return -ENOTSUP;
	*ret_taken = sim->choices >> sim->n_choices++ & 1;
	return 0;
}

int sim_call(struct sim *sim, uint32_t clobbered, int result)
{
	int64_t below = sim->reg[sim->sp].n;

	if (!sim->explores || sim->reg[sim->sp].kind != SIM_STACK)
		return -ENOTSUP;
	for (int i = 0; i < SIM_REGISTERS; i++) {
		if (!(clobbered >> i & 1))
			continue;
		if (sim->reg[i].kind == SIM_STACK)
			return -ENOTSUP;
		sim->reg[i] = (struct sim_value){.kind = SIM_UNKNOWN};
	}
	for (size_t i = 0; i < sim->n_slots;) {
		if (sim->slot[i].at < below)
			sim->slot[i] = sim->slot[--sim->n_slots];
		else
			i++;
	}
	sim->reg[result] = (struct sim_value){.kind = SIM_ANSWER};
	sim->flag = SIM_FLAG_UNKNOWN;
	return 0;
}

int sim_branch(struct sim *sim, bool taken, size_t next, int64_t distance, size_t len)
{
	int64_t target = (int64_t)next + (taken ? distance : 0);

	if (target < 0 || target >= (int64_t)len)
		return -ENOTSUP;
	sim->pc = (size_t)target;
	return 0;
}
