// SPDX-License-Identifier: Apache-2.0
/* Figures on the console; see guest.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "guest.h"

void report(const char *phase, const char *key, uint64_t value)
{
	printf("{\"phase\": \"%s\", \"key\": \"%s\", \"value\": %llu}\n", phase, key,
	    (unsigned long long)value);
}

void report_text(const char *key, const char *text)
{
	printf("{\"key\": \"%s\", \"text\": \"", key);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar((unsigned char)*text < ' ' ? ' ' : *text);
	}
	printf("\"}\n");
}

static bool begins_with_one(const char *line, const char *const *prefixes)
{
	for (; *prefixes; prefixes++)
		if (strncmp(line, *prefixes, strlen(*prefixes)) == 0)
			return true;
	return false;
}

void report_file(const char *key, const char *path, const char *const *prefixes)
{
	FILE *f = fopen(path, "re");
	char line[1024];

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (begins_with_one(line, prefixes))
			report_text(key, line);
	}
	if (f)
		fclose(f);
}

void die(const char *what)
{
	report_text("error", what);
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}
