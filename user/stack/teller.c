// SPDX-License-Identifier: Apache-2.0
/* The thread that tells stacks, and what waits before and behind it; see teller.h. */
#include "stack/teller.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/list.h"
#include "base/priority.h"

/* A question, later its answer; or a process to forget. */
struct item {
	struct list link;
	bool forget;
	pid_t pid, tid;
	uint64_t since_ns;
	uint32_t tag;
	struct stack_regs regs;
	unsigned char *bytes; /* of the stack; NULL once it is told */
	size_t len;
	struct buf user;
	size_t kernel_len;
	char kernel[];
};

struct stack_teller {
	int wake_fd;
	uint64_t quiet_ns;
	pthread_t thread;
	struct stack_reader *reader; /* the thread's own, and so is the trace */
	struct stack_trace trace;

	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t work;  /* an item, or the end */
	pthread_cond_t idle;  /* everything asked is answered */
	bool ending;
	struct list waiting, answers;   /* items */
	size_t n_unanswered, n_untaken; /* questions; the one in hand is of the first */
	size_t bytes;                   /* of stacks that are not told */
	uint64_t told_ns; /* when the last was; 0: nothing is known that could be forgotten */
	/* What the reader may know, by last question; it keeps as many. */
	pid_t known[STACK_PROCESSES_MAX];
	size_t n_known;
	struct stack_teller_counts counts;
};

static void free_item(struct item *item)
{
	free(item->bytes);
	buf_release(&item->user);
	free(item);
}

static void free_items(struct list *items)
{
	list_for_each (link, items) {
		list_remove(link);
		free_item(container_of(link, struct item, link));
	}
}

/* --- the thread ---------------------------------------------------------------------------------- */

/* What cannot be told leaves no text. */
static void tell(struct stack_teller *teller, struct item *item)
{
	struct stack_sample sample = {
	    .pid = item->pid, .regs = item->regs, .bytes = item->bytes, .len = item->len};

	if (stack_reader_trace(teller->reader, &sample, clock_monotonic_ns(), &teller->trace) == 0)
		stack_trace_print(&teller->trace, STACK_TEXT_MAX, &item->user);
	if (item->user.failed)
		buf_release(&item->user);
	free(item->bytes);
	item->bytes = NULL;
}

/* Lock held. The item in hand is in neither list meanwhile. */
static void tell_unlocked(struct stack_teller *teller, struct item *item)
{
	size_t len = item->len;

	pthread_mutex_unlock(&teller->lock);
	tell(teller, item);
	pthread_mutex_lock(&teller->lock);
	list_add_tail(&teller->answers, &item->link);
	teller->n_unanswered--;
	teller->n_untaken++;
	teller->bytes -= len;
	teller->told_ns = clock_monotonic_ns();
	teller->counts.answered++;
	teller->counts.untold += item->user.len == 0;
	teller->counts.stacks = stack_reader_counts(teller->reader);
	if (teller->wake_fd >= 0)
		eventfd_write(teller->wake_fd, 1);
	if (teller->n_unanswered == 0)
		pthread_cond_broadcast(&teller->idle);
}

/* Lock held, and given up meanwhile. */
static void forget_all(struct stack_teller *teller)
{
	teller->told_ns = 0;
	teller->n_known = 0;
	pthread_mutex_unlock(&teller->lock);
	stack_reader_forget_all(teller->reader);
	malloc_trim(0);
	pthread_mutex_lock(&teller->lock);
	teller->counts.forgot++;
	teller->counts.stacks = stack_reader_counts(teller->reader);
}

/* So long after another time; clocks have an end. */
static uint64_t later(uint64_t ns, uint64_t duration_ns)
{
	return duration_ns < UINT64_MAX - ns ? ns + duration_ns : UINT64_MAX;
}

/* Lock held, and given up while there is nothing to do. NULL at the end. */
static struct item *next_item(struct stack_teller *teller)
{
	struct item *item;

	while (list_empty(&teller->waiting) && !teller->ending) {
		uint64_t quiet_ns = later(teller->told_ns, teller->quiet_ns);

		if (!teller->told_ns)
			pthread_cond_wait(&teller->work, &teller->lock);
		else if (clock_monotonic_ns() < quiet_ns)
			cond_wait_until(&teller->work, &teller->lock, quiet_ns);
		else
			forget_all(teller);
	}
	if (teller->ending)
		return NULL;
	item = container_of(teller->waiting.next, struct item, link);
	list_remove(&item->link);
	return item;
}

static void *teller_main(void *arg)
{
	struct stack_teller *teller = arg;
	struct item *item;

	priority_lower("teller of stacks");
	pthread_mutex_lock(&teller->lock);
	while ((item = next_item(teller))) {
		if (!item->forget) {
			tell_unlocked(teller, item);
			continue;
		}
		pthread_mutex_unlock(&teller->lock);
		stack_reader_forget(teller->reader, item->pid);
		free_item(item);
		pthread_mutex_lock(&teller->lock);
	}
	pthread_mutex_unlock(&teller->lock);
	return NULL;
}

/* --- its life ------------------------------------------------------------------------------------ */

static int start_thread(struct stack_teller *teller)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* a thread inherits them */
	err = pthread_create(&teller->thread, NULL, teller_main, teller);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

/* Free all but the thread. */
static void destroy(struct stack_teller *teller)
{
	free_items(&teller->waiting);
	free_items(&teller->answers);
	stack_reader_free(teller->reader);
	pthread_cond_destroy(&teller->work);
	pthread_cond_destroy(&teller->idle);
	pthread_mutex_destroy(&teller->lock);
	free(teller);
}

struct stack_teller *stack_teller_new(int wake_fd, uint64_t quiet_ns)
{
	struct stack_teller *teller = calloc(1, sizeof(*teller));
	int err;

	if (!teller)
		return NULL;
	teller->wake_fd = wake_fd;
	teller->quiet_ns = quiet_ns;
	pthread_mutex_init(&teller->lock, NULL);
	cond_init(&teller->work);
	cond_init(&teller->idle);
	list_init(&teller->waiting);
	list_init(&teller->answers);
	teller->reader = stack_reader_new();
	err = teller->reader ? start_thread(teller) : ENOMEM;
	if (err) {
		destroy(teller);
		errno = err;
		return NULL;
	}
	return teller;
}

void stack_teller_free(struct stack_teller *teller)
{
	if (!teller)
		return;
	pthread_mutex_lock(&teller->lock);
	teller->ending = true;
	pthread_cond_signal(&teller->work);
	pthread_mutex_unlock(&teller->lock);
	pthread_join(teller->thread, NULL);
	destroy(teller);
}

/* --- asking -------------------------------------------------------------------------------------- */

static struct item *new_question(const struct stack_question *question)
{
	const struct blocked_copy *copy = question->copy;
	struct item *item = calloc(1, sizeof(*item) + copy->kernel_len);

	if (!item)
		return NULL;
	item->bytes = malloc(copy->len ? copy->len : 1);
	if (!item->bytes) {
		free_item(item);
		return NULL;
	}
	memcpy(item->bytes, copy->bytes, copy->len);
	memcpy(item->kernel, copy->kernel, copy->kernel_len);
	item->pid = question->pid;
	item->tid = question->tid;
	item->since_ns = question->since_ns;
	item->tag = question->tag;
	item->regs = question->regs;
	item->len = copy->len;
	item->kernel_len = copy->kernel_len;
	return item;
}

/* Lock held. */
static bool has_room(const struct stack_teller *teller, size_t bytes)
{
	return teller->n_unanswered + teller->n_untaken < STACK_QUESTIONS_MAX &&
	    bytes <= STACK_QUESTIONS_BYTES_MAX - teller->bytes;
}

/* Take a process off those that are known. Lock held. */
static bool drop_known(struct stack_teller *teller, pid_t pid)
{
	for (size_t i = 0; i < teller->n_known; i++) {
		if (teller->known[i] != pid)
			continue;
		teller->n_known--;
		memmove(&teller->known[i], &teller->known[i + 1],
		    (teller->n_known - i) * sizeof(teller->known[0]));
		return true;
	}
	return false;
}

/* Lock held. The one asked about the longest ago makes room. */
static void add_known(struct stack_teller *teller, pid_t pid)
{
	if (!drop_known(teller, pid) && teller->n_known == STACK_PROCESSES_MAX)
		drop_known(teller, teller->known[0]);
	teller->known[teller->n_known++] = pid;
}

/* Lock held. */
static void add_item(struct stack_teller *teller, struct item *item)
{
	list_add_tail(&teller->waiting, &item->link);
	pthread_cond_signal(&teller->work);
}

bool stack_teller_ask(struct stack_teller *teller, const struct stack_question *question)
{
	struct item *item = NULL;

	pthread_mutex_lock(&teller->lock);
	if (has_room(teller, question->copy->len))
		item = new_question(question);
	if (item) {
		add_item(teller, item);
		add_known(teller, item->pid);
		teller->n_unanswered++;
		teller->bytes += item->len;
		teller->counts.asked++;
	} else {
		teller->counts.refused++;
	}
	pthread_mutex_unlock(&teller->lock);
	return item != NULL;
}

/*
 * Of what is known, each process can be forgotten once, so these items are as bounded as questions.
 * Without memory for one the reader keeps what it knows until it knows of enough others.
 */
void stack_teller_forget(struct stack_teller *teller, pid_t pid)
{
	struct item *item;

	pthread_mutex_lock(&teller->lock);
	if (drop_known(teller, pid)) {
		item = calloc(1, sizeof(*item));
		if (item) {
			item->forget = true;
			item->pid = pid;
			add_item(teller, item);
		}
	}
	pthread_mutex_unlock(&teller->lock);
}

/* --- answers ------------------------------------------------------------------------------------- */

size_t stack_teller_take(struct stack_teller *teller,
    void (*answer)(void *ctx, const struct stack_answer *answer), void *ctx)
{
	struct list taken;
	size_t n = 0;

	list_init(&taken);
	pthread_mutex_lock(&teller->lock);
	list_splice_tail(&taken, &teller->answers);
	teller->n_untaken = 0;
	pthread_mutex_unlock(&teller->lock);
	list_for_each (link, &taken) {
		struct item *item = container_of(link, struct item, link);
		struct stack_answer a = {.pid = item->pid,
		    .tid = item->tid,
		    .since_ns = item->since_ns,
		    .tag = item->tag,
		    .user = buf_sv(&item->user),
		    .kernel = sv_from(item->kernel, item->kernel_len)};

		answer(ctx, &a);
		free_item(item);
		n++;
	}
	return n;
}

void stack_teller_wait(struct stack_teller *teller, uint64_t timeout_ns)
{
	uint64_t end_ns = later(clock_monotonic_ns(), timeout_ns);

	pthread_mutex_lock(&teller->lock);
	while (teller->n_unanswered &&
	    cond_wait_until(&teller->idle, &teller->lock, end_ns) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&teller->lock);
}

void stack_teller_counts(struct stack_teller *teller, struct stack_teller_counts *ret_counts)
{
	pthread_mutex_lock(&teller->lock);
	*ret_counts = teller->counts;
	pthread_mutex_unlock(&teller->lock);
}
