// SPDX-License-Identifier: Apache-2.0
/* Listening sockets and their processes; see proc_net.h. */
#include "discover/proc_net.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "discover/proc.h"

enum {
	TCP_TEXT_MAX = 64 << 20, /* 400 000 connections of 150 bytes */
	SOCKETS_MAX = 65536,     /* listening ones: as many as there are ports */
	NAMESPACES_MAX = 4096,   /* network namespaces: as many containers */
};

struct listener {
	uint64_t inode;
	uint16_t port;
};

struct listeners {
	struct listener *items;
	size_t n, cap;
};

static int listeners_add(struct listeners *all, struct listener listener)
{
	if (all->n == SOCKETS_MAX)
		return -E2BIG;
	if (all->n == all->cap) {
		size_t cap = all->cap ? 2 * all->cap : 16;
		struct listener *items = reallocarray(all->items, cap, sizeof(*items));

		if (!items)
			return -ENOMEM;
		all->items = items;
		all->cap = cap;
	}
	all->items[all->n++] = listener;
	return 0;
}

/* Add the listening sockets that one table of a process' namespace shows; port 0: on any port. */
static int read_table(pid_t pid, const char *table, uint16_t port, struct listeners *all)
{
	char path[64];
	struct buf text;
	struct sv rest;
	int err;

	snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, table);
	buf_init(&text);
	err = proc_read_file(path, TCP_TEXT_MAX, &text);
	rest = buf_sv(&text);
	while (!err && rest.len) {
		size_t len = sv_find(rest, '\n');
		struct proc_tcp tcp;

		if (proc_parse_tcp_line(sv_from(rest.p, len), &tcp) == 0 && tcp.listening &&
		    (!port || tcp.port == port))
			err = listeners_add(
			    all, (struct listener){.inode = tcp.inode, .port = tcp.port});
		rest = sv_skip(rest, len + 1);
	}
	buf_release(&text);
	return err;
}

/* A kernel without IPv6 has no tcp6, which then is no sign of a process gone. */
static int read_tables(pid_t pid, uint16_t port, struct listeners *all)
{
	int err = read_table(pid, "tcp", port, all);

	if (err)
		return err;
	err = read_table(pid, "tcp6", port, all);
	return err == -ESRCH ? 0 : err;
}

/* Visit the listening sockets among a process' descriptors, maybe repeatedly. */
static int each_held(pid_t pid, const struct listeners *all,
    int (*visit)(const struct listener *listener, void *arg), void *arg)
{
	char path[64];
	struct dirent *entry;
	int result = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (result == 0 && (entry = readdir(dir))) {
		char link[64];
		unsigned long long inode;
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = '\0';
		if (sscanf(link, "socket:[%llu]", &inode) != 1)
			continue;
		for (size_t i = 0; i < all->n && result == 0; i++)
			if (all->items[i].inode == inode)
				result = visit(&all->items[i], arg);
	}
	closedir(dir);
	return result;
}

struct ports {
	uint16_t *items;
	size_t n, max;
};

/* Insert in order, once. */
static int take_port(const struct listener *listener, void *arg)
{
	struct ports *ports = arg;
	size_t at = ports->n;

	for (size_t i = 0; i < ports->n; i++)
		if (ports->items[i] == listener->port)
			return 0;
	if (ports->n == ports->max)
		return 0;
	for (; at > 0 && ports->items[at - 1] > listener->port; at--)
		ports->items[at] = ports->items[at - 1];
	ports->items[at] = listener->port;
	ports->n++;
	return 0;
}

int proc_net_ports(pid_t pid, uint16_t *ret_ports, size_t max)
{
	struct ports ports = {.items = ret_ports, .max = max};
	struct listeners all = {0};
	int err = read_tables(pid, 0, &all);

	if (!err && all.n)
		err = each_held(pid, &all, take_port, &ports);
	free(all.items);
	return err ? err : (int)ports.n;
}

/* A search for the processes that listen on one port. */
struct search {
	uint16_t port;
	struct listeners all;
	uint64_t *namespaces; /* network namespaces already read */
	size_t n_namespaces;
	int (*visit)(pid_t pid, void *arg);
	void *arg;
};

static int gather_namespace(pid_t pid, void *arg)
{
	struct search *search = arg;
	uint64_t inode;
	int err;

	if (proc_namespace(pid, "net", &inode) != 0 || search->n_namespaces == NAMESPACES_MAX)
		return 0;
	for (size_t i = 0; i < search->n_namespaces; i++)
		if (search->namespaces[i] == inode)
			return 0;
	err = read_tables(pid, search->port, &search->all);
	if (err == -ENOMEM)
		return err;
	if (!err)
		search->namespaces[search->n_namespaces++] = inode;
	return 0;
}

static int found_one(const struct listener *listener, void *arg)
{
	(void)listener;
	(void)arg;
	return 1;
}

static int visit_holder(pid_t pid, void *arg)
{
	struct search *search = arg;

	if (each_held(pid, &search->all, found_one, NULL) != 1)
		return 0;
	return search->visit(pid, search->arg);
}

int proc_net_listeners(uint16_t port, int (*visit)(pid_t pid, void *arg), void *arg)
{
	struct search search = {.port = port, .visit = visit, .arg = arg};
	int err = -ENOMEM;

	search.namespaces = calloc(NAMESPACES_MAX, sizeof(*search.namespaces));
	if (search.namespaces)
		err = proc_each(gather_namespace, &search);
	if (!err && search.all.n)
		err = proc_each(visit_holder, &search);
	free(search.namespaces);
	free(search.all.items);
	return err;
}
