/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs as URLs' queries and forms have them (application/x-www-form-urlencoded, WHATWG URL section 5). Pure. */
#ifndef ZS_PROTO_FORM_H
#define ZS_PROTO_FORM_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/sv.h"

/*
 * The value of a key, as it is written, a view into text; of the first pair if there are several. whole: text is all there is; else
 * a pair that its end may have cut is none. False: there is no such key.
 */
bool form_find(struct sv text, bool whole, struct sv key, struct sv *ret_value);

/* Append what a key or value says: "+" is a space, "%41" an A. No more bytes than text has. */
void form_append(struct buf *out, struct sv text);

#endif
