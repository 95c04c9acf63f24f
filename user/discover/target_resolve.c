// SPDX-License-Identifier: Apache-2.0
/* Selectors against the processes that run now, with a sentence for each that fails; see target.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "discover/proc_net.h"
#include "discover/target.h"

void target_pids_release(struct target_pids *pids)
{
	free(pids->items);
	*pids = (struct target_pids){0};
}

static int pids_add(struct target_pids *pids, pid_t pid)
{
	pid_t *items;

	for (size_t i = 0; i < pids->n; i++)
		if (pids->items[i] == pid)
			return 0;
	items = reallocarray(pids->items, pids->n + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	items[pids->n++] = pid;
	pids->items = items;
	return 0;
}

/* One selector at work. */
struct resolution {
	const struct target_set *set;
	struct target_selector *selector;
	struct target_pids *pids;
	struct target_facts facts; /* of the process looked at */
	size_t hits;
	enum target_refusal refusal; /* of one that was meant */
};

/* Take the process in facts if it is meant and may be observed. */
static int take(struct resolution *r)
{
	enum target_refusal refusal = target_refuses(r->set, &r->facts);

	if (!target_selects(r->selector, &r->facts))
		return 0;
	if (refusal != TARGET_REFUSAL_NONE) {
		r->refusal = refusal;
		return 0;
	}
	r->hits++;
	return pids_add(r->pids, r->facts.pid);
}

static int visit_process(pid_t pid, void *arg)
{
	struct resolution *r = arg;

	return target_facts_read(pid, false, &r->facts) == 0 ? take(r) : 0;
}

/* The port was found among its sockets already. */
static int visit_listener(pid_t pid, void *arg)
{
	struct resolution *r = arg;

	if (target_facts_read(pid, false, &r->facts) != 0)
		return 0;
	r->facts.ports[0] = (uint16_t)r->selector->number;
	r->facts.n_ports = 1;
	return take(r);
}

/* A thread has a directory below /proc as well, but only its process can be observed. */
static int resolve_pid(struct resolution *r)
{
	pid_t pid = (pid_t)r->selector->number, group;
	int err;

	if (proc_thread_group(pid, &group) != 0 || group != pid)
		return 0;
	err = visit_process(pid, r);
	if (!err && r->hits)
		r->selector->start_ticks = r->facts.start_ticks;
	return err;
}

static void explain_nothing(const struct resolution *r, struct buf *message)
{
	const char *text = r->selector->text;

	switch (r->selector->kind) {
	case TARGET_PID:
		buf_printf(message, "no such process: pid %s", text);
		break;
	case TARGET_NAME:
		buf_printf(message, "no process is named '%s'", text);
		break;
	case TARGET_EXE:
		buf_printf(message, "no process runs a program that matches '%s'", text);
		break;
	case TARGET_PORT:
		buf_printf(message, "nobody listens on port %s", text);
		break;
	case TARGET_INVALID:
		break;
	}
}

/* One clause on why a selector gave no process. */
static void explain(const struct resolution *r, struct buf *message)
{
	static const char *const reasons[] = {
	    [TARGET_REFUSAL_SELF] = "zerospan itself",
	    [TARGET_REFUSAL_KERNEL_THREAD] = "a kernel thread",
	    [TARGET_REFUSAL_32BIT] = "a 32-bit program, which cannot be observed",
	};
	static const char *const options[] = {
	    [TARGET_PID] = "--pid",
	    [TARGET_NAME] = "--name",
	    [TARGET_EXE] = "--exe",
	    [TARGET_PORT] = "--port",
	};
	pid_t group;

	if (message->len)
		buf_append_cstr(message, "; ");
	if (r->refusal != TARGET_REFUSAL_NONE)
		buf_printf(message, "%s '%s' is %s", options[r->selector->kind], r->selector->text,
		    reasons[r->refusal]);
	else if (r->selector->kind == TARGET_PID &&
	    proc_thread_group((pid_t)r->selector->number, &group) == 0 &&
	    group != (pid_t)r->selector->number)
		buf_printf(message, "%s is a thread of process %d", r->selector->text, group);
	else
		explain_nothing(r, message);
}

static int resolve_one(struct resolution *r)
{
	if (r->selector->kind == TARGET_PID)
		return resolve_pid(r);
	if (r->selector->kind == TARGET_PORT)
		return proc_net_listeners((uint16_t)r->selector->number, visit_listener, r);
	return proc_each(visit_process, r);
}

int target_resolve(struct target_set *set, struct target_pids *pids, struct buf *message)
{
	struct resolution *r = malloc(sizeof(*r));
	int err = 0, missing = 0;

	if (!r)
		return -ENOMEM;
	for (size_t i = 0; i < set->n && !err; i++) {
		*r = (struct resolution){.set = set, .selector = &set->items[i], .pids = pids};
		err = resolve_one(r);
		if (err || r->hits)
			continue;
		explain(r, message);
		missing = -ESRCH;
	}
	free(r);
	return err ? err : missing;
}
