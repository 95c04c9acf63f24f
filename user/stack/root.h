/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens files as a process sees them: below its root directory, and those it has mapped. What
 * stands in the way is the process': links are resolved within its root, and a FIFO does not hold
 * us.
 */
#ifndef ZS_STACK_ROOT_H
#define ZS_STACK_ROOT_H

#include <sys/types.h>

#include "discover/proc.h"

/*
 * Open a file for reading by its absolute path below the process' root, or, with pid 0, below our
 * own. Returns a descriptor, which the caller closes, or a negative errno: -ESRCH when the process
 * is gone, -ENOSYS before Linux 5.6.
 */
int root_open(pid_t pid, const char *path);

/*
 * Open what is mapped there: through /proc/PID/map_files, which reaches deleted and overlaid files
 * and needs a capability (CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN), else as the program's own file
 * or by path, if that is still the same file. Likewise.
 */
int root_open_mapped(pid_t pid, const struct proc_map *map);

#endif
