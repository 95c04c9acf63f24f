// SPDX-License-Identifier: Apache-2.0
/* Which threads are worth a look, and when; see lookout.h. */
#include "lookout/lookout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "discover/lock_owner.h"
#include "discover/proc.h"
#include "lookout/look_shares.h"
#include "probe/thread_table.h"
#include "stack/blocked.h"
#include "stack/teller.h"

/* Processes with open requests, and threads that serve them, that one look cares for. */
#define PROCESSES_MAX 64
#define SERVING_MAX   64
/* Waits that are known to have been looked at. */
#define SEEN_MAX 4096
/* When nothing has happened for so long and looks find nothing new, they come more and more rarely, up to so many periods apart. */
#define REST_NS          NS_PER_S
#define REST_PERIODS_MAX 8
/* A wait that is younger may not have been stored completely; see thread_view_each_away(). */
#define SETTLED_NS NS_PER_MS
/* Slow requests of which it is not known what they wait in are looked at so often, for so long; how old a wait has to be then. */
#define CLOSE_NS     (2 * NS_PER_MS)
#define CLOSE_FOR_NS (100 * NS_PER_MS)
#define BRIEF_NS     (NS_PER_MS / 4)

/* Who gives locks back is watched for so long after a thread of a slow request was seen to wait for one. */
#define WATCH_NS (10 * NS_PER_S)
/* The table of threads is looked at again and again while there are slow requests. */
#define VIEW_NS NS_PER_S

struct seen {
	uint64_t since_ns;
	uint32_t tid;
	bool copied, refused;
};

struct lookout {
	struct lookout_options options;
	struct stack_teller *teller;
	struct lookout_stats stats;
	uint64_t events_ns;     /* the last ones */
	uint64_t looked_ns;     /* last look */
	uint64_t rest_periods;  /* so many of them until the next one */
	uint64_t closely_ns;    /* next look at the threads that serve slow requests alone */
	uint64_t view_until_ns; /* the table of threads is needed until then */
	uint64_t watch_until_ns;
	struct look_shares shares;
	struct seen seen[SEEN_MAX];

	/* Of the look that is under way. */
	uint64_t now_ns;
	bool all, found; /* look at waits again; there is one that was not known */
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
	l->closely_ns = UINT64_MAX;
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

/* What is known of this wait. By the number of the thread's entry: those in use are near each other. */
static struct seen *seen_of(struct lookout *l, const struct thread_away *thread)
{
	struct seen *seen = &l->seen[thread->number % SEEN_MAX];

	if (seen->tid != thread->tid || seen->since_ns != thread->since_ns) {
		*seen = (struct seen){.tid = thread->tid, .since_ns = thread->since_ns};
		l->found = true;
	}
	return seen;
}

/* There will be other short waits like this one. */
static void refuse(struct lookout *l, struct seen *seen, bool brief)
{
	l->stats.refused += !seen->refused && !brief;
	seen->refused = true;
}

static struct stack_regs regs_of(const struct zsp_stand *stand)
{
	return (struct stack_regs){
	    .ip = stand->ip, .sp = stand->sp, .fp = stand->fp, .lr = stand->lr};
}

/* Copy the thread's stack and have it told, in answer to the question. 0, -EAGAIN when it is back or may not be looked at, -EBUSY. */
static int ask(struct lookout *l, const struct thread_away *thread, struct stack_question question)
{
	const struct blocked_thread blocked = {
	    .pid = (pid_t)thread->pid,
	    .tid = (pid_t)thread->tid,
	    .regs = regs_of(&thread->stand),
	};

	question.pid = blocked.pid;
	question.regs = blocked.regs;
	question.copy = &l->copy;
	if (blocked_copy_take(&blocked, &l->copy))
		return -EAGAIN;
	return stack_teller_ask(l->teller, &question) ? 0 : -EBUSY;
}

/* A thread's name as the kernel has it, made valid UTF-8; *name is to be released. */
static struct sv name_of(struct buf *name, const char *comm)
{
	buf_init(name);
	utf8_append_repaired(name, sv_cstr(comm));
	return buf_sv(name);
}

static void tell_culprit(struct lookout *l, struct thread_culprit culprit, const char *comm)
{
	struct buf name;

	culprit.name = name_of(&name, comm);
	pipeline_culprit(l->options.pipeline, &culprit);
	buf_release(&name);
}

/* Who has the lock, if it says so, and where that one waits, if it does; and see who gives it back. */
static void look_for_culprit(
    struct lookout *l, const struct thread_away *thread, const struct stack_question *waiter)
{
	pid_t owner = lock_owner((pid_t)thread->pid, thread->what);
	struct stack_question question = *waiter;
	struct proc_stat stat;
	struct thread_away holder;
	struct thread_culprit culprit = {
	    .tid = thread->tid,
	    .since_ns = thread->since_ns,
	    .time_ns = l->now_ns,
	    .evidence = WAIT_EVIDENCE_OWNER,
	    .culprit_pid = thread->pid,
	    .culprit_tid = (uint32_t)owner,
	};

	probes_watch(l->options.probes, thread);
	l->watch_until_ns = l->now_ns + WATCH_NS;
	if (!owner || (uint32_t)owner == thread->tid || proc_read_stat(owner, &stat))
		return;
	question.tag = culprit.evidence;
	if (probes_thread_away(l->options.probes, (uint32_t)owner, &holder) &&
	    holder.since_ns + SETTLED_NS < l->now_ns)
		culprit.asked = ask(l, &holder, question) == 0;
	tell_culprit(l, culprit, stat.comm);
}

/* Have its stack told, if there is time for that; true if it will be. */
static bool have_told(struct lookout *l, const struct thread_away *thread,
    const struct stack_question *question, bool brief)
{
	struct seen *seen = seen_of(l, thread);
	bool may;
	int err;

	if (seen->copied)
		return false;
	may = brief ? look_shares_take_spare(&l->shares, thread->pid)
		    : look_shares_take(&l->shares, thread->pid);
	err = may ? ask(l, thread, *question) : -EBUSY;
	if (err == -EBUSY)
		refuse(l, seen, brief);
	else
		seen->copied = true;
	l->stats.back += err == -EAGAIN;
	return err == 0;
}

static struct thread_wait wait_of(const struct lookout *l, const struct thread_away *thread)
{
	return (struct thread_wait){
	    .pid = thread->pid,
	    .tid = thread->tid,
	    .since_ns = thread->since_ns,
	    .time_ns = l->now_ns,
	    .kind = thread->wait,
	    .waits = thread->waits,
	};
}

static void look_at_thread(struct lookout *l, const struct thread_away *thread, bool brief)
{
	struct thread_wait wait = wait_of(l, thread);
	const struct stack_question question = {
	    .tid = (pid_t)thread->tid, .since_ns = thread->since_ns, .tag = WAIT_EVIDENCE_NONE};

	wait.asked = have_told(l, thread, &question, brief);
	if (wait.asked || l->all)
		pipeline_wait(l->options.pipeline, &wait);
	if (wait.asked && thread->wait == ZSP_WAIT_LOCK)
		look_for_culprit(l, thread, &question);
}

static void on_away(void *ctx, const struct thread_away *thread)
{
	struct lookout *l = ctx;

	if (concerns_request(l, thread))
		look_at_thread(l, thread, false);
}

/* It may wait for a short time again and again, each too short for looks that are far apart. */
static void look_for_brief_wait(struct lookout *l, const struct serving_thread *serving)
{
	struct thread_away thread;
	struct thread_wait wait;

	if (!probes_thread_away(l->options.probes, serving->tid, &thread) ||
	    thread.since_ns < serving->since_ns || thread.since_ns + BRIEF_NS > l->now_ns)
		return;
	wait = wait_of(l, &thread);
	if (pipeline_wants(l->options.pipeline, &wait))
		look_at_thread(l, &thread, true);
}

void lookout_wake(struct lookout *l, const struct zsp_wake *wake)
{
	struct thread_culprit culprit = {
	    .tid = wake->woken,
	    .since_ns = wake->since_ns,
	    .time_ns = wake->h.time_ns,
	    .evidence = WAIT_EVIDENCE_WOKEN,
	    .culprit_pid = wake->h.pid,
	    .culprit_tid = wake->h.tid,
	};
	const struct stack_question question = {
	    .pid = (pid_t)wake->h.pid,
	    .tid = (pid_t)wake->woken,
	    .since_ns = wake->since_ns,
	    .tag = WAIT_EVIDENCE_WOKEN,
	    .regs = regs_of(&wake->stand),
	    .copy = &l->copy,
	};

	memcpy(l->copy.bytes, wake->stack, wake->stack_bytes);
	l->copy.len = wake->stack_bytes;
	l->copy.kernel_len = 0;
	culprit.asked = wake->stack_bytes && stack_teller_ask(l->teller, &question);
	tell_culprit(l, culprit, (const char *)wake->comm);
}

/* --- CPUs ---------------------------------------------------------------------------------------------- */

/* If the thread could run and does not: who runs instead. */
static void look_at_cpu(struct lookout *l, uint32_t tid)
{
	struct thread_contender contender = {.tid = tid, .time_ns = l->now_ns};
	struct zsp_running running;
	struct proc_stat stat;
	struct buf name;

	if (proc_read_stat((pid_t)tid, &stat) || stat.state != 'R' || stat.processor < 0)
		return;
	running = probes_running(l->options.probes, (uint32_t)stat.processor);
	/* Where we run ourselves, it is who would if we did not look. */
	contender.contender_tid = running.now == (uint32_t)gettid() ? running.before : running.now;
	if (!contender.contender_tid || contender.contender_tid == tid ||
	    proc_read_stat((pid_t)contender.contender_tid, &stat))
		return;
	contender.name = name_of(&name, stat.comm);
	pipeline_contender(l->options.pipeline, &contender);
	buf_release(&name);
}

/* --- looks -------------------------------------------------------------------------------------------- */

static void on_answer(void *ctx, const struct stack_answer *answer)
{
	struct lookout *l = ctx;
	const struct thread_place place = {
	    .tid = (uint32_t)answer->tid,
	    .since_ns = answer->since_ns,
	    .culprit = (enum wait_evidence)answer->tag,
	    .user = answer->user,
	    .kernel = answer->kernel,
	};

	l->stats.told += answer->user.len > 0;
	l->stats.untold += answer->user.len == 0;
	pipeline_place(l->options.pipeline, &place);
}

/* So long ago; the beginning of time at most. */
static uint64_t before(uint64_t now_ns, uint64_t ns)
{
	return now_ns > ns ? now_ns - ns : 0;
}

/* Look at threads that have waited for least_ns, for requests that are open for least_open_ns. */
static void look(struct lookout *l, uint64_t now_ns, uint64_t least_open_ns, uint64_t least_ns)
{
	look_shares_tick(&l->shares, now_ns);
	l->now_ns = now_ns;
	l->found = false;
	l->n_processes = pipeline_open(
	    l->options.pipeline, before(now_ns, least_open_ns), l->processes, PROCESSES_MAX);
	if (l->n_processes) {
		l->view_until_ns = now_ns + VIEW_NS;
		probes_each_away(l->options.probes, before(now_ns, least_ns), on_away, l);
	}
}

static uint64_t period_ns(const struct lookout *l)
{
	return l->options.over_ns / 2;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * Look at the threads that serve slow requests, and say when they, or those that may become slow, are worth the next look. cpus: at who has their
 * CPUs, too.
 */
static void look_closely(struct lookout *l, uint64_t now_ns, bool cpus)
{
	struct serving_thread all[SERVING_MAX];
	size_t n =
	    pipeline_serving(l->options.pipeline, before(now_ns, period_ns(l)), all, SERVING_MAX);

	look_shares_tick(&l->shares, now_ns);
	l->now_ns = now_ns;
	l->closely_ns = UINT64_MAX;
	for (size_t i = 0; i < n; i++) {
		uint64_t slow_ns = all[i].since_ns + l->options.over_ns;

		if (cpus)
			look_at_cpu(l, all[i].tid);
		if (slow_ns <= now_ns)
			look_for_brief_wait(l, &all[i]);
		if (!all[i].unexplained || now_ns >= slow_ns + CLOSE_FOR_NS)
			continue;
		l->view_until_ns = now_ns + VIEW_NS;
		l->closely_ns =
		    sooner(l->closely_ns, slow_ns <= now_ns ? now_ns + CLOSE_NS : slow_ns);
	}
}

static uint64_t next_ns(const struct lookout *l)
{
	return l->looked_ns + period_ns(l) * l->rest_periods;
}

void lookout_tick(struct lookout *l, uint64_t now_ns, size_t events)
{
	uint64_t away_ns = period_ns(l) / 2;
	bool found;

	stack_teller_take(l->teller, on_answer, l);
	if (now_ns >= l->watch_until_ns)
		probes_watch_none(l->options.probes);
	if (now_ns >= l->view_until_ns)
		probes_look_no_more(l->options.probes);
	if (events) {
		l->events_ns = now_ns;
		l->rest_periods = l->rest_periods > 0;
	}
	if (now_ns < next_ns(l)) {
		if (now_ns >= l->closely_ns)
			look_closely(l, now_ns, false);
		return;
	}
	l->closely_ns = UINT64_MAX;
	if (before(now_ns, period_ns(l)) < pipeline_oldest(l->options.pipeline)) {
		l->rest_periods = 0; /* what is open is younger */
		return;
	}
	look(l, now_ns, period_ns(l), away_ns > SETTLED_NS ? away_ns : SETTLED_NS);
	found = l->found;
	look_closely(l, now_ns, true);
	l->looked_ns = now_ns;
	if (found || now_ns - l->events_ns < REST_NS)
		l->rest_periods = 1;
	else if (l->rest_periods < REST_PERIODS_MAX)
		l->rest_periods++;
}

static void look_at_all(struct lookout *l, uint64_t now_ns, uint64_t least_open_ns)
{
	l->all = true;
	look(l, now_ns, least_open_ns, SETTLED_NS);
	l->all = false;
}

void lookout_again(struct lookout *l, uint64_t now_ns)
{
	look_at_all(l, now_ns, l->options.over_ns);
}

void lookout_all(struct lookout *l, uint64_t now_ns)
{
	look_at_all(l, now_ns, 0);
}

bool lookout_await(struct lookout *l, uint64_t timeout_ns)
{
	struct stack_teller_counts counts;

	stack_teller_wait(l->teller, timeout_ns);
	stack_teller_take(l->teller, on_answer, l);
	stack_teller_counts(l->teller, &counts);
	return counts.answered == counts.asked;
}

int lookout_wait_ms(const struct lookout *l, uint64_t now_ns, int max_ms)
{
	uint64_t oldest_ns = pipeline_oldest(l->options.pipeline), due_ns, ms;

	if (oldest_ns >= before(now_ns, SETTLED_NS)) /* or there is none */
		return max_ms;
	due_ns = oldest_ns + period_ns(l);
	if (due_ns < next_ns(l))
		due_ns = next_ns(l);
	due_ns = sooner(due_ns, l->closely_ns);
	ms = due_ns > now_ns ? (due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 1;
	return ms < (uint64_t)max_ms ? (int)ms : max_ms;
}

bool lookout_looks_closely(const struct lookout *l)
{
	return l->closely_ns != UINT64_MAX;
}

void lookout_process_end(struct lookout *l, pid_t pid)
{
	stack_teller_forget(l->teller, pid);
}

void lookout_stats(const struct lookout *l, struct lookout_stats *ret_stats)
{
	*ret_stats = l->stats;
}
