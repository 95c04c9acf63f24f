/* SPDX-License-Identifier: Apache-2.0 */
/* An environment that a test says. */
#ifndef ZS_TESTS_ENV_FIXTURE_H
#define ZS_TESTS_ENV_FIXTURE_H

#include <string.h>

/* That of the current case: name, value, name, value, NULL. */
static const char *const *environment;

static const char *fake_getenv(const char *name)
{
	for (const char *const *p = environment; *p; p += 2)
		if (strcmp(p[0], name) == 0)
			return p[1];
	return NULL;
}

#endif
