// SPDX-License-Identifier: Apache-2.0
/*
 * What kinds of requests the load generator sends, and how often each.
 */
#ifndef TRAFFIC_MIX_H
#define TRAFFIC_MIX_H

#include <stddef.h>
#include <stdint.h>

#define TRAFFIC_KINDS 11

struct traffic_kind {
	const char *name;
	const char *path;
	const char *body; /* NULL = GET; "%d" in it is a quantity from 1 to quantity_max */
	int quantity_max;
	unsigned default_weight;
	const char *help;
};

extern const struct traffic_kind traffic_kinds[TRAFFIC_KINDS];

/* Weights of the kinds and the state of the random numbers. */
struct traffic_mix {
	unsigned weight[TRAFFIC_KINDS];
	unsigned total; /* > 0 */
	uint64_t random;
};

/* Reads "kind:weight,kind:weight,…" or "default". 0 or -EINVAL. */
int traffic_mix_parse(const char *text, uint64_t seed, struct traffic_mix *ret_mix);

/* The next kind to send, an index into traffic_kinds, and the quantity to order. */
int traffic_mix_next(struct traffic_mix *mix, int *ret_quantity);

#endif
