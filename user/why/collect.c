// SPDX-License-Identifier: Apache-2.0
/* Requests out of traces; see collect.h. What single spans tell is read in span_facts.c. */
#include "why/collect.h"

#include <stdlib.h>

#include "why/family.h"
#include "why/span_facts.h"

struct why_collector {
	struct why_names *names;
	struct why_sample *sample;
	struct family family;
	struct span_facts facts; /* of the request in hand */
	struct why_collect_stats stats;
};

struct why_collector *why_collector_new(void)
{
	struct why_collector *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->names = why_names_new();
	c->sample = why_sample_new();
	if (!c->names || !c->sample || span_facts_init(&c->facts, c->names)) {
		why_collector_free(c);
		return NULL;
	}
	return c;
}

void why_collector_free(struct why_collector *c)
{
	if (!c)
		return;
	span_facts_release(&c->facts);
	family_release(&c->family);
	why_sample_free(c->sample);
	why_names_free(c->names);
	free(c);
}

const struct why_names *why_collector_names(const struct why_collector *c)
{
	return c->names;
}

const struct why_sample *why_collector_sample(const struct why_collector *c)
{
	return c->sample;
}

void why_collector_stats(const struct why_collector *c, struct why_collect_stats *ret_stats)
{
	*ret_stats = c->stats;
}

static void take_part(struct why_collector *c, const struct trace *trace, size_t i)
{
	size_t answered_by = c->family.spans[i].answered_by;
	const struct span *span = trace->spans[i];

	if (span->untimed)
		c->stats.untimed++;
	else if (span_is_statement(span))
		span_facts_statement(&c->facts, span);
	else if (span->kind == SPAN_KIND_CLIENT)
		span_facts_call(
		    &c->facts, span, answered_by == FAMILY_NONE ? NULL : trace->spans[answered_by]);
}

static void take_request(struct why_collector *c, const struct trace *trace, size_t i)
{
	const struct span *span = trace->spans[i];

	if (span->kind == SPAN_KIND_SERVER)
		c->stats.requests++;
	else
		c->stats.lone++;
	span_facts_begin(&c->facts, span);
	if (span->kind != SPAN_KIND_SERVER)
		take_part(c, trace, i);
	for (size_t part = c->family.spans[i].first; part != FAMILY_NONE;
	     part = c->family.spans[part].next)
		take_part(c, trace, part);
	why_sample_add(c->sample, span_facts_end(&c->facts));
}

void why_collector_trace(struct why_collector *c, const struct trace *trace)
{
	c->stats.spans += trace->n_spans;
	if (family_read(&c->family, trace)) {
		c->stats.no_memory++;
		return;
	}
	for (size_t i = 0; i < trace->n_spans; i++) {
		if (c->family.spans[i].owner == FAMILY_NONE)
			c->stats.detached++;
		else if (c->family.spans[i].owner != i)
			continue;
		else if (trace->spans[i]->untimed)
			c->stats.untimed++;
		else
			take_request(c, trace, i);
	}
}
