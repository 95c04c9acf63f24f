// SPDX-License-Identifier: Apache-2.0
/* Parents looked up by id, requests found from the top; see family.h. */
#include "why/family.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int reserve(struct family *family, size_t n)
{
	struct family_span *spans;
	size_t *by_id;

	if (n <= family->cap)
		return 0;
	spans = reallocarray(family->spans, n, sizeof(*spans));
	if (!spans)
		return -ENOMEM;
	family->spans = spans;
	by_id = reallocarray(family->by_id, n, sizeof(*by_id));
	if (!by_id)
		return -ENOMEM;
	family->by_id = by_id;
	family->cap = n;
	return 0;
}

void family_release(struct family *family)
{
	free(family->spans);
	free(family->by_id);
	memset(family, 0, sizeof(*family));
}

static int compare_ids(const void *a, const void *b, void *arg)
{
	const struct trace *trace = arg;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int by_id = memcmp(trace->spans[x]->span_id.b, trace->spans[y]->span_id.b,
	    sizeof(trace->spans[x]->span_id.b));

	return by_id ? by_id : x < y ? -1 : x > y;
}

/* The span with this id that comes before `before`: parents come first, only forged ids say otherwise. */
static size_t find(
    const struct family *family, const struct trace *trace, const struct span_id *id, size_t before)
{
	size_t low = 0, high = trace->n_spans;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(trace->spans[family->by_id[middle]]->span_id.b, id->b, sizeof(id->b)) <
		    0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == trace->n_spans || family->by_id[low] >= before ||
	    !span_id_eq(&trace->spans[family->by_id[low]]->span_id, id))
		return FAMILY_NONE;
	return family->by_id[low];
}

static void join(struct family *family, size_t owner, size_t part)
{
	struct family_span *at = &family->spans[owner];

	if (at->last == FAMILY_NONE)
		at->first = part;
	else
		family->spans[at->last].next = part;
	at->last = part;
}

static void place(struct family *family, const struct trace *trace, size_t i)
{
	const struct span *span = trace->spans[i];
	struct family_span *at = &family->spans[i];

	*at = (struct family_span){.owner = FAMILY_NONE,
	    .first = FAMILY_NONE,
	    .last = FAMILY_NONE,
	    .next = FAMILY_NONE,
	    .answered_by = FAMILY_NONE};
	at->parent = find(family, trace, &span->parent_id, i);
	if (span->kind == SPAN_KIND_SERVER || span_id_is_zero(&span->parent_id))
		at->owner = i;
	else if (at->parent != FAMILY_NONE)
		at->owner = family->spans[at->parent].owner;
	if (at->owner != FAMILY_NONE && at->owner != i)
		join(family, at->owner, i);
	if (span->kind == SPAN_KIND_SERVER && at->parent != FAMILY_NONE &&
	    trace->spans[at->parent]->kind == SPAN_KIND_CLIENT)
		family->spans[at->parent].answered_by = i;
}

int family_read(struct family *family, const struct trace *trace)
{
	if (reserve(family, trace->n_spans))
		return -ENOMEM;
	for (size_t i = 0; i < trace->n_spans; i++)
		family->by_id[i] = i;
	qsort_r(family->by_id, trace->n_spans, sizeof(*family->by_id), compare_ids, (void *)trace);
	for (size_t i = 0; i < trace->n_spans; i++)
		place(family, trace, i);
	return 0;
}
