// SPDX-License-Identifier: Apache-2.0
/* Reading of the journal into a pipeline; see journal.h. One function per type of entry, one table. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/pairs.h"
#include "base/utf8.h"
#include "journal/journal.h"

void player_init(struct player *p, struct recording *recording)
{
	*p = (struct player){.recording = recording};
	buf_init(&p->path);
}

void player_release(struct player *p)
{
	buf_release(&p->path);
}

static bool terminated(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static const char *start_fault(const struct journal_start *start)
{
	if (!terminated(start->machine, sizeof(start->machine)) ||
	    !terminated(start->version, sizeof(start->version)))
		return "the first entry is not as it must be";
	if (start->event_version != JOURNAL_EVENT_VERSION)
		return "its events are of another version than this zerospan's";
	for (unsigned int kind = 0; kind < JOURNAL_KINDS; kind++)
		if (start->record_size[kind] && start->record_size[kind] != event_fixed_size(kind))
			return "its events have another layout than this zerospan's";
	if (start->capture_max > ZSP_CAPTURE_MAX || start->sql_max > ZSP_SQL_MAX)
		return "its events hold more than this zerospan takes";
	return NULL;
}

int player_start(struct player *p)
{
	struct recording_entry entry;
	int n = recording_next(p->recording, &entry);
	const char *fault;

	if (n < 0)
		return n;
	if (n == 0 || entry.type != JOURNAL_START || entry.body.len < sizeof(p->start))
		fault = "the first entry is not as it must be";
	else
		fault = start_fault(memcpy(&p->start, entry.body.p, sizeof(p->start)));
	if (fault)
		return recording_refuse(p->recording, fault);
	p->begin_ns = p->end_ns = p->start.time_ns;
	return 0;
}

uint32_t player_slow_us(const struct player *p)
{
	return p->start.slow_us ? p->start.slow_us : JOURNAL_SLOW_US;
}

int player_database_path(
    void *ctx, const struct database_handle *handle, char *ret_path, size_t len)
{
	const struct player *p = ctx;

	if (p->path.len == 0 || p->path.len >= len || p->handle.pid != handle->pid ||
	    p->handle.db != handle->db || p->handle.closes != handle->closes)
		return -ENOENT;
	memcpy(ret_path, p->path.data, p->path.len + 1);
	return 0;
}

/* --- entries: 0, -EBADMSG when the body is not as it must be, -ENOMEM ------------------------------ */

/* Cut the next string off the strings of an entry into NUL-terminated text. */
static const char *cut(struct buf *text, struct sv *rest, size_t len)
{
	size_t at = text->len;

	buf_append(text, rest->p, len);
	buf_append_char(text, '\0');
	*rest = sv_skip(*rest, len);
	return text->failed ? "" : text->data + at;
}

static int take_process(struct player *p, struct pipeline *pipeline, struct sv body)
{
	const struct journal_process *process = (const void *)body.p;
	struct sv rest = sv_skip(body, sizeof(*process));
	struct service_facts facts = {.pid = process->pid, .start_id = process->start_id};
	struct buf text;
	int err;

	(void)p;
	if (rest.len < (size_t)process->name_bytes + process->exe_bytes + process->command_bytes)
		return -EBADMSG;
	buf_init(&text);
	if (buf_reserve(&text, rest.len + 3) == 0) { /* so that it does not move below */
		facts.name = cut(&text, &rest, process->name_bytes);
		facts.exe = cut(&text, &rest, process->exe_bytes);
		facts.command = cut(&text, &rest, process->command_bytes);
	}
	facts.attrs = rest;
	if (text.failed)
		err = -ENOMEM;
	else if (rest.len > SERVICE_ATTRS_MAX_BYTES || !pairs_valid(rest))
		err = -EBADMSG;
	else
		err = pipeline_process(pipeline, &facts);
	buf_release(&text);
	return err;
}

static int take_process_end(struct player *p, struct pipeline *pipeline, struct sv body)
{
	const struct journal_process_end *end = (const void *)body.p;

	(void)p;
	pipeline_process_end(pipeline, end->pid, end->time_ns);
	return 0;
}

static void seen(struct player *p, uint64_t time_ns)
{
	if (time_ns > p->end_ns)
		p->end_ns = time_ns;
}

static int take_event(struct player *p, struct pipeline *pipeline, struct sv body)
{
	struct event event;

	if (event_decode(body.p, body.len, &event) || event.h->size != body.len)
		return -EBADMSG;
	seen(p, event.h->time_ns);
	pipeline_event(pipeline, &event);
	return 0;
}

static int take_tick(struct player *p, struct pipeline *pipeline, struct sv body)
{
	const struct journal_time *tick = (const void *)body.p;

	if (!p->ticked)
		p->begin_ns = tick->time_ns;
	p->ticked = true;
	seen(p, tick->time_ns);
	pipeline_tick(pipeline, tick->time_ns);
	return 0;
}

static int take_database(struct player *p, struct pipeline *pipeline, struct sv body)
{
	const struct journal_database *database = (const void *)body.p;

	p->handle = (struct database_handle){
	    .pid = database->pid, .closes = database->closes, .db = database->db};
	buf_clear(&p->path);
	buf_append_sv(&p->path, sv_skip(body, sizeof(*database)));
	pipeline_database_told(
	    pipeline, &p->handle); /* whoever recorded it may have asked at other times */
	return p->path.failed ? -ENOMEM : 0;
}

static int take_wait(struct player *p, struct pipeline *pipeline, struct sv body)
{
	const struct journal_wait *entry = (const void *)body.p;
	const struct thread_wait wait = {
	    .pid = entry->pid,
	    .tid = entry->tid,
	    .since_ns = entry->since_ns,
	    .time_ns = entry->time_ns,
	    .kind = (enum zsp_wait)entry->kind,
	    .asked = entry->asked != 0,
	    .waits = entry->waits,
	};

	(void)p;
	if (entry->kind >= ZSP_WAIT_MAX || entry->since_ns > entry->time_ns)
		return -EBADMSG;
	pipeline_wait(pipeline, &wait);
	return 0;
}

static int take_culprit(struct player *p, struct pipeline *pipeline, struct sv body)
{
	const struct journal_culprit *entry = (const void *)body.p;
	const struct thread_culprit culprit = {
	    .tid = entry->tid,
	    .since_ns = entry->since_ns,
	    .time_ns = entry->time_ns,
	    .evidence = (enum wait_evidence)entry->evidence,
	    .culprit_pid = entry->culprit_pid,
	    .culprit_tid = entry->culprit_tid,
	    .name = sv_skip(body, sizeof(*entry)),
	    .asked = entry->asked != 0,
	};

	(void)p;
	if (entry->evidence < WAIT_EVIDENCE_WOKEN || entry->evidence > WAIT_EVIDENCE_OWNER ||
	    !utf8_valid(culprit.name))
		return -EBADMSG;
	pipeline_culprit(pipeline, &culprit);
	return 0;
}

static int take_contender(struct player *p, struct pipeline *pipeline, struct sv body)
{
	const struct journal_contender *entry = (const void *)body.p;
	const struct thread_contender contender = {
	    .tid = entry->tid,
	    .time_ns = entry->time_ns,
	    .contender_tid = entry->contender_tid,
	    .name = sv_skip(body, sizeof(*entry)),
	};

	(void)p;
	if (!utf8_valid(contender.name))
		return -EBADMSG;
	pipeline_contender(pipeline, &contender);
	return 0;
}

static int take_place(struct player *p, struct pipeline *pipeline, struct sv body)
{
	const struct journal_place *entry = (const void *)body.p;
	struct sv texts = sv_skip(body, sizeof(*entry));
	struct thread_place place = {.tid = entry->tid,
	    .since_ns = entry->since_ns,
	    .culprit = (enum wait_evidence)entry->culprit};

	(void)p;
	if (entry->user_bytes > texts.len || entry->culprit > WAIT_EVIDENCE_OWNER)
		return -EBADMSG;
	place.user = sv_from(texts.p, entry->user_bytes);
	place.kernel = sv_skip(texts, entry->user_bytes);
	if (!utf8_valid(place.user) || !utf8_valid(place.kernel))
		return -EBADMSG;
	pipeline_place(pipeline, &place);
	return 0;
}

static int take_counts(struct player *p, struct pipeline *pipeline, struct sv body)
{
	(void)pipeline;
	memset(&p->counts, 0, sizeof(p->counts));
	memcpy(&p->counts, body.p, body.len < sizeof(p->counts) ? body.len : sizeof(p->counts));
	return 0;
}

static int take_end(struct player *p, struct pipeline *pipeline, struct sv body)
{
	const struct journal_time *end = (const void *)body.p;

	p->end_ns = end->time_ns;
	p->ended = true;
	pipeline_end(pipeline, end->time_ns);
	return 0;
}

static const struct {
	size_t min_bytes;
	int (*take)(struct player *p, struct pipeline *pipeline, struct sv body);
} types[] = {
    [JOURNAL_PROCESS] = {sizeof(struct journal_process), take_process},
    [JOURNAL_PROCESS_END] = {sizeof(struct journal_process_end), take_process_end},
    [JOURNAL_EVENT] = {sizeof(struct zsp_header), take_event},
    [JOURNAL_TICK] = {sizeof(struct journal_time), take_tick},
    [JOURNAL_DATABASE] = {sizeof(struct journal_database), take_database},
    [JOURNAL_COUNTS] = {offsetof(struct journal_counts, kernel), take_counts},
    [JOURNAL_WAIT] = {sizeof(struct journal_wait), take_wait},
    [JOURNAL_CONTENDER] = {sizeof(struct journal_contender), take_contender},
    [JOURNAL_CULPRIT] = {sizeof(struct journal_culprit), take_culprit},
    [JOURNAL_PLACE] = {sizeof(struct journal_place), take_place},
    [JOURNAL_END] = {sizeof(struct journal_time), take_end},
};

int player_step(struct player *p, struct pipeline *pipeline)
{
	struct recording_entry entry;
	int n = recording_next(p->recording, &entry), err;

	if (n < 0)
		return n;
	if (n == 0)
		return p->ended ? 0 : recording_refuse(p->recording, "the end is missing");
	if (p->ended || entry.type >= sizeof(types) / sizeof(types[0]) || !types[entry.type].take)
		return recording_refuse(p->recording, "an entry that does not belong here");
	if (entry.body.len < types[entry.type].min_bytes)
		return recording_refuse(p->recording, "an entry is too short");
	err = types[entry.type].take(p, pipeline, entry.body);
	if (err == -EBADMSG)
		return recording_refuse(p->recording, "an entry is not as it must be");
	return err ? err : 1;
}
