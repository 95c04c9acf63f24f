// SPDX-License-Identifier: Apache-2.0
/* Reading a recording into memory; see tape.h. */
#include "tape.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *path, const char *why)
{
	fprintf(stderr, "micro: '%s': %s\n", path, why);
	exit(1);
}

static void append(struct tape *tape, const struct recording_entry *entry)
{
	struct tape_entry *to;

	tape->entries = realloc(tape->entries, (tape->n + 1) * sizeof(*tape->entries));
	to = tape->entries ? &tape->entries[tape->n++] : NULL;
	if (!to)
		die("tape", "no memory");
	to->type = entry->type;
	to->len = entry->body.len;
	to->body = malloc(to->len);
	if (!to->body)
		die("tape", "no memory");
	memcpy(to->body, entry->body.p, to->len);
	tape->n_events += entry->type == JOURNAL_EVENT;
}

void tape_read(struct tape *tape, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct recording *recording = fd < 0 ? NULL : recording_new(fd);
	struct recording_entry entry;
	uint64_t offset, first = 0, last = 0;
	struct journal_time time;
	int n;

	*tape = (struct tape){0};
	if (!recording)
		die(path, "cannot be opened");
	while ((n = recording_next(recording, &entry)) > 0) {
		if (entry.type == JOURNAL_TICK || entry.type == JOURNAL_END) {
			memcpy(&time, entry.body.p, sizeof(time));
			first = first ? first : time.time_ns;
			last = time.time_ns;
		}
		if (entry.type == JOURNAL_PROCESS || entry.type == JOURNAL_EVENT ||
		    entry.type == JOURNAL_TICK)
			append(tape, &entry);
	}
	if (n < 0)
		die(path, recording_error(recording, &offset));
	if (!tape->n_events)
		die(path, "no events");
	recording_free(recording);
	tape->length_ns = last - first + NS_PER_S; /* long enough for what lingers */
}

void tape_free(struct tape *tape)
{
	for (size_t i = 0; i < tape->n; i++)
		free(tape->entries[i].body);
	free(tape->entries);
}

void tape_move_on(const struct tape *tape, struct tape_entry *entry)
{
	union {
		struct zsp_header *h;
		struct zsp_conn_open *open;
		struct zsp_data *data;
		struct zsp_statement *statement;
		struct journal_time *time;
	} body = {.h = entry->body};

	if (entry->type == JOURNAL_TICK)
		body.time->time_ns += tape->length_ns;
	if (entry->type != JOURNAL_EVENT)
		return;
	body.h->time_ns += tape->length_ns;
	if (body.h->kind == ZSP_KIND_CONN_OPEN && body.open->first_ns)
		body.open->first_ns += tape->length_ns;
	if (body.h->kind == ZSP_KIND_DATA)
		body.data->start_ns += tape->length_ns;
	if (body.h->kind == ZSP_KIND_STATEMENT) {
		body.statement->start_ns += tape->length_ns;
		body.statement->end_ns += tape->length_ns;
	}
}
