// SPDX-License-Identifier: Apache-2.0
/* Holders of write locks and those who wait; see write_lock.h. */
#include "span/write_lock.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "span/statement.h"

/* https://www.sqlite.org/rescode.html */
#define SQLITE_BUSY_CODE 5

/*
 * SQLite gives up an attempt at most this long before it goes to sleep or returns, and the probes tell of a lock at most this long
 * after it is taken or released.
 */
#define ATTEMPT_NS (100 * NS_PER_US)

/* One who had the lock, for a part of an execution's waiting. */
struct blame {
	struct write_hold *hold;
	enum lock_evidence evidence;
	uint64_t ns;
};

/* An execution that waits. */
struct wait {
	struct hnode node; /* by statement */
	struct list link;
	uint32_t pid;
	uint64_t stmt;
	uint64_t backed_off_ns;
	bool refused;    /* by the kernel at least once */
	bool hindered;   /* by a lock of its database, of whomever */
	bool is_refused; /* by the kernel since it last slept: this file, then */
	uint64_t refused_file, refused_ns;
	struct blame blames[LOCK_WAIT_HOLDERS_MAX];
	size_t n_blames;
};

struct write_locks {
	write_locks_path *path;
	void *ctx;
	struct hmap by_file;      /* held */
	struct hmap by_statement; /* of an execution not yet told */
	struct hmap waits_by_statement;
	struct list held, released, waits;
	size_t n_released;
};

/* --- holds --------------------------------------------------------------------------------------- */

struct write_hold *write_hold_ref(struct write_hold *hold)
{
	if (hold)
		hold->refs++;
	return hold;
}

void write_hold_unref(struct write_hold *hold)
{
	if (hold && --hold->refs == 0)
		free(hold);
}

static uint64_t pair_hash(uint64_t a, uint64_t b)
{
	return hash_combine(a, b);
}

static struct write_hold *held_on(const struct write_locks *locks, uint64_t file)
{
	hmap_for_each_hash (node, &locks->by_file, hash_u64(file)) {
		struct write_hold *hold = container_of(node, struct write_hold, by_file);

		if (hold->file == file)
			return hold;
	}
	return NULL;
}

static void hold_is_told(struct write_locks *locks, struct write_hold *hold)
{
	if (hold->untold)
		hmap_remove(&locks->by_statement, &hold->by_statement);
	hold->untold = false;
}

/* It is not followed any more. */
static void hold_drop(struct write_locks *locks, struct write_hold *hold)
{
	hold_is_told(locks, hold);
	if (hold->held)
		hmap_remove(&locks->by_file, &hold->by_file);
	else
		locks->n_released--;
	list_remove(&hold->link);
	write_hold_unref(hold);
}

static void hold_end(struct write_locks *locks, struct write_hold *hold, uint64_t now_ns)
{
	hmap_remove(&locks->by_file, &hold->by_file);
	hold->held = false;
	hold->until_ns = now_ns;
	list_remove(&hold->link);
	list_add_tail(&locks->released, &hold->link);
	if (++locks->n_released > WRITE_LOCKS_RELEASED_MAX)
		hold_drop(locks, container_of(locks->released.next, struct write_hold, link));
}

static void hold_begin(struct write_locks *locks, const struct zsp_lock *lock)
{
	struct write_hold *hold;

	if (locks->by_file.count >= WRITE_LOCKS_MAX)
		return;
	hold = calloc(1, sizeof(*hold));
	if (!hold)
		return;
	hold->refs = 1;
	hold->held = true;
	hold->pid = lock->h.pid;
	hold->tid = lock->h.tid;
	memcpy(hold->comm, lock->comm, sizeof(hold->comm));
	hold->file = lock->file;
	hold->stmt = lock->stmt;
	hold->db = lock->db;
	hold->db_closes = lock->db_closes;
	hold->since_ns = lock->h.time_ns;
	if (hmap_add(&locks->by_file, hash_u64(hold->file), &hold->by_file)) {
		free(hold);
		return;
	}
	list_add_tail(&locks->held, &hold->link);
	hold->untold = hold->stmt &&
	    hmap_add(&locks->by_statement, pair_hash(hold->pid, hold->stmt), &hold->by_statement) ==
		0;
}

/* --- whose fault it is ------------------------------------------------------------------------------ */

/* Was it held at some moment between from and to? */
static bool held_between(const struct write_hold *hold, uint64_t from_ns, uint64_t to_ns)
{
	return hold->since_ns <= to_ns && (hold->held || hold->until_ns >= from_ns);
}

/* The one of two that comes into question; false when both do. */
static bool only_one(struct write_hold **only, struct write_hold *hold)
{
	if (*only && *only != hold)
		return false;
	*only = hold;
	return true;
}

/* Who had the write lock of this file when process pid was refused a lock on it; NULL: unknown, or not just one. */
static struct write_hold *holder_of_file(
    const struct write_locks *locks, uint32_t pid, uint64_t file, uint64_t at_ns)
{
	struct write_hold *only = held_on(locks, file);

	if (only && (only->pid == pid || only->since_ns > at_ns + ATTEMPT_NS))
		only = NULL;
	list_for_each (at, &locks->released) {
		struct write_hold *hold = container_of(at, struct write_hold, link);

		if (hold->file == file && hold->pid != pid && held_between(hold, at_ns, at_ns) &&
		    !only_one(&only, hold))
			return NULL;
	}
	return only;
}

/* A connection of a process. */
struct connection {
	uint32_t pid, db_closes;
	uint64_t db;
};

static bool is_of_another(const struct write_hold *hold, const struct connection *of)
{
	return hold->pid == of->pid && (hold->db != of->db || hold->db_closes != of->db_closes);
}

/* Both connections have the same database file, as SQLite itself names it. */
static bool same_database(
    const struct write_locks *locks, const struct write_hold *hold, const struct connection *with)
{
	struct sv path;
	char copy[4096];
	size_t len;

	if (!hold->db)
		return false;
	path = locks->path(locks->ctx, hold->pid, hold->db, hold->db_closes);
	len = path.len;
	if (len == 0 || len > sizeof(copy))
		return false;
	memcpy(copy, path.p, len);
	return sv_eq(
	    locks->path(locks->ctx, with->pid, with->db, with->db_closes), sv_from(copy, len));
}

/* The one write lock that another connection of the process had then, if it is of the same database; else NULL. */
static struct write_hold *holder_in_process(const struct write_locks *locks,
    const struct connection *connection, uint64_t from_ns, uint64_t to_ns)
{
	const struct list *lists[] = {&locks->held, &locks->released};
	struct write_hold *only = NULL;

	if (!connection->db)
		return NULL;
	for (size_t i = 0; i < 2; i++) {
		list_for_each (at, lists[i]) {
			struct write_hold *hold = container_of(at, struct write_hold, link);

			if (is_of_another(hold, connection) && held_between(hold, from_ns, to_ns) &&
			    !only_one(&only, hold))
				return NULL;
		}
	}
	return only && same_database(locks, only, connection) ? only : NULL;
}

/* Had another connection of the process the write lock of the same database, whoever else had one? */
static bool is_held_in_process(const struct write_locks *locks, const struct connection *connection,
    uint64_t from_ns, uint64_t to_ns)
{
	const struct list *lists[] = {&locks->held, &locks->released};

	if (!connection->db)
		return false;
	for (size_t i = 0; i < 2; i++) {
		list_for_each (at, lists[i]) {
			const struct write_hold *hold = container_of(at, struct write_hold, link);

			if (is_of_another(hold, connection) && held_between(hold, from_ns, to_ns) &&
			    same_database(locks, hold, connection))
				return true;
		}
	}
	return false;
}

/* --- waits ----------------------------------------------------------------------------------------- */

static struct wait *wait_find(const struct write_locks *locks, uint32_t pid, uint64_t stmt)
{
	hmap_for_each_hash (node, &locks->waits_by_statement, pair_hash(pid, stmt)) {
		struct wait *wait = container_of(node, struct wait, node);

		if (wait->pid == pid && wait->stmt == stmt)
			return wait;
	}
	return NULL;
}

static struct wait *wait_make(struct write_locks *locks, uint32_t pid, uint64_t stmt)
{
	struct wait *wait = wait_find(locks, pid, stmt);

	if (wait || locks->waits_by_statement.count >= WRITE_LOCKS_MAX)
		return wait;
	wait = calloc(1, sizeof(*wait));
	if (!wait)
		return NULL;
	wait->pid = pid;
	wait->stmt = stmt;
	if (hmap_add(&locks->waits_by_statement, pair_hash(pid, stmt), &wait->node)) {
		free(wait);
		return NULL;
	}
	list_add_tail(&locks->waits, &wait->link);
	return wait;
}

static void wait_free(struct write_locks *locks, struct wait *wait)
{
	for (size_t i = 0; i < wait->n_blames; i++)
		write_hold_unref(wait->blames[i].hold);
	hmap_remove(&locks->waits_by_statement, &wait->node);
	list_remove(&wait->link);
	free(wait);
}

/* Who had the lock when the attempt between from and to failed? wait is that of the execution, NULL: it has not waited. */
static struct write_hold *holder_at(const struct write_locks *locks, const struct wait *wait,
    const struct connection *connection, uint64_t from_ns, uint64_t to_ns,
    enum lock_evidence *ret_evidence)
{
	if (wait && wait->is_refused) {
		*ret_evidence = LOCK_EVIDENCE_REFUSED;
		return holder_of_file(locks, connection->pid, wait->refused_file, wait->refused_ns);
	}
	*ret_evidence = LOCK_EVIDENCE_PROCESS;
	return holder_in_process(locks, connection, from_ns, to_ns);
}

/* The holder is to blame for so much of the waiting. */
static void wait_blame(
    struct wait *wait, struct write_hold *hold, enum lock_evidence evidence, uint64_t ns)
{
	struct blame *blame = wait->blames;

	while (blame < wait->blames + wait->n_blames && blame->hold != hold)
		blame++;
	if (blame == wait->blames + LOCK_WAIT_HOLDERS_MAX)
		return;
	if (blame == wait->blames + wait->n_blames) {
		wait->n_blames++;
		blame->hold = write_hold_ref(hold);
		blame->evidence = evidence;
	}
	blame->ns += ns;
}

static void on_released(struct write_locks *locks, const struct zsp_lock *lock)
{
	struct write_hold *held = held_on(locks, lock->file);

	if (held)
		hold_end(locks, held, lock->h.time_ns);
}

static void on_refused(struct write_locks *locks, const struct zsp_lock *lock)
{
	struct wait *wait = lock->stmt ? wait_make(locks, lock->h.pid, lock->stmt) : NULL;

	if (!wait)
		return;
	wait->refused = wait->is_refused = true;
	wait->refused_file = lock->file;
	wait->refused_ns = lock->h.time_ns;
}

static void on_backed_off(struct write_locks *locks, const struct zsp_lock *lock)
{
	const struct connection connection = {lock->h.pid, lock->db_closes, lock->db};
	struct wait *wait = lock->stmt ? wait_make(locks, lock->h.pid, lock->stmt) : NULL;
	uint64_t slept_ns = lock->h.time_ns - lock->since_ns;
	enum lock_evidence evidence;
	struct write_hold *hold;

	if (!wait)
		return;
	hold = holder_at(
	    locks, wait, &connection, lock->since_ns - ATTEMPT_NS, lock->since_ns, &evidence);
	if (hold)
		wait_blame(wait, hold, evidence, slept_ns);
	else if (!wait->refused && !wait->hindered)
		wait->hindered = is_held_in_process(
		    locks, &connection, lock->since_ns - ATTEMPT_NS, lock->since_ns);
	wait->backed_off_ns += slept_ns;
	wait->is_refused = false;
}

void write_locks_event(struct write_locks *locks, const struct zsp_lock *lock)
{
	switch (lock->op) {
	case ZSP_LOCK_TAKEN:
		on_released(locks, lock); /* if that was lost */
		hold_begin(locks, lock);
		break;
	case ZSP_LOCK_RELEASED:
		on_released(locks, lock);
		break;
	case ZSP_LOCK_REFUSED:
		on_refused(locks, lock);
		break;
	case ZSP_LOCK_BACKED_OFF:
		on_backed_off(locks, lock);
		break;
	}
}

/* --- executions ------------------------------------------------------------------------------------ */

/* Who is to blame for most of the waiting. */
static const struct blame *worst(const struct wait *wait)
{
	const struct blame *worst = NULL;

	for (size_t i = 0; i < wait->n_blames; i++)
		if (!worst || wait->blames[i].ns > worst->ns)
			worst = &wait->blames[i];
	return worst;
}

/* Whom did the execution wait for? Given up at the last attempt, that one counts; else who kept it waiting longest. */
static void find_holder(const struct write_locks *locks, const struct wait *wait,
    const struct zsp_statement *statement, bool busy, struct lock_wait *result)
{
	const struct connection connection = {
	    statement->h.pid, statement->db_closes, statement->db};
	const struct blame *blame = wait && !busy ? worst(wait) : NULL;

	if (busy)
		result->holder = write_hold_ref(holder_at(locks, wait, &connection,
		    statement->end_ns - ATTEMPT_NS, statement->end_ns, &result->evidence));
	else if (blame)
		*result = (struct lock_wait){
		    .holder = write_hold_ref(blame->hold), .evidence = blame->evidence};
	if (!result->holder)
		result->evidence = LOCK_EVIDENCE_NONE;
}

struct lock_wait write_locks_wait(struct write_locks *locks, const struct zsp_statement *statement)
{
	/* SQLITE_BUSY_SNAPSHOT and others of its kind are nobody's: so the extended code must be known. */
	bool busy = statement->errcode && statement_error_code(statement) == SQLITE_BUSY_CODE;
	struct lock_wait result = {0};
	struct wait *wait = locks->waits_by_statement.count
	    ? wait_find(locks, statement->h.pid, statement->stmt)
	    : NULL;

	/* Of one that has only begun: what its statement waited for was an earlier execution's, which is never told. */
	if (statement->detail <= ZSP_SQLITE_EXECUTIONS) {
		find_holder(locks, wait, statement, busy, &result);
		/* Without any sign of a lock it was some function of the program's own that slept. */
		if (wait && (busy || wait->refused || wait->hindered || wait->n_blames))
			result.backed_off_ns = wait->backed_off_ns;
	}
	if (wait)
		wait_free(locks, wait);
	return result;
}

static struct sv keep_text(char to[WRITE_HOLD_SUMMARY_MAX], struct sv text)
{
	if (text.len == 0 || text.len > WRITE_HOLD_SUMMARY_MAX)
		return (struct sv){0};
	return sv_from(memcpy(to, text.p, text.len), text.len);
}

void write_hold_set_request(struct write_hold *hold, struct sv request)
{
	hold->facts.request = keep_text(hold->request, request);
}

static void hold_set_facts(struct write_hold *hold, const struct write_hold_facts *facts)
{
	hold->facts = *facts;
	hold->facts.summary = keep_text(hold->summary, facts->summary);
	write_hold_set_request(hold, facts->request);
}

struct write_hold *write_locks_took(struct write_locks *locks,
    const struct zsp_statement *statement, const struct write_hold_facts *facts)
{
	struct write_hold *latest = NULL;

	if (locks->by_statement.count == 0)
		return NULL;
	hmap_for_each_hash (
	    node, &locks->by_statement, pair_hash(statement->h.pid, statement->stmt)) {
		struct write_hold *hold = container_of(node, struct write_hold, by_statement);

		if (hold->pid != statement->h.pid || hold->stmt != statement->stmt ||
		    hold->since_ns > statement->h.time_ns)
			continue;
		hold_is_told(locks, hold);
		if (hold->since_ns < statement->start_ns)
			continue; /* an earlier execution's, whose end was never told */
		hold_set_facts(hold, facts);
		if (!latest || hold->since_ns > latest->since_ns)
			latest = hold;
	}
	return write_hold_ref(latest);
}

/* --- life cycle ------------------------------------------------------------------------------------- */

struct write_locks *write_locks_new(write_locks_path *path, void *ctx)
{
	struct write_locks *locks = calloc(1, sizeof(*locks));

	if (!locks)
		return NULL;
	locks->path = path;
	locks->ctx = ctx;
	hmap_init(&locks->by_file);
	hmap_init(&locks->by_statement);
	hmap_init(&locks->waits_by_statement);
	list_init(&locks->held);
	list_init(&locks->released);
	list_init(&locks->waits);
	return locks;
}

void write_locks_forget(struct write_locks *locks, uint32_t pid)
{
	list_for_each (at, &locks->waits) {
		struct wait *wait = container_of(at, struct wait, link);

		if (pid == 0 || wait->pid == pid)
			wait_free(locks, wait);
	}
}

void write_locks_free(struct write_locks *locks)
{
	struct list *lists[2];

	if (!locks)
		return;
	write_locks_forget(locks, 0);
	lists[0] = &locks->held;
	lists[1] = &locks->released;
	for (size_t i = 0; i < 2; i++) {
		list_for_each (at, lists[i]) {
			hold_drop(locks, container_of(at, struct write_hold, link));
		}
	}
	hmap_release(&locks->by_file);
	hmap_release(&locks->by_statement);
	hmap_release(&locks->waits_by_statement);
	free(locks);
}
