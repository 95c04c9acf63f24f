/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known while a stack is walked: the registers as one function had them, under their DWARF
 * numbers (System V ABI for x86-64, figure 3.36; DWARF for the Arm 64-bit architecture, section
 * 4.1), and the copied bytes of the stack. Pure data.
 */
#ifndef ZS_STACK_FRAME_H
#define ZS_STACK_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discover/elf.h"

enum {
	FRAME_REGISTERS = 32, /* numbers that are kept; vector registers have higher ones */
};

struct registers {
	uint64_t value[FRAME_REGISTERS];
	uint32_t valid; /* bit n: value[n] is known */
	uint64_t ip;    /* next instruction */
};

/* A machine's registers by role. */
struct register_roles {
	uint8_t sp, fp;
	uint8_t ra;         /* holds the return address, or stands for where it is */
	uint8_t count;      /* numbers from here on are none of ours */
	uint32_t preserved; /* bit n: a function gives register n back as it got it */
};

static inline const struct register_roles *register_roles_of(enum elf_machine machine)
{
	static const struct register_roles x86_64 = {
	    .sp = 7,
	    .fp = 6,
	    .ra = 16,
	    .count = 17,
	    .preserved = 1U << 3 | 1U << 6 | 0xfU << 12,
	};
	static const struct register_roles aarch64 = {
	    .sp = 31,
	    .fp = 29,
	    .ra = 30,
	    .count = 32,
	    .preserved = 0x7ffU << 19,
	};

	return machine == ELF_MACHINE_AARCH64 ? &aarch64 : &x86_64;
}

static inline bool register_get(const struct registers *r, uint64_t number, uint64_t *ret_value)
{
	if (number >= FRAME_REGISTERS || !(r->valid >> number & 1))
		return false;
	*ret_value = r->value[number];
	return true;
}

static inline void register_set(struct registers *r, unsigned number, uint64_t value)
{
	r->value[number] = value;
	r->valid |= 1U << number;
}

/* The bytes from the stack pointer upward. */
struct stack_copy {
	uint64_t start; /* address of the first */
	const uint8_t *bytes;
	size_t len;
	bool cut; /* something behind the last byte was asked for */
};

/* An unsigned number of up to 8 bytes at an address; false when it is not in the copy. */
bool stack_copy_read(
    struct stack_copy *copy, uint64_t address, unsigned bytes, uint64_t *ret_value);

#endif
