// SPDX-License-Identifier: Apache-2.0
/*
 * The measuring of uprobes; see uprobe_cost.h. The child does what it is told by one byte in a pipe and answers with what
 * each function's call took. It is forked from a process that has threads, so it only calls what may be called
 * then: read, write, clock_gettime, _exit.
 */
#include "probe/uprobe_cost.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "discover/proc.h"
#include "probe/probes.h"

const struct uprobe_cost uprobe_cost_default = {.emulated = 800, .stepped = 12000, .returned = 800};

/*
 * The probed functions. The first instruction of the first two is emulated, if this architecture's kernel emulates any that a
 * function begins with; that of the third is not.
 */
void uprobe_cost_emulated(void);
void uprobe_cost_returned(void);
void uprobe_cost_stepped(void);

#if defined(__x86_64__)
#define FIRST_EMULATED "push %rbp\n\tpop %rbp\n"
#define FIRST_STEPPED  "mov %rdi, %rax\n"
#elif defined(__aarch64__)
#define FIRST_EMULATED "mov x0, x1\n"
#define FIRST_STEPPED  "mov x0, x1\n"
#else
#error "no code for this architecture"
#endif

#define FUNCTION(name, first)                          \
	".globl " name "\n.type " name ", @function\n" \
	".balign 16\n" name ":\n\t" first "\tret\n.size " name ", . - " name "\n"

__asm__(".pushsection .text\n" FUNCTION("uprobe_cost_emulated", FIRST_EMULATED)
	FUNCTION("uprobe_cost_returned", FIRST_EMULATED)
	    FUNCTION("uprobe_cost_stepped", FIRST_STEPPED) ".popsection\n");

enum {
	N_FUNCTIONS = 3,
	ROUNDS = 5, /* the quickest counts: others were disturbed */
	CALLS = 200,
	CALLS_STEPPED = 50, /* fifteen times dearer */
};

static const struct {
	void (*call)(void);
	enum probes_program program; /* one that finds that the child is not observed */
	bool on_return;
	int calls;
} functions[N_FUNCTIONS] = {
    {uprobe_cost_emulated, PROBES_SQLITE_CLOSE, false, CALLS},
    {uprobe_cost_returned, PROBES_SQLITE_STEP_RETURN, true, CALLS},
    {uprobe_cost_stepped, PROBES_SQLITE_CLOSE, false, CALLS_STEPPED},
};

/* --- the child ----------------------------------------------------------------------------------- */

static double cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Nanoseconds per call. */
static double call_time(size_t which)
{
	double best = -1;

	for (int round = 0; round < ROUNDS; round++) {
		double begin = cpu_ns(), each;

		for (int i = 0; i < functions[which].calls; i++)
			functions[which].call();
		each = (cpu_ns() - begin) / functions[which].calls;
		if (best < 0 || each < best)
			best = each;
	}
	return best;
}

/* Answer until nobody asks any more. */
static void child_main(int in, int out)
{
	double times[N_FUNCTIONS];
	char byte;

	while (read(in, &byte, 1) == 1) {
		for (size_t i = 0; i < N_FUNCTIONS; i++)
			times[i] = call_time(i);
		if (write(out, times, sizeof(times)) != (ssize_t)sizeof(times))
			break;
	}
	_exit(0);
}

/* --- the parent ---------------------------------------------------------------------------------- */

struct helper {
	pid_t pid;
	int ask, answer;
};

static int helper_start(struct helper *helper)
{
	int ask[2], answer[2];

	if (pipe2(ask, O_CLOEXEC) != 0)
		return -errno;
	if (pipe2(answer, O_CLOEXEC) != 0) {
		close(ask[0]);
		close(ask[1]);
		return -EMFILE;
	}
	helper->pid = fork();
	if (helper->pid == 0) {
		close(ask[1]);
		close(answer[0]);
		child_main(ask[0], answer[1]);
	}
	close(ask[0]);
	close(answer[1]);
	helper->ask = ask[1];
	helper->answer = answer[0];
	return helper->pid > 0 ? 0 : -EAGAIN;
}

static void helper_stop(struct helper *helper)
{
	close(helper->ask);
	close(helper->answer);
	if (helper->pid > 0) {
		kill(helper->pid, SIGKILL);
		waitpid(helper->pid, NULL, 0);
	}
}

static int helper_measure(const struct helper *helper, double *ret_times)
{
	size_t size = N_FUNCTIONS * sizeof(*ret_times), have = 0;

	if (write(helper->ask, "", 1) != 1)
		return -EPIPE;
	while (have < size) {
		ssize_t n = read(helper->answer, (char *)ret_times + have, size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		have += (size_t)n;
	}
	return 0;
}

/* The mapping that holds an address. */
struct place {
	uint64_t address;
	uint64_t offset; /* in the file */
	char path[64];   /* opens it */
};

static int find_place(const struct proc_map *map, void *arg)
{
	struct place *place = arg;

	if (place->address < map->start || place->address >= map->end)
		return 0;
	place->offset = place->address - map->start + map->offset;
	snprintf(place->path, sizeof(place->path), "/proc/self/map_files/%llx-%llx",
	    (unsigned long long)map->start, (unsigned long long)map->end);
	return 1;
}

static struct bpf_link *attach(struct probes *probes, const struct helper *helper, size_t which)
{
	struct place place = {.address = (uint64_t)(uintptr_t)functions[which].call};

	LIBBPF_OPTS(bpf_uprobe_opts, opts, .retprobe = functions[which].on_return);
	if (proc_each_map(getpid(), find_place, &place) != 1) {
		errno = ENOENT;
		return NULL;
	}
	return bpf_program__attach_uprobe_opts(probes_program(probes, functions[which].program),
	    helper->pid, place.path, place.offset, &opts);
}

static double difference(double probed, double bare)
{
	return probed > bare ? probed - bare : 0;
}

static int measure(struct probes *probes, const struct helper *helper, struct bpf_link **links,
    struct uprobe_cost *ret_cost)
{
	double bare[N_FUNCTIONS], probed[N_FUNCTIONS];
	int err = helper_measure(helper, bare);

	for (size_t i = 0; i < N_FUNCTIONS && !err; i++) {
		links[i] = attach(probes, helper, i);
		if (!links[i])
			err = -errno;
	}
	if (!err)
		err = helper_measure(helper, probed);
	if (err)
		return err;
	ret_cost->emulated = difference(probed[0], bare[0]);
	ret_cost->returned = difference(probed[1], bare[1]) - ret_cost->emulated;
	ret_cost->stepped = difference(probed[2], bare[2]);
	return ret_cost->emulated > 0 && ret_cost->returned > 0 ? 0 : -ERANGE;
}

int uprobe_cost_measure(struct probes *probes, struct uprobe_cost *ret_cost)
{
	struct bpf_link *links[N_FUNCTIONS] = {0};
	struct uprobe_cost cost;
	struct helper helper = {.ask = -1, .answer = -1};
	int err = helper_start(&helper);

	if (!err)
		err = measure(probes, &helper, links, &cost);
	helper_stop(&helper);
	for (size_t i = 0; i < N_FUNCTIONS; i++)
		if (links[i])
			probes_drop_link(probes, links[i], 0);
	if (!err)
		*ret_cost = cost;
	return err;
}
