/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of environment variables by the rules of the OpenTelemetry specification v1.60.0
 * (configuration/common.md): an empty value is unset, words are of any case, what is no number or none of the words is
 * warned of and ignored.
 */
#ifndef ZS_BASE_ENV_H
#define ZS_BASE_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Like getenv(), so that tests need no environment. */
typedef const char *env_fn(const char *name);

/* The value; NULL when it is unset or empty. */
const char *env_text(env_fn *get, const char *name);

/* A whole number from min to max, at most 2^63 - 1; else fallback. */
uint64_t env_number(env_fn *get, const char *name, uint64_t min, uint64_t max, uint64_t fallback);

/* Is it "true"? Not when it is unset. */
bool env_true(env_fn *get, const char *name);

struct env_choice {
	const char *word; /* NULL, of the first: only when the variable is unset or wrong */
	int value;
};

/* The value of its word among n; the first one's when it is unset or wrong. */
int env_choice(env_fn *get, const char *name, const struct env_choice *choices, size_t n);

/* The same, but fallback when it is unset or wrong. */
int env_choice_or(
    env_fn *get, const char *name, const struct env_choice *choices, size_t n, int fallback);

#endif
