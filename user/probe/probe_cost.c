// SPDX-License-Identifier: Apache-2.0
/*
 * Calibration of probes on a child process; see probe_cost.h. It may be forked from a process that has threads, so the child
 * only calls what may be called then: read, write, nanosleep, clock_gettime, prctl, _exit.
 */
#include "probe/probe_cost.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/probes.h"

const struct probe_costs probe_costs_default = {{
    [PROBE_SHAPE_EMULATED] = {800, 800},
    [PROBE_SHAPE_STEPPED] = {12000, 800},
    [PROBE_SHAPE_SPLIT] = {800, 12000},
}};

/*
 * The least of many short rounds, over some time: what others do on this host only ever adds. A round of the dearest
 * calls, two single-stepped probes on a virtual machine, takes less than a millisecond.
 */
enum {
	ROUNDS = 20,
	CALLS = 32,
	PAUSE_NS = 1000000,
	SPACING = 64, /* bytes from function to function */
	ANSWER_MS = 5000,
	LINKS_MAX = 2 * PROBE_SHAPE_COUNT,
};

/* The functions; each returns 100, as sqlite3_step() does for a row. */
static const struct {
	size_t entry; /* where the entry's probe goes; the return's is at 0 */
	const char *code;
	size_t len;
} functions[PROBE_SHAPE_COUNT] = {
#define CODE(code) code, sizeof(code) - 1
#if defined(__x86_64__)
    /* push %rbp; mov $100,%eax; pop %rbp; ret */
    [PROBE_SHAPE_EMULATED] = {0, CODE("\x55\xb8\x64\x00\x00\x00\x5d\xc3")},
    /* sub $8,%rsp; mov $100,%eax; add $8,%rsp; ret */
    [PROBE_SHAPE_STEPPED] = {0, CODE("\x48\x83\xec\x08\xb8\x64\x00\x00\x00\x48\x83\xc4\x08\xc3")},
    /* sub $8,%rsp; push %rbp; mov $100,%eax; pop %rbp; add $8,%rsp; ret */
    [PROBE_SHAPE_SPLIT] = {4,
	CODE("\x48\x83\xec\x08\x55\xb8\x64\x00\x00\x00\x5d\x48\x83\xc4\x08\xc3")},
#elif defined(__aarch64__)
    /* b .+4; mov w0,#100; ret */
    [PROBE_SHAPE_EMULATED] = {0, CODE("\x01\x00\x00\x14\x80\x0c\x80\x52\xc0\x03\x5f\xd6")},
    /* sub sp,sp,#16; mov w0,#100; add sp,sp,#16; ret */
    [PROBE_SHAPE_STEPPED] = {0,
	CODE("\xff\x43\x00\xd1\x80\x0c\x80\x52\xff\x43\x00\x91\xc0\x03\x5f\xd6")},
    /* sub sp,sp,#16; b .+4; mov w0,#100; add sp,sp,#16; ret */
    [PROBE_SHAPE_SPLIT] = {4,
	CODE("\xff\x43\x00\xd1\x01\x00\x00\x14\x80\x0c\x80\x52\xff\x43\x00\x91\xc0\x03\x5f\xd6")},
#endif
#undef CODE
};

enum probe_shape probe_cost_shape(const struct sqlite_probe *probe)
{
	if (probe->cheapest != probe->entry)
		return PROBE_SHAPE_SPLIT;
	return probe->entry_cheap ? PROBE_SHAPE_EMULATED : PROBE_SHAPE_STEPPED;
}

/* Nanoseconds of CALLS calls, by shape. */
struct sample {
	uint64_t ns[PROBE_SHAPE_COUNT];
};

struct calibration {
	int code_fd;  /* the file that holds the functions, -1 */
	char *code;   /* its mapping */
	int child_fd; /* asks the child for samples, -1 */
	pid_t child;  /* 0: none */
	struct probes *probes;
	struct bpf_link *links[LINKS_MAX];
	size_t n_links;
};

/* --- the child --------------------------------------------------------------------------------- */

static uint64_t cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

static uint64_t round_ns(void *code)
{
	int (*function)(const void *statement);
	uint64_t start_ns;

	*(void **)&function = code;
	start_ns = cpu_ns();
	for (int i = 0; i < CALLS; i++)
		function(code);
	return cpu_ns() - start_ns;
}

static struct sample least_rounds(char *code)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	struct sample least;

	memset(&least, 0xff, sizeof(least));
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < PROBE_SHAPE_COUNT; i++) {
			uint64_t ns = round_ns(code + i * SPACING);

			if (ns < least.ns[i])
				least.ns[i] = ns;
		}
		nanosleep(&pause, NULL);
	}
	return least;
}

/* Measure whenever asked, until the parent closes its end or dies. */
static _Noreturn void child_main(const struct calibration *c, int parent_fd)
{
	char asked;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(parent_fd, &asked, 1) == 1) {
		struct sample sample = least_rounds(c->code);

		if (write(parent_fd, &sample, sizeof(sample)) != sizeof(sample))
			break;
	}
	_exit(0);
}

static int start_child(struct calibration *c)
{
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		child_main(c, fds[1]);
	}
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return -EAGAIN;
	}
	c->child_fd = fds[0];
	c->child = pid;
	return 0;
}

static int sample(const struct calibration *c, struct sample *ret_sample)
{
	struct pollfd answer = {.fd = c->child_fd, .events = POLLIN};

	if (write(c->child_fd, "", 1) != 1)
		return -errno;
	if (poll(&answer, 1, ANSWER_MS) != 1)
		return -ETIMEDOUT;
	return read(c->child_fd, ret_sample, sizeof(*ret_sample)) == sizeof(*ret_sample) ? 0
											 : -EPIPE;
}

/* --- the functions and their probes ------------------------------------------------------------- */

static int make_code(struct calibration *c)
{
	c->code_fd = memfd_create("zerospan-calibration", MFD_CLOEXEC);
	if (c->code_fd < 0)
		return -errno;
	for (int i = 0; i < PROBE_SHAPE_COUNT; i++)
		if (pwrite(c->code_fd, functions[i].code, functions[i].len, (off_t)i * SPACING) !=
		    (ssize_t)functions[i].len)
			return -EIO;
	c->code = mmap(
	    NULL, PROBE_SHAPE_COUNT * SPACING, PROT_READ | PROT_EXEC, MAP_PRIVATE, c->code_fd, 0);
	if (c->code == MAP_FAILED) {
		c->code = NULL;
		return -errno;
	}
	return 0;
}

static int attach(struct calibration *c, bool on_return)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .retprobe = on_return);
	struct bpf_program *program =
	    probes_program(c->probes, on_return ? PROBES_SQLITE_STEP_RETURN : PROBES_SQLITE_STEP);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", c->code_fd);
	for (int i = 0; i < PROBE_SHAPE_COUNT; i++) {
		size_t offset = (size_t)i * SPACING + (on_return ? 0 : functions[i].entry);
		struct bpf_link *link =
		    bpf_program__attach_uprobe_opts(program, c->child, path, offset, &opts);

		if (!link)
			return -errno;
		c->links[c->n_links++] = link;
	}
	return 0;
}

static uint32_t added_ns(uint64_t before_ns, uint64_t after_ns)
{
	return after_ns > before_ns ? (uint32_t)((after_ns - before_ns) / CALLS) : 0;
}

static struct probe_costs costs_of(
    const struct sample *bare, const struct sample *entry, const struct sample *both)
{
	struct probe_costs costs;

	for (int i = 0; i < PROBE_SHAPE_COUNT; i++) {
		costs.of[i].entry_ns = added_ns(bare->ns[i], entry->ns[i]);
		costs.of[i].return_ns = added_ns(entry->ns[i], both->ns[i]);
	}
	return costs;
}

static int sample_observed(const struct calibration *c, struct sample *ret_sample)
{
	int err = probes_target_add(c->probes, (uint32_t)c->child);

	if (err)
		return err;
	err = sample(c, ret_sample);
	probes_target_remove(c->probes, (uint32_t)c->child);
	return err;
}

/* Sample with the probes that are attached now. ret_observed: NULL to leave that out. */
static int sample_both(
    const struct calibration *c, struct sample *ret_observed, struct sample *ret_other)
{
	int err = sample(c, ret_other);

	return err || !ret_observed ? err : sample_observed(c, ret_observed);
}

/* ret_observed: likewise. */
static int measure(
    struct calibration *c, struct probe_costs *ret_observed, struct probe_costs *ret_other)
{
	struct sample bare, entry, both, other_entry, other_both;
	int err = sample(c, &bare);

	if (!err)
		err = attach(c, false);
	if (!err)
		err = sample_both(c, ret_observed ? &entry : NULL, &other_entry);
	if (!err)
		err = attach(c, true);
	if (!err)
		err = sample_both(c, ret_observed ? &both : NULL, &other_both);
	if (err)
		return err;
	if (ret_observed)
		*ret_observed = costs_of(&bare, &entry, &both);
	*ret_other = costs_of(&bare, &other_entry, &other_both);
	return 0;
}

static int calibration_init(struct calibration *c)
{
	int err;

	*c = (struct calibration){.code_fd = -1, .child_fd = -1};
	err = make_code(c);
	return err ? err : start_child(c);
}

static void calibration_release(struct calibration *c)
{
	if (c->child) {
		kill(c->child, SIGKILL);
		waitpid(c->child, NULL, 0);
		close(c->child_fd);
	}
	while (c->n_links > 0)
		probes_drop_link(c->probes, c->links[--c->n_links], 0);
	if (c->code)
		munmap(c->code, PROBE_SHAPE_COUNT * SPACING);
	if (c->code_fd >= 0)
		close(c->code_fd);
}

int probe_cost_measure(struct probes *probes, struct probe_costs *ret_costs)
{
	struct probe_costs costs;
	struct calibration c;
	int err = calibration_init(&c);

	c.probes = probes;
	if (!err)
		err = measure(&c, NULL, &costs);
	for (int i = 0; i < PROBE_SHAPE_COUNT && !err; i++)
		if (!costs.of[i].entry_ns || !costs.of[i].return_ns)
			err = -ERANGE;
	if (!err)
		*ret_costs = costs;
	calibration_release(&c);
	return err;
}

/* The child comes before the kernel side, so that it holds nothing of it. */
int probe_cost_measure_observed(
    struct probe_costs *ret_observed, struct probe_costs *ret_other, struct buf *message)
{
	const struct probes_options options = {0};
	struct calibration c;
	int err = calibration_init(&c);

	if (!err)
		err = probes_open(&options, &c.probes, message);
	if (!err)
		err = measure(&c, ret_observed, ret_other);
	if (err && !message->len)
		buf_printf(message, "probes on a process made for it: %s", strerror(-err));
	calibration_release(&c);
	probes_close(c.probes);
	return err;
}
