// SPDX-License-Identifier: Apache-2.0
/* Loading, attaching and talking to the kernel side; see probes.h. */
#include "probe/probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "probe/call_hooks.h"
#include "probe/kernel_types.h"
#include "probe/lost_runs.h"
#include "probe/reaper.h"
#include "probe/syscalls.h"
#include "probe/thread_table.h"
#include "zerospan.skel.h"

enum {
	PROBES_MAX_LINKS = 16,
};

struct probes {
	struct zerospan_bpf *skel;
	struct reaper *reaper;
	struct call_hooks calls;
	struct bpf_link *links[PROBES_MAX_LINKS];
	size_t n_links;
	struct thread_view threads;
	struct bpf_link *wakes; /* NULL: nobody is watched */
	bool cookies;
	struct lost_runs lost;
};

/* Lines of one message of libbpf that are passed on. Of a longer one, the verifier's say, the last lines tell what is wrong. */
#define LIBBPF_LINES 40

static int forward_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	size_t lines = 0, line = 0;
	char *text = NULL, *rest;
	int n;

	(void)level;
	if (!log_enabled(LOG_LEVEL_DEBUG))
		return 0;
	n = vasprintf(&text, fmt, ap);
	if (n < 0)
		return n;
	for (const char *c = text; *c; c++)
		lines += *c == '\n' && c[1];
	rest = text;
	for (char *next; (next = strsep(&rest, "\n")); line++)
		if ((*next || rest) && (line == 0 || line + LIBBPF_LINES > lines))
			log_debug("%s", next);
	free(text);
	return n;
}

/* The capabilities have been found to be there; EACCES is the verifier's. */
static void explain(struct buf *message, int err, const char *what)
{
	if (err == -EPERM)
		buf_printf(message,
		    "cannot %s: not permitted: it takes CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN, in the host's user namespace, no kernel lockdown (/sys/kernel/security/lockdown), and no seccomp profile that forbids bpf()",
		    what);
	else if (err == -EACCES)
		buf_printf(message,
		    "cannot %s: the kernel's verifier refuses one, -v shows why; 'zerospan check' tells what this kernel lacks",
		    what);
	else
		buf_printf(message,
		    "cannot %s: %s, see 'zerospan check' for what this kernel lacks", what,
		    strerror(-err));
}

static int add_link(struct probes *p, struct bpf_link *link)
{
	if (!link)
		return -errno;
	if (p->n_links == PROBES_MAX_LINKS) {
		bpf_link__destroy(link);
		return -E2BIG;
	}
	p->links[p->n_links++] = link;
	return 0;
}

/* So much per CPU, but at least for two; doubled until it is enough. */
static uint32_t by_cpus(uint32_t per_cpu, uint32_t max)
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t n = 2 * per_cpu;

	while (n < max && cpus > 0 && n < (uint64_t)cpus * per_cpu)
		n *= 2;
	return n;
}

static void set_sizes(struct probes *p)
{
	bpf_map__set_max_entries(
	    p->skel->maps.zsp_ring, by_cpus(PROBES_RING_BYTES_PER_CPU, PROBES_RING_BYTES_MAX));
	bpf_map__set_max_entries(
	    p->skel->maps.zsp_conns, by_cpus(PROBES_CONNS_PER_CPU, PROBES_CONNS_MAX));
	bpf_map__set_max_entries(
	    p->skel->maps.zsp_stmts, by_cpus(PROBES_STMTS_PER_CPU, PROBES_STMTS_MAX));
	bpf_map__set_max_entries(
	    p->skel->maps.zsp_db_closes, by_cpus(PROBES_FILES_PER_CPU, PROBES_FILES_MAX));
	bpf_map__set_max_entries(
	    p->skel->maps.zsp_lock_files, by_cpus(PROBES_FILES_PER_CPU, PROBES_FILES_MAX));
	thread_table_set_size(p->skel, by_cpus(PROBES_THREADS_PER_CPU, PROBES_THREADS_MAX));
	bpf_map__set_max_entries(p->skel->maps.zsp_gathers, (uint32_t)libbpf_num_possible_cpus());
	if (p->cookies) /* they say which copy; the table is for kernels without */
		bpf_map__set_max_entries(p->skel->maps.zsp_copy_of_process, 1);
}

static int load(struct probes *p, const struct probes_options *options)
{
	struct timespec tick;
	uint64_t secret;

	clock_getres(CLOCK_MONOTONIC_COARSE, &tick); /* changes with the kernel's clock tick */
	p->skel->rodata->zsp_tick_ns = (uint64_t)tick.tv_nsec;
	if (getrandom(&secret, sizeof(secret), GRND_NONBLOCK) != sizeof(secret))
		secret = (uint64_t)(uintptr_t)p ^
		    clock_monotonic_ns(); /* too early after boot: better than none */
	p->skel->rodata->zsp_secret = secret;
	p->skel->rodata->zsp_watch_exec = options->watch_exec;
	p->skel->rodata->zsp_watch_listen = options->watch_listen;
	p->skel->rodata->zsp_logs = options->logs;
	/* The skeleton's table is const for its users after load; before load it is ours to fill. */
	syscalls_fill((unsigned char *)p->skel->rodata->zsp_syscalls);
	p->cookies =
	    libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_attach_cookie, NULL) == 1;
	set_sizes(p);
	bpf_program__set_autoload(p->skel->progs.zsp_posix_lock_inode_twin, p->calls.preemptible);
	return zerospan_bpf__load(p->skel);
}

static int attach(struct probes *p, struct buf *message)
{
	struct bpf_program *everywhere[] = {
	    p->skel->progs.zsp_sched_process_fork,
	    p->skel->progs.zsp_sched_process_exec,
	    p->skel->progs.zsp_sched_process_exit,
	    p->skel->progs.zsp_sched_switch,
	    p->skel->progs.zsp_inet_sock_set_state,
	    p->skel->progs.zsp_inet_sock_set_state_twin,
	    p->skel->progs.zsp_posix_lock_inode,
	};
	int err = call_hooks_attach(&p->calls, p->skel, message);

	for (size_t i = 0; i < sizeof(everywhere) / sizeof(everywhere[0]) && !err; i++)
		err = add_link(p, bpf_program__attach(everywhere[i]));
	if (p->calls.preemptible && !err)
		err = add_link(p, bpf_program__attach(p->skel->progs.zsp_posix_lock_inode_twin));
	return err;
}

/* Open the programs; what they are to know of the kernel's types is in types. */
static int open_programs(struct probes *p, struct kernel_types *types)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = types->path);
	int err;

	p->skel = zerospan_bpf__open_opts(&opts);
	err = p->skel ? kernel_types_select(types, bpf_object__btf(p->skel->obj)) : -errno;
	if (err)
		return err;
	p->skel->rodata->zsp_type_numbers = (struct zsp_type_numbers){
	    .file = kernel_types_number(types, "file"),
	    .sock = kernel_types_number(types, "sock"),
	    .socket_alloc = kernel_types_number(types, "socket_alloc"),
	    .tcp_sock = kernel_types_number(types, "tcp_sock"),
	};
	call_hooks_init(&p->calls, p->skel, types->all);
	return kernel_types_write(types);
}

static int open_and_load(struct probes *p, const struct probes_options *options)
{
	struct kernel_types types;
	int err = kernel_types_open(&types);

	if (!err)
		err = open_programs(p, &types);
	if (!err)
		err = load(p, options);
	if (!err)
		err = thread_table_fill(p->skel);
	kernel_types_close(&types);
	return err;
}

int probes_open(
    const struct probes_options *options, struct probes **ret_probes, struct buf *message)
{
	struct probes *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	libbpf_set_print(forward_libbpf);
	p->reaper = reaper_new();
	err = p->reaper ? open_and_load(p, options) : -ENOMEM;
	if (err) {
		explain(message, err, "load the BPF programs");
		goto out;
	}
	err = attach(p, message);
	if (err && !message->len)
		explain(message, err, "attach the BPF programs");
	malloc_trim(
	    0); /* loading parses the kernel's type information: 10 MB that are not needed again */
out:
	if (err) {
		probes_close(p);
		return err == -EPERM || err == -EACCES || err == -ENOMEM ? err : -ENOTSUP;
	}
	probes_begin(p);
	*ret_probes = p;
	return 0;
}

void probes_each_program(
    const struct probes *p, void (*visit)(void *ctx, const char *name, int program_fd), void *ctx)
{
	static const char prefix[] = "zsp_";
	struct bpf_program *program;

	bpf_object__for_each_program(program, p->skel->obj)
	{
		const char *name = bpf_program__name(program);
		bool prefixed = strncmp(name, prefix, sizeof(prefix) - 1) == 0;

		if (bpf_program__fd(program) >= 0)
			visit(ctx, prefixed ? name + sizeof(prefix) - 1 : name,
			    bpf_program__fd(program));
	}
}

void probes_silence(struct probes *p)
{
	p->skel->bss->zsp_silent = 1;
	__sync_synchronize();
	if (lost_runs_look(&p->lost))
		lost_runs_log(p->skel);
}

static void detach(struct probes *p)
{
	while (p->n_links > 0)
		reaper_take(p->reaper, p->links[--p->n_links], 0);
	while (p->calls.n_links > 0)
		reaper_take(p->reaper, p->calls.links[--p->calls.n_links], 0);
	reaper_wait(p->reaper);
}

void probes_drop_link(struct probes *p, struct bpf_link *link, uint32_t owner)
{
	reaper_take(p->reaper, link, owner);
}

bool probes_drops_links(const struct probes *p, uint32_t owner)
{
	return reaper_has(p->reaper, owner);
}

volatile struct zsp_sqlite_process *probes_sqlite_process(struct probes *p, uint32_t number)
{
	return &p->skel->bss->zsp_sqlite_processes[number];
}

void probes_close(struct probes *p)
{
	if (!p)
		return;
	probes_watch_none(p);
	if (p->reaper)
		detach(p);
	reaper_free(p->reaper);
	thread_view_close(&p->threads);
	zerospan_bpf__destroy(p->skel);
	call_hooks_release(&p->calls);
	free(p);
}

/* --- targets ------------------------------------------------------------------------------------- */

/* Visit the process' threads as they are now; visit returns negative errno to stop. */
static int each_thread(uint32_t pid, int (*visit)(struct probes *p, uint32_t tid), struct probes *p,
    size_t *ret_visited)
{
	char path[64];
	struct dirent *entry;
	int err = 0;
	DIR *dir;

	*ret_visited = 0;
	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	dir = opendir(path);
	if (!dir)
		return -ESRCH;
	while (!err && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		err = visit(p, (uint32_t)strtoul(entry->d_name, NULL, 10));
		if (err == 0)
			++*ret_visited;
		else if (err == -EEXIST || err == -ENOENT)
			err = 0;
	}
	closedir(dir);
	return err;
}

static bool view_threads(struct probes *p)
{
	return p->threads.entries || !thread_view_open(&p->threads, p->skel);
}

void probes_each_away(struct probes *p, uint64_t before_ns,
    void (*away)(void *ctx, const struct thread_away *thread), void *ctx)
{
	if (view_threads(p))
		thread_view_each_away(&p->threads, before_ns, away, ctx);
}

void probes_look_no_more(struct probes *p)
{
	thread_view_close(&p->threads);
}

struct zsp_running probes_running(const struct probes *p, uint32_t cpu)
{
	return p->skel->bss->zsp_running[cpu % ZSP_CPUS_MAX];
}

bool probes_thread_away(struct probes *p, uint32_t tid, struct thread_away *ret_thread)
{
	return view_threads(p) && thread_view_away(&p->threads, tid, ret_thread);
}

int probes_watch(struct probes *p, const struct thread_away *thread)
{
	if (!p->wakes)
		p->wakes = bpf_program__attach(p->skel->progs.zsp_sched_waking);
	if (!p->wakes)
		return -errno;
	thread_view_watch(&p->threads, thread);
	return 0;
}

void probes_watch_none(struct probes *p)
{
	if (p->wakes)
		probes_drop_link(p, p->wakes, 0);
	p->wakes = NULL;
}

static int thread_add(struct probes *p, uint32_t tid)
{
	return thread_table_command(p->skel, tid, ZSP_THREAD_OBSERVE);
}

static int thread_remove(struct probes *p, uint32_t tid)
{
	return thread_table_command(p->skel, tid, ZSP_THREAD_FORGET);
}

/*
 * A thread that is started by one not yet entered escapes the kernel side's clone hook, so look again
 * until nothing new turns up.
 */
int probes_target_add(struct probes *p, uint32_t pid)
{
	size_t added;
	int err;

	do
		err = each_thread(pid, thread_add, p, &added);
	while (!err && added > 0);
	if (err)
		probes_target_remove(p, pid);
	return err;
}

void probes_target_remove(struct probes *p, uint32_t pid)
{
	size_t removed;

	each_thread(pid, thread_remove, p, &removed);
}

int probes_target_set_cookie(struct probes *p, uint32_t pid, uint32_t cookie)
{
	return bpf_map__update_elem(
	    p->skel->maps.zsp_copy_of_process, &pid, sizeof(pid), &cookie, sizeof(cookie), BPF_ANY);
}

int probes_set_copy(struct probes *p, uint32_t index, const struct zsp_sqlite_copy *copy)
{
	return bpf_map__update_elem(
	    p->skel->maps.zsp_sqlite_copies, &index, sizeof(index), copy, sizeof(*copy), BPF_ANY);
}

bool probes_have_cookies(const struct probes *p)
{
	return p->cookies;
}

uint32_t probes_db_closes(const struct probes *p, uint32_t pid, uint64_t db)
{
	struct zsp_object_key {
		uint64_t address, tgid;
	} key = {.address = db, .tgid = pid};
	uint32_t closes = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.zsp_db_closes), &key, &closes))
		return 0;
	return closes;
}

int probes_ring_fd(const struct probes *p)
{
	return bpf_map__fd(p->skel->maps.zsp_ring);
}

volatile uint32_t *probes_reader_waits(struct probes *p)
{
	return &p->skel->bss->zsp_reader_waits;
}

void probes_counters(const struct probes *p, uint64_t ret_counters[ZSP_COUNT_MAX])
{
	for (int i = 0; i < ZSP_COUNT_MAX; i++)
		ret_counters[i] = p->skel->bss->zsp_counters[i];
}

void probes_begin(struct probes *p)
{
	lost_runs_begin(&p->lost, p->skel);
}

uint64_t probes_lost_runs(struct probes *p)
{
	return lost_runs_look(&p->lost);
}

struct bpf_program *probes_program(struct probes *p, enum probes_program which)
{
	struct bpf_program *programs[] = {
	    [PROBES_SQLITE_STEP] = p->skel->progs.zsp_sqlite_step,
	    [PROBES_SQLITE_STEP_RETURN] = p->skel->progs.zsp_sqlite_step_return,
	    [PROBES_SQLITE_END] = p->skel->progs.zsp_sqlite_end,
	    [PROBES_SQLITE_CLOSE] = p->skel->progs.zsp_sqlite_close,
	    [PROBES_SQLITE_PREPARE] = p->skel->progs.zsp_sqlite_prepare,
	    [PROBES_SQLITE_PREPARE_RETURN] = p->skel->progs.zsp_sqlite_prepare_return,
	};

	return programs[which];
}

enum probes_calls probes_calls(const struct probes *p)
{
	if (p->calls.kind == CALL_HOOKS_FUNCTIONS)
		return PROBES_CALLS_FUNCTIONS;
	return p->calls.preemptible ? PROBES_CALLS_SKIPPING : PROBES_CALLS_TRACEPOINTS;
}

const char *probes_missing_events(const struct probes *p)
{
	return p->calls.missing.data ? p->calls.missing.data : "";
}
