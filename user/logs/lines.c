// SPDX-License-Identifier: Apache-2.0
/* Joining and cutting of lines; see lines.h. */
#include "logs/lines.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/hmap.h"
#include "base/list.h"
#include "proto/log_level.h"

/* A line that has not ended. */
struct open_line {
	struct hnode node; /* by process, stream, and thread */
	struct list age;   /* among all, longest without a byte first */
	struct log_line line;
	uint32_t owner; /* thread; 0: whoever writes next */
	struct buf text;
};

struct lines {
	lines_take *take;
	void *ctx;
	struct hmap open;
	struct list age;
};

struct lines *lines_new(lines_take *take, void *ctx)
{
	struct lines *lines = calloc(1, sizeof(*lines));

	if (!lines)
		return NULL;
	lines->take = take;
	lines->ctx = ctx;
	hmap_init(&lines->open);
	list_init(&lines->age);
	return lines;
}

static void open_free(struct lines *lines, struct open_line *open)
{
	hmap_remove(&lines->open, &open->node);
	list_remove(&open->age);
	buf_release(&open->text);
	free(open);
}

void lines_free(struct lines *lines)
{
	if (!lines)
		return;
	list_for_each (at, &lines->age) {
		open_free(lines, container_of(at, struct open_line, age));
	}
	hmap_release(&lines->open);
	free(lines);
}

/* --- lines that have ended ----------------------------------------------------------------------- */

/* An empty one is none. */
static void tell(struct lines *lines, struct log_line *line, struct sv text)
{
	if (text.len && text.p[text.len - 1] == '\r' && !line->missing)
		text.len--;
	line->text = text;
	if (text.len || line->missing)
		lines->take(lines->ctx, line);
}

static void open_end(struct lines *lines, struct open_line *open)
{
	tell(lines, &open->line, buf_sv(&open->text));
	open_free(lines, open);
}

/* --- lines that have not ---------------------------------------------------------------------------- */

static uint64_t hash_of(uint32_t pid, enum zsp_stream stream, uint32_t owner)
{
	return hash_combine((uint64_t)pid << 8 | stream, owner);
}

static struct open_line *open_find(
    const struct lines *lines, const struct zsp_log *log, uint32_t owner)
{
	uint64_t hash = hash_of(log->h.pid, (enum zsp_stream)log->stream, owner);

	hmap_for_each_hash (node, &lines->open, hash) {
		struct open_line *open = container_of(node, struct open_line, node);

		if (open->line.pid == log->h.pid && open->line.stream == log->stream &&
		    open->owner == owner)
			return open;
	}
	return NULL;
}

static struct open_line *open_new(struct lines *lines, const struct log_line *line, uint32_t owner)
{
	struct open_line *open = calloc(1, sizeof(*open));

	if (!open)
		return NULL;
	open->line = *line;
	open->owner = owner;
	buf_init(&open->text);
	list_init(&open->age);
	if (hmap_add(&lines->open, hash_of(line->pid, line->stream, owner), &open->node)) {
		free(open);
		return NULL;
	}
	list_add_tail(&lines->age, &open->age);
	return open;
}

/* It goes on with these bytes, as much of them as there is room for. False: no memory, some are lost. */
static bool open_append(
    struct lines *lines, struct open_line *open, const struct log_line *line, struct sv text)
{
	size_t room = LINES_MAX_BYTES - open->text.len, n = text.len;

	if (open->line.missing) /* what follows on missing bytes does not follow on the text */
		room = 0;
	if (n > room)
		n = room;
	buf_append(&open->text, text.p, n);
	if (open->text.failed)
		return false;
	open->line.missing += text.len - n + line->missing;
	open->line.tid = line->tid;
	open->line.slice = line->slice;
	open->line.last_ns = line->last_ns;
	open->line.woken_ns = line->woken_ns;
	open->line.kept |= line->kept;
	list_remove(&open->age);
	list_add_tail(&lines->age, &open->age);
	return true;
}

/* --- writes --------------------------------------------------------------------------------------- */

/* A write as it is cut up. */
struct cut {
	struct log_line line; /* model of those that it has */
	struct sv rest;       /* bytes that are not told yet */
	uint64_t missing;     /* bytes behind those */
	bool ends;            /* the last byte of all is an LF */
};

static struct sv first_line(struct sv text)
{
	text.len = sv_find(text, '\n');
	return text;
}

static bool is_indented(struct sv line)
{
	return line.len == 0 || line.p[0] == ' ' || line.p[0] == '\t';
}

/*
 * Several messages in one write, or one that stops inside of a line behind others, were kept in a buffer. One message may have several lines:
 * those behind its first are indented; or they are next to such ones and say no level, where the first one does, as in what programs
 * tell of their stacks.
 */
static bool is_of_buffer(const struct cut *cut)
{
	struct sv first = first_line(cut->rest), rest = sv_skip(cut->rest, first.len + 1), line;
	bool levels, before = false; /* the line before is indented */

	if (first.len == cut->rest.len || (!rest.len && !cut->missing))
		return false; /* as most are: one line, or a part of one */
	if (!cut->ends)
		return true;
	levels = log_level_find(first).number != 0;
	while (rest.len) {
		line = first_line(rest);
		rest = sv_skip(rest, line.len + 1);
		if (!is_indented(line) &&
		    (!levels || log_level_find(line).number ||
			(!before && (!rest.len || !is_indented(first_line(rest))))))
			return true;
		before = is_indented(line);
	}
	return false;
}

/* Bytes without an end: of the line that is open, or of a new one. */
static bool leave_open(struct lines *lines, struct open_line *open, const struct cut *cut)
{
	struct log_line line = cut->line;

	line.missing = 0;
	if (!open)
		open = open_new(lines, &line, line.kept ? 0 : line.tid);
	line.missing = cut->missing;
	if (!open || !open_append(lines, open, &line, cut->rest))
		return false;
	if (cut->ends)
		open_end(lines, open);
	if (lines->open.count > LINES_MAX_OPEN)
		open_end(lines, container_of(lines->age.next, struct open_line, age));
	return true;
}

static bool tell_line(
    struct lines *lines, struct open_line *open, struct log_line line, struct sv text)
{
	if (!open) {
		tell(lines, &line, text);
		return true;
	}
	if (!open_append(lines, open, &line, text))
		return false;
	open_end(lines, open);
	return true;
}

static bool ends_line(const struct zsp_log *log)
{
	if (log->captured == log->bytes)
		return log->text[log->captured - 1] == '\n';
	return log->last_known && log->last == '\n';
}

bool lines_write(struct lines *lines, const struct zsp_log *log)
{
	struct cut cut = {
	    .line =
		{
		    .pid = log->h.pid,
		    .tid = log->h.tid,
		    .slice = log->h.slice,
		    .stream = (enum zsp_stream)log->stream,
		    .first_ns = log->h.time_ns,
		    .last_ns = log->h.time_ns,
		    .woken_ns = log->woken_ns,
		},
	    .rest = sv_from(log->text, log->captured),
	    .missing = log->bytes - log->captured,
	    .ends = ends_line(log),
	};
	struct open_line *open = open_find(lines, log, 0);
	bool whole = true;

	if (!open)
		open = open_find(lines, log, log->h.tid);
	if (cut.ends && cut.missing) /* its end is no part of the line */
		cut.missing--;
	cut.line.kept = is_of_buffer(&cut) || (open && open->owner == 0);
	while (cut.rest.len) {
		struct sv text = first_line(cut.rest);

		if (text.len == cut.rest.len)
			break;
		whole &= tell_line(lines, open, cut.line, text);
		open = NULL;
		cut.rest = sv_skip(cut.rest, text.len + 1);
	}
	if (cut.rest.len || cut.missing || log->bytes > log->captured)
		whole &= leave_open(lines, open, &cut);
	return whole;
}

void lines_tick(struct lines *lines, uint64_t now_ns)
{
	list_for_each (at, &lines->age) {
		struct open_line *open = container_of(at, struct open_line, age);

		if (now_ns != UINT64_MAX && open->line.last_ns + LINES_WAIT_NS > now_ns)
			break;
		open_end(lines, open);
	}
}
