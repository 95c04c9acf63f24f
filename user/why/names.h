/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that many requests share: routes, statements, peers, stacks, culprits. Each is kept once, as a kind and a few
 * texts, and is a number from then on. Bounded: whatever finds no room is WHY_NAME_REST, and counted.
 */
#ifndef ZS_WHY_NAMES_H
#define ZS_WHY_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/sv.h"

enum {
	/* Distinct names. A service has some hundred statements; stacks and culprits vary the most. */
	WHY_NAMES_MAX = 8192,
	/* Of which so many may be routes: HTTP has at most 100 per service, SQL outside of requests any number. */
	WHY_ROUTES_MAX = 512,
	/* Bytes of all their texts. */
	WHY_NAMES_BYTES_MAX = 4 << 20,
	/* Bytes of one text; longer ones are cut. Stacks are some tens of lines. */
	WHY_TEXT_MAX = 255,
	WHY_STACK_MAX = 4096,
	WHY_PARTS_MAX = 7,
};

/* A kind, and what its parts are. */
enum why_name_kind {
	WHY_NAME_INVALID = 0,
	WHY_NAME_OTHERS = 1,  /* WHY_NAME_REST; none */
	WHY_NAME_REQUEST = 2, /* a route: service, name */
	WHY_NAME_LONE_STATEMENT =
	    3, /* statements outside of requests, too: service, summary, database */
	WHY_NAME_LONE_CALL = 4, /* calls outside of requests: service, name */
	WHY_NAME_STATEMENT = 5, /* summary, database */
	WHY_NAME_PEER = 6,      /* a service that is not observed: address */
	WHY_NAME_WAY = 7, /* between a call and the observed request that answers it: its name */
	WHY_NAME_STACK =
	    8, /* frames of the program, of the kernel; innermost first, one per line */
	WHY_NAME_CULPRIT = 9,           /* see enum why_culprit_part */
	WHY_NAME_FAILED_STATEMENT = 10, /* summary, database, code */
	WHY_NAME_FAILED_CALL = 11,      /* address or route, error */
	WHY_NAME_ERROR = 12,            /* error.type */
	WHY_NAME_NEIGHBOUR = 13,        /* what its span is called */
};

enum why_culprit_part {
	WHY_CULPRIT_KIND = 0,
	WHY_CULPRIT_EVIDENCE = 1,
	WHY_CULPRIT_PID = 2,
	WHY_CULPRIT_PROCESS = 3,
	WHY_CULPRIT_STATEMENT =
	    4,                /* its summary; of a lock: the frame that gave it back, or has it */
	WHY_CULPRIT_SAME = 5, /* not empty: of the same process as whom it held up */
	WHY_CULPRIT_REQUEST = 6, /* the request that it served; empty: not known */
};

/* Not a name; and the one of all that found no room. */
#define WHY_NAME_NONE 0u
#define WHY_NAME_REST 1u

struct why_names;

struct why_names *why_names_new(void);        /* NULL: no memory */
void why_names_free(struct why_names *names); /* NULL is fine */

/* The number of this name: texts are valid UTF-8 and copied, n is at most WHY_PARTS_MAX. */
uint32_t why_name(
    struct why_names *names, enum why_name_kind kind, const struct sv *parts, size_t n);

enum why_name_kind why_name_kind(const struct why_names *names, uint32_t name);

/* One of its texts, empty when it has none; borrowed until the names are freed. */
struct sv why_name_part(const struct why_names *names, uint32_t name, size_t part);

/* How often a name found no room. */
uint64_t why_names_refused(const struct why_names *names);

#endif
