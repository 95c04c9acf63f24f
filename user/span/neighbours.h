/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What else a process did while a slow span lasted: requests and statements of other traces that overlapped with it, as far as they
 * were seen. Made of a tally when the span has ended, and part of it from then on. Does not know where they are remembered.
 */
#ifndef ZS_SPAN_NEIGHBOURS_H
#define ZS_SPAN_NEIGHBOURS_H

#include <stddef.h>
#include <stdint.h>

#include "base/sv.h"

/* Bytes of a neighbour's name; longer ones are cut, with an ellipsis. */
#define NEIGHBOUR_NAME_MAX 47
/* Names that are told apart in a tally, and that are told in the end. */
#define NEIGHBOUR_NAMES_MAX 32
#define NEIGHBOURS_TOP      3

/* Those of one name. */
struct neighbour {
	uint32_t number;
	uint32_t name_len;
	uint64_t longest_ns; /* the longest overlap of one of them, */
	uint64_t total_ns;   /* and all overlaps together */
	char name[NEIGHBOUR_NAME_MAX];
};

struct neighbour_tally {
	uint32_t count; /* of all, also of those whose names found no room */
	uint32_t n;
	struct neighbour all[NEIGHBOUR_NAMES_MAX];
};

/* Three names with their numbers, each of 10 digits, in words; and how many there are besides. */
#define NEIGHBOURS_TEXT_MAX 320

struct neighbours {
	uint32_t count; /* at least 1 */
	uint32_t n_top;
	struct neighbour top[NEIGHBOURS_TOP]; /* by the time that they overlapped, most first */
	size_t text_len;
	char text
	    [NEIGHBOURS_TEXT_MAX]; /* "3 × POST /checkout (longest 812 ms), UPDATE orders 500 ms" */
};

/* Copy a name as it is kept: cut to NEIGHBOUR_NAME_MAX bytes. name is valid UTF-8, the copy too; its length. */
size_t neighbour_name(char to[NEIGHBOUR_NAME_MAX], struct sv name);

/* One more, of this name (as neighbour_name() made it), that overlapped for so long. The tally is all zero at first. */
void neighbour_tally_add(struct neighbour_tally *tally, struct sv name, uint64_t overlap_ns);

/* What the tally comes to; to be freed with free(). NULL: there was none, or no memory. Sorts the tally. */
struct neighbours *neighbours_new(struct neighbour_tally *tally);

static inline struct sv neighbour_name_of(const struct neighbour *neighbour)
{
	return sv_from(neighbour->name, neighbour->name_len);
}

#endif
