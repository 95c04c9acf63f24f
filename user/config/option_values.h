/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as the command line has them. Pure; what is not allowed is -EINVAL, and *ret_* untouched. */
#ifndef ZS_CONFIG_OPTION_VALUES_H
#define ZS_CONFIG_OPTION_VALUES_H

#include <stddef.h>
#include <stdint.h>

/* "10", "0.5", "10s": more than 0 ns, less than 1e9 s. */
int option_seconds(const char *text, uint64_t *ret_ns);

/* A number and its unit, us, ms, s or m: "500ms", "1.5s"; at least 1 ns, less than 1e9 s. */
int option_duration(const char *text, uint64_t *ret_ns);

/* "10", "2.5%": above 0, up to 100. */
int option_percent(const char *text, double *ret_percent);

/* "0.05", a part of all: 0 to 1, in digits with at most one point. */
int option_part(const char *text, double *ret_part);

/* "65536", "64K", "1.5M", "2G" (powers of 1024): at least 1 byte, less than 2^53. */
int option_size(const char *text, uint64_t *ret_bytes);

/* 1 to max in digits. */
int option_count(const char *text, uint64_t max, uint64_t *ret_count);

/*
 * At least min hexadecimal digits, fewer than size; *ret_text has them in lower case, with NUL.
 */
int option_hex(const char *text, size_t min, char *ret_text, size_t size);

/* 0 to 65535 in digits: the port. */
int option_port(const char *text);

#endif
