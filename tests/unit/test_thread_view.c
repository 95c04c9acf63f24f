// SPDX-License-Identifier: Apache-2.0
/* Looking at the kernel side's table of threads while that changes it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "probe/thread_table.h"
#include "support.h"

#define TID       7u
#define BEFORE_NS 1000u
#define LOOKS     20000

/* A table of one thread. */
struct table {
	uint32_t marks[ZSP_THREAD_MARKS] __attribute__((aligned(8)));
	struct zsp_thread_head entries[2];
	struct thread_view view;
	atomic_bool over;
	size_t told, wrong;
};

static int setup(void **state)
{
	struct table *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->marks[TID] = 1;
	t->entries[1].tid = TID;
	t->entries[1].ledger.wait = ZSP_WAIT_SLEEP;
	t->view = (struct thread_view){
	    .marks = t->marks,
	    .entries = (volatile char *)t->entries,
	    .entry_size = sizeof(t->entries[0]),
	    .n_entries = 2,
	};
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void leaves(struct table *t, uint64_t off_ns)
{
	volatile struct zsp_ledger *ledger = &t->entries[1].ledger;

	ledger->on_ns = off_ns - 1;
	ledger->off_ns = off_ns;
}

static void tell(void *ctx, const struct thread_away *thread)
{
	struct table *t = ctx;

	t->told++;
	t->wrong += thread->tid != TID || thread->number != 1 || thread->since_ns >= BEFORE_NS;
}

static void look(struct table *t)
{
	thread_view_each_away(&t->view, BEFORE_NS, tell, t);
}

static void by_age(void **state)
{
	struct table *t = *state;

	leaves(t, BEFORE_NS - 1);
	look(t);
	assert_int_equal(t->told, 1);
	leaves(t, BEFORE_NS);
	look(t);
	assert_int_equal(t->told, 1);
	t->entries[1].ledger.on_ns = BEFORE_NS; /* it is back */
	t->entries[1].ledger.off_ns = BEFORE_NS - 1;
	look(t);
	assert_int_equal(t->told, 1);
	assert_int_equal(t->wrong, 0);
}

static void *leave_again_and_again(void *arg)
{
	struct table *t = arg;

	while (!t->over) {
		leaves(t, BEFORE_NS - 1);
		leaves(t, BEFORE_NS + 1);
	}
	return NULL;
}

/* Between the look at how old a wait is and the reading of it a younger one may have begun. */
static void another_wait_meanwhile(void **state)
{
	struct table *t = *state;
	pthread_t writer;

	assert_int_equal(pthread_create(&writer, NULL, leave_again_and_again, t), 0);
	for (int i = 0; i < LOOKS; i++)
		look(t);
	t->over = true;
	pthread_join(writer, NULL);
	assert_int_equal(t->wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(by_age, setup, teardown),
	    cmocka_unit_test_setup_teardown(another_wait_meanwhile, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
