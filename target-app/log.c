// SPDX-License-Identifier: Apache-2.0
/*
 * Formats log lines with jansson, so that any byte a client sends is escaped, and hands each line
 * to the kernel in one write: lines of several threads never mix and nothing waits in a buffer.
 */
#include "log.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX 512

uint64_t log_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void format_time(char *text, size_t size)
{
	struct timespec now;
	struct tm utc;
	size_t used;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	used = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + used, size - used, ".%03ldZ", now.tv_nsec / 1000000);
}

/* Writes all of `text`; a reader of stdout that went away is no reason to stop serving. */
static void write_all(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

/* Takes ownership of `line`. */
static void emit(json_t *line)
{
	char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(10)) : NULL;
	size_t len;
	char *grown;

	json_decref(line);
	if (!text)
		return;
	len = strlen(text);
	grown = realloc(text, len + 2);
	if (grown) {
		text = grown;
		text[len] = '\n';
		write_all(text, len + 1);
	}
	free(text);
}

/* A JSON string of text that may not be UTF-8: foreign bytes become '?'. */
static json_t *any_text(const char *text)
{
	json_t *value = json_string(text);
	char *copy;

	if (value)
		return value;
	copy = strdup(text);
	if (!copy)
		return json_null();
	for (char *p = copy; *p; p++) {
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	}
	value = json_string(copy);
	free(copy);
	return value ? value : json_null();
}

void log_request(const char *method, const char *path, int status, uint64_t duration_ns)
{
	const char *level = status >= 500 ? "error" : status >= 400 ? "warning" : "info";
	double duration_ms = (double)(duration_ns / 1000) / 1000.0;
	char when[40];

	format_time(when, sizeof(when));
	emit(json_pack("{ss ss ss so so si sf}", "time", when, "level", level, "msg", "request",
	    "method", any_text(method), "path", any_text(path), "status", status, "duration_ms",
	    duration_ms));
}

void log_listening(const char *address, int port, const char *model, int workers)
{
	char when[40];

	format_time(when, sizeof(when));
	emit(json_pack("{ss ss ss ss si ss si si}", "time", when, "level", "info", "msg",
	    "listening", "address", address, "port", port, "model", model, "workers", workers,
	    "pid", (int)getpid()));
}

void log_message(const char *level, const char *format, ...)
{
	char message[MESSAGE_MAX];
	char when[40];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	format_time(when, sizeof(when));
	emit(json_pack("{ss ss so}", "time", when, "level", level, "msg", any_text(message)));
}
