/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Settings that user space fills before load; read-only afterwards, so the verifier folds them. */
#ifndef ZSP_KNOBS_BPF_H
#define ZSP_KNOBS_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "event.h"

/* enum zsp_syscall by system call number of this architecture. */
const volatile __u8 zsp_syscalls[ZSP_SYSCALL_NUMBERS] __weak;

/* Length of the kernel's clock tick. */
const volatile __u64 zsp_tick_ns __weak;

/* Constants here, since CO-RE knows only a selection of the kernel's types, which has numbers of its own. */
const volatile struct zsp_type_numbers zsp_type_numbers __weak;

/* Random: what stands for a kernel address outside of the kernel is the address with these bits turned. */
const volatile __u64 zsp_secret __weak;

/* Report every exec, or every new TCP listener, on the host: a target is chosen by name or by port.
 */
const volatile bool zsp_watch_exec __weak;
const volatile bool zsp_watch_listen __weak;

/* Report what observed processes write to stdout and stderr. */
const volatile bool zsp_logs __weak;

/*
 * Written by the reader: it found the ring empty and sleeps until woken. The first record then
 * wakes it; otherwise it comes by on its own every few milliseconds and records cost no wake-up.
 */
volatile __u32 zsp_reader_waits __weak;

/* Written once, at the end: from now on nothing is reported. */
volatile __u32 zsp_silent __weak;

#endif
