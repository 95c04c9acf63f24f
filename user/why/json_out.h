/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON text written piece by piece: commas and keys. The caller pairs opening and closing. */
#ifndef ZS_WHY_JSON_OUT_H
#define ZS_WHY_JSON_OUT_H

#include <stdbool.h>

#include "base/buf.h"

struct json_out {
	struct buf *out;
	bool follows; /* a value stands before in the same object or array */
};

/* key is a C string that needs no escapes; NULL: in an array, or outermost. */

/* bracket: '{' or '[', and '}' or ']'. */
void json_out_open(struct json_out *json, const char *key, char bracket);
void json_out_close(struct json_out *json, char bracket);

/* value is valid UTF-8. */
void json_out_string(struct json_out *json, const char *key, struct sv value);

/* To six digits; what is no number is null. */
void json_out_number(struct json_out *json, const char *key, double value);
void json_out_bool(struct json_out *json, const char *key, bool value);

#endif
