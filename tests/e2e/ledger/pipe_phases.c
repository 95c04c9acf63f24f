// SPDX-License-Identifier: Apache-2.0
/* Phases that wait for bytes of what is neither a socket nor a file: a pipe, an eventfd, a terminal; see phases.h. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

#include "phases.h"

/* Both ends; of an eventfd they are the same. */
static void terminal(int pair[2])
{
	struct termios raw;

	pair[1] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	phase_must(pair[1] >= 0 && !grantpt(pair[1]) && !unlockpt(pair[1]), "posix_openpt");
	pair[0] = open(ptsname(pair[1]), O_RDWR | O_NOCTTY | O_CLOEXEC);
	phase_must(pair[0] >= 0 && !tcgetattr(pair[0], &raw), "a terminal");
	cfmakeraw(&raw); /* no lines, no echo */
	phase_must(!tcsetattr(pair[0], TCSANOW, &raw), "tcsetattr");
}

void pipes_open(struct worker *worker)
{
	phase_must(!pipe2(worker->pipe, O_CLOEXEC), "pipe2");
	worker->event[0] = eventfd(0, EFD_CLOEXEC);
	worker->event[1] = dup(worker->event[0]);
	phase_must(worker->event[0] >= 0 && worker->event[1] >= 0, "eventfd");
	terminal(worker->tty);
}

static void read_from_partner(
    struct worker *worker, const char *name, const int pair[2], unsigned ms)
{
	char bytes[PARTNER_BYTES];
	size_t have = 0;
	ssize_t n;

	partner_write(worker->partner, pair[1], ms);
	while (have < sizeof(bytes)) {
		n = read(pair[0], bytes, sizeof(bytes) - have);
		phase_must(n > 0, name);
		have += (size_t)n;
	}
	account_part(worker, name, account_waited(worker, STATE_OTHER));
}

void phase_pipe(struct worker *worker, const char *name, unsigned value)
{
	read_from_partner(worker, name, worker->pipe, value);
}

void phase_eventfd(struct worker *worker, const char *name, unsigned value)
{
	read_from_partner(worker, name, worker->event, value);
}

void phase_tty(struct worker *worker, const char *name, unsigned value)
{
	read_from_partner(worker, name, worker->tty, value);
}
