// SPDX-License-Identifier: Apache-2.0
/* Which of the programs is meant: by the first argument, as first process of the machine init. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} programs[] = {
    {"server", server_main},
    {"client", client_main},
    {"calls", calls_main},
    {"receiver", receiver_main},
};

void yield_to_others(void)
{
	struct sched_param param = {0};

	if (sched_setscheduler(0, SCHED_BATCH, &param))
		die("SCHED_BATCH");
}

int main(int argc, char **argv)
{
	if (getpid() == 1)
		return init_main(argc, argv);
	for (size_t i = 0; argc > 1 && i < sizeof(programs) / sizeof(programs[0]); i++)
		if (strcmp(argv[1], programs[i].name) == 0)
			return programs[i].run(argc - 2, argv + 2);
	fprintf(stderr, "usage: guest server|client|calls|receiver [arguments]\n");
	return 2;
}
