// SPDX-License-Identifier: Apache-2.0
/* Facts of the host and its processes, one row each; see check.h. */
#include "check/check.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/log.h"
#include "check/check_probes.h"
#include "discover/proc.h"
#include "discover/sqlite_copy.h"
#include "discover/target.h"
#include "exit_status.h"
#include "privileges.h"
#include "probe/probes.h"
#include "probe/program_counts.h"
#include "probe/tracefs.h"

enum fact_state {
	FACT_OK = 1,
	FACT_DEGRADED = 2, /* works without, named how */
	FACT_MISSING = 3,  /* required */
	FACT_INFO = 4,     /* present or not, nothing depends on it */
	FACT_UNKNOWN = 5,  /* cannot be told without privileges */
};

struct fact {
	enum fact_state state;
	char text[512]; /* what was found; what follows and the remedy when not OK */
};

static void fact_set(struct fact *fact, enum fact_state state, const char *text)
{
	fact->state = state;
	snprintf(fact->text, sizeof(fact->text), "%s", text);
}

/* --- the facts ----------------------------------------------------------------------------------- */

static void fact_kernel(struct fact *fact)
{
	struct utsname name;

	uname(&name);
	fact->state = FACT_INFO;
	snprintf(fact->text, sizeof(fact->text), "Linux %s %s", name.release, name.machine);
}

static void fact_privileges(struct fact *fact)
{
	struct buf message;

	buf_init(&message);
	if (privileges_check(&message))
		fact_set(fact, FACT_MISSING, message.data ? message.data : "not permitted");
	else
		fact_set(fact, FACT_OK, "may load programs and look at other processes");
	buf_release(&message);
}

static void fact_btf(struct fact *fact)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK) == 0)
		fact_set(fact, FACT_OK, "/sys/kernel/btf/vmlinux");
	else
		fact_set(fact, FACT_MISSING,
		    "no /sys/kernel/btf/vmlinux: needs a kernel built with CONFIG_DEBUG_INFO_BTF");
}

static void fact_ring(struct fact *fact)
{
	if (libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 1)
		fact_set(fact, FACT_OK, "available");
	else
		fact_set(fact, FACT_MISSING, "no BPF ring buffer: needs Linux 5.8 or newer");
}

static void fact_tracefs(struct fact *fact)
{
	static const char *const names[] = {"syscalls/sys_enter_write"};
	int id;

	switch (tracefs_event_ids(names, 1, &id)) {
	case TRACEFS_MOUNTED:
		fact_set(fact, FACT_OK, "tracefs is mounted");
		break;
	case TRACEFS_PRIVATE:
		fact_set(fact, FACT_OK, "tracefs is not mounted; read through a private mount");
		break;
	default:
		fact_set(fact, FACT_DEGRADED, "tracefs cannot be read");
	}
	if (fact->state == FACT_DEGRADED || !id)
		fact_set(fact, FACT_MISSING,
		    "no typed system call tracepoints: mount tracefs, or use a kernel with CONFIG_FTRACE_SYSCALLS");
}

static void fact_uprobes(struct fact *fact)
{
	if (access("/sys/bus/event_source/devices/uprobe/type", R_OK) == 0)
		fact_set(fact, FACT_OK, "available");
	else
		fact_set(fact, FACT_DEGRADED,
		    "no uprobes: SQLite statements are not seen; use a kernel with CONFIG_UPROBE_EVENTS");
}

static void fact_cookies(struct fact *fact)
{
	if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_attach_cookie, NULL) == 1)
		fact_set(fact, FACT_OK, "available");
	else
		fact_set(fact, FACT_DEGRADED,
		    "no attach cookies (Linux 5.15): of several different copies of SQLite in one process only the last is read right");
}

/* Present with CONFIG_SCHED_INFO; all 0 when the count is switched off. */
static void fact_run_delay(struct fact *fact)
{
	FILE *f = fopen("/proc/self/schedstat", "re");
	unsigned long long on_cpu_ns = 0;

	if (f && fscanf(f, "%llu", &on_cpu_ns) != 1)
		on_cpu_ns = 0;
	if (f)
		fclose(f);
	if (on_cpu_ns)
		fact_set(fact, FACT_OK, "the scheduler counts how long threads wait for a CPU");
	else
		fact_set(fact, FACT_DEGRADED,
		    "the scheduler does not count how long threads wait for a CPU (CONFIG_SCHED_INFO): after a wait that time counts as part of it");
}

static void fact_probe_statistics(struct fact *fact)
{
	int fd = program_counts_enable();

	if (fd >= 0)
		close(fd);
	if (program_counts_always())
		fact_set(fact, FACT_OK,
		    "on all the time (sysctl kernel.bpf_stats_enabled): the runs of probes are counted, not estimated");
	else if (fd >= 0)
		fact_set(fact, FACT_OK,
		    "the runs of probes are counted in windows of 50 ms, one in 10 s");
	else
		fact_set(fact, FACT_DEGRADED,
		    "cannot be switched on (needs Linux 5.8 and CAP_SYS_ADMIN): zerospan_probe_runs_total and zerospan_probe_time_seconds_total are absent");
}

static void fact_probes(struct fact *fact)
{
	static const char *const calls[] = {
	    [PROBES_CALLS_TRACEPOINTS] = "system calls by tracepoints",
	    [PROBES_CALLS_FUNCTIONS] =
		"system calls by their functions, since tracepoint programs are preemptible here",
	    [PROBES_CALLS_SKIPPING] =
		"but tracepoint programs are preemptible here and functions cannot be hooked: the kernel skips some runs, counted as program_run_skipped",
	};
	struct probes_options options = {0};
	struct probes *probes;
	struct buf message;

	buf_init(&message);
	if (probes_open(&options, &probes, &message)) {
		fact_set(fact, FACT_MISSING,
		    message.data ? message.data : "the probes cannot be attached");
	} else {
		fact->state =
		    probes_calls(probes) == PROBES_CALLS_SKIPPING ? FACT_DEGRADED : FACT_OK;
		snprintf(fact->text, sizeof(fact->text),
		    "loaded, attached and detached again; %s%s%s", calls[probes_calls(probes)],
		    *probes_missing_events(probes) ? "; calls this kernel does not have: " : "",
		    probes_missing_events(probes));
		probes_close(probes);
	}
	buf_release(&message);
}

static void fact_io_uring(struct fact *fact)
{
	FILE *f = fopen("/proc/sys/kernel/io_uring_disabled", "re");
	int disabled = 0;

	if (f) {
		if (fscanf(f, "%d", &disabled) != 1)
			disabled = 0;
		fclose(f);
	}
	fact_set(fact, FACT_INFO,
	    disabled == 2
		? "disabled on this host"
		: "programs may use it: I/O through it is not seen, counted under zerospan_lost_total and as unseen bytes");
}

static const struct {
	const char *name;
	bool privileged; /* cannot be told without privileges */
	void (*probe)(struct fact *fact);
} rows[] = {
    {"kernel", false, fact_kernel},
    {"privileges", false, fact_privileges},
    {"type information", false, fact_btf},
    {"ring buffer", true, fact_ring},
    {"tracepoints", true, fact_tracefs},
    {"uprobes", false, fact_uprobes},
    {"attach cookies", true, fact_cookies},
    {"run delay", false, fact_run_delay},
    {"probes", true, fact_probes},
    {"probe statistics", true, fact_probe_statistics},
    {"io_uring", false, fact_io_uring},
};

/* --- the processes ------------------------------------------------------------------------------- */

static const char *copy_state_text(const struct sqlite_copy *copy)
{
	if (copy->state != SQLITE_COPY_TRACEABLE)
		return copy->reason;
	return copy->limit ? copy->limit : "traceable";
}

struct processes {
	size_t shown;
	struct check_probes *probes; /* where copies are noted, or NULL */
};

static int show_process(pid_t pid, void *arg)
{
	struct sqlite_copies copies = {0};
	struct target_facts facts;
	struct processes *processes = arg;

	if (target_facts_read(pid, true, &facts) || facts.kernel_thread || pid == getpid())
		return 0;
	sqlite_copy_scan(NULL, pid, SQLITE_COPY_SEARCH_STRIPPED, &copies);
	if (facts.n_ports || copies.n) {
		printf("  %-8d %-16s", (int)pid, facts.comm);
		for (size_t i = 0; i < facts.n_ports; i++)
			printf("%s%u", i ? "," : "port ", facts.ports[i]);
		if (facts.elf_bits == 32)
			printf("  not traceable: a 32-bit program");
		for (size_t i = 0; i < copies.n; i++)
			printf("%sSQLite in %s: %s", i || facts.n_ports ? "; " : "",
			    copies.items[i].path, copy_state_text(&copies.items[i]));
		putchar('\n');
		processes->shown++;
		if (processes->probes)
			check_probes_note(processes->probes, &copies);
	}
	sqlite_copies_release(&copies);
	return 0;
}

int check_main(const struct options *options)
{
	static const char *const marks[] = {[FACT_OK] = "ok",
	    [FACT_DEGRADED] = "degraded",
	    [FACT_MISSING] = "MISSING",
	    [FACT_INFO] = "-",
	    [FACT_UNKNOWN] = "?"};
	struct processes processes = {.probes = options->verbose ? check_probes_new() : NULL};
	int status = EXIT_DONE;
	bool privileged;
	struct buf message;

	buf_init(&message);
	privileged = privileges_check(&message) == 0;
	buf_release(&message);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fact fact;

		if (rows[i].privileged && !privileged)
			fact_set(&fact, FACT_UNKNOWN, "cannot be told without privileges");
		else
			rows[i].probe(&fact);
		printf("%-18s %-9s %s\n", rows[i].name, marks[fact.state], fact.text);
		if (fact.state == FACT_MISSING)
			status = EXIT_UNSUPPORTED;
	}
	printf("\nprocesses that listen or run SQLite:\n");
	proc_each(show_process, &processes);
	if (!processes.shown)
		printf("  none\n");
	if (processes.probes)
		check_probes_print(
		    processes.probes, privileged ? NULL : "cannot be told without privileges");
	check_probes_free(processes.probes);
	return status;
}
