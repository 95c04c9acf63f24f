// SPDX-License-Identifier: Apache-2.0
/*
 * A process that nobody observes and that only makes system calls: what probes on some calls cost all others. Told on
 * standard input "ppid N" or "read N" (of one byte from /dev/zero) what to do N times; answers "done N".
 *
 *	guest calls
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

int calls_main(int argc, char **argv)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char line[64], byte;
	size_t n;

	(void)argc;
	(void)argv;
	while (zero >= 0 && fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "ppid %zu", &n) == 1)
			for (size_t i = 0; i < n; i++)
				syscall(SYS_getppid);
		else if (sscanf(line, "read %zu", &n) == 1)
			for (size_t i = 0; i < n; i++)
				if (read(zero, &byte, 1) != 1)
					return 1;
		printf("done %zu\n", n);
		fflush(stdout);
	}
	return zero < 0;
}
