// SPDX-License-Identifier: Apache-2.0
/* Checks every record before anything reads it; see decode.h. One function per kind, one table. */
#include "ingest/decode.h"

#include <errno.h>
#include <string.h>

static bool check_open(const struct event *e)
{
	return e->open->family >= ZSP_FAMILY_IPV4 && e->open->family <= ZSP_FAMILY_UNIX &&
	    e->open->role <= ZSP_ROLE_CONNECTED && e->h->conn != 0;
}

static bool check_data(const struct event *e)
{
	const struct zsp_data *d = e->data;

	return d->captured <= ZSP_CAPTURE_MAX && d->tail <= ZSP_TAIL_MAX &&
	    d->captured + d->tail == d->h.size - sizeof(*d) && d->captured <= d->bytes &&
	    d->tail <= d->bytes - d->captured && d->h.conn != 0 && d->start_ns <= d->h.time_ns &&
	    d->sent_ns <= d->waits.ns[ZSP_WAIT_SEND] &&
	    d->delayed_ns <= d->waits.ns[ZSP_WAIT_RUNQUEUE] &&
	    (d->direction == ZSP_IN || d->direction == ZSP_OUT);
}

static bool check_state(const struct event *e)
{
	return e->state->change >= ZSP_CHANGE_LOCAL_FIN && e->state->change <= ZSP_CHANGE_CLOSED &&
	    e->h->conn != 0;
}

static bool check_comm(const __u8 comm[16])
{
	return memchr(comm, 0, 16) != NULL;
}

static bool check_proc(const struct event *e)
{
	return e->h->pid != 0 && check_comm(e->proc->comm);
}

static bool check_statement(const struct event *e)
{
	const struct zsp_statement *s = e->statement;

	return s->text_bytes == s->h.size - sizeof(*s) && s->text_bytes < ZSP_SQL_MAX &&
	    s->detail <= ZSP_SQLITE_STATEMENTS && s->start_ns <= s->end_ns &&
	    s->end_ns <= s->h.time_ns;
}

static bool check_lock(const struct event *e)
{
	const struct zsp_lock *lock = e->lock;

	return e->h->pid != 0 && check_comm(lock->comm) && lock->since_ns <= lock->h.time_ns &&
	    lock->op >= ZSP_LOCK_TAKEN && lock->op <= ZSP_LOCK_BACKED_OFF;
}

static bool check_wake(const struct event *e)
{
	const struct zsp_wake *wake = e->wake;

	return e->h->pid != 0 && check_comm(wake->comm) && wake->since_ns <= wake->h.time_ns &&
	    wake->stack_bytes <= ZSP_WAKE_STACK_MAX &&
	    wake->stack_bytes == wake->h.size - sizeof(*wake);
}

static bool check_log(const struct event *e)
{
	const struct zsp_log *log = e->log;

	return e->h->pid != 0 && log->bytes != 0 && log->captured <= ZSP_LOG_MAX &&
	    log->captured <= log->bytes && log->captured == log->h.size - sizeof(*log) &&
	    (log->stream == ZSP_STDOUT || log->stream == ZSP_STDERR);
}

static const struct {
	size_t min_size;
	bool (*check)(const struct event *e);
} kinds[] = {
    [ZSP_KIND_CONN_OPEN] = {sizeof(struct zsp_conn_open), check_open},
    [ZSP_KIND_DATA] = {sizeof(struct zsp_data), check_data},
    [ZSP_KIND_CONN_STATE] = {sizeof(struct zsp_conn_state), check_state},
    [ZSP_KIND_PROC_FORK] = {sizeof(struct zsp_proc), check_proc},
    [ZSP_KIND_PROC_EXEC] = {sizeof(struct zsp_proc), check_proc},
    [ZSP_KIND_PROC_EXIT] = {sizeof(struct zsp_proc), check_proc},
    [ZSP_KIND_LISTEN] = {sizeof(struct zsp_proc), check_proc},
    [ZSP_KIND_STATEMENT] = {sizeof(struct zsp_statement), check_statement},
    [ZSP_KIND_PROC_MAP] = {sizeof(struct zsp_proc), check_proc},
    [ZSP_KIND_LOCK] = {sizeof(struct zsp_lock), check_lock},
    [ZSP_KIND_WAKE] = {sizeof(struct zsp_wake), check_wake},
    [ZSP_KIND_LOG] = {sizeof(struct zsp_log), check_log},
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

bool event_is_of_process(const struct event *event)
{
	return kinds[event->h->kind].check == check_proc;
}

size_t event_fixed_size(unsigned int kind)
{
	return kind < N_KINDS ? kinds[kind].min_size : 0;
}

int event_decode(const void *record, size_t size, struct event *ret_event)
{
	struct event event = {.h = record};

	if (size < sizeof(struct zsp_header) || event.h->size > size)
		return -EBADMSG;
	if (event.h->kind >= N_KINDS || !kinds[event.h->kind].check)
		return -EBADMSG;
	if (event.h->size < kinds[event.h->kind].min_size || !kinds[event.h->kind].check(&event))
		return -EBADMSG;
	*ret_event = event;
	return 0;
}
