// SPDX-License-Identifier: Apache-2.0
/* Transactions from the executions of their statements. */
#include <stdlib.h>
#include <string.h>

#include "span/transaction.h"
#include "support.h"

#define NONE ZSP_TRANSACTION_NONE
#define OPEN ZSP_TRANSACTION_OPEN

struct world {
	struct transactions *transactions;
	uint64_t now_ns;
	uint8_t era; /* of what runs from now on */
};

/* Which connection of which process. */
struct handle {
	uint32_t pid;
	uint64_t db;
	uint32_t closes;
};

static const struct handle first = {.pid = 10, .db = 0x1000}, second = {.pid = 10, .db = 0x2000};

/* A statement that takes a microsecond. */
static struct transaction_part run_at(struct world *w, const struct handle *handle, const char *sql,
    enum zsp_transaction after, uint64_t start_ns)
{
	size_t len = strlen(sql);
	struct zsp_statement *s = calloc(1, sizeof(*s) + len);
	struct transaction_part part;

	assert_non_null(s);
	s->h.pid = handle->pid;
	s->db = handle->db;
	s->db_closes = handle->closes;
	s->start_ns = start_ns;
	s->end_ns = start_ns + 1000;
	s->transaction = (uint8_t)after;
	s->era = w->era;
	s->text_bytes = (uint32_t)len;
	memcpy(s->text, sql, len);
	part = transactions_execution(w->transactions, s);
	free(s);
	return part;
}

static struct transaction_part run(
    struct world *w, const struct handle *handle, const char *sql, enum zsp_transaction after)
{
	w->now_ns += 10000;
	return run_at(w, handle, sql, after, w->now_ns);
}

static void expect(
    struct transaction_part part, uint64_t id, const char *outcome, uint64_t duration_ns)
{
	assert_int_equal(part.id, id);
	assert_true(sv_eq(part.outcome, sv_cstr(outcome)));
	assert_int_equal(part.duration_ns, duration_ns);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->transactions = transactions_new();
	*state = w;
	return w->transactions ? 0 : -1;
}

static int teardown(void **state)
{
	struct world *w = *state;

	transactions_free(w->transactions);
	free(w);
	return 0;
}

static void from_begin_to_commit(void **state)
{
	expect(run(*state, &first, "SELECT 1", NONE), 0, "", 0);
	expect(run(*state, &first, "/* x */ begin immediate", OPEN), 1, "", 0);
	expect(run(*state, &first, "INSERT INTO t VALUES (1)", OPEN), 1, "", 0);
	expect(run(*state, &first, "COMMIT", NONE), 1, "commit", 21000);
	expect(run(*state, &first, "INSERT INTO t VALUES (1)", NONE), 0, "", 0);
	expect(run(*state, &first, "BEGIN", OPEN), 2, "", 0);
	expect(run(*state, &first, "ROLLBACK", NONE), 2, "rollback", 11000);
}

static void other_words(void **state)
{
	expect(run(*state, &first, "SAVEPOINT a", OPEN), 1, "", 0);
	expect(run(*state, &first, "SAVEPOINT b", OPEN), 1, "", 0);
	expect(run(*state, &first, "ROLLBACK TO b", OPEN), 1, "", 0);
	expect(run(*state, &first, "RELEASE a", NONE), 1, "commit", 31000);
	expect(run(*state, &first, "BEGIN", OPEN), 2, "", 0);
	expect(run(*state, &first, "END TRANSACTION", NONE), 2, "commit", 11000);
}

/* A COMMIT that is refused leaves it open; an error that SQLite answers by rolling back ends it. */
static void errors(void **state)
{
	expect(run(*state, &first, "BEGIN", OPEN), 1, "", 0);
	expect(run(*state, &first, "COMMIT", OPEN), 1, "", 0);
	expect(run(*state, &first, "INSERT OR ROLLBACK INTO t VALUES (1)", NONE), 1, "rollback",
	    21000);
	expect(run(*state, &first, "SELECT 1", NONE), 0, "", 0);
}

/* Its duration is not known, its end is. */
static void met_late(void **state)
{
	expect(run(*state, &first, "INSERT INTO t VALUES (1)", OPEN), 1, "", 0);
	expect(run(*state, &first, "COMMIT", NONE), 1, "commit", 0);
}

static void connections_are_told_apart(void **state)
{
	const struct handle reused = {.pid = 10, .db = 0x1000, .closes = 1},
			    other = {20, 0x1000, 0};

	expect(run(*state, &first, "BEGIN", OPEN), 1, "", 0);
	expect(run(*state, &second, "BEGIN", OPEN), 2, "", 0);
	expect(run(*state, &other, "SELECT 1", NONE), 0, "", 0);
	expect(run(*state, &reused, "SELECT 1", NONE), 0, "", 0);
	expect(run(*state, &first, "SELECT 1", OPEN), 1, "", 0);
	expect(run(*state, &second, "COMMIT", NONE), 2, "commit", 41000);
}

/* What was open in another era has perhaps ended unseen: nothing is said of it any more. */
static void across_eras(void **state)
{
	struct world *w = *state;

	expect(run(w, &first, "BEGIN", OPEN), 1, "", 0);
	expect(run(w, &second, "BEGIN", OPEN), 2, "", 0);
	w->era = 2;
	expect(run(w, &first, "SELECT a FROM t", NONE), 0, "", 0);
	expect(run(w, &second, "SELECT a FROM t", OPEN), 3, "", 0);
	expect(run(w, &second, "COMMIT", NONE), 3, "commit", 0);
}

/* A SELECT that the program left in the middle is told when it is reset, perhaps in a transaction that began since. */
static void told_late(void **state)
{
	struct world *w = *state;

	expect(run(w, &first, "BEGIN", OPEN), 1, "", 0);
	expect(run_at(w, &first, "SELECT a FROM t", OPEN, w->now_ns - 5000), 0, "", 0);
	expect(run(w, &first, "SELECT a FROM t", OPEN), 1, "", 0);
}

static void unknown(void **state)
{
	const struct handle nobody = {.pid = 10};

	expect(run(*state, &first, "BEGIN", ZSP_TRANSACTION_UNKNOWN), 0, "", 0);
	expect(run(*state, &nobody, "BEGIN", OPEN), 0, "", 0);
	expect(run(*state, &first, "", OPEN), 1, "", 0);
}

static void process_ends(void **state)
{
	struct world *w = *state;
	const struct handle other = {.pid = 20, .db = 0x1000};

	run(w, &first, "BEGIN", OPEN);
	run(w, &second, "BEGIN", OPEN);
	run(w, &other, "BEGIN", OPEN);
	transactions_forget(w->transactions, 10);
	expect(run(w, &first, "SELECT 1", OPEN), 4, "", 0);
	expect(run(w, &other, "SELECT 1", OPEN), 3, "", 0);
}

/* Beyond the bound nothing is claimed; what is known stays known. */
static void too_many(void **state)
{
	struct handle handle = first;

	for (uint32_t i = 0; i < TRANSACTIONS_MAX; i++) {
		handle.db = 0x1000 * (i + 1);
		expect(run(*state, &handle, "BEGIN", OPEN), i + 1, "", 0);
	}
	handle.db += 0x1000;
	expect(run(*state, &handle, "BEGIN", OPEN), 0, "", 0);
	assert_int_equal(run(*state, &first, "COMMIT", NONE).id, 1);
	expect(run(*state, &handle, "SELECT 1", OPEN), TRANSACTIONS_MAX + 1, "", 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(from_begin_to_commit),
	    TEST(other_words),
	    TEST(errors),
	    TEST(met_late),
	    TEST(connections_are_told_apart),
	    TEST(told_late),
	    TEST(across_eras),
	    TEST(across_eras),
	    TEST(unknown),
	    TEST(process_ends),
	    TEST(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
