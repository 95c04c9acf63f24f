// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a record: refused, or an event all of whose bytes, as its lengths tell them, are there. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(const void *p, size_t len)
{
	const volatile uint8_t *byte = p;

	for (size_t i = 0; i < len; i++)
		(void)byte[i];
}

static void check(const struct event *event, size_t size)
{
	if (event->h->size > size || event->h->size < event_fixed_size(event->h->kind))
		abort();
	touch(event->h, event->h->size);
	if (event->h->kind == ZSP_KIND_DATA)
		touch(event->data->payload, event->data->captured);
	else if (event->h->kind == ZSP_KIND_STATEMENT)
		touch(event->statement->text, event->statement->text_bytes);
	else if (event->h->kind == ZSP_KIND_LOG)
		touch(event->log->text, event->log->captured);
	else if (event->h->kind >= ZSP_KIND_PROC_FORK)
		touch(event->proc->comm, strlen((const char *)event->proc->comm) + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *record = malloc(size ? size : 1); /* ends where the bytes end */
	struct event event;

	memcpy(record, data, size);
	if (event_decode(record, size, &event) == 0)
		check(&event, size);
	free(record);
	return 0;
}
