// SPDX-License-Identifier: Apache-2.0
/* Adding up who was there, and saying it; see neighbours.h. */
#include "span/neighbours.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

static const struct sv ellipsis = {"…", sizeof("…") - 1};

size_t neighbour_name(char to[NEIGHBOUR_NAME_MAX], struct sv name)
{
	size_t len = name.len;

	if (len > NEIGHBOUR_NAME_MAX) {
		len = NEIGHBOUR_NAME_MAX - ellipsis.len;
		while (len && ((unsigned char)name.p[len] & 0xc0) == 0x80) /* no half character */
			len--;
		memcpy(to + len, ellipsis.p, ellipsis.len);
		memcpy(to, name.p, len);
		return len + ellipsis.len;
	}
	if (len)
		memcpy(to, name.p, len);
	return len;
}

void neighbour_tally_add(struct neighbour_tally *tally, struct sv name, uint64_t overlap_ns)
{
	struct neighbour *at;
	uint32_t i = 0;

	tally->count++;
	while (i < tally->n && !sv_eq(neighbour_name_of(&tally->all[i]), name))
		i++;
	if (i == NEIGHBOUR_NAMES_MAX)
		return;
	at = &tally->all[i];
	if (i == tally->n) {
		tally->n++;
		*at = (struct neighbour){.number = 0};
		at->name_len = (uint32_t)neighbour_name(at->name, name);
	}
	at->number++;
	at->total_ns += overlap_ns;
	if (overlap_ns > at->longest_ns)
		at->longest_ns = overlap_ns;
}

/* The longest time first; by name where it is the same. */
static int compare(const void *a, const void *b)
{
	const struct neighbour *x = a, *y = b;
	size_t len = x->name_len < y->name_len ? x->name_len : y->name_len;
	int by_name = memcmp(x->name, y->name, len);

	if (x->total_ns != y->total_ns)
		return x->total_ns > y->total_ns ? -1 : 1;
	return by_name ? by_name : (int)x->name_len - (int)y->name_len;
}

/* snprintf() to the end of the text, which has room for all there can be. */
#define APPEND(neighbours, ...)                                                                  \
	((neighbours)->text_len += (size_t)snprintf((neighbours)->text + (neighbours)->text_len, \
	     sizeof((neighbours)->text) - (neighbours)->text_len, __VA_ARGS__))

static void append_ms(struct neighbours *neighbours, uint64_t ns)
{
	int decimals = ns < NS_PER_MS / 10 ? 3 : ns < 10 * NS_PER_MS ? 1 : 0;

	APPEND(neighbours, "%.*f ms", decimals, (double)ns / (double)NS_PER_MS);
}

static void append_one(struct neighbours *neighbours, const struct neighbour *one)
{
	if (one->number > 1)
		APPEND(neighbours, "%u × ", one->number);
	APPEND(neighbours, "%.*s%s", SV_ARG(neighbour_name_of(one)),
	    one->number > 1 ? " (longest " : " ");
	append_ms(neighbours, one->longest_ns);
	if (one->number > 1)
		APPEND(neighbours, ")");
}

struct neighbours *neighbours_new(struct neighbour_tally *tally)
{
	struct neighbours *neighbours = tally->count ? calloc(1, sizeof(*neighbours)) : NULL;
	uint32_t told = 0;

	if (!neighbours)
		return NULL;
	qsort(tally->all, tally->n, sizeof(tally->all[0]), compare);
	neighbours->count = tally->count;
	neighbours->n_top = tally->n < NEIGHBOURS_TOP ? tally->n : NEIGHBOURS_TOP;
	for (uint32_t i = 0; i < neighbours->n_top; i++) {
		neighbours->top[i] = tally->all[i];
		told += tally->all[i].number;
		if (i > 0)
			APPEND(neighbours, ", ");
		append_one(neighbours, &tally->all[i]);
	}
	if (told < tally->count)
		APPEND(neighbours, " and %u more", tally->count - told);
	return neighbours;
}
