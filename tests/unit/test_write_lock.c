// SPDX-License-Identifier: Apache-2.0
/* Who had the write lock while somebody waited for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "span/write_lock.h"
#include "support.h"

#define MS NS_PER_MS

enum {
	BUSY = 5,
	DONE = 101,
	BUSY_SNAPSHOT = 517,
};

/* A statement of a connection; a connection's path is that of the database with the number in its upper bits. */
struct actor {
	uint32_t pid;
	uint64_t stmt, db;
};

static const struct actor ann = {.pid = 10, .stmt = 0xa, .db = 0x1001},
			  bob = {.pid = 10, .stmt = 0xb, .db = 0x1002},
			  eve = {.pid = 10, .stmt = 0xe, .db = 0x2001},
			  far = {.pid = 20, .stmt = 0xa, .db = 0x1001},
			  other = {.pid = 30}; /* not observed */

static struct write_locks *locks;

static struct sv path_of(void *ctx, uint32_t pid, uint64_t db, uint32_t db_closes)
{
	static char path[16];

	(void)ctx;
	(void)pid;
	(void)db_closes;
	return sv_from(path, (size_t)snprintf(path, sizeof(path), "/db%d", (int)(db >> 12)));
}

static int setup(void **state)
{
	(void)state;
	locks = write_locks_new(path_of, NULL);
	return locks ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	write_locks_free(locks);
	return 0;
}

static void lock_event(
    const struct actor *who, enum zsp_lock_op op, uint64_t file, uint64_t since_ns, uint64_t now_ns)
{
	struct zsp_lock lock = {
	    .h = {.pid = who->pid, .tid = who->pid + 1, .time_ns = now_ns},
	    .file = file,
	    .stmt = who->stmt,
	    .db = who->db,
	    .since_ns = since_ns,
	    .op = (uint8_t)op,
	    .comm = "someone",
	};

	write_locks_event(locks, &lock);
}

static void takes(const struct actor *who, uint64_t file, uint64_t at_ns)
{
	lock_event(who, ZSP_LOCK_TAKEN, file, at_ns, at_ns);
}

static void releases(const struct actor *who, uint64_t file, uint64_t at_ns)
{
	lock_event(who, ZSP_LOCK_RELEASED, file, at_ns, at_ns);
}

static void is_refused(const struct actor *who, uint64_t file, uint64_t at_ns)
{
	lock_event(who, ZSP_LOCK_REFUSED, file, at_ns, at_ns);
}

static void backs_off(const struct actor *who, uint64_t from_ns, uint64_t to_ns)
{
	lock_event(who, ZSP_LOCK_BACKED_OFF, 0, from_ns, to_ns);
}

static struct zsp_statement statement_of(
    const struct actor *who, int result, uint64_t start_ns, uint64_t end_ns)
{
	return (struct zsp_statement){
	    .h = {.pid = who->pid, .time_ns = end_ns},
	    .stmt = who->stmt,
	    .db = who->db,
	    .start_ns = start_ns,
	    .end_ns = end_ns,
	    .result = result & 0xff,
	    .errcode = result == DONE ? 0 : result,
	};
}

/* An execution has ended: whom it waited for (pid and stmt), how that is known, and for how long. */
static void expect_wait(const struct actor *who, int result, uint64_t end_ns,
    const struct actor *holder, enum lock_evidence evidence, uint64_t backed_off_ns)
{
	struct zsp_statement statement = statement_of(who, result, 1, end_ns);
	struct lock_wait wait = write_locks_wait(locks, &statement);

	assert_int_equal(wait.backed_off_ns, backed_off_ns);
	assert_int_equal(wait.evidence, evidence);
	assert_int_equal(wait.holder != NULL, holder != NULL);
	if (holder) {
		assert_int_equal(wait.holder->pid, holder->pid);
		assert_int_equal(wait.holder->stmt, holder->stmt);
	}
	write_hold_unref(wait.holder);
}

static void other_connection_of_the_process(void **state)
{
	(void)state;
	takes(&ann, 1, 10 * MS);
	expect_wait(&bob, BUSY, 20 * MS, &ann, LOCK_EVIDENCE_PROCESS, 0);
	releases(&ann, 1, 30 * MS);
	expect_wait(&bob, BUSY, 40 * MS, NULL, LOCK_EVIDENCE_NONE, 0); /* nobody has it any more */
	expect_wait(&bob, DONE, 50 * MS, NULL, LOCK_EVIDENCE_NONE, 0);
}

static void own_lock_is_no_hindrance(void **state)
{
	(void)state;
	takes(&ann, 1, 10 * MS);
	expect_wait(&ann, BUSY, 20 * MS, NULL, LOCK_EVIDENCE_NONE, 0);
}

static void refused_by_the_kernel(void **state)
{
	(void)state;
	takes(&far, 1, 10 * MS);
	takes(&ann, 2, 10 * MS); /* of no interest: the kernel named the file */
	is_refused(&bob, 1, 20 * MS);
	expect_wait(&bob, BUSY, 20 * MS, &far, LOCK_EVIDENCE_REFUSED, 0);
	/* Of an unobserved process, which gave it up just after it refused. */
	releases(&far, 1, 30 * MS);
	takes(&other, 1, 40 * MS);
	is_refused(&bob, 1, 50 * MS);
	releases(&other, 1, 51 * MS);
	expect_wait(&bob, BUSY, 50 * MS, &other, LOCK_EVIDENCE_REFUSED, 0);
	/* Taken before we looked: nobody is known. */
	is_refused(&bob, 7, 60 * MS);
	expect_wait(&bob, BUSY, 60 * MS, NULL, LOCK_EVIDENCE_NONE, 0);
}

static void two_come_into_question(void **state)
{
	(void)state;
	takes(&ann, 1, 10 * MS);
	takes(&eve, 2, 10 * MS);
	expect_wait(&bob, BUSY, 20 * MS, NULL, LOCK_EVIDENCE_NONE, 0);
	releases(&eve, 2, 30 * MS);
	expect_wait(&bob, BUSY, 40 * MS, &ann, LOCK_EVIDENCE_PROCESS, 0);
	/* One gives the file's lock to the next at the moment of the refusal. */
	takes(&far, 3, 50 * MS);
	is_refused(&bob, 3, 60 * MS);
	releases(&far, 3, 60 * MS + 1000);
	takes(&other, 3, 60 * MS + 2000);
	expect_wait(&bob, BUSY, 61 * MS, NULL, LOCK_EVIDENCE_NONE, 0);
}

static void other_database(void **state)
{
	(void)state;
	takes(&eve, 2, 10 * MS);
	expect_wait(&bob, BUSY, 20 * MS, NULL, LOCK_EVIDENCE_NONE, 0);
}

static void unknown_connection(void **state)
{
	const struct actor checkpointer = {.pid = 10};

	(void)state;
	takes(&checkpointer, 1, 10 * MS);
	expect_wait(&bob, BUSY, 20 * MS, NULL, LOCK_EVIDENCE_NONE, 0);
}

/* A write after somebody else's since the snapshot: no lock is in the way, whoever may have one. */
static void busy_snapshot(void **state)
{
	struct zsp_statement unknown = statement_of(&bob, BUSY, 1, 20 * MS);
	struct lock_wait wait;

	(void)state;
	takes(&ann, 1, 10 * MS);
	expect_wait(&bob, BUSY_SNAPSHOT, 20 * MS, NULL, LOCK_EVIDENCE_NONE, 0);
	unknown.errcode = 0; /* and where it may be one */
	wait = write_locks_wait(locks, &unknown);
	assert_null(wait.holder);
}

static void waiting(void **state)
{
	(void)state;
	takes(&ann, 1, 10 * MS);
	backs_off(&bob, 20 * MS, 21 * MS);
	backs_off(&bob, 22 * MS, 24 * MS);
	releases(&ann, 1, 23 * MS);
	expect_wait(&bob, DONE, 25 * MS, &ann, LOCK_EVIDENCE_PROCESS, 3 * MS);
	/* All of it is told now. */
	expect_wait(&bob, DONE, 26 * MS, NULL, LOCK_EVIDENCE_NONE, 0);
}

/* One after the other: who kept it waiting longest; and who had it in the end, if it gives up. */
static void waiting_for_several(void **state)
{
	(void)state;
	for (int busy = 0; busy < 2; busy++) {
		uint64_t base = (uint64_t)(1 + busy) * 1000 * MS;

		takes(&ann, 1, base);
		backs_off(&bob, base + 10 * MS, base + 60 * MS);
		releases(&ann, 1, base + 50 * MS);
		takes(&far, 1, base + 55 * MS);
		is_refused(&bob, 1, base + 61 * MS);
		backs_off(&bob, base + 61 * MS, base + 71 * MS);
		if (busy) {
			is_refused(&bob, 1, base + 72 * MS);
			expect_wait(
			    &bob, BUSY, base + 72 * MS, &far, LOCK_EVIDENCE_REFUSED, 60 * MS);
		} else {
			expect_wait(
			    &bob, DONE, base + 72 * MS, &ann, LOCK_EVIDENCE_PROCESS, 60 * MS);
		}
		releases(&far, 1, base + 80 * MS);
	}
}

static void sleeping_is_not_waiting(void **state)
{
	(void)state;
	backs_off(&bob, 10 * MS, 20 * MS);
	expect_wait(&bob, DONE, 21 * MS, NULL, LOCK_EVIDENCE_NONE, 0);
	/* Waiting, but for whom is not known. */
	backs_off(&bob, 30 * MS, 40 * MS);
	expect_wait(&bob, BUSY, 41 * MS, NULL, LOCK_EVIDENCE_NONE, 10 * MS);
}

/* Two may have kept it waiting, one of them certainly: nobody is named, but that it waited is known. */
static void waiting_for_one_of_two(void **state)
{
	(void)state;
	takes(&ann, 1, 10 * MS);
	takes(&eve, 2, 10 * MS);
	backs_off(&bob, 20 * MS, 30 * MS);
	releases(&ann, 1, 30 * MS);
	expect_wait(&bob, DONE, 31 * MS, NULL, LOCK_EVIDENCE_NONE, 10 * MS);
	/* Only one of another database is left. */
	backs_off(&bob, 40 * MS, 50 * MS);
	expect_wait(&bob, DONE, 51 * MS, NULL, LOCK_EVIDENCE_NONE, 0);
}

static void what_took_it_is_told(void **state)
{
	struct zsp_statement begin = statement_of(&ann, DONE, 9 * MS, 12 * MS),
			     next = statement_of(&ann, DONE, 13 * MS, 14 * MS);
	const struct write_hold_facts facts = {
	    .span = {.span_id = {{1}}}, .transaction = 7, .summary = SV("begin")};
	char name[WRITE_HOLD_SUMMARY_MAX + 1];
	struct write_hold *hold;

	(void)state;
	takes(&ann, 1, 10 * MS); /* as when SQLite recovers a WAL before it begins */
	releases(&ann, 1, 10 * MS + 5);
	takes(&ann, 1, 11 * MS);
	hold = write_locks_took(locks, &begin, &facts);
	assert_non_null(hold);
	assert_int_equal(hold->since_ns, 11 * MS);
	assert_int_equal(hold->facts.transaction, 7);
	assert_true(sv_eq(hold->facts.summary, SV("begin")));
	assert_int_equal(hold->facts.request.len, 0);
	memset(name, 'n', sizeof(name));
	write_hold_set_request(hold, sv_from(name, WRITE_HOLD_SUMMARY_MAX));
	name[0] = 'm'; /* it has a copy */
	assert_int_equal(hold->facts.request.len, WRITE_HOLD_SUMMARY_MAX);
	assert_int_equal(hold->facts.request.p[0], 'n');
	write_hold_set_request(hold, sv_from(name, sizeof(name))); /* too long to be kept whole */
	assert_int_equal(hold->facts.request.len, 0);
	assert_null(write_locks_took(locks, &next, &facts));
	releases(&ann, 1, 20 * MS);
	assert_false(hold->held);
	assert_int_equal(hold->until_ns, 20 * MS);
	write_hold_unref(hold);
}

/* What was never told of an execution does not become another one's. */
static void an_execution_that_was_lost(void **state)
{
	struct zsp_statement later = statement_of(&ann, DONE, 20 * MS, 30 * MS);
	const struct write_hold_facts facts = {.transaction = 7};

	(void)state;
	takes(&ann, 1, 10 * MS);
	assert_null(write_locks_took(locks, &later, &facts));
	takes(&ann, 2, 25 * MS);
	write_hold_unref(write_locks_took(locks, &later, &facts));
}

static void bounded(void **state)
{
	(void)state;
	for (uint64_t i = 1; i < 3 * WRITE_LOCKS_MAX; i++) {
		const struct actor who = {.pid = 10, .stmt = i, .db = i};

		takes(&who, i, i * MS);
		backs_off(&who, i * MS, i * MS + 1);
		if (i % 2)
			releases(&who, i, i * MS + 2);
	}
	write_locks_forget(locks, 10);
	expect_wait(&bob, BUSY, 2, NULL, LOCK_EVIDENCE_NONE, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(other_connection_of_the_process, setup, teardown),
	    cmocka_unit_test_setup_teardown(own_lock_is_no_hindrance, setup, teardown),
	    cmocka_unit_test_setup_teardown(refused_by_the_kernel, setup, teardown),
	    cmocka_unit_test_setup_teardown(two_come_into_question, setup, teardown),
	    cmocka_unit_test_setup_teardown(other_database, setup, teardown),
	    cmocka_unit_test_setup_teardown(unknown_connection, setup, teardown),
	    cmocka_unit_test_setup_teardown(busy_snapshot, setup, teardown),
	    cmocka_unit_test_setup_teardown(waiting, setup, teardown),
	    cmocka_unit_test_setup_teardown(waiting_for_several, setup, teardown),
	    cmocka_unit_test_setup_teardown(sleeping_is_not_waiting, setup, teardown),
	    cmocka_unit_test_setup_teardown(waiting_for_one_of_two, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_took_it_is_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_execution_that_was_lost, setup, teardown),
	    cmocka_unit_test_setup_teardown(bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
