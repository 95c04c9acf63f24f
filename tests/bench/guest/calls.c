// SPDX-License-Identifier: Apache-2.0
/*
 * A process that nobody observes and that only makes system calls: what probes on some calls cost all others. Told on
 * standard input what to do N times, answers "done N":
 *
 *	ppid N      getppid()
 *	read N      read() of one byte from /dev/zero
 *	spin N      no call: two instructions, to see that an instruction takes as long as it should
 *
 *	guest calls
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

static void ppid(size_t n)
{
	while (n-- > 0)
		syscall(SYS_getppid);
}

static void read_zero(size_t n)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char byte;

	while (n-- > 0)
		if (read(zero, &byte, 1) != 1)
			die("/dev/zero");
	close(zero);
}

static void spin(size_t n)
{
	__asm__ volatile("1: sub $1, %0\n\tjnz 1b" : "+r"(n) : : "cc");
}

int calls_main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(size_t n);
	} calls[] = {{"ppid", ppid}, {"read", read_zero}, {"spin", spin}};
	char line[64], name[16];
	size_t n;

	(void)argc;
	(void)argv;
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%15s %zu", name, &n) != 2)
			return 2;
		for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
			if (strcmp(calls[i].name, name) == 0)
				calls[i].run(n);
		printf("done %zu\n", n);
		fflush(stdout);
	}
	return 0;
}
