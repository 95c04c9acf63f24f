// SPDX-License-Identifier: Apache-2.0
/* proc.h and proc_net.h: the parsers over text, the readers over this process and its children. */
#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "discover/proc.h"
#include "discover/proc_net.h"

static const char stat_line[] =
    "4711 (a) b (c) S 42 4711 4711 0 -1 4194560 100 0 0 0 1 2 30 40 20 0 3 0 987654321 1 2 3\n";

static void parses_stat(void **state)
{
	struct edge edge = edge_copy(stat_line, sizeof(stat_line) - 1);
	struct proc_stat stat;

	(void)state;
	assert_int_equal(proc_parse_stat(sv_from(edge.p, edge.len), &stat), 0);
	assert_int_equal(stat.pid, 4711);
	assert_int_equal(stat.ppid, 42);
	assert_string_equal(stat.comm, "a) b (c");
	assert_int_equal(stat.state, 'S');
	assert_false(stat.kernel_thread);
	assert_int_equal(stat.start_ticks, 987654321);
	assert_int_equal(stat.user_ticks, 1);
	assert_int_equal(stat.system_ticks, 2);
	assert_int_equal(stat.threads, 3);
	assert_int_equal(stat.virtual_bytes, 1);
	assert_int_equal(stat.resident_pages, 2);
	assert_int_equal(stat.children_cpu_ticks, 70);
	edge_free(&edge);
	assert_int_equal(
	    proc_parse_stat(
		SV("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 13 0 0"), &stat),
	    0);
	assert_true(stat.kernel_thread);
}

static void parses_maps(void **state)
{
	static const char line[] =
	    "7f0a1000-7f0a3000 r-xp 00001000 fd:1a 1234      /opt/a b/lib.so (deleted)\n";
	struct edge edge = edge_copy(line, sizeof(line) - 1);
	struct proc_map map;

	(void)state;
	assert_int_equal(proc_parse_maps_line(sv_from(edge.p, edge.len), &map), 0);
	assert_true(map.start == 0x7f0a1000 && map.end == 0x7f0a3000 && map.offset == 0x1000);
	assert_true(map.executable && map.deleted);
	assert_true(map.dev_major == 0xfd && map.dev_minor == 0x1a && map.inode == 1234);
	assert_true(sv_eq(map.path, SV("/opt/a b/lib.so")));
	edge_free(&edge);
	assert_int_equal(proc_parse_maps_line(SV("1000-2000 rw-p 00000000 00:00 0 "), &map), 0);
	assert_true(!map.executable && !map.deleted && map.inode == 0 && map.path.len == 0);
	assert_int_equal(
	    proc_parse_maps_line(SV("2000-1000 rw-p 00000000 00:00 0"), &map), -EBADMSG);
	assert_int_equal(
	    proc_parse_maps_line(SV("fffffffffffffffff-fffffffffffffffff0 rw-p 0 0:0 0"), &map),
	    -EBADMSG);
}

static const char tcp4[] = "   3: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 "
			   "00000000  1000        0 55123 1 0000000000000000 100 0 0 10 0";
static const char tcp6[] =
    "   0: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 01 "
    "00000000:00000000 00:00000000 00000000     0        0 77 1 0000000000000000";

static void parses_tcp(void **state)
{
	struct proc_tcp tcp;

	(void)state;
	assert_int_equal(proc_parse_tcp_line(sv_cstr(tcp4), &tcp), 0);
	assert_true(tcp.port == 8000 && tcp.listening && tcp.inode == 55123);
	assert_int_equal(proc_parse_tcp_line(sv_cstr(tcp6), &tcp), 0);
	assert_true(tcp.port == 22 && !tcp.listening && tcp.inode == 77);
	assert_int_equal(
	    proc_parse_tcp_line(SV("  sl  local_address rem_address   st tx_queue"), &tcp),
	    -EBADMSG);
}

static void parses_environ(void **state)
{
	static const char env[] = "A=1\0OTEL_SERVICE_NAME=shop\0EMPTY=\0TAIL=x";
	struct edge edge = edge_copy(env, sizeof(env) - 1);
	struct sv all = sv_from(edge.p, edge.len), value;

	(void)state;
	assert_true(proc_parse_environ(all, "OTEL_SERVICE_NAME", &value));
	assert_true(sv_eq(value, SV("shop")));
	assert_true(proc_parse_environ(all, "EMPTY", &value) && value.len == 0);
	assert_true(proc_parse_environ(all, "TAIL", &value) && sv_eq(value, SV("x")));
	assert_false(proc_parse_environ(all, "OTEL_SERVICE", &value));
	assert_false(proc_parse_environ(all, "1", &value));
	edge_free(&edge);
}

static const char sleeping[] = "230 0x0 0x0 0x7ffed5196bc0 0x7ffed5196c00 0x0 0x0 0x7ffed5196ba8 "
			       "0x7f8e5c540503\n";

static void parses_syscall(void **state)
{
	static const char *const damaged[] = {"", "\n", "runnin", "running away", "-", "-1",
	    "-1 0x1", "-1 0x1 2", "-1 0x1 0x2 0x3", "0 0x1 0x2", "1 0x0 0x0 0x0 0x0 0x0 0x0 0x1",
	    "1 0x0 0x0 0x0 0x0 0x0 0x0 0x1 0x2 0x3", "-1 0x 0x2", "-1 0x1 0x10000000000000000",
	    "-1 0x1 0x2\n\n", "99999999999999999999 0x1 0x2"};
	struct edge edge = edge_copy(sleeping, sizeof(sleeping) - 1);
	struct proc_syscall call;

	(void)state;
	assert_int_equal(proc_parse_syscall(sv_from(edge.p, edge.len), &call), 0);
	assert_false(call.running);
	assert_int_equal(call.number, 230);
	assert_true(call.sp == 0x7ffed5196ba8 && call.pc == 0x7f8e5c540503);
	edge_free(&edge);
	assert_int_equal(proc_parse_syscall(SV("-1 0x7ffd10 0x401000\n"), &call), 0);
	assert_false(call.running);
	assert_int_equal(call.number, -1);
	assert_true(call.sp == 0x7ffd10 && call.pc == 0x401000);
	assert_int_equal(proc_parse_syscall(SV("running\n"), &call), 0);
	assert_true(call.running);
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++)
		assert_int_equal(proc_parse_syscall(sv_cstr(damaged[i]), &call), -EBADMSG);
}

static const char kernel_stack[] = "[<0>] hrtimer_nanosleep+0xc7/0x110\n"
				   "[<0>] nfs_wait.part.0+0x1e/0x90 [nfs]\n"
				   "[<ffffffff81a3b2c1>] old_kernel+0x1/0x2\n"
				   "[<0>] 0xffffffffc0a01234\n"
				   "[<0>] \n"
				   "entry_SYSCALL_64_after_hwframe+0x76/0x7e\n"
				   "[<ffffffffffffffff>] 0xffffffffffffffff\n";

static void parses_kernel_stack(void **state)
{
	static const char expected[] =
	    "hrtimer_nanosleep\nnfs_wait.part.0\nold_kernel\nentry_SYSCALL_64_after_hwframe";
	struct edge edge = edge_copy(kernel_stack, sizeof(kernel_stack) - 1);
	struct sv text = sv_from(edge.p, edge.len);

	(void)state;
	for (size_t size = 0; size <= sizeof(expected); size++) {
		struct edge lines = edge_copy(expected, size < 100 ? size : 100);
		size_t n = proc_parse_kernel_stack(text, lines.p, size);

		assert_in_range(n, 0, size);
		assert_memory_equal(lines.p, expected, n);
		assert_true(expected[n] == '\n' || expected[n] == '\0' || n == 0);
		assert_int_equal(n == strlen(expected), size >= strlen(expected));
		edge_free(&lines);
	}
	edge_free(&edge);
	edge = edge_copy(NULL, 0);
	assert_int_equal(proc_parse_kernel_stack(sv_from(NULL, 0), edge.p, 0), 0);
	assert_int_equal(
	    proc_parse_kernel_stack(SV("[<0>] a b+0x1/0x2\n[<\n\033[1m\n"), edge.p, 0), 0);
	edge_free(&edge);
}

/* Every text cut at every offset and with every byte changed: no read past the end, no crash. */
static void parsers_survive_damage(void **state)
{
	static const char maps[] = "7f0a1000-7f0a3000 r-xp 00001000 fd:1a 1234 /a (deleted)";
	const char *const texts[] = {stat_line, maps, tcp4, tcp6, sleeping, kernel_stack};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (size_t cut = 0; cut <= strlen(texts[i]); cut++) {
			struct edge edge = edge_copy(texts[i], cut);
			struct sv text = sv_from(edge.p, cut), value;
			struct proc_syscall call;
			struct proc_stat stat;
			struct proc_map map;
			struct proc_tcp tcp;
			char lines[100];

			for (int change = -1; change < 256; change += 5) {
				if (cut && change >= 0)
					edge.p[cut / 2] = (char)change;
				proc_parse_stat(text, &stat);
				proc_parse_maps_line(text, &map);
				proc_parse_tcp_line(text, &tcp);
				proc_parse_environ(text, "A", &value);
				proc_parse_syscall(text, &call);
				proc_parse_kernel_stack(text, lines, sizeof(lines));
			}
			edge_free(&edge);
		}
	}
}

static void reads_itself(void **state)
{
	char path[4096], expected[4096] = "", argv0[4096];
	pid_t group = 0, self = getpid();
	struct proc_stat stat;
	uint64_t ns = 0;

	(void)state;
	assert_int_equal(prctl(PR_SET_NAME, "te) st"), 0);
	assert_int_equal(proc_read_stat(self, &stat), 0);
	assert_int_equal(stat.pid, self);
	assert_int_equal(stat.ppid, getppid());
	if (!getenv("ZEROSPAN_EMULATED")) /* qemu-user shows what it started with */
		assert_string_equal(stat.comm, "te) st");
	assert_true(stat.start_ticks > 0);
	assert_true(readlink("/proc/self/exe", expected, sizeof(expected) - 1) > 0);
	assert_int_equal(proc_exe(self, path, sizeof(path)), 0);
	assert_string_equal(path, expected);
	assert_int_equal(proc_exe(self, path, 4), -ENAMETOOLONG);
	assert_int_equal(proc_argv0(self, argv0, sizeof(argv0)), 0);
	assert_int_equal(proc_elf_bits(self), 8 * (int)sizeof(void *));
	assert_int_equal(proc_namespace(self, "pid", &ns), 0);
	assert_true(ns > 0);
	assert_int_equal(proc_thread_group(self, &group), 0);
	assert_int_equal(group, self);
}

static bool environ_has(pid_t pid, const char *name, const char *value)
{
	struct buf text;
	struct sv found;
	bool has;

	buf_init(&text);
	has = proc_read_environ(pid, &text) == 0 &&
	    proc_parse_environ(buf_sv(&text), name, &found) && sv_eq(found, sv_cstr(value));
	buf_release(&text);
	return has;
}

/*
 * A running "sleep", with this environment only; "STARTED" must be in it. The environment is what exec
 * puts in place last: name and arguments are the program's by then.
 */
static pid_t start_sleep(char *const env[])
{
	static char name[] = "sleep", time[] = "600";
	char *const argv[] = {name, time, NULL};
	bool started = false;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		execve("/bin/sleep", argv, env);
		_exit(127);
	}
	for (int i = 0; i < 5000 && !started; i++) {
		usleep(1000);
		started = environ_has(pid, "STARTED", "y");
	}
	assert_true(started);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void reads_a_child_until_it_is_gone(void **state)
{
	char service[] = "OTEL_SERVICE_NAME=shop", started[] = "STARTED=y", text[64], exe[4096];
	char *const env[] = {started, service, NULL};
	pid_t pid = start_sleep(env);
	struct proc_stat stat;
	struct buf groups;
	uid_t owner;
	uint64_t ns;

	(void)state;
	assert_true(environ_has(pid, "OTEL_SERVICE_NAME", "shop"));
	assert_int_equal(proc_owner(pid, &owner), 0);
	assert_int_equal(owner, geteuid());
	buf_init(&groups);
	assert_int_equal(proc_read_cgroup(pid, &groups), 0);
	assert_int_equal(proc_read_stat(pid, &stat), 0);
	assert_string_equal(stat.comm, "sleep");
	assert_int_equal(proc_argv0(pid, text, sizeof(text)), 0);
	assert_string_equal(text, "sleep");
	stop(pid);
	assert_int_equal(proc_read_stat(pid, &stat), -ESRCH);
	assert_int_equal(proc_exe(pid, exe, sizeof(exe)), -ESRCH);
	assert_int_equal(proc_argv0(pid, text, sizeof(text)), -ESRCH);
	assert_int_equal(proc_read_environ(pid, &groups), -ESRCH);
	assert_int_equal(proc_read_cgroup(pid, &groups), -ESRCH);
	assert_int_equal(proc_owner(pid, &owner), -ESRCH);
	buf_release(&groups);
	assert_int_equal(proc_elf_bits(pid), -ESRCH);
	assert_int_equal(proc_namespace(pid, "net", &ns), -ESRCH);
	assert_int_equal(proc_each_map(pid, NULL, NULL), -ESRCH);
}

static void reads_a_zombie(void **state)
{
	struct proc_stat stat = {0};
	char exe[4096];
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	for (int i = 0; i < 5000 && stat.state != 'Z'; i++) {
		usleep(1000);
		assert_int_equal(proc_read_stat(pid, &stat), 0);
	}
	assert_int_equal(stat.state, 'Z');
	assert_int_equal(proc_exe(pid, exe, sizeof(exe)), -ENOENT);
	waitpid(pid, NULL, 0);
}

static int see_self(pid_t pid, void *arg)
{
	*(int *)arg += pid == getpid();
	return 0;
}

static int see_code(const struct proc_map *map, void *arg)
{
	uint64_t here = (uint64_t)(uintptr_t)see_code;

	if (here >= map->start && here < map->end) {
		assert_true(map->executable && map->inode && map->path.len);
		*(int *)arg += 1;
	}
	return 0;
}

static int stop_at_once(pid_t pid, void *arg)
{
	(void)pid;
	return ++*(int *)arg + 76;
}

static void visits_processes_and_mappings(void **state)
{
	int seen = 0, mapped = 0, visits = 0;

	(void)state;
	assert_int_equal(proc_each(see_self, &seen), 0);
	assert_int_equal(seen, 1);
	assert_int_equal(proc_each_map(getpid(), see_code, &mapped), 0);
	assert_int_equal(mapped, 1);
	assert_int_equal(proc_each(stop_at_once, &visits), 77);
	assert_int_equal(visits, 1);
}

/* A listening socket on a port of the kernel's choice. */
static int listen_somewhere(int family, uint16_t *ret_port)
{
	struct sockaddr_in6 address = {.sin6_family = (sa_family_t)family};
	socklen_t len = family == AF_INET6 ? sizeof(address) : sizeof(struct sockaddr_in);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 1) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
		print_message("skipped: no socket of family %d: %s\n", family, strerror(errno));
		skip();
	}
	*ret_port = ntohs(address.sin6_port);
	return fd;
}

static int count_self(pid_t pid, void *arg)
{
	int *counts = arg;

	counts[pid == getpid() ? 0 : 1]++;
	return 0;
}

static void finds_listeners(void **state)
{
	int family = *(int *)*state, counts[2] = {0, 0}, fd, n;
	uint16_t port, ports[64];
	bool found = false;

	fd = listen_somewhere(family, &port);
	n = proc_net_ports(getpid(), ports, 64);
	assert_true(n > 0);
	for (int i = 0; i < n; i++)
		found = found || ports[i] == port;
	assert_true(found);
	assert_int_equal(proc_net_listeners(port, count_self, counts), 0);
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1], 0);
	close(fd);
	counts[0] = 0;
	assert_int_equal(proc_net_listeners(port, count_self, counts), 0);
	assert_int_equal(counts[0], 0);
}

static void ports_come_sorted_and_bounded(void **state)
{
	uint16_t port, ports[4];
	int fd[3], n;

	(void)state;
	for (int i = 0; i < 3; i++)
		fd[i] = listen_somewhere(AF_INET, &port);
	n = proc_net_ports(getpid(), ports, 4);
	assert_int_equal(n, 3);
	assert_true(ports[0] < ports[1] && ports[1] < ports[2]);
	assert_int_equal(proc_net_ports(getpid(), ports, 2), 2);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	assert_int_equal(proc_net_ports(getpid(), ports, 4), 0);
}

/* Of our own: one that was touched, and one that was not. */
static void pages(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *memory =
	    mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t address = (uint64_t)(uintptr_t)memory;
	struct proc_pages p;

	(void)state;
	if (getenv("ZEROSPAN_EMULATED")) {
		print_message("qemu-user has other pages\n");
		skip();
	}
	assert_ptr_not_equal(memory, MAP_FAILED);
	madvise(memory, 2 * page, MADV_NOHUGEPAGE);
	memory[page - 1] = 1;
	assert_int_equal(proc_read_pages(getpid(), address + page - 4, 8, &p), 0);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.size, page);
	assert_int_equal(p.first, address / page);
	assert_true(p.entries[0] & PROC_PAGE_PRESENT);
	assert_int_equal(p.entries[1] & (PROC_PAGE_PRESENT | PROC_PAGE_SWAPPED), 0);
	assert_int_equal(proc_read_pages(getpid(), address, page, &p), 0);
	assert_int_equal(p.n, 1);
	assert_int_equal(proc_read_pages(getpid(), address, 1 << 30, &p), 0);
	assert_int_equal(p.n, PROC_PAGES_MAX);
	assert_int_equal(proc_read_pages(0x7ffffff0, address, page, &p), -ESRCH);
	munmap(memory, 2 * page);
}

int main(void)
{
	static int inet = AF_INET, inet6 = AF_INET6;
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parses_stat),
	    cmocka_unit_test(parses_maps),
	    cmocka_unit_test(parses_tcp),
	    cmocka_unit_test(parses_environ),
	    cmocka_unit_test(parses_syscall),
	    cmocka_unit_test(parses_kernel_stack),
	    cmocka_unit_test(parsers_survive_damage),
	    cmocka_unit_test(reads_itself),
	    cmocka_unit_test(reads_a_child_until_it_is_gone),
	    cmocka_unit_test(reads_a_zombie),
	    cmocka_unit_test(visits_processes_and_mappings),
	    cmocka_unit_test_prestate(finds_listeners, &inet),
	    cmocka_unit_test_prestate(finds_listeners, &inet6),
	    cmocka_unit_test(ports_come_sorted_and_bounded),
	    cmocka_unit_test(pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
