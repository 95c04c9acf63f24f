/* SPDX-License-Identifier: Apache-2.0 */
/* Lines on a terminal: wrapped sentences, columns, bars. Knows nothing of reports. */
#ifndef ZS_WHY_LAYOUT_H
#define ZS_WHY_LAYOUT_H

#include <stdbool.h>

#include "base/buf.h"

struct layout {
	struct buf *out;
	size_t width; /* columns */
	bool colour;
};

/* Columns that text takes: its characters. */
size_t layout_width(struct sv text);

/* Text in a style (an ANSI sequence, NULL: plain). */
void layout_styled(const struct layout *layout, struct sv text, const char *style);

/* Text as lines broken at blanks, each behind so many of them. */
void layout_wrapped(const struct layout *layout, struct sv text, size_t indent);

/* Text cut or filled up to so many columns, at its left or right. */
void layout_left(const struct layout *layout, struct sv text, size_t columns);
void layout_right(const struct layout *layout, struct sv text, size_t columns);

/* A bar for share (0 to 1), full in so many columns; it takes all of them. */
void layout_bar(const struct layout *layout, double share, size_t columns);

/* A heading between blank lines. */
void layout_heading(const struct layout *layout, const char *text);

#endif
