/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which process listens on which TCP port: the listening sockets of /proc/PID/net/tcp and tcp6,
 * matched by inode with the sockets in /proc/PID/fd. A port is looked for in every network
 * namespace. Needs the right to read other processes' descriptors; what cannot be read is skipped.
 */
#ifndef ZS_DISCOVER_PROC_NET_H
#define ZS_DISCOVER_PROC_NET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The ports that pid listens on, each once, in ascending order; no more than max. Returns how many,
 * -ESRCH, -EACCES or -ENOMEM.
 */
int proc_net_ports(pid_t pid, uint16_t *ret_ports, size_t max);

/*
 * Visit every process that holds a socket listening on port (workers share one) until visit returns
 * non-zero, which is returned. 0 at the end, negative errno.
 */
int proc_net_listeners(uint16_t port, int (*visit)(pid_t pid, void *arg), void *arg);

#endif
