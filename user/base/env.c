// SPDX-License-Identifier: Apache-2.0
/* See env.h. */
#include "base/env.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/log.h"

const char *env_text(env_fn *get, const char *name)
{
	const char *text = get(name);

	return text && *text ? text : NULL;
}

uint64_t env_number(env_fn *get, const char *name, uint64_t min, uint64_t max, uint64_t fallback)
{
	const char *text = env_text(get, name);
	unsigned long long value;

	if (!text)
		return fallback;
	errno = 0;
	value = strtoull(text, NULL, 10);
	if (strspn(text, "0123456789") == strlen(text) && !errno && value >= min && value <= max)
		return value;
	log_warn("%s='%s' is ignored: expected a number from %llu to %llu", name, text,
	    (unsigned long long)min, (unsigned long long)max);
	return fallback;
}

bool env_true(env_fn *get, const char *name)
{
	const char *text = env_text(get, name);

	if (!text || strcasecmp(text, "false") == 0)
		return false;
	if (strcasecmp(text, "true") == 0)
		return true;
	log_warn("%s='%s' is taken as false: expected true or false", name, text);
	return false;
}

static void warn_of_word(
    const char *name, const char *text, const struct env_choice *choices, size_t n)
{
	struct buf words;

	buf_init(&words);
	for (size_t i = 0; i < n; i++) {
		if (!choices[i].word)
			continue;
		if (words.len)
			buf_append_cstr(&words, i + 1 < n ? ", " : " or ");
		buf_append_cstr(&words, choices[i].word);
	}
	log_warn("%s='%s' is ignored: expected %s", name, text,
	    words.failed ? "another word" : words.data);
	buf_release(&words);
}

int env_choice_or(
    env_fn *get, const char *name, const struct env_choice *choices, size_t n, int fallback)
{
	const char *text = env_text(get, name);

	for (size_t i = 0; text && i < n; i++)
		if (choices[i].word && strcasecmp(text, choices[i].word) == 0)
			return choices[i].value;
	if (text)
		warn_of_word(name, text, choices, n);
	return fallback;
}

int env_choice(env_fn *get, const char *name, const struct env_choice *choices, size_t n)
{
	return env_choice_or(get, name, choices, n, choices[0].value);
}
