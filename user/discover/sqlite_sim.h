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
	SIM_WORD = 7,     /* the 32-bit word n bytes behind the argument, extended by zeros */
	SIM_CONSTANT = 8, /* a number other than 0 that stands in the code */
	SIM_ANSWER = 9,   /* what a function returned that was called */
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
	SIM_STEPS = 64, /* longest path seen: 35 instructions */
	SIM_CHOICES = 16,
};

/*
 * A run follows one path. Where it cannot tell whether a branch is taken, or meets a call, it gives up; one that
 * explores takes the next of its choices instead, and goes on behind a call with its answer.
 */

struct sim {
	bool null_argument; /* which path this run follows */
	bool returned;
	bool explores;
	uint16_t choices;   /* bit n: the branch of choice n is taken */
	unsigned n_choices; /* made so far */
	enum sim_flag flag;
	enum sim_flag
	    field_flag; /* what comparing a field with zero gives: only one field may be */
	int64_t tested; /* that field; -1: none was compared */
	size_t pc;      /* bytes from the function's start */
	int sp;         /* which register is the stack pointer */
	struct sim_value reg[SIM_REGISTERS];
	struct {
		int64_t at;  /* relative to the stack pointer at entry */
		size_t size; /* in bytes: 4 or 8 */
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

/* What is left of value in 32 bits, extended by zeros. */
struct sim_value sim_narrow(struct sim_value value);

/* Whether a branch is taken that nothing known decides. -ENOTSUP when the run does not explore. */
int sim_choose(struct sim *sim, bool *ret_taken);

/*
 * A function was called: the registers of the mask hold nothing known any more but the result, nor does the stack
 * below the stack pointer. -ENOTSUP when the run does not explore, and when the function may know of the stack.
 */
int sim_call(struct sim *sim, uint32_t clobbered, int result);

/* Follow a branch of distance bytes from next, if taken. -ENOTSUP outside [0, len). */
int sim_branch(struct sim *sim, bool taken, size_t next, int64_t distance, size_t len);

/*
 * A step executes the instruction at sim->pc of code, advances pc or sets returned; -ENOTSUP for
 * what it does not understand.
 */
int sim_step_x86(struct sim *sim, const uint8_t *code, size_t len);
int sim_step_arm64(struct sim *sim, const uint8_t *code, size_t len);

#endif
