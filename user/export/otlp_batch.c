// SPDX-License-Identifier: Apache-2.0
/* Grouping of spans by service, a counting sort; see otlp_batch.h. */
#include "export/otlp_batch.h"

#include <errno.h>
#include <stdlib.h>

const struct attr otlp_sdk_attrs[OTLP_N_SDK_ATTRS] = {
    {.key = "telemetry.sdk.name",
	.type = ATTR_STRING,
	.string = {OTLP_SDK_NAME, sizeof(OTLP_SDK_NAME) - 1}},
    {.key = "telemetry.sdk.language",
	.type = ATTR_STRING,
	.string = {OTLP_SDK_LANGUAGE, sizeof(OTLP_SDK_LANGUAGE) - 1}},
    {.key = "telemetry.sdk.version",
	.type = ATTR_STRING,
	.string = {ZEROSPAN_VERSION, sizeof(ZEROSPAN_VERSION) - 1}},
};

/* A batch has few services, and neighbours mostly share one: the last hit is tried first. */
static size_t group_of(struct otlp_batch *batch, const struct service *service, size_t hint)
{
	if (hint < batch->n_groups && batch->groups[hint].service == service)
		return hint;
	for (size_t i = 0; i < batch->n_groups; i++)
		if (batch->groups[i].service == service)
			return i;
	batch->groups[batch->n_groups] = (struct otlp_group){.service = service};
	return batch->n_groups++;
}

/* Give each span its group, in slot order of the traces, and count. */
static void assign_groups(
    struct otlp_batch *batch, struct trace *const *traces, size_t n, size_t *slot)
{
	size_t hint = 0, k = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < traces[i]->n_spans; j++) {
			const struct span *span = traces[i]->spans[j];

			hint = group_of(batch, span->service, hint);
			batch->groups[hint].n_spans++;
			batch->n_attrs += span->n_attrs;
			slot[k++] = hint;
		}
	}
}

int otlp_batch_init(struct otlp_batch *batch, struct trace *const *traces, size_t n)
{
	size_t n_spans = 0, first = 0, k = 0;
	size_t *slot;

	*batch = (struct otlp_batch){0};
	for (size_t i = 0; i < n; i++)
		n_spans += traces[i]->n_spans;
	batch->groups =
	    malloc(n_spans * (sizeof(*batch->groups) + sizeof(*batch->spans) + sizeof(*slot)) + 1);
	if (!batch->groups)
		return -ENOMEM;
	batch->spans = (const struct span **)(batch->groups + n_spans);
	slot = (size_t *)(batch->spans + n_spans);
	assign_groups(batch, traces, n, slot);
	for (size_t g = 0; g < batch->n_groups; g++) {
		batch->groups[g].first = first;
		first += batch->groups[g].n_spans;
		batch->groups[g].n_spans = 0; /* counts up again below */
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < traces[i]->n_spans; j++) {
			struct otlp_group *group = &batch->groups[slot[k++]];

			batch->spans[group->first + group->n_spans++] = traces[i]->spans[j];
		}
	}
	batch->n_spans = n_spans;
	return 0;
}

void otlp_batch_release(struct otlp_batch *batch)
{
	free(batch->groups);
	*batch = (struct otlp_batch){0};
}
