// SPDX-License-Identifier: Apache-2.0
/* Numbers with units; see option_values.h. */
#include "config/option_values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sv.h"

#define SECONDS_MAX 1e9

int option_seconds(const char *text, uint64_t *ret_ns)
{
	char *end;
	double seconds = strtod(text, &end);
	uint64_t ns;

	if (end == text || (*end && strcmp(end, "s") != 0) ||
	    !(seconds > 0 && seconds < SECONDS_MAX))
		return -EINVAL;
	ns = (uint64_t)(seconds * (double)NS_PER_S);
	if (ns == 0) /* which would mean: for good */
		return -EINVAL;
	*ret_ns = ns;
	return 0;
}

/* A number that begins with a digit or a point and has nothing but those. */
static int parse_number(const char *text, double *ret_number, const char **ret_rest)
{
	size_t digits = strspn(text, "0123456789.");
	char *end;
	double number = strtod(text, &end);

	if (digits == 0 || end != text + digits)
		return -EINVAL;
	*ret_number = number;
	*ret_rest = end;
	return 0;
}

int option_duration(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"us", NS_PER_US}, {"ms", NS_PER_MS}, {"s", NS_PER_S}, {"m", 60 * NS_PER_S}};
	const char *unit;
	double number;

	if (parse_number(text, &number, &unit))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		double ns = number * units[i].ns;

		if (strcmp(unit, units[i].name) != 0)
			continue;
		if (!(ns >= 1 && ns < SECONDS_MAX * (double)NS_PER_S))
			return -EINVAL;
		*ret_ns = (uint64_t)ns;
		return 0;
	}
	return -EINVAL;
}

int option_percent(const char *text, double *ret_percent)
{
	const char *rest;
	double percent;

	if (parse_number(text, &percent, &rest) || (*rest && strcmp(rest, "%") != 0))
		return -EINVAL;
	if (!(percent > 0 && percent <= 100))
		return -EINVAL;
	*ret_percent = percent;
	return 0;
}

int option_part(const char *text, double *ret_part)
{
	const char *rest;
	double part;

	if (parse_number(text, &part, &rest) || *rest || part > 1)
		return -EINVAL;
	*ret_part = part;
	return 0;
}

int option_size(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMG";
	const char *unit, *hit;
	double bytes;

	if (parse_number(text, &bytes, &unit))
		return -EINVAL;
	if (*unit) {
		hit = strchr(units, *unit);
		if (!hit || unit[1])
			return -EINVAL;
		for (const char *u = units; u <= hit; u++)
			bytes *= 1024;
	}
	if (!(bytes >= 1 && bytes < (double)(1ULL << 53)))
		return -EINVAL;
	*ret_bytes = (uint64_t)bytes;
	return 0;
}

int option_count(const char *text, uint64_t max, uint64_t *ret_count)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long long count = strtoull(text, NULL, 10); /* ULLONG_MAX when too many digits */

	if (digits == 0 || text[digits] || count < 1 || count > max)
		return -EINVAL;
	*ret_count = count;
	return 0;
}

int option_hex(const char *text, size_t min, char *ret_text, size_t size)
{
	size_t digits = strspn(text, "0123456789abcdefABCDEF");

	if (text[digits] || digits < min || digits >= size)
		return -EINVAL;
	for (size_t i = 0; i <= digits; i++)
		ret_text[i] = ascii_lower(text[i]);
	return 0;
}

int option_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	long port = strtol(text, NULL, 10); /* LONG_MAX when there are too many digits */

	return digits == 0 || text[digits] || port > 65535 ? -EINVAL : (int)port;
}
