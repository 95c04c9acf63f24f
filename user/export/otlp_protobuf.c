// SPDX-License-Identifier: Apache-2.0
/*
 * OTLP in protobuf (opentelemetry-proto v1.11.0). Pure.
 *
 * protobuf-c packs a tree of message structs. They are laid out in one arena whose size is known
 * from the numbers of spans and attributes, so nothing is allocated per span. Attributes, the bulk
 * of it, enter the tree already packed (see otlp_trace.proto). The size of the result is bounded
 * from above instead of being computed by protobuf_c_message_get_packed_size(), which costs as much
 * as the packing itself.
 */
#include <stdlib.h>

#include "export/exporters.h"
#include "export/otlp_batch.h"
#include "export/otlp_resource.h"
#include "otlp_trace.pb-c.h"

typedef Opentelemetry__Proto__Status pb_status;
typedef Opentelemetry__Proto__Span pb_span;
typedef Opentelemetry__Proto__Link pb_link;
typedef Opentelemetry__Proto__Resource pb_resource;
typedef Opentelemetry__Proto__InstrumentationScope pb_scope;
typedef Opentelemetry__Proto__ScopeSpans pb_scope_spans;
typedef Opentelemetry__Proto__ResourceSpans pb_resource_spans;
typedef Opentelemetry__Proto__ExportTraceServiceRequest pb_request;
typedef ProtobufCBinaryData pb_bytes;

enum {
	/* Upper bounds of tags, lengths and numbers: the fields of a span with a link come to 170 bytes; a
	 * ResourceSpans with its scope and URLs to less than 300. */
	SPAN_FIXED_MAX = 192,
	GROUP_FIXED_MAX = 512,
};

/* What all groups share, borrowed by the messages. */
struct shared {
	const struct clock_base *clock;
	pb_scope scope;
	pb_status ok, error;
};

struct group_cells {
	pb_resource_spans resource_spans;
	pb_resource resource;
	pb_scope_spans scope_spans;
	pb_scope_spans *scope_spans_list[1];
};

/* One block of memory; the typed pointers point at what is still free of each kind. */
struct arena {
	void *memory;
	struct group_cells *groups;
	pb_span *spans;
	pb_link *links;
	pb_link **link_list;
	pb_resource_spans **group_list;
	pb_span **span_list;
	struct otlp_packer packer;
	size_t bound; /* of the packed request */
};

/* --- messages -------------------------------------------------------------------------------- */

static int arena_init(struct arena *arena, const struct otlp_batch *batch)
{
	size_t groups = batch->n_groups, spans = batch->n_items, names = 0, links = 0;
	struct otlp_room room = {.attrs = spans * SPAN_TIME_ATTRS_MAX,
	    .bytes = spans * SPAN_TIME_ATTRS_MAX * OTLP_ATTR_FIXED_MAX};

	for (size_t g = 0; g < groups; g++)
		otlp_room_add_resource(&room, batch->groups[g].service);
	for (size_t i = 0; i < spans; i++) {
		const struct span *span = otlp_batch_span(batch, i);

		otlp_room_add(&room, span->attrs, span->n_attrs);
		room.bytes += span_time_text_max(span);
		names += span->name.len + span->trace_state.len;
		links += span_link(span) != NULL;
	}
	arena->bound = room.bytes + names + spans * SPAN_FIXED_MAX + groups * GROUP_FIXED_MAX;
	arena->memory = malloc(groups * (sizeof(*arena->groups) + sizeof(*arena->group_list)) +
	    spans * (sizeof(*arena->spans) + sizeof(*arena->span_list)) +
	    links * (sizeof(*arena->links) + sizeof(*arena->link_list)) +
	    room.attrs * sizeof(*arena->packer.list) + room.bytes + 1);
	if (!arena->memory)
		return -1;
	arena->groups = arena->memory;
	arena->spans = (pb_span *)(arena->groups + groups);
	arena->links = (pb_link *)(arena->spans + spans);
	arena->group_list = (pb_resource_spans **)(arena->links + links);
	arena->span_list = (pb_span **)(arena->group_list + groups);
	arena->link_list = (pb_link **)(arena->span_list + spans);
	arena->packer.list = (pb_bytes *)(arena->link_list + links);
	arena->packer.bytes = (uint8_t *)(arena->packer.list + room.attrs);
	return 0;
}

static pb_bytes to_bytes(const void *p, size_t len)
{
	return (pb_bytes){.len = len, .data = (uint8_t *)(uintptr_t)p};
}

static void add_link(struct arena *arena, const struct span_link *link, pb_span *to)
{
	static const pb_link init = OPENTELEMETRY__PROTO__LINK__INIT;

	to->n_links = 1;
	to->links = arena->link_list++;
	to->links[0] = arena->links++;
	*to->links[0] = init;
	to->links[0]->trace_id = to_bytes(link->trace_id.b, sizeof(link->trace_id.b));
	to->links[0]->span_id = to_bytes(link->span_id.b, sizeof(link->span_id.b));
	to->links[0]->flags = link->flags;
}

static void add_span(struct arena *arena, const struct span *span, struct shared *shared)
{
	static const pb_span init = OPENTELEMETRY__PROTO__SPAN__INIT;
	struct attr time[SPAN_TIME_ATTRS_MAX];
	size_t n_time = span_time_attrs(span, time);
	pb_span *to = arena->spans++;

	*to = init;
	to->trace_id = to_bytes(span->trace_id.b, sizeof(span->trace_id.b));
	to->span_id = to_bytes(span->span_id.b, sizeof(span->span_id.b));
	to->trace_state = to_bytes(span->trace_state.p, span->trace_state.len);
	if (!span_id_is_zero(&span->parent_id))
		to->parent_span_id = to_bytes(span->parent_id.b, sizeof(span->parent_id.b));
	to->name = to_bytes(span->name.p, span->name.len);
	to->kind = span->kind;
	to->start_time_unix_nano = clock_wall_ns(shared->clock, span->start_ns);
	to->end_time_unix_nano = clock_wall_ns(shared->clock, span->end_ns);
	to->attributes = arena->packer.list;
	otlp_packer_add(&arena->packer, span->attrs, span->n_attrs);
	otlp_packer_add(&arena->packer, time, n_time);
	to->n_attributes = span->n_attrs + n_time;
	to->dropped_attributes_count = span->dropped_attrs;
	to->dropped_links_count = span->dropped_links;
	if (span_link(span))
		add_link(arena, span_link(span), to);
	if (span->status != SPAN_STATUS_UNSET)
		to->status = span->status == SPAN_STATUS_ERROR ? &shared->error : &shared->ok;
	to->flags = span->flags;
	*arena->span_list++ = to;
}

static void add_group(struct arena *arena, const struct otlp_batch *batch,
    const struct otlp_group *group, struct shared *shared)
{
	struct group_cells *to = arena->groups++;

	opentelemetry__proto__resource_spans__init(&to->resource_spans);
	opentelemetry__proto__scope_spans__init(&to->scope_spans);
	otlp_packer_resource(&arena->packer, group->service, &to->resource);
	to->scope_spans.scope = &shared->scope;
	to->scope_spans.schema_url = (char *)(uintptr_t)OTLP_SCHEMA_URL;
	to->scope_spans.n_spans = group->n_items;
	to->scope_spans.spans = arena->span_list;
	for (size_t i = 0; i < group->n_items; i++)
		add_span(arena, otlp_batch_span(batch, group->first + i), shared);
	to->scope_spans_list[0] = &to->scope_spans;
	to->resource_spans.resource = &to->resource;
	to->resource_spans.n_scope_spans = 1;
	to->resource_spans.scope_spans = to->scope_spans_list;
	to->resource_spans.schema_url = (char *)(uintptr_t)OTLP_SCHEMA_URL;
	*arena->group_list++ = &to->resource_spans;
}

static size_t encode_batch(
    struct buf *out, const struct otlp_batch *batch, const struct clock_base *clock)
{
	pb_request request = OPENTELEMETRY__PROTO__EXPORT_TRACE_SERVICE_REQUEST__INIT;
	struct shared shared = {.clock = clock,
	    .scope = OPENTELEMETRY__PROTO__INSTRUMENTATION_SCOPE__INIT,
	    .ok = OPENTELEMETRY__PROTO__STATUS__INIT,
	    .error = OPENTELEMETRY__PROTO__STATUS__INIT};
	struct arena arena;
	size_t n = 0;

	if (arena_init(&arena, batch)) {
		out->failed = true;
		return 0;
	}
	shared.scope.name = (char *)(uintptr_t)OTLP_SCOPE_NAME;
	shared.scope.version = (char *)(uintptr_t)ZEROSPAN_VERSION;
	shared.ok.code = SPAN_STATUS_OK;
	shared.error.code = SPAN_STATUS_ERROR;
	request.n_resource_spans = batch->n_groups;
	request.resource_spans = arena.group_list;
	for (size_t g = 0; g < batch->n_groups; g++)
		add_group(&arena, batch, &batch->groups[g], &shared);
	if (buf_reserve(out, arena.bound) == 0) {
		out->len += protobuf_c_message_pack(&request.base, (uint8_t *)out->data + out->len);
		out->data[out->len] = '\0';
		n = batch->n_items;
	}
	free(arena.memory);
	return n;
}

size_t encode_otlp_protobuf(
    struct buf *out, struct trace *const *traces, size_t n, const struct clock_base *clock)
{
	struct otlp_batch batch;
	size_t n_spans;

	if (otlp_batch_init(&batch, traces, n)) {
		out->failed = true;
		return 0;
	}
	n_spans = encode_batch(out, &batch, clock);
	otlp_batch_release(&batch);
	return n_spans;
}
