// SPDX-License-Identifier: Apache-2.0
/* Commas and keys; see json_out.h. */
#include "why/json_out.h"

#include "export/put.h"

static void begin(struct json_out *json, const char *key)
{
	if (json->follows)
		buf_append_char(json->out, ',');
	json->follows = true;
	if (key)
		buf_printf(json->out, "\"%s\":", key);
}

void json_out_open(struct json_out *json, const char *key, char bracket)
{
	begin(json, key);
	buf_append_char(json->out, bracket);
	json->follows = false;
}

void json_out_close(struct json_out *json, char bracket)
{
	buf_append_char(json->out, bracket);
	json->follows = true;
}

void json_out_string(struct json_out *json, const char *key, struct sv value)
{
	struct buf *out = json->out;

	begin(json, key);
	buf_append_char(out, '"');
	if (buf_reserve(out, value.len * PUT_JSON_FACTOR) == 0) {
		out->len = (size_t)(put_json_escaped(out->data + out->len, value) - out->data);
		out->data[out->len] = '\0';
	}
	buf_append_char(out, '"');
}

/* Counts keep all their digits. */
void json_out_number(struct json_out *json, const char *key, double value)
{
	begin(json, key);
	if (!(value > -1e300 && value < 1e300))
		buf_append_cstr(json->out, "null");
	else if (value > -1e15 && value < 1e15 && value == (double)(int64_t)value)
		buf_printf(json->out, "%lld", (long long)value);
	else
		buf_printf(json->out, "%.6g", value);
}

void json_out_bool(struct json_out *json, const char *key, bool value)
{
	begin(json, key);
	buf_append_cstr(json->out, value ? "true" : "false");
}
