/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The symbolic machine on which sqlite_code runs an accessor: registers and stack slots hold not
 * numbers but where a value comes from. Shared by the two instruction sets; internal to
 * sqlite_code*.c.
 *
 *	mov %rdi,-8(%rbp)	slot[-16]  = ARGUMENT
 *	mov -8(%rbp),%rax	rax        = ARGUMENT
 *	mov 0xf8(%rax),%rax	rax        = FIELD 0xf8
 *
 * Numbers 0 to 31 name registers: 0-15 on x86-64, x0-x30 and 31 = sp on aarch64.
 */
#ifndef ZS_DISCOVER_SQLITE_SIM_H
#define ZS_DISCOVER_SQLITE_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_kind {
	SIM_UNKNOWN = 0,
	SIM_ZERO = 1,
	SIM_ARGUMENT = 2, /* the function's first argument */
	SIM_FIELD = 3,    /* the 64-bit word n bytes behind the argument */
	SIM_STACK = 4,    /* the stack pointer at entry + n */
	SIM_ENTRY = 5,    /* what register n held at entry */
	SIM_BYTE = 6,     /* the byte n behind the argument, extended by zeros */
};

struct sim_value {
	enum sim_kind kind;
	int64_t n;
};

enum sim_flag {
	SIM_FLAG_UNKNOWN = 0,
	SIM_FLAG_EQUAL = 1, /* the last comparison with zero was equal */
	SIM_FLAG_DIFFER = 2,
};

enum {
	SIM_REGISTERS = 32,
	SIM_SLOTS = 16, /* an accessor spills its argument and its result */
	SIM_STEPS = 64, /* longest accessor seen: 18 instructions */
};

struct sim {
	bool null_argument; /* which path this run follows */
	bool returned;
	enum sim_flag flag;
	enum sim_flag
	    field_flag; /* what comparing a field with zero gives: only one field may be */
	int64_t tested; /* that field; -1: none was compared */
	size_t pc;      /* bytes from the function's start */
	int sp;         /* which register is the stack pointer */
	struct sim_value reg[SIM_REGISTERS];
	struct {
		int64_t at; /* relative to the stack pointer at entry */
		struct sim_value value;
	} slot[SIM_SLOTS];
	size_t n_slots;
};

void sim_init(struct sim *sim, int argument, int sp, bool null_argument);

/* Read size bytes at base + disp. -ENOTSUP when the run would fault. */
int sim_load(
    struct sim *sim, struct sim_value base, int64_t disp, size_t size, struct sim_value *ret_value);

/* Write size bytes at base + disp; only below the entry's stack pointer, else -ENOTSUP. */
int sim_store(
    struct sim *sim, struct sim_value base, int64_t disp, size_t size, struct sim_value value);

/* Set the flag as a 64-bit comparison of value with zero does. */
void sim_compare_zero(struct sim *sim, struct sim_value value);

/* value + n, as far as addresses of the stack go. */
struct sim_value sim_add(struct sim_value value, int64_t n);

/* Follow a branch of distance bytes from next, if taken. -ENOTSUP outside [0, len). */
int sim_branch(struct sim *sim, bool taken, size_t next, int64_t distance, size_t len);

/*
 * A step executes the instruction at sim->pc of code, advances pc or sets returned; -ENOTSUP for
 * what it does not understand.
 */
int sim_step_x86(struct sim *sim, const uint8_t *code, size_t len);
int sim_step_arm64(struct sim *sim, const uint8_t *code, size_t len);

#endif
