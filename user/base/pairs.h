/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys and values as one text: KEY NUL VALUE NUL, and so on. No key is empty or stands twice, and no text has a NUL inside,
 * so a value found is a C string, too. This is how the attributes of a process travel from where they are found, through a
 * recording, to its service.
 */
#ifndef ZS_BASE_PAIRS_H
#define ZS_BASE_PAIRS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/sv.h"

/* Append a pair unless the key is there: who comes first wins. Nothing happens for an empty key or value. */
void pairs_add(struct buf *pairs, struct sv key, struct sv value);

/* pairs_add() for each of more. */
void pairs_add_all(struct buf *pairs, struct sv more);

/* Take the first pair off the front, as views into it. False at the end, or (rest->len is not 0 then) where none is. */
bool pairs_next(struct sv *rest, struct sv *ret_key, struct sv *ret_value);

/* The value of a key. */
bool pairs_find(struct sv pairs, struct sv key, struct sv *ret_value);

/* Is any text, as from a file, of this form, with keys in UTF-8? Takes time by the square of the number of pairs. */
bool pairs_valid(struct sv text);

#endif
