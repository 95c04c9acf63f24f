/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From writes to lines: what the threads of a process write to stdout and stderr is put together to lines, each of which knows who wrote
 * it and when. Knows nothing of requests.
 *
 *	one write, one line         most loggers                   the line is there
 *	a line in several writes    "a" "b\n", of one thread       the thread's writes are joined; those of others are lines of their own
 *	several lines in one write  "a\n\tat b\n\tat c\n"          a line each; a message of its own, if only the first line begins one
 *	a buffer that is full       "a\nb\nc" "d\ne\n"             joined whoever writes the rest; whose lines they are is not known
 *
 * The last of these is what a library does that keeps lines until there are enough of them: the thread that writes them out need not be
 * the one that they are from. Such lines are marked.
 *
 * A line ends with LF or CR LF, or when nothing of it has come for LINES_WAIT_NS. An empty line is none.
 * Bounded: LINES_MAX_BYTES of a line, LINES_MAX_OPEN lines that have not ended; of more, the oldest ends.
 */
#ifndef ZS_LOGS_LINES_H
#define ZS_LOGS_LINES_H

#include "base/clock.h"
#include "base/sv.h"
#include "event.h"

#define LINES_MAX_BYTES 16384
#define LINES_MAX_OPEN  1024
#define LINES_WAIT_NS   (500 * NS_PER_MS)

struct log_line {
	uint32_t pid, tid, slice; /* of the write that brought its last piece */
	enum zsp_stream stream;
	uint64_t first_ns; /* CLOCK_MONOTONIC, of the write that brought its first byte, */
	uint64_t last_ns;  /* and its last one */
	uint64_t woken_ns; /* of the thread, as of the last one; see struct zsp_waits */
	struct sv text;    /* any bytes but LF, not empty unless some are missing */
	uint64_t missing;  /* bytes that it had besides, at least: behind the text */
	bool kept;         /* came out of a buffer: the thread need not be its author */
};

/* text is borrowed for the call. */
typedef void lines_take(void *ctx, const struct log_line *line);

struct lines;

struct lines *lines_new(lines_take *take, void *ctx); /* NULL: no memory */

/* Without telling what is open; NULL is fine. */
void lines_free(struct lines *lines);

/* Take a write. False: for lack of memory a line of it is lost. */
bool lines_write(struct lines *lines, const struct zsp_log *log);

/* Time passes: end what has waited long enough. UINT64_MAX: all. */
void lines_tick(struct lines *lines, uint64_t now_ns);

#endif
