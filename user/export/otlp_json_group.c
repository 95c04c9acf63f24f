// SPDX-License-Identifier: Apache-2.0
/* Resource and scope in OTLP/JSON; see otlp_json_group.h. */
#include "export/otlp_json_group.h"

#include "export/otlp_attrs.h"
#include "export/otlp_batch.h"

static void append_attrs(struct buf *out, const struct attr *attrs, size_t n)
{
	if (buf_reserve(out, otlp_json_attrs_bound(attrs, n)))
		return;
	out->len = (size_t)(otlp_put_json_attrs(out->data + out->len, attrs, n) - out->data);
	out->data[out->len] = '\0';
}

void otlp_json_begin_group(
    struct buf *out, const struct service *service, const char *scopes, const char *items)
{
	buf_append_cstr(out, "{\"resource\":{\"attributes\":[");
	if (service && service->n_attrs) {
		append_attrs(out, service->attrs, service->n_attrs);
		buf_append_char(out, ',');
	}
	append_attrs(out, otlp_telemetry_attrs, OTLP_N_TELEMETRY_ATTRS);
	buf_append_cstr(out, "]},\"");
	buf_append_cstr(out, scopes);
	buf_append_cstr(out,
	    "\":[{\"scope\":{\"name\":\"" OTLP_SCOPE_NAME "\",\"version\":\"" ZEROSPAN_VERSION
	    "\"},\"");
	buf_append_cstr(out, items);
	buf_append_cstr(out, "\":[");
}

void otlp_json_end_group(struct buf *out)
{
	buf_append_cstr(out,
	    "],\"schemaUrl\":\"" OTLP_SCHEMA_URL "\"}],\"schemaUrl\":\"" OTLP_SCHEMA_URL "\"}");
}
