// SPDX-License-Identifier: Apache-2.0
/*
 * Log records as OTLP in protobuf (opentelemetry-proto v1.11.0). Pure; one arena and a bound from
 * above, for the reasons that otlp_protobuf.c gives.
 */
#include <stdlib.h>

#include "export/exporters.h"
#include "export/otlp_batch.h"
#include "export/otlp_resource.h"
#include "otlp_logs.pb-c.h"

typedef Opentelemetry__Proto__LogBody pb_body;
typedef Opentelemetry__Proto__LogRecord pb_record;
typedef Opentelemetry__Proto__Resource pb_resource;
typedef Opentelemetry__Proto__InstrumentationScope pb_scope;
typedef Opentelemetry__Proto__ScopeLogs pb_scope_logs;
typedef Opentelemetry__Proto__ResourceLogs pb_resource_logs;
typedef Opentelemetry__Proto__ExportLogsServiceRequest pb_request;
typedef ProtobufCBinaryData pb_bytes;

enum {
	/* Upper bounds of tags, lengths and numbers: the fields of a record come to 100 bytes; a
	 * ResourceLogs with its scope and URLs to less than 300. */
	RECORD_FIXED_MAX = 128,
	GROUP_FIXED_MAX = 512,
};

struct group_cells {
	pb_resource_logs resource_logs;
	pb_resource resource;
	pb_scope_logs scope_logs;
	pb_scope_logs *scope_logs_list[1];
};

struct record_cells {
	pb_record record;
	pb_body body;
};

/* One block of memory; the typed pointers point at what is still free of each kind. */
struct arena {
	const struct clock_base *clock;
	pb_scope *scope; /* of all groups */
	void *memory;
	struct group_cells *groups;
	struct record_cells *records;
	pb_resource_logs **group_list;
	pb_record **record_list;
	struct otlp_packer packer;
	size_t bound; /* of the packed request */
};

static int arena_init(struct arena *arena, const struct otlp_batch *batch)
{
	size_t groups = batch->n_groups, records = batch->n_items, texts = 0;
	struct otlp_room room = {0};

	for (size_t g = 0; g < groups; g++)
		otlp_room_add_resource(&room, batch->groups[g].service);
	for (size_t i = 0; i < records; i++) {
		const struct log_record *record = otlp_batch_record(batch, i);

		otlp_room_add(&room, record->attrs, record->n_attrs);
		texts += record->body.len + record->severity_text.len;
	}
	arena->bound = room.bytes + texts + records * RECORD_FIXED_MAX + groups * GROUP_FIXED_MAX;
	arena->memory = malloc(groups * (sizeof(*arena->groups) + sizeof(*arena->group_list)) +
	    records * (sizeof(*arena->records) + sizeof(*arena->record_list)) +
	    room.attrs * sizeof(*arena->packer.list) + room.bytes + 1);
	if (!arena->memory)
		return -1;
	arena->groups = arena->memory;
	arena->records = (struct record_cells *)(arena->groups + groups);
	arena->group_list = (pb_resource_logs **)(arena->records + records);
	arena->record_list = (pb_record **)(arena->group_list + groups);
	arena->packer.list = (pb_bytes *)(arena->record_list + records);
	arena->packer.bytes = (uint8_t *)(arena->packer.list + room.attrs);
	return 0;
}

static pb_bytes to_bytes(const void *p, size_t len)
{
	return (pb_bytes){.len = len, .data = (uint8_t *)(uintptr_t)p};
}

static void set_body(pb_body *to, const struct log_record *record)
{
	opentelemetry__proto__log_body__init(to);
	if (record->binary) {
		to->value_case = OPENTELEMETRY__PROTO__LOG_BODY__VALUE_BYTES_VALUE;
		to->bytes_value = to_bytes(record->body.p, record->body.len);
	} else {
		to->value_case = OPENTELEMETRY__PROTO__LOG_BODY__VALUE_STRING_VALUE;
		to->string_value = to_bytes(record->body.p, record->body.len);
	}
}

static void set_ids(pb_record *to, const struct log_record *record)
{
	to->flags = record->flags;
	if (trace_id_is_zero(&record->trace_id))
		return;
	to->trace_id = to_bytes(record->trace_id.b, sizeof(record->trace_id.b));
	if (!span_id_is_zero(&record->span_id))
		to->span_id = to_bytes(record->span_id.b, sizeof(record->span_id.b));
}

static void add_record(struct arena *arena, const struct log_record *record)
{
	struct record_cells *cells = arena->records++;
	pb_record *to = &cells->record;

	opentelemetry__proto__log_record__init(to);
	if (record->time_ns)
		to->time_unix_nano = clock_wall_ns(arena->clock, record->time_ns);
	to->observed_time_unix_nano = clock_wall_ns(arena->clock, record->observed_ns);
	to->severity_number = record->severity;
	to->severity_text = to_bytes(record->severity_text.p, record->severity_text.len);
	set_body(&cells->body, record);
	to->body = &cells->body;
	to->attributes = arena->packer.list;
	to->n_attributes = record->n_attrs;
	otlp_packer_add(&arena->packer, record->attrs, record->n_attrs);
	to->dropped_attributes_count = record->dropped_attrs;
	set_ids(to, record);
	*arena->record_list++ = to;
}

static void add_group(
    struct arena *arena, const struct otlp_batch *batch, const struct otlp_group *group)
{
	struct group_cells *to = arena->groups++;

	opentelemetry__proto__resource_logs__init(&to->resource_logs);
	opentelemetry__proto__scope_logs__init(&to->scope_logs);
	otlp_packer_resource(&arena->packer, group->service, &to->resource);
	to->scope_logs.scope = arena->scope;
	to->scope_logs.schema_url = (char *)(uintptr_t)OTLP_SCHEMA_URL;
	to->scope_logs.n_log_records = group->n_items;
	to->scope_logs.log_records = arena->record_list;
	for (size_t i = 0; i < group->n_items; i++)
		add_record(arena, otlp_batch_record(batch, group->first + i));
	to->scope_logs_list[0] = &to->scope_logs;
	to->resource_logs.resource = &to->resource;
	to->resource_logs.n_scope_logs = 1;
	to->resource_logs.scope_logs = to->scope_logs_list;
	to->resource_logs.schema_url = (char *)(uintptr_t)OTLP_SCHEMA_URL;
	*arena->group_list++ = &to->resource_logs;
}

static size_t encode_batch(
    struct buf *out, const struct otlp_batch *batch, const struct clock_base *clock)
{
	pb_request request = OPENTELEMETRY__PROTO__EXPORT_LOGS_SERVICE_REQUEST__INIT;
	pb_scope scope = OPENTELEMETRY__PROTO__INSTRUMENTATION_SCOPE__INIT;
	struct arena arena = {.clock = clock, .scope = &scope};
	size_t n = 0;

	if (arena_init(&arena, batch)) {
		out->failed = true;
		return 0;
	}
	scope.name = (char *)(uintptr_t)OTLP_SCOPE_NAME;
	scope.version = (char *)(uintptr_t)ZEROSPAN_VERSION;
	request.n_resource_logs = batch->n_groups;
	request.resource_logs = arena.group_list;
	for (size_t g = 0; g < batch->n_groups; g++)
		add_group(&arena, batch, &batch->groups[g]);
	if (buf_reserve(out, arena.bound) == 0) {
		out->len += protobuf_c_message_pack(&request.base, (uint8_t *)out->data + out->len);
		out->data[out->len] = '\0';
		n = batch->n_items;
	}
	free(arena.memory);
	return n;
}

size_t encode_otlp_logs_protobuf(
    struct buf *out, struct log_batch *const *logs, size_t n, const struct clock_base *clock)
{
	struct otlp_batch batch;
	size_t n_records;

	if (otlp_batch_init_logs(&batch, logs, n)) {
		out->failed = true;
		return 0;
	}
	n_records = encode_batch(out, &batch, clock);
	otlp_batch_release(&batch);
	return n_records;
}
