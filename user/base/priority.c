// SPDX-License-Identifier: Apache-2.0
/* One system call each; see priority.h. */
#include "base/priority.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

enum {
	RAISED_NICE = -10,
	LOWERED_NICE = 10,
};

void priority_raise(const char *who)
{
	if (setpriority(PRIO_PROCESS, (id_t)gettid(), RAISED_NICE))
		log_debug("cannot raise the priority of the %s: %s", who, strerror(errno));
}

void priority_lower(const char *who)
{
	if (setpriority(PRIO_PROCESS, (id_t)gettid(), LOWERED_NICE))
		log_debug("cannot lower the priority of the %s: %s", who, strerror(errno));
}

void priority_slack(uint64_t ns)
{
	if (prctl(PR_SET_TIMERSLACK, (unsigned long)ns))
		log_debug("cannot set the timer slack: %s", strerror(errno));
}
