/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How serious a line of a log is, by what the line itself says of it: JSON objects, logfmt, and the beginnings of lines that loggers of
 * common languages and servers write. Pure. What is not sure is not told: the word "error" in a sentence says nothing.
 */
#ifndef ZS_PROTO_LOG_LEVEL_H
#define ZS_PROTO_LOG_LEVEL_H

#include "base/sv.h"

/* Bytes of the longest level as it is written. */
#define LOG_LEVEL_TEXT_MAX 16

struct log_level_found {
	int number; /* SeverityNumber of OpenTelemetry's log data model, 1 to 24; 0: not told */
	size_t text_len;               /* 0 if number is */
	char text[LOG_LEVEL_TEXT_MAX]; /* as the line has it: ASCII, without NUL */
};

/*
 * line: without its end, any bytes. Where words differ in meaning: "critical" and "fatal" are FATAL, "crit" and "alert" have the place
 * between that and ERROR that syslog gives them (log data model, appendix B).
 */
struct log_level_found log_level_find(struct sv line);

#endif
