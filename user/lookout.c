// SPDX-License-Identifier: Apache-2.0
/* Which threads are worth a look, and when; see lookout.h. */
#include "lookout.h"

#include <stdlib.h>

#include "base/clock.h"
#include "probe/thread_table.h"
#include "stack/blocked.h"
#include "stack/teller.h"

/* Processes with open requests that one look cares for. */
#define PROCESSES_MAX 64
/* Waits that are known to have been looked at; a power of two. */
#define SEEN_MAX 1024
/* So few events at a time are of no busy server: there, an extra look or two per request cost little. */
#define FEW_EVENTS 32
/* After a slow request there may be more of them for so long. */
#define SLOW_NS (10 * NS_PER_S)
/* A wait that is younger may not have been stored completely; see thread_view_each_away(). */
#define SETTLED_NS NS_PER_MS

struct seen {
	uint32_t tid;
	uint64_t since_ns;
};

struct lookout {
	struct lookout_options options;
	struct stack_teller *teller;
	struct lookout_stats stats;
	uint64_t next_ns;       /* look again then */
	uint64_t slow_until_ns; /* slow requests are to be expected until then */
	uint64_t tokens_ns;     /* unused time: each stack takes some of it */
	uint64_t tokens_at_ns;
	struct seen seen[SEEN_MAX];

	/* Of the look that is under way. */
	uint64_t now_ns;
	bool all;
	struct open_process processes[PROCESSES_MAX];
	size_t n_processes;
	struct blocked_copy copy;
};

struct lookout *lookout_new(const struct lookout_options *options)
{
	struct lookout *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->options = *options;
	l->tokens_ns = LOOKOUT_AT_ONCE * (NS_PER_S / LOOKOUT_PER_S);
	l->teller = stack_teller_new(-1, STACK_QUIET_NS);
	if (!l->teller) {
		free(l);
		return NULL;
	}
	return l;
}

void lookout_free(struct lookout *l)
{
	if (!l)
		return;
	stack_teller_free(l->teller);
	free(l);
}

/* --- one thread -------------------------------------------------------------------------------------- */

/* Has it begun to wait while a request of its process was open? */
static bool concerns_request(const struct lookout *l, const struct thread_away *thread)
{
	for (size_t i = 0; i < l->n_processes; i++)
		if (l->processes[i].pid == thread->pid)
			return thread->since_ns >= l->processes[i].since_ns;
	return false;
}

/* True if this wait was looked at before. */
static bool note_seen(struct lookout *l, const struct thread_away *thread)
{
	struct seen *seen = &l->seen[thread->tid % SEEN_MAX];

	if (seen->tid == thread->tid && seen->since_ns == thread->since_ns)
		return true;
	*seen = (struct seen){.tid = thread->tid, .since_ns = thread->since_ns};
	return false;
}

static bool take_token(struct lookout *l)
{
	const uint64_t price = NS_PER_S / LOOKOUT_PER_S;

	if (l->tokens_ns < price)
		return false;
	l->tokens_ns -= price;
	return true;
}

/* Copy the thread's stack and have it told; false if that will not be. */
static bool ask(struct lookout *l, const struct thread_away *thread)
{
	const struct zsp_stand *stand = &thread->stand;
	struct stack_question question = {
	    .pid = (pid_t)thread->pid,
	    .tid = (pid_t)thread->tid,
	    .since_ns = thread->since_ns,
	    .regs = {.ip = stand->ip, .sp = stand->sp, .fp = stand->fp, .lr = stand->lr},
	    .copy = &l->copy,
	};
	const struct blocked_thread blocked = {
	    .pid = question.pid, .tid = question.tid, .regs = question.regs};

	if (!take_token(l)) {
		l->stats.refused++;
		return false;
	}
	if (blocked_copy_take(&blocked, &l->copy)) {
		l->stats.back++;
		return false;
	}
	if (!stack_teller_ask(l->teller, &question)) {
		l->stats.refused++;
		return false;
	}
	l->stats.copied++;
	return true;
}

static void on_away(void *ctx, const struct thread_away *thread)
{
	struct lookout *l = ctx;
	struct thread_wait wait = {
	    .pid = thread->pid,
	    .tid = thread->tid,
	    .since_ns = thread->since_ns,
	    .time_ns = l->now_ns,
	    .kind = thread->wait,
	    .waits = thread->waits,
	};
	bool seen;

	if (!concerns_request(l, thread))
		return;
	seen = note_seen(l, thread);
	if (seen && !l->all)
		return;
	wait.asked = !seen && ask(l, thread);
	if (wait.asked || l->all)
		pipeline_wait(l->options.pipeline, &wait);
}

/* --- looks -------------------------------------------------------------------------------------------- */

static void on_answer(void *ctx, const struct stack_answer *answer)
{
	const struct lookout *l = ctx;
	const struct thread_place place = {
	    .tid = (uint32_t)answer->tid,
	    .since_ns = answer->since_ns,
	    .user = answer->user,
	    .kernel = answer->kernel,
	};

	pipeline_place(l->options.pipeline, &place);
}

/* Look at threads that have waited for least_ns, for requests that are open for least_open_ns. */
static void look(struct lookout *l, uint64_t now_ns, uint64_t least_open_ns, uint64_t least_ns)
{
	const uint64_t most = LOOKOUT_AT_ONCE * (NS_PER_S / LOOKOUT_PER_S);
	uint64_t unused = l->tokens_ns + (now_ns - l->tokens_at_ns);

	l->tokens_ns = unused < most ? unused : most;
	l->tokens_at_ns = now_ns;
	l->now_ns = now_ns;
	l->n_processes =
	    pipeline_open(l->options.pipeline, now_ns - least_open_ns, l->processes, PROCESSES_MAX);
	if (l->n_processes)
		probes_each_away(l->options.probes, now_ns - least_ns, on_away, l);
}

void lookout_tick(struct lookout *l, uint64_t now_ns)
{
	uint64_t period_ns = l->options.over_ns / 2;

	stack_teller_take(l->teller, on_answer, l);
	if (now_ns < l->next_ns)
		return;
	look(l, now_ns, period_ns, period_ns / 2 > SETTLED_NS ? period_ns / 2 : SETTLED_NS);
	l->next_ns = now_ns + period_ns;
	if (l->n_processes)
		l->slow_until_ns = now_ns + SLOW_NS;
}

void lookout_all(struct lookout *l, uint64_t now_ns)
{
	l->all = true;
	look(l, now_ns, 0, SETTLED_NS);
	l->all = false;
	stack_teller_wait(l->teller, LOOKOUT_PATIENCE_NS);
	stack_teller_take(l->teller, on_answer, l);
}

int lookout_wait_ms(const struct lookout *l, uint64_t now_ns, size_t events, int max_ms)
{
	struct open_process oldest;
	uint64_t due_ns, ms;

	if (events > FEW_EVENTS && now_ns >= l->slow_until_ns)
		return max_ms;
	if (!pipeline_open(l->options.pipeline, UINT64_MAX, &oldest, 1))
		return max_ms;
	due_ns = oldest.since_ns + l->options.over_ns / 2;
	if (due_ns < l->next_ns)
		due_ns = l->next_ns;
	ms = due_ns > now_ns ? (due_ns - now_ns) / NS_PER_MS + 1 : 1;
	return ms < (uint64_t)max_ms ? (int)ms : max_ms;
}

void lookout_process_end(struct lookout *l, pid_t pid)
{
	stack_teller_forget(l->teller, pid);
}

void lookout_stats(const struct lookout *l, struct lookout_stats *ret_stats)
{
	*ret_stats = l->stats;
}
