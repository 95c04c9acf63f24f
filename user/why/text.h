/* SPDX-License-Identifier: Apache-2.0 */
/* The report as text while it is written. Internal to write.h's text. */
#ifndef ZS_WHY_TEXT_H
#define ZS_WHY_TEXT_H

#include "why/layout.h"
#include "why/report.h"

enum {
	TEXT_INDENT = 4,
};

struct text {
	struct layout layout;
	const struct why_report *report;
	struct buf line; /* scratch */
};

/* The scratch, empty. */
static inline struct buf *text_fresh(struct text *text)
{
	buf_clear(&text->line);
	return &text->line;
}

static inline void text_end_line(struct text *text)
{
	buf_append_char(text->layout.out, '\n');
}

/* The requests without an answer, one by one. */
void text_open(struct text *text);

/* All that comes after the findings. */
void text_details(struct text *text);

#endif
