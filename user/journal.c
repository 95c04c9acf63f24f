// SPDX-License-Identifier: Apache-2.0
/* Writing of the journal; see journal.h for what an entry is. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/log.h"
#include "proto/sql.h"

/* A crash loses at most this much. */
#define FLUSH_NS NS_PER_S

struct journal {
	struct recorder *recorder;
	const char *path;
	uint64_t flush_ns;     /* then */
	bool reported;         /* that writing failed */
	char sql[ZSP_SQL_MAX]; /* of the statement that is written */
};

static void put(struct journal *j, enum journal_type type, const void *body, size_t len)
{
	const struct sv part = sv_from(body, len);

	recorder_put(j->recorder, (uint16_t)type, &part, 1);
}

static void put_start(
    struct journal *j, uint64_t seed, uint32_t slow_us, const struct clock_base *clock)
{
	struct journal_start start = {
	    .seed = seed,
	    .slow_us = slow_us,
	    .wall_offset_ns = clock->offset_ns,
	    .time_ns = clock_monotonic_ns(),
	    .event_version = JOURNAL_EVENT_VERSION,
	    .capture_max = ZSP_CAPTURE_MAX,
	    .sql_max = ZSP_SQL_MAX,
	    .version = ZEROSPAN_VERSION,
	};
	struct utsname host;

	for (unsigned int kind = 0; kind < JOURNAL_KINDS; kind++)
		start.record_size[kind] = (uint16_t)event_fixed_size(kind);
	if (uname(&host) == 0)
		memcpy(
		    start.machine, host.machine, strnlen(host.machine, sizeof(start.machine) - 1));
	put(j, JOURNAL_START, &start, sizeof(start));
}

static int open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
	struct stat st;

	if (fd < 0)
		return -errno;
	/* A file that was there keeps its mode otherwise. */
	if (fstat(fd, &st) || (S_ISREG(st.st_mode) && fchmod(fd, 0600))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int journal_new(const char *path, uint64_t seed, uint32_t slow_us, const struct clock_base *clock,
    struct journal **ret_journal, struct buf *message)
{
	struct journal *j = calloc(1, sizeof(*j));
	int fd = j ? open_file(path) : -ENOMEM;

	if (fd >= 0)
		j->recorder = recorder_new(fd);
	if (fd < 0 || !j->recorder) {
		int err = fd < 0 ? fd : -ENOMEM;

		buf_printf(message, "cannot record to '%s': %s", path, strerror(-err));
		free(j);
		return err;
	}
	j->path = path;
	put_start(j, seed, slow_us, clock);
	*ret_journal = j;
	return 0;
}

static void report(struct journal *j, int err)
{
	struct recorder_stats stats;

	if (!err || j->reported)
		return;
	j->reported = true;
	recorder_stats(j->recorder, &stats);
	log_warn("the recording '%s' ends after %llu bytes: %s", j->path,
	    (unsigned long long)stats.bytes, strerror(-err));
}

void journal_free(struct journal *j)
{
	struct recorder_stats stats;
	int err;

	if (!j)
		return;
	report(j, recorder_flush(j->recorder));
	recorder_stats(j->recorder, &stats);
	err = recorder_close(j->recorder);
	if (err && !j->reported)
		log_warn("the recording '%s' is not complete: %s", j->path, strerror(-err));
	if (stats.dropped)
		log_warn("%llu of %llu inputs are not in the recording '%s'",
		    (unsigned long long)stats.dropped, (unsigned long long)stats.entries, j->path);
	else if (!err)
		log_debug("recorded %llu inputs, %llu bytes, to '%s'",
		    (unsigned long long)stats.entries, (unsigned long long)stats.bytes, j->path);
	free(j);
}

/* A fact of at most 64 KiB: no path, name or argv[0] that the kernel gives is longer. */
static struct sv fact(const char *text)
{
	struct sv s = sv_cstr(text);

	if (s.len > UINT16_MAX / 4)
		s.len = UINT16_MAX / 4;
	return s;
}

void journal_process(struct journal *j, const struct service_facts *facts)
{
	const struct sv name = fact(facts->name), exe = fact(facts->exe),
			command = fact(facts->command);
	const struct journal_process process = {
	    .start_id = facts->start_id,
	    .pid = facts->pid,
	    .name_bytes = (uint16_t)name.len,
	    .exe_bytes = (uint16_t)exe.len,
	    .command_bytes = (uint16_t)command.len,
	};
	const struct sv parts[] = {
	    sv_from(&process, sizeof(process)), name, exe, command, facts->attrs};

	if (j)
		recorder_put(j->recorder, JOURNAL_PROCESS, parts, sizeof(parts) / sizeof(parts[0]));
}

void journal_process_end(struct journal *j, uint32_t pid, uint64_t time_ns)
{
	const struct journal_process_end end = {.time_ns = time_ns, .pid = pid};

	if (j)
		put(j, JOURNAL_PROCESS_END, &end, sizeof(end));
}

static void put_hidden_data(
    struct journal *j, const struct event *event, const struct hidden *hidden)
{
	const struct sv parts[] = {sv_from(event->data, sizeof(*event->data)),
	    sv_from(hidden->payload, event->data->captured + event->data->tail)};

	recorder_put(j->recorder, JOURNAL_EVENT, parts, 2);
}

static void put_masked_statement(struct journal *j, const struct zsp_statement *statement)
{
	const struct sv parts[] = {
	    sv_from(statement, sizeof(*statement)), sv_from(j->sql, statement->text_bytes)};

	memcpy(j->sql, statement->text, statement->text_bytes);
	sql_mask(j->sql, statement->text_bytes);
	recorder_put(j->recorder, JOURNAL_EVENT, parts, 2);
}

void journal_event(struct journal *j, const struct event *event, const struct hidden *hidden)
{
	if (!j)
		return;
	if (hidden && event->h->kind == ZSP_KIND_DATA)
		put_hidden_data(j, event, hidden);
	else if (hidden && event->h->kind == ZSP_KIND_STATEMENT)
		put_masked_statement(j, event->statement);
	else
		put(j, JOURNAL_EVENT, event->h, event->h->size);
}

void journal_database(struct journal *j, const struct database_handle *handle, const char *path)
{
	const struct journal_database database = {
	    .db = handle->db, .pid = handle->pid, .closes = handle->closes};
	const struct sv parts[] = {sv_from(&database, sizeof(database)), sv_cstr(path)};

	if (j)
		recorder_put(j->recorder, JOURNAL_DATABASE, parts, 2);
}

void journal_wait(struct journal *j, const struct thread_wait *wait)
{
	const struct journal_wait entry = {
	    .since_ns = wait->since_ns,
	    .time_ns = wait->time_ns,
	    .pid = wait->pid,
	    .tid = wait->tid,
	    .kind = wait->kind,
	    .asked = wait->asked,
	    .waits = wait->waits,
	};

	if (j)
		put(j, JOURNAL_WAIT, &entry, sizeof(entry));
}

void journal_culprit(struct journal *j, const struct thread_culprit *culprit)
{
	const struct journal_culprit entry = {
	    .since_ns = culprit->since_ns,
	    .time_ns = culprit->time_ns,
	    .tid = culprit->tid,
	    .culprit_pid = culprit->culprit_pid,
	    .culprit_tid = culprit->culprit_tid,
	    .evidence = culprit->evidence,
	    .asked = culprit->asked,
	};
	const struct sv parts[] = {sv_from(&entry, sizeof(entry)), culprit->name};

	if (j)
		recorder_put(j->recorder, JOURNAL_CULPRIT, parts, 2);
}

void journal_contender(struct journal *j, const struct thread_contender *contender)
{
	const struct journal_contender entry = {
	    .time_ns = contender->time_ns,
	    .tid = contender->tid,
	    .contender_tid = contender->contender_tid,
	};
	const struct sv parts[] = {sv_from(&entry, sizeof(entry)), contender->name};

	if (j)
		recorder_put(j->recorder, JOURNAL_CONTENDER, parts, 2);
}

void journal_place(struct journal *j, const struct thread_place *place)
{
	const struct journal_place entry = {
	    .since_ns = place->since_ns,
	    .tid = place->tid,
	    .user_bytes = (uint32_t)place->user.len,
	    .culprit = place->culprit,
	};
	const struct sv parts[] = {sv_from(&entry, sizeof(entry)), place->user, place->kernel};

	if (j)
		recorder_put(j->recorder, JOURNAL_PLACE, parts, 3);
}

void journal_counts(struct journal *j, const struct journal_counts *counts)
{
	if (j)
		put(j, JOURNAL_COUNTS, counts, sizeof(*counts));
}

void journal_end(struct journal *j, uint64_t time_ns)
{
	const struct journal_time end = {.time_ns = time_ns};

	if (j)
		put(j, JOURNAL_END, &end, sizeof(end));
}

void journal_tick(struct journal *j, uint64_t now_ns)
{
	const struct journal_time tick = {.time_ns = now_ns};

	if (!j)
		return;
	put(j, JOURNAL_TICK, &tick, sizeof(tick));
	if (now_ns >= j->flush_ns) {
		report(j, recorder_flush(j->recorder));
		j->flush_ns = now_ns + FLUSH_NS;
	}
}

uint64_t journal_dropped(const struct journal *j)
{
	struct recorder_stats stats = {0};

	if (j)
		recorder_stats(j->recorder, &stats);
	return stats.dropped;
}
