// SPDX-License-Identifier: Apache-2.0
/* The check behind exit status 3; see privileges.h. */
#include "privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "discover/proc.h"

/* include/linux/proc_ns.h, PROC_PID_INIT_INO: the host's own pid namespace. */
#define HOST_PID_NAMESPACE 0xeffffffcu

static uint64_t effective_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &header, data))
		return 0;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

static bool has(uint64_t capabilities, int which)
{
	return capabilities >> which & 1;
}

int privileges_check(struct buf *message)
{
	uint64_t caps = effective_capabilities(), pid_namespace;
	bool admin = has(caps, CAP_SYS_ADMIN);

	if (!(admin || (has(caps, CAP_BPF) && has(caps, CAP_PERFMON))) ||
	    !has(caps, CAP_SYS_PTRACE)) {
		buf_append_cstr(message,
		    "observing other processes is not permitted: run as root (needs CAP_SYS_PTRACE, and CAP_SYS_ADMIN or CAP_BPF with CAP_PERFMON)");
		return -EPERM;
	}
	if (proc_namespace(getpid(), "pid", &pid_namespace) == 0 &&
	    pid_namespace != HOST_PID_NAMESPACE) {
		buf_append_cstr(message,
		    "process numbers here are not the host's: run in the host's pid namespace (docker: --pid=host, kubernetes: hostPID)");
		return -EPERM;
	}
	return 0;
}
