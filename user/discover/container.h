/* SPDX-License-Identifier: Apache-2.0 */
/* The container that a process runs in, as its control group's path tells it. */
#ifndef ZS_DISCOVER_CONTAINER_H
#define ZS_DISCOVER_CONTAINER_H

#include <stdbool.h>

#include "base/sv.h"

/* Characters of a container's id: a SHA-256 in lower case, with Docker, containerd, CRI-O and Podman. */
#define CONTAINER_ID_LEN 64

/*
 * The id in the text of /proc/PID/cgroup, borrowed from it; cgroups(7), versions 1 and 2. It is the last component of a path that
 * consists of an id, or of words before it that end in - or : (`docker-ID.scope`, `cri-containerd-ID.scope`,
 * `libpod-ID.scope`, `kubepods-pod….slice:cri-containerd:ID`); the last, since a container may contain others. What watches over a container
 * (`libpod-conmon-ID.scope`) is not in it. False: no container, or one that the path does not tell.
 */
bool container_parse_cgroup(struct sv text, struct sv *ret_id);

#endif
