/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts of processes from /proc. Parsers are pure functions over text; readers put them on files.
 * Every reader tolerates a process that vanishes: -ESRCH. Other failures are negative errnos
 * (-EACCES without the right to look). Knows nothing of targets and probes.
 */
#ifndef ZS_DISCOVER_PROC_H
#define ZS_DISCOVER_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/sv.h"

enum {
	PROC_COMM_SIZE = 64, /* kernel threads' names go beyond TASK_COMM_LEN in /proc */
	PROC_PAGES_MAX = 16, /* looked at in one go */
};

struct proc_stat {
	pid_t pid;
	pid_t ppid;
	char comm[PROC_COMM_SIZE];
	char state; /* 'R', 'S', 'Z', ... as proc(5) lists them */
	bool kernel_thread;
	int processor; /* it runs on, or ran last; -1: not told */
	/* In units of sysconf(_SC_CLK_TCK): */
	uint64_t start_ticks;        /* after boot */
	uint64_t user_ticks;         /* CPU time of all threads there ever were, in user mode */
	uint64_t system_ticks;       /* the same in the kernel */
	uint64_t children_cpu_ticks; /* the same of children that it has waited for */
	uint64_t threads;
	uint64_t virtual_bytes;
	uint64_t resident_pages;
};

/* The text of /proc/PID/stat. Returns 0 or -EBADMSG. */
int proc_parse_stat(struct sv text, struct proc_stat *ret_stat);

/* One line of /proc/PID/maps. */
struct proc_map {
	uint64_t start, end; /* [start, end) */
	uint64_t offset;     /* in the file */
	bool executable;
	unsigned dev_major, dev_minor;
	uint64_t inode; /* 0: no file */
	struct sv path; /* borrowed from the line, without " (deleted)" */
	bool deleted;
};

/* Returns 0 or -EBADMSG. The line may end in a newline. */
int proc_parse_maps_line(struct sv line, struct proc_map *ret_map);

/* One line of /proc/net/tcp or tcp6. */
struct proc_tcp {
	uint16_t port; /* local */
	bool listening;
	uint64_t inode; /* of the socket */
};

/* Returns 0, or -EBADMSG (the headline too). */
int proc_parse_tcp_line(struct sv line, struct proc_tcp *ret_tcp);

/* The value of name in NUL-separated "NAME=value" text; false when it is not there. */
bool proc_parse_environ(struct sv text, const char *name, struct sv *ret_value);

/* The text of /proc/PID/task/TID/syscall: what a thread waits in. */
struct proc_syscall {
	bool running;    /* or ready to run; nothing else is known then */
	int64_t number;  /* of the system call; negative: in none, as in a page fault */
	uint64_t sp, pc; /* with which it entered the kernel */
};

/* Returns 0 or -EBADMSG. The text may end in a newline. */
int proc_parse_syscall(struct sv text, struct proc_syscall *ret_syscall);

/*
 * The functions in the text of /proc/PID/task/TID/stack: one a line, innermost first, without what
 * stands around them; the last line has no newline. Lines that name no function are left out.
 * Returns how many bytes of ret_lines that took: at most size, cut at a line.
 */
size_t proc_parse_kernel_stack(struct sv text, char *ret_lines, size_t size);

/* A path as /proc's links and maps show it, without the " (deleted)" of a file that is gone. */
struct sv proc_strip_deleted(struct sv path);

int proc_read_stat(pid_t pid, struct proc_stat *ret_stat);

/* Target of /proc/PID/exe without " (deleted)". Kernel threads have none: -ENOENT. -ENAMETOOLONG
 * when it does not fit len bytes. */
int proc_exe(pid_t pid, char *ret_path, size_t len);

/* The first argument. -ENOENT when the process has none, -ENAMETOOLONG as above. */
int proc_argv0(pid_t pid, char *ret_text, size_t len);

/* Append the environment the process was started with, for proc_parse_environ(). Megabytes are allowed. */
int proc_read_environ(pid_t pid, struct buf *out);

/* Append the text of /proc/PID/cgroup. */
int proc_read_cgroup(pid_t pid, struct buf *out);

/* Who the process acts as (effective user id), as our user namespace calls it. */
int proc_owner(pid_t pid, uid_t *ret_uid);

/* 32 or 64: class of the running program. -ENOEXEC when it is no ELF file. */
int proc_elf_bits(pid_t pid);

/* Inode of a namespace: kind is "pid", "net", "mnt", ... */
int proc_namespace(pid_t pid, const char *kind, uint64_t *ret_inode);

/* The process a thread belongs to; pid itself for a process. */
int proc_thread_group(pid_t pid, pid_t *ret_pid);

/* Visit every process until visit returns non-zero, which is returned. 0 at the end. */
int proc_each(int (*visit)(pid_t pid, void *arg), void *arg);

/* Visit every mapping of a process; the map's path lives until visit returns. As proc_each. */
int proc_each_map(pid_t pid, int (*visit)(const struct proc_map *map, void *arg), void *arg);

/* Where pages of a process are: /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst). */
struct proc_pages {
	uint64_t size;  /* bytes of a page */
	uint64_t first; /* number of the first */
	size_t n;
	uint64_t entries[PROC_PAGES_MAX];
};

/* How one page is; neither: it was never touched, or is dropped, or there is nothing. */
#define PROC_PAGE_PRESENT (1ull << 63)
#define PROC_PAGE_SWAPPED (1ull << 62)

/*
 * The pages of [address, address + len), at most PROC_PAGES_MAX of them. -ENOSYS without pagemap
 * (CONFIG_PROC_PAGE_MONITOR).
 */
int proc_read_pages(pid_t pid, uint64_t address, uint64_t len, struct proc_pages *ret_pages);

/* Append a file's text to out. -EFBIG beyond max bytes; -ESRCH when it is not there. */
int proc_read_file(const char *path, size_t max, struct buf *out);

#endif
