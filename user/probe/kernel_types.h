/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of the running kernel's types (BTF) those that our BPF programs are adjusted to (CO-RE). For each struct that their accesses begin with, libbpf
 * looks through all types that it is given; among some hundred instead of a hundred thousand that takes next to nothing.
 *
 *	all: /sys/kernel/btf/vmlinux ─► kernel_types_select() ─► some ─► a file in memory ─► btf_custom_path of libbpf
 */
#ifndef ZS_PROBE_KERNEL_TYPES_H
#define ZS_PROBE_KERNEL_TYPES_H

#include <stdint.h>

struct btf;

struct kernel_types {
	struct btf *all, *some; /* NULL: there are none */
	uint32_t *numbers;      /* in some, by the number in all; 0: it is not there */
	int fd;                 /* the file; -1: none */
	char path[32];          /* its name, while it is open */
};

/* Read the kernel's. Returns 0 or negative errno; then, too, it is to be closed. */
int kernel_types_open(struct kernel_types *types);
void kernel_types_close(struct kernel_types *types);

/*
 * Select those structs, unions and enums that have a name which one of ours has, where what stands behind ___ does not count, and all that is
 * embedded in them. All pointers become void *, since no access goes beyond one. Once, after open. Returns 0 or negative errno.
 */
int kernel_types_select(struct kernel_types *types, const struct btf *ours);

/* The kernel's own number of a struct that was selected; 0: it was not. */
uint32_t kernel_types_number(const struct kernel_types *types, const char *name);

/* Write into the file what was selected, and forget all but the file: there is nothing to be had from types any more. Returns 0 or negative errno. */
int kernel_types_write(struct kernel_types *types);

#endif
