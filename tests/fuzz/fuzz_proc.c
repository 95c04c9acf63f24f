// SPDX-License-Identifier: Apache-2.0
/* Any bytes as each of the texts of /proc that are read; what is accepted, written out again, is read as the same. */
#include "discover/proc.h"
#include "fuzz.h"

static void check_stat(struct sv in)
{
	struct proc_stat stat, again;
	char text[512];
	int n;

	if (proc_parse_stat(in, &stat))
		return;
	REQUIRE(memchr(stat.comm, '\0', sizeof(stat.comm)) && stat.pid >= 0);
	n = snprintf(text, sizeof(text),
	    "%d (%s) %c %d 0 0 0 0 %u 0 0 0 0 %llu %llu 0 0 0 0 %llu 0 %llu %llu %llu", stat.pid,
	    stat.comm, stat.state, stat.ppid, stat.kernel_thread ? 0x200000u : 0u,
	    (unsigned long long)stat.user_ticks, (unsigned long long)stat.system_ticks,
	    (unsigned long long)stat.threads, (unsigned long long)stat.start_ticks,
	    (unsigned long long)stat.virtual_bytes, (unsigned long long)stat.resident_pages);
	REQUIRE(n > 0 && (size_t)n < sizeof(text));
	if (stat.ppid < 0) /* not a number that the kernel writes */
		return;
	REQUIRE(proc_parse_stat(sv_from(text, (size_t)n), &again) == 0);
	REQUIRE(again.pid == stat.pid && again.ppid == stat.ppid && again.state == stat.state);
	REQUIRE(strcmp(again.comm, stat.comm) == 0 && again.start_ticks == stat.start_ticks);
	REQUIRE(again.kernel_thread == stat.kernel_thread && again.threads == stat.threads);
	REQUIRE(again.user_ticks == stat.user_ticks && again.system_ticks == stat.system_ticks);
	REQUIRE(again.virtual_bytes == stat.virtual_bytes);
	REQUIRE(again.resident_pages == stat.resident_pages);
}

static void check_maps_line(struct sv in)
{
	struct proc_map map, again;
	struct buf text;

	if (proc_parse_maps_line(in, &map))
		return;
	REQUIRE(map.start < map.end && fuzz_within(map.path, in));
	buf_init(&text);
	buf_printf(&text, "%llx-%llx r-%cp %llx %x:%x %llu ", (unsigned long long)map.start,
	    (unsigned long long)map.end, map.executable ? 'x' : '-', (unsigned long long)map.offset,
	    map.dev_major, map.dev_minor, (unsigned long long)map.inode);
	buf_append_sv(&text, map.path);
	buf_append_cstr(&text, map.deleted ? " (deleted)\n" : "\n");
	REQUIRE(proc_parse_maps_line(buf_sv(&text), &again) == 0);
	REQUIRE(again.start == map.start && again.end == map.end && again.offset == map.offset);
	REQUIRE(again.inode == map.inode && again.executable == map.executable);
	REQUIRE(again.dev_major == map.dev_major && again.dev_minor == map.dev_minor);
	REQUIRE(again.deleted == map.deleted ? sv_eq(again.path, map.path) : !map.deleted);
	buf_release(&text);
}

static void check_tcp_line(struct sv in)
{
	struct proc_tcp tcp, again;
	char text[128];
	int n;

	if (proc_parse_tcp_line(in, &tcp))
		return;
	n = snprintf(text, sizeof(text), "0: 0:%X 0:0 %s 0:0 0:0 0 0 0 %llu", tcp.port,
	    tcp.listening ? "0A" : "01", (unsigned long long)tcp.inode);
	REQUIRE(proc_parse_tcp_line(sv_from(text, (size_t)n), &again) == 0);
	REQUIRE(again.port == tcp.port && again.listening == tcp.listening);
	REQUIRE(again.inode == tcp.inode);
}

static void check_environ(struct sv in)
{
	struct sv value = {0};

	if (!proc_parse_environ(in, "PORT", &value))
		return;
	REQUIRE(fuzz_within(value, in) && sv_find(value, '\0') == value.len);
	REQUIRE(value.p - in.p >= 5 && memcmp(value.p - 5, "PORT=", 5) == 0);
	REQUIRE(value.p - in.p == 5 || value.p[-6] == '\0');
}

static void check_syscall(struct sv in)
{
	struct proc_syscall call, again;
	char text[128];
	int n;

	if (proc_parse_syscall(in, &call) || call.running)
		return;
	n = snprintf(text, sizeof(text), "%lld%s 0x%llx 0x%llx\n", (long long)call.number,
	    call.number < 0 ? "" : " 0x0 0x0 0x0 0x0 0x0 0x0", (unsigned long long)call.sp,
	    (unsigned long long)call.pc);
	REQUIRE(proc_parse_syscall(sv_from(text, (size_t)n), &again) == 0);
	REQUIRE(again.number == call.number && again.sp == call.sp && again.pc == call.pc);
	REQUIRE(!again.running);
}

/* What comes out is read as itself, and less room gives the beginning of it. */
static void check_kernel_stack(struct sv in)
{
	char lines[256], again[256];
	size_t n = proc_parse_kernel_stack(in, lines, sizeof(lines)), half;

	REQUIRE(n <= sizeof(lines) && n <= in.len);
	for (size_t i = 0; i < n; i++)
		REQUIRE(lines[i] == '\n' || (lines[i] > ' ' && lines[i] < 0x7f));
	REQUIRE(!n || (lines[0] != '\n' && lines[n - 1] != '\n'));
	REQUIRE(proc_parse_kernel_stack(sv_from(lines, n), again, n) == n);
	REQUIRE(memcmp(lines, again, n) == 0);
	half = proc_parse_kernel_stack(in, again, n / 2);
	REQUIRE(half <= n / 2 && memcmp(lines, again, half) == 0);
	REQUIRE(!half || half == n || lines[half] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = fuzz_copy(data, size);

	check_stat(in);
	check_maps_line(in);
	check_tcp_line(in);
	check_environ(in);
	check_syscall(in);
	check_kernel_stack(in);
	fuzz_free(in);
	return 0;
}
