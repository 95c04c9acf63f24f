// SPDX-License-Identifier: Apache-2.0
/* Tracepoint numbers, with or without a mounted tracefs; see tracefs.h. */
#include "probe/tracefs.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRACEFS_DIR "/sys/kernel/tracing"
#define DEBUGFS_DIR "/sys/kernel/debug/tracing"

static int read_id(const char *dir, const char *name)
{
	char path[256];
	int id = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/events/%s/id", dir, name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%d", &id) != 1)
		id = 0;
	fclose(f);
	return id;
}

static bool is_tracefs(const char *dir)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/events", dir);
	return access(path, R_OK) == 0;
}

static void read_ids(const char *dir, const char *const *names, size_t n, int *ids)
{
	for (size_t i = 0; i < n; i++)
		ids[i] = read_id(dir, names[i]);
}

/* Keep what is mounted from now on to ourselves. Below a chroot the root may be no mount; /sys is
 * then. */
static int make_mounts_private(void)
{
	const unsigned long flags = MS_REC | MS_PRIVATE;

	return mount("none", "/", NULL, flags, NULL) ? mount("none", "/sys", NULL, flags, NULL) : 0;
}

/* In the child: mount privately, read, send the numbers. */
static void child_main(int fd, const char *const *names, size_t n, int *ids)
{
	if (unshare(CLONE_NEWNS) || make_mounts_private() ||
	    mount("tracefs", TRACEFS_DIR, "tracefs", 0, NULL))
		_exit(1);
	read_ids(TRACEFS_DIR, names, n, ids);
	_exit(write(fd, ids, n * sizeof(*ids)) == (ssize_t)(n * sizeof(*ids)) ? 0 : 1);
}

static bool read_ids_privately(const char *const *names, size_t n, int *ids)
{
	int fds[2], status = -1;
	ssize_t got;
	pid_t pid;

	if (pipe(fds))
		return false;
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		child_main(fds[1], names, n, ids);
	}
	close(fds[1]);
	got = pid > 0 ? read(fds[0], ids, n * sizeof(*ids)) : -1;
	close(fds[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return got == (ssize_t)(n * sizeof(*ids));
}

enum tracefs_source tracefs_event_ids(const char *const *names, size_t n, int *ret_ids)
{
	memset(ret_ids, 0, n * sizeof(*ret_ids));
	if (is_tracefs(TRACEFS_DIR)) {
		read_ids(TRACEFS_DIR, names, n, ret_ids);
		return TRACEFS_MOUNTED;
	}
	if (is_tracefs(DEBUGFS_DIR)) {
		read_ids(DEBUGFS_DIR, names, n, ret_ids);
		return TRACEFS_MOUNTED;
	}
	return read_ids_privately(names, n, ret_ids) ? TRACEFS_PRIVATE : TRACEFS_NONE;
}
