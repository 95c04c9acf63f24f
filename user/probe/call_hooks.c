// SPDX-License-Identifier: Apache-2.0
/* Choosing and attaching the hooks on system calls; see call_hooks.h. */
#include "probe/call_hooks.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe/syscalls.h"
#include "probe/tracefs.h"
#include "zerospan.skel.h"

static void note_missing(struct call_hooks *hooks, const char *name)
{
	buf_printf(&hooks->missing, "%s%s", hooks->missing.len ? " " : "", name);
}

static int keep(struct call_hooks *hooks, struct bpf_link *link)
{
	if (!link)
		return -errno;
	hooks->links[hooks->n_links++] = link;
	return 0;
}

/* --- functions ----------------------------------------------------------------------------------- */

static bool has_type(const struct btf *btf, const char *name, __u32 kind)
{
	return btf__find_by_name_kind(btf, name, kind) > 0;
}

/* The functions of the calls that this kernel has: one walk over its types. */
static void find_functions(struct call_hooks *hooks, const struct btf *btf)
{
	const size_t prefix = strlen(SYSCALLS_FUNCTION_PREFIX);
	const struct syscall_row *row;

	for (__u32 id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const char *name = btf__name_by_offset(btf, type->name_off);

		if (!btf_is_func(type) || strncmp(name, SYSCALLS_FUNCTION_PREFIX, prefix) != 0)
			continue;
		for (size_t i = 0; (row = syscalls_row(i)); i++)
			if (strcmp(name, row->function) == 0)
				hooks->functions[i] = row->function;
	}
}

/*
 * Do programs on system call tracepoints run preemptibly? Where they do, they may sleep, and nowhere else does the kernel
 * load one that says so.
 */
static bool tracepoints_are_preemptible(void)
{
	const struct bpf_insn nothing[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_SLEEPABLE);
	int fd = bpf_prog_load(
	    BPF_PROG_TYPE_TRACEPOINT, "zsp_may_sleep", "Dual BSD/GPL", nothing, 2, &opts);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* Can functions be hooked, and is everything there that we cannot do without? */
static bool offers_functions(struct call_hooks *hooks, const struct btf *btf)
{
	const struct syscall_row *row;
	bool offers = has_type(btf, "fprobe_hlist", BTF_KIND_STRUCT) &&
	    has_type(btf, "btf_trace_sock_recv_length", BTF_KIND_TYPEDEF);

	if (offers)
		find_functions(hooks, btf);
	for (size_t i = 0; offers && (row = syscalls_row(i)); i++)
		offers = hooks->functions[i] || !row->required;
	return offers;
}

/* Hook the functions of all calls, or of those whose beginning counts, with one program. */
static int attach_functions(
    struct call_hooks *hooks, const struct bpf_program *program, bool retprobe)
{
	const char *names[CALL_HOOKS_MAX];
	__u64 cookies[CALL_HOOKS_MAX];
	const struct syscall_row *row;
	LIBBPF_OPTS(
	    bpf_kprobe_multi_opts, opts, .syms = names, .cookies = cookies, .retprobe = retprobe);

	for (size_t i = 0; (row = syscalls_row(i)); i++) {
		if (!hooks->functions[i] || (!retprobe && !row->enter_event))
			continue;
		names[opts.cnt] = hooks->functions[i];
		cookies[opts.cnt++] = row->class;
	}
	return keep(hooks, bpf_program__attach_kprobe_multi_opts(program, NULL, &opts));
}

static int attach_function(
    struct call_hooks *hooks, const struct bpf_program *program, const char *name)
{
	LIBBPF_OPTS(bpf_kprobe_multi_opts, opts, .syms = &name, .cnt = 1);

	return keep(hooks, bpf_program__attach_kprobe_multi_opts(program, NULL, &opts));
}

/* These have others before them; a kernel may lack what they hang on. */
static void attach_twins(struct call_hooks *hooks, const struct zerospan_bpf *skel)
{
	const struct {
		const struct bpf_program *program;
		const char *function;
	} twins[] = {
	    {skel->progs.zsp_call_tcp_set_state, "tcp_set_state"},
	    {skel->progs.zsp_call_wake_up_new_task, "wake_up_new_task"},
	    {skel->progs.zsp_call_proc_exec_connector, "proc_exec_connector"},
	    {skel->progs.zsp_call_exit_files, "exit_files"},
	};

	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++)
		if (attach_function(hooks, twins[i].program, twins[i].function))
			note_missing(hooks, twins[i].function);
}

static int attach_all_functions(struct call_hooks *hooks, const struct zerospan_bpf *skel)
{
	const struct syscall_row *row;
	int err = keep(hooks, bpf_program__attach(skel->progs.zsp_sock_recv_length));

	for (size_t i = 0; (row = syscalls_row(i)); i++)
		if (!hooks->functions[i])
			note_missing(hooks, row->function);
	if (!err)
		err = attach_functions(hooks, skel->progs.zsp_call_return, true);
	if (!err)
		err = attach_functions(hooks, skel->progs.zsp_call_begin, false);
	if (!err)
		err = attach_function(
		    hooks, skel->progs.zsp_call_close, SYSCALLS_FUNCTION_PREFIX "close");
	if (!err)
		err = attach_function(hooks, skel->progs.zsp_call_tcp_read, "tcp_rcv_space_adjust");
	if (!err)
		attach_twins(hooks, skel);
	return err;
}

/* --- tracepoints --------------------------------------------------------------------------------- */

/* A program on the tracepoint of a system call. */
struct call_event {
	const char *name;
	struct bpf_program *program;
	bool required;
};

/* By number rather than through libbpf's own lookup, which wants tracefs mounted. */
static int attach_tracepoint(struct call_hooks *hooks, struct bpf_program *program, int id)
{
	struct perf_event_attr attr = {
	    .type = PERF_TYPE_TRACEPOINT,
	    .size = sizeof(attr),
	    .config = (unsigned)id,
	};
	struct bpf_link *link;
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return -errno;
	link = bpf_program__attach_perf_event(program, fd);
	if (!link) {
		int err = -errno;

		close(fd);
		return err;
	}
	return keep(hooks, link);
}

/* Every tracepoint of a system call with the program that goes there. Returns how many. */
static size_t list_events(const struct zerospan_bpf *skel, struct call_event events[CALL_HOOKS_MAX])
{
	const struct syscall_row *row;
	size_t n = 0;

	for (size_t i = 0; (row = syscalls_row(i)) && n + 3 <= CALL_HOOKS_MAX; i++) {
		events[n++] =
		    (struct call_event){row->exit_event, skel->progs.zsp_sys_exit, row->required};
		if (row->enter_event)
			events[n++] = (struct call_event){
			    row->enter_event, skel->progs.zsp_enter_call, row->required};
	}
	events[n++] =
	    (struct call_event){"syscalls/sys_enter_close", skel->progs.zsp_enter_close, false};
	return n;
}

static int attach_all_events(
    struct call_hooks *hooks, const struct zerospan_bpf *skel, struct buf *message)
{
	struct call_event events[CALL_HOOKS_MAX];
	const char *names[CALL_HOOKS_MAX];
	int ids[CALL_HOOKS_MAX], err = 0;
	size_t n = list_events(skel, events);

	err = keep(hooks, bpf_program__attach(skel->progs.zsp_tcp_rcv_space_adjust));
	for (size_t i = 0; i < n; i++)
		names[i] = events[i].name;
	tracefs_event_ids(names, n, ids);
	for (size_t i = 0; i < n && !err; i++) {
		if (ids[i])
			err = attach_tracepoint(hooks, events[i].program, ids[i]);
		else if (!events[i].required)
			note_missing(hooks, events[i].name);
		else {
			buf_printf(message,
			    "cannot observe system calls: no tracepoint %s, mount tracefs or use a kernel with CONFIG_FTRACE_SYSCALLS",
			    events[i].name);
			return -ENOTSUP;
		}
	}
	return err;
}

/* --- both ---------------------------------------------------------------------------------------- */

#define CALL_HOOKS_PROGRAMS 10 /* of a kind at most */

void call_hooks_init(struct call_hooks *hooks, struct zerospan_bpf *skel, const struct btf *kernel)
{
	struct bpf_program *programs[][CALL_HOOKS_PROGRAMS] = {
	    [CALL_HOOKS_TRACEPOINTS] = {skel->progs.zsp_sys_exit, skel->progs.zsp_enter_call,
		skel->progs.zsp_enter_close, skel->progs.zsp_tcp_rcv_space_adjust},
	    [CALL_HOOKS_FUNCTIONS] = {skel->progs.zsp_call_return, skel->progs.zsp_call_begin,
		skel->progs.zsp_call_close, skel->progs.zsp_call_tcp_read,
		skel->progs.zsp_call_tcp_set_state, skel->progs.zsp_call_wake_up_new_task,
		skel->progs.zsp_call_proc_exec_connector, skel->progs.zsp_call_exit_files,
		skel->progs.zsp_sock_recv_length},
	};

	memset(hooks, 0, sizeof(*hooks));
	buf_init(&hooks->missing);
	hooks->kind = CALL_HOOKS_TRACEPOINTS;
	hooks->preemptible = tracepoints_are_preemptible();
	if (hooks->preemptible && offers_functions(hooks, kernel))
		hooks->kind = CALL_HOOKS_FUNCTIONS;
	for (size_t i = 0; i < CALL_HOOKS_PROGRAMS; i++)
		if (programs[hooks->kind][i])
			bpf_program__set_autoload(programs[hooks->kind][i], true);
}

void call_hooks_release(struct call_hooks *hooks)
{
	buf_release(&hooks->missing);
}

int call_hooks_attach(
    struct call_hooks *hooks, const struct zerospan_bpf *skel, struct buf *message)
{
	if (hooks->kind == CALL_HOOKS_FUNCTIONS)
		return attach_all_functions(hooks, skel);
	return attach_all_events(hooks, skel, message);
}
