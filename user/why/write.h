/* SPDX-License-Identifier: Apache-2.0 */
/* The report as text for people and as JSON for scripts. Pure. */
#ifndef ZS_WHY_WRITE_H
#define ZS_WHY_WRITE_H

#include "base/buf.h"
#include "why/report.h"

/* Narrower and wider terminals get these. */
enum {
	WHY_WIDTH_MIN = 80,
	WHY_WIDTH_MAX = 140,
	WHY_WIDTH_DEFAULT = 110, /* where the output is no terminal */
};

struct why_style {
	size_t width; /* columns of the terminal */
	bool colour;  /* ANSI colours */
};

/* Append the findings first, then what they rest on. */
void why_write_text(
    struct buf *out, const struct why_report *report, const struct why_style *style);

/* Append one JSON object and a line end. Times are milliseconds, shares percent. */
void why_write_json(struct buf *out, const struct why_report *report);

#endif
