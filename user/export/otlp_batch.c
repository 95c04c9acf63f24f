// SPDX-License-Identifier: Apache-2.0
/* Grouping of spans and log records by service, a counting sort; see otlp_batch.h. */
#include "export/otlp_batch.h"

#include <errno.h>
#include <stdlib.h>

const struct attr otlp_telemetry_attrs[OTLP_N_TELEMETRY_ATTRS] = {
    {.key = "telemetry.sdk.name",
	.type = ATTR_STRING,
	.string = {OTLP_SDK_NAME, sizeof(OTLP_SDK_NAME) - 1}},
    {.key = "telemetry.sdk.language",
	.type = ATTR_STRING,
	.string = {OTLP_SDK_LANGUAGE, sizeof(OTLP_SDK_LANGUAGE) - 1}},
    {.key = "telemetry.sdk.version",
	.type = ATTR_STRING,
	.string = {ZEROSPAN_VERSION, sizeof(ZEROSPAN_VERSION) - 1}},
    {.key = "telemetry.distro.name",
	.type = ATTR_STRING,
	.string = {OTLP_SDK_NAME, sizeof(OTLP_SDK_NAME) - 1}},
    {.key = "telemetry.distro.version",
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

/* What is sorted: an item where it was found, and the group it goes to. */
struct found {
	const void *item;
	size_t group;
};

/* Room for n items; *ret_found belongs to the same block. */
static int batch_alloc(struct otlp_batch *batch, size_t n, struct found **ret_found)
{
	*batch = (struct otlp_batch){0};
	batch->groups =
	    malloc(n * (sizeof(*batch->groups) + sizeof(*batch->items) + sizeof(**ret_found)) + 1);
	if (!batch->groups)
		return -ENOMEM;
	batch->items = (const void **)(batch->groups + n);
	*ret_found = (struct found *)(batch->items + n);
	return 0;
}

static void find(
    struct otlp_batch *batch, struct found *found, const void *item, const struct service *service)
{
	size_t n = batch->n_items++;

	found[n].item = item;
	found[n].group = group_of(batch, service, n ? found[n - 1].group : 0);
	batch->groups[found[n].group].n_items++;
}

static void sort(struct otlp_batch *batch, const struct found *found)
{
	size_t first = 0;

	for (size_t g = 0; g < batch->n_groups; g++) {
		batch->groups[g].first = first;
		first += batch->groups[g].n_items;
		batch->groups[g].n_items = 0; /* counts up again below */
	}
	for (size_t i = 0; i < batch->n_items; i++) {
		struct otlp_group *group = &batch->groups[found[i].group];

		batch->items[group->first + group->n_items++] = found[i].item;
	}
}

int otlp_batch_init(struct otlp_batch *batch, struct trace *const *traces, size_t n)
{
	size_t n_items = 0;
	struct found *found;

	for (size_t i = 0; i < n; i++)
		n_items += traces[i]->n_spans;
	if (batch_alloc(batch, n_items, &found))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < traces[i]->n_spans; j++) {
			const struct span *span = traces[i]->spans[j];

			find(batch, found, span, span->service);
		}
	}
	sort(batch, found);
	return 0;
}

int otlp_batch_init_logs(struct otlp_batch *batch, struct log_batch *const *logs, size_t n)
{
	size_t n_items = 0;
	struct found *found;

	for (size_t i = 0; i < n; i++)
		n_items += logs[i]->n_records;
	if (batch_alloc(batch, n_items, &found))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < logs[i]->n_records; j++) {
			const struct log_record *record = logs[i]->records[j];

			find(batch, found, record, record->service);
		}
	}
	sort(batch, found);
	return 0;
}

void otlp_batch_release(struct otlp_batch *batch)
{
	free(batch->groups);
	*batch = (struct otlp_batch){0};
}
