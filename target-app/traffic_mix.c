// SPDX-License-Identifier: Apache-2.0
/*
 * The table of request kinds and a seeded choice among them: the same seed gives the same sequence.
 */
#include "traffic_mix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WEIGHT_MAX 1000000

const struct traffic_kind traffic_kinds[TRAFFIC_KINDS] = {
    {"welcome", "/", NULL, 0, 15, "GET /"},
    {"headphones", "/checkout", "{\"item\": \"headphones\", \"quantity\": %d, \"price\": 79.5}", 4,
	25, "an order that succeeds"},
    {"smartphone", "/checkout", "{\"item\": \"smartphone\", \"quantity\": %d, \"price\": 999}", 2,
	15, "an order that succeeds"},
    {"laptop", "/checkout", "{\"item\": \"laptop\", \"quantity\": 1, \"price\": 1499}", 1, 15,
	"an order that succeeds"},
    {"slow", "/checkout", "{\"item\": \"smartphone\", \"quantity\": 3, \"price\": 999}", 3, 8,
	"smartphones that take 1.0 to 2.5 s"},
    {"conflict", "/checkout", "{\"item\": \"laptop\", \"quantity\": 2, \"price\": 1499}", 2, 10,
	"laptops that fail in 60 % of cases"},
    {"limited", "/checkout", "{\"item\": \"limited-edition\", \"quantity\": 1, \"price\": 4999}", 1,
	4, "an item that runs out"},
    {"unknown", "/checkout", "{\"item\": \"gramophone\", \"quantity\": 1, \"price\": 10}", 1, 2,
	"an item that does not exist"},
    {"bad-json", "/checkout", "{\"item\": \"laptop\", \"quantity\": ", 1, 3, "half a body"},
    {"bad-field", "/checkout", "{\"item\": \"laptop\", \"quantity\": \"two\", \"price\": 1}", 1, 2,
	"a quantity that is text"},
    {"not-found", "/no/such/page", NULL, 0, 1, "GET of a page that does not exist"},
};

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static uint64_t next_random(struct traffic_mix *mix)
{
	uint64_t z = (mix->random += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Reads one "kind:weight" of `len` bytes. */
static int parse_part(const char *part, size_t len, struct traffic_mix *mix)
{
	const char *colon = memchr(part, ':', len);
	size_t name_len = colon ? (size_t)(colon - part) : len;
	char *end = NULL;
	unsigned long weight = 1;

	if (colon) {
		weight = strtoul(colon + 1, &end, 10);
		if (end == colon + 1 || end != part + len || colon[1] == '-' || weight > WEIGHT_MAX)
			return -EINVAL;
	}
	for (int i = 0; i < TRAFFIC_KINDS; i++) {
		if (strlen(traffic_kinds[i].name) != name_len ||
		    memcmp(traffic_kinds[i].name, part, name_len) != 0)
			continue;
		mix->total += (unsigned)weight - mix->weight[i];
		mix->weight[i] = (unsigned)weight;
		return 0;
	}
	return -EINVAL;
}

int traffic_mix_parse(const char *text, uint64_t seed, struct traffic_mix *ret_mix)
{
	struct traffic_mix mix = {.random = seed};

	if (strcmp(text, "default") == 0) {
		for (int i = 0; i < TRAFFIC_KINDS; i++) {
			mix.weight[i] = traffic_kinds[i].default_weight;
			mix.total += mix.weight[i];
		}
		*ret_mix = mix;
		return 0;
	}
	for (;;) {
		size_t len = strcspn(text, ",");

		if (parse_part(text, len, &mix) < 0)
			return -EINVAL;
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	if (mix.total == 0)
		return -EINVAL;
	*ret_mix = mix;
	return 0;
}

int traffic_mix_next(struct traffic_mix *mix, int *ret_quantity)
{
	unsigned pick = (unsigned)(next_random(mix) % mix->total);
	uint64_t quantity = next_random(mix);
	int kind = 0;

	while (pick >= mix->weight[kind])
		pick -= mix->weight[kind++];
	*ret_quantity = traffic_kinds[kind].quantity_max > 0
	    ? 1 + (int)(quantity % (unsigned)traffic_kinds[kind].quantity_max)
	    : 0;
	return kind;
}
