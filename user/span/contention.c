// SPDX-License-Identifier: Apache-2.0
/* Counting who was seen; see contention.h. */
#include "span/contention.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of two requests at which a thread was seen, what both are. */
static void keep_common(struct contender_request *kept, const struct contender_request *other)
{
	if (!span_id_eq(&kept->span_id, &other->span_id))
		kept->span_id = (struct span_id){{0}};
	if (kept->name_len != other->name_len ||
	    memcmp(kept->name, other->name, kept->name_len) != 0)
		kept->name_len = 0;
}

void contention_add(struct contention **contention, uint32_t tid, struct sv name,
    const struct contender_request *request)
{
	struct contention *c = *contention;
	uint32_t i = 0;

	if (!c)
		c = *contention = calloc(1, sizeof(*c));
	if (!c)
		return;
	c->looks++;
	while (i < c->n && c->all[i].tid != tid)
		i++;
	if (i == CONTENTION_MAX)
		return;
	if (i == c->n) {
		c->all[c->n++].tid = tid;
		c->all[i].request = *request;
		snprintf(c->all[i].name, sizeof(c->all[i].name), "%.*s", SV_ARG(name));
	}
	keep_common(&c->all[i].request, request);
	c->all[i].seen++;
}

const struct contender *contention_top(const struct contention *c)
{
	const struct contender *top = &c->all[0];

	for (uint32_t i = 1; i < c->n; i++)
		if (c->all[i].seen > top->seen)
			top = &c->all[i];
	return top;
}
