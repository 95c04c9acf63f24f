/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON (RFC 8259) as far as it is there: a pull reader over a text that may be cut anywhere, and the values at given
 * paths of it. Pure; takes nothing on trust, allocates nothing, gives views into the text.
 */
#ifndef ZS_PROTO_JSON_H
#define ZS_PROTO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/sv.h"

/* Open brackets; a text with more is read up to there. */
#define JSON_MAX_DEPTH 64

enum json_kind {
	JSON_NONE = 0, /* json_find(): no such value, or it was cut off */
	JSON_OBJECT,   /* text: none */
	JSON_ARRAY,
	JSON_STRING, /* text: between the quotes, escapes as written */
	JSON_NUMBER, /* text: as written */
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL,
	JSON_KEY, /* of a member whose value follows; text as of a string */
	JSON_OBJECT_END,
	JSON_ARRAY_END,
	JSON_END, /* the value was complete; what follows is not looked at */
	JSON_CUT, /* the text ended before the value did */
	JSON_BAD, /* no JSON from here on, or too deep */
};

struct json_token {
	enum json_kind kind;
	struct sv text;
};

struct json_reader {
	struct sv rest;
	bool whole;  /* nothing is missing behind the text: a number at its end is complete */
	int expects; /* private */
	size_t depth;
	uint64_t objects; /* bit by depth: that bracket is an object's */
};

/* whole: the text is all there is. */
void json_reader_init(struct json_reader *reader, struct sv text, bool whole);

/* The next token. Once it was END, CUT or BAD it stays so. */
struct json_token json_next(struct json_reader *reader);

/* Append what the text of a STRING or KEY says: escapes replaced, half surrogates as U+FFFD. Other bytes as they are. */
void json_append_string(struct buf *out, struct sv text);

/* --- values at paths ----------------------------------------------------------------------------- */

#define JSON_PATH_MAX_STEPS 8
#define JSON_MAX_PATHS      64 /* that are looked for at once */

/* One step down: into the member with this key, or, key.p being NULL, to the item of this number. */
struct json_step {
	struct sv key;
	size_t index;
};

struct json_path {
	size_t n;
	struct json_step steps[JSON_PATH_MAX_STEPS];
};

/*
 * The values at n paths (up to JSON_MAX_PATHS), in one pass: ret_values[i] is the token that stands there, of the last one when a key is there
 * twice, also further up; NONE when there is none before the text is cut or no JSON any more. False: the text is no JSON, or was cut.
 */
bool json_find(struct sv text, bool whole, const struct json_path *const *paths, size_t n,
    struct json_token *ret_values);

#endif
