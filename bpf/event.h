/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The language between kernel and user space, and the only header both sides include: what the ring
 * carries, and the counters. Fixed-width types, explicit numbers that are never reused, sizes
 * asserted. A reader takes nothing on trust: user/ingest/decode.c checks every length below before
 * use.
 *
 * Times are CLOCK_MONOTONIC nanoseconds. Addresses and ports are in network byte order as in the
 * socket.
 */
#ifndef ZSP_EVENT_H
#define ZSP_EVENT_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

enum zsp_kind {
	ZSP_KIND_INVALID = 0,
	ZSP_KIND_CONN_OPEN = 1,  /* struct zsp_conn_open: a connection that speaks HTTP/1 */
	ZSP_KIND_DATA = 2,       /* struct zsp_data: one read or write on a socket */
	ZSP_KIND_CONN_STATE = 3, /* struct zsp_conn_state: half-closed, closed, reset */
	ZSP_KIND_PROC_FORK = 4,  /* struct zsp_proc: a target has a child process */
	ZSP_KIND_PROC_EXEC = 5,  /* struct zsp_proc: a process runs a new program */
	ZSP_KIND_PROC_EXIT = 6,  /* struct zsp_proc: the last thread of a target ended */
	ZSP_KIND_LISTEN = 7,     /* struct zsp_proc: a process listens on TCP port .value */
	ZSP_KIND_STATEMENT = 8,  /* struct zsp_statement: one SQLite statement execution */
	ZSP_KIND_PROC_MAP = 9,   /* struct zsp_proc: a target mapped code: a library was loaded */
	ZSP_KIND_LOCK = 10,      /* struct zsp_lock: the write lock of a database */
	ZSP_KIND_WAKE = 11, /* struct zsp_wake: a lock was given back to a thread that waited */
	ZSP_KIND_LOG = 12,  /* struct zsp_log: one write to stdout or stderr */
};

/* Head of every record. 40 bytes. */
struct zsp_header {
	__u16 kind;    /* enum zsp_kind */
	__u16 flags;   /* per kind: ZSP_DATA_*, else 0 */
	__u32 size;    /* bytes of the record that are valid, header included */
	__u64 time_ns; /* when the probe ran */
	__u32 pid;     /* process (tgid), 0 when the event has no process */
	__u32 tid;     /* thread */
	__u32
	    slice; /* how often this thread has come back from epoll_wait, poll or select, or, if lines are told, read by what a loop
	                is woken up: its run number */
	__u32 reserved;
	__u64 conn; /* socket inode number: unique among the sockets of this boot that are alive; 0:
	               none */
};

/* What a thread waits for while it is off the CPU, as the kernel shows it. */
enum zsp_wait {
	ZSP_WAIT_RUNQUEUE = 0, /* the CPU: preempted, or woken and not yet on it */
	ZSP_WAIT_SLEEP = 1,    /* nanosleep */
	ZSP_WAIT_LOCK = 2,     /* futexes, semaphores, file locks */
	ZSP_WAIT_DISK = 3,     /* files */
	ZSP_WAIT_SEND = 4,     /* room in a socket's buffer */
	ZSP_WAIT_PEER = 5,     /* bytes of a socket or a pipe, or any descriptor to be ready */
	ZSP_WAIT_TIMER = 6,    /* likewise, but the time it was willing to wait had passed */
	ZSP_WAIT_PAGEFAULT = 7,
	ZSP_WAIT_SQLITE_BUSY = 8, /* asleep inside of a statement's step */
	ZSP_WAIT_OTHER = 9,
	ZSP_WAIT_MAX = 10,
};

/*
 * A thread's running totals at the time of a record: the difference of two of them is what it has waited for in
 * between; the rest of the time it was on the CPU. 96 bytes.
 */
struct zsp_waits {
	__u64 ns[ZSP_WAIT_MAX]; /* by enum zsp_wait, since it is observed */
	/* When it was last woken from waiting for work: LOCK, PEER, TIMER or OTHER; 0: never. */
	__u64 woken_ns;
	__u32 woken_delay_us; /* of RUNQUEUE: since woken_ns, microseconds; at most UINT32_MAX */
	__u32 switches; /* how often it has left the CPU: if that is the same, so is all of it */
};

enum zsp_family {
	ZSP_FAMILY_INVALID = 0,
	ZSP_FAMILY_IPV4 = 1,
	ZSP_FAMILY_IPV6 = 2,
	ZSP_FAMILY_UNIX = 3,
};

enum zsp_role {
	ZSP_ROLE_UNKNOWN = 0, /* existed before we looked */
	ZSP_ROLE_ACCEPTED = 1,
	ZSP_ROLE_CONNECTED = 2,
};

/* 112 bytes. */
struct zsp_conn_open {
	struct zsp_header h;
	__u64 peer_conn; /* Unix sockets: inode number of the other end, 0 unknown */
	__u64 first_ns;  /* accept or connect; 0 when it was there before us */
	__u32 netns;     /* network namespace inode number */
	__u32 in_seq;    /* stream positions before the data that follows */
	__u32 out_seq;
	__u16 local_port;  /* host byte order, as the kernel keeps it */
	__u16 remote_port; /* network byte order, as the kernel keeps it */
	__u8 family;       /* enum zsp_family */
	__u8 role;         /* enum zsp_role */
	__u8 reserved[6];
	__u8 local[16]; /* IPv4: first 4 bytes */
	__u8 remote[16];
};

enum zsp_direction {
	ZSP_DIRECTION_INVALID = 0,
	ZSP_IN = 1,  /* the process read */
	ZSP_OUT = 2, /* the process wrote */
};

#define ZSP_DATA_FAULT 0x1 /* the bytes could not be read from the process */
#define ZSP_DATA_FULL  0x2 /* ZSP_OUT: the socket has no room for more, and who wrote was told so */

/*
 * One read or write. The kernel's stream position makes losses exact: when the next record of the
 * same direction does not start where this one ended, bytes passed unseen. 176 bytes and the
 * payload.
 */
struct zsp_data {
	struct zsp_header h;
	/* ZSP_OUT: when the call began; ZSP_IN: when the kernel had the bytes (bpf/arrival.bpf.c), time_ns if that is not known. */
	__u64 start_ns;
	__u32 seq; /* position of the first byte: TCP sequence number; Unix: bytes since first sight
	            */
	__u32 bytes;    /* moved by the call (return value) */
	__u32 captured; /* <= bytes: payload bytes that follow, the first of them */
	__u8 direction; /* enum zsp_direction */
	/* <= ZSP_TAIL_MAX, <= bytes - captured: payload bytes behind those, the last ones moved. */
	__u8 tail;
	__u8 reserved[2];
	struct zsp_waits waits; /* of the thread, at the end of the call */
	/* ZSP_OUT: of waits, what was since start_ns: SEND, RUNQUEUE; else 0. */
	__u64 sent_ns;
	__u64 delayed_ns;
	__u8 payload[];
};

enum zsp_conn_change {
	ZSP_CHANGE_INVALID = 0,
	ZSP_CHANGE_LOCAL_FIN = 1,  /* this side will send no more */
	ZSP_CHANGE_REMOTE_FIN = 2, /* the other side will send no more */
	ZSP_CHANGE_CLOSED = 3,     /* gone; error tells how */
};

/* 48 bytes. h.pid and h.tid are 0: the change may come from a softirq. */
struct zsp_conn_state {
	struct zsp_header h;
	__u32 change; /* enum zsp_conn_change */
	__u32 error;  /* errno of the socket (104: reset by peer), 0: orderly */
};

/* 64 bytes. h.pid is the process the event is about. */
struct zsp_proc {
	struct zsp_header h;
	__u32 parent_pid; /* FORK */
	__u32 value;      /* EXIT: wait status; LISTEN: port, host byte order */
	__u8 comm[16];    /* EXEC, FORK: NUL-terminated */
};

/* Whether the connection was in a transaction of its own making when the execution had ended. */
enum zsp_transaction {
	ZSP_TRANSACTION_UNKNOWN = 0,
	ZSP_TRANSACTION_NONE = 1, /* each statement commits by itself */
	ZSP_TRANSACTION_OPEN = 2,
};

/* How much is told of a process' SQLite. */
enum zsp_sqlite_detail {
	ZSP_SQLITE_FULL = 0, /* executions from their beginning to their end, failed preparations */
	ZSP_SQLITE_EXECUTIONS = 1, /* no preparations */
	ZSP_SQLITE_STATEMENTS = 2, /* only that an execution began: all else is as it was then */
	ZSP_SQLITE_OFF = 3,        /* nothing */
};

/*
 * One execution of a prepared statement: first step after prepare or reset until done, error, reset
 * or finalize; or a preparation that failed, whose text may go on with further statements. 264 bytes and the text.
 */
struct zsp_statement {
	struct zsp_header
	    h;           /* tid and slice of the first step; time_ns of the probe that ended it */
	__u64 stmt;      /* address of the sqlite3_stmt in the process; 0: its preparation failed */
	__u64 db;        /* address of its sqlite3, 0 unknown */
	__u64 start_ns;  /* entry of the first step */
	__u64 end_ns;    /* last moment SQLite worked on it */
	__u64 inside_ns; /* time inside sqlite3_step */
	__u32 rows;      /* steps that returned a row */
	__s32 result; /* last step's result: 101 done, 100 abandoned after a row, else an error code
	               */
	__u32 text_bytes;    /* SQL text that follows, without NUL */
	__u8 text_truncated; /* 1: longer than ZSP_SQL_MAX - 1 */
	__u8 transaction;    /* enum zsp_transaction */
	/* enum zsp_sqlite_detail. STATEMENTS: end_ns is start_ns; rows, result and transaction are not known. */
	__u8 detail;
	/* Lowest bits of the era: how often the detail had changed in this process. Between two eras executions may have
	 * gone unseen. */
	__u8 era;
	/* When result is an error: the extended result code that the connection keeps of its last call, which is another than this one
	 * if its last byte differs from result's (a second thread used the connection at once); 0: unknown. */
	__s32 errcode;
	__u32 db_closes; /* how often a connection at address db was closed before */
	__u64 waits_before[ZSP_WAIT_MAX]; /* the thread's totals at start_ns; 0 for preparations */
	__u64 waits[ZSP_WAIT_MAX]; /* of the thread from start_ns to end_ns, by enum zsp_wait */
	__u8 text[];
};

enum zsp_lock_op {
	ZSP_LOCK_INVALID = 0,
	ZSP_LOCK_TAKEN = 1,
	ZSP_LOCK_RELEASED = 2,
	ZSP_LOCK_REFUSED = 3,    /* another process has it: the kernel said so */
	ZSP_LOCK_BACKED_OFF = 4, /* the thread slept inside of a statement's step */
};

/*
 * Something about the write lock of an SQLite database: RESERVED of the database file, or WAL_WRITE_LOCK of its shared
 * memory file. TAKEN and RELEASED are told of every process, once an observed one has locked the file; then h.slice, stmt and
 * db may be unknown. 104 bytes.
 */
struct zsp_lock {
	struct zsp_header h;
	__u64 file; /* identity of the locked file, as long as anyone has it open; 0: BACKED_OFF */
	__u64 stmt; /* address of the sqlite3_stmt that the thread is in a step of; 0: none */
	__u64 db;   /* address of its sqlite3; 0: unknown */
	__u64 since_ns; /* BACKED_OFF: when the sleep began; else h.time_ns */
	__u32 reserved0;
	__u32 db_closes; /* as in struct zsp_statement */
	__u8 op;         /* enum zsp_lock_op */
	__u8 reserved[7];
	__u8 comm[16]; /* NUL-terminated */
};

enum zsp_stream {
	ZSP_STREAM_INVALID = 0,
	ZSP_STDOUT = 1,
	ZSP_STDERR = 2,
};

/*
 * What one call wrote to a stream that a process has for people or their log: all its pieces, one behind the other. 64 bytes and the
 * text.
 */
struct zsp_log {
	struct zsp_header h;
	__u64 woken_ns; /* as in struct zsp_waits, of the thread */
	__u32 bytes;    /* written by the call, above 0 */
	__u32 captured; /* <= bytes, <= ZSP_LOG_MAX: those that follow, the first of them */
	__u8 stream;    /* enum zsp_stream */
	__u8 last;      /* the last byte written, if last_known */
	__u8 last_known;
	__u8 reserved[5];
	__u8 text[];
};

/* Most bytes that are told of one write to such a stream: the buffers of the usual libraries are smaller. */
#define ZSP_LOG_MAX 16384

/* Most payload bytes of one message burst, and of one record (DESIGN: a head counts up to 16 KiB).
 */
#define ZSP_CAPTURE_MAX 16384
/* Most bytes of the end of a call that was not captured whole: a chunked body ends in "\r\n0\r\n\r\n". */
#define ZSP_TAIL_MAX 16
/* Most bytes of SQL text with its NUL; the summary of a longer text is made from its beginning. */
#define ZSP_SQL_MAX 4096

/* Counters, one array slot each, never reset. */
enum zsp_counter {
	ZSP_COUNT_LOST_RING_DATA = 0,   /* zsp_data records refused by a full ring */
	ZSP_COUNT_LOST_RING_OTHER = 1,  /* all other records refused by a full ring */
	ZSP_COUNT_LOST_CONN_FULL = 2,   /* messages of connections beyond the connection table */
	ZSP_COUNT_LOST_THREAD_FULL = 3, /* threads beyond the thread table: not observed */
	ZSP_COUNT_LOST_STMT_FULL = 4,   /* executions beyond the statement table */
	ZSP_COUNT_LOST_STMT_RETURN =
	    5, /* step returns whose beginning is unknown (attached in between) */
	ZSP_COUNT_LOST_BATCH = 6, /* messages of one sendmmsg or recvmmsg beyond the first 64 */
	ZSP_COUNT_FAULTS = 7,     /* payloads that could not be read */
	ZSP_COUNT_OPAQUE_MESSAGES = 8, /* messages on sockets that do not speak HTTP/1 */
	ZSP_COUNT_IO_URING = 9,        /* io_uring_enter calls by targets: I/O that is not seen */
	ZSP_COUNT_LOST_RING_LOGS = 10, /* writes to stdout and stderr that there was no room for */
	ZSP_COUNT_MAX = 11,
};

_Static_assert(sizeof(struct zsp_header) == 40, "header layout");
_Static_assert(sizeof(struct zsp_waits) == 96, "waits layout");
_Static_assert(sizeof(struct zsp_conn_open) == 112, "conn_open layout");
_Static_assert(sizeof(struct zsp_data) == 176, "data layout");
_Static_assert(sizeof(struct zsp_conn_state) == 48, "conn_state layout");
_Static_assert(sizeof(struct zsp_proc) == 64, "proc layout");
_Static_assert(sizeof(struct zsp_statement) == 264, "statement layout");
_Static_assert(sizeof(struct zsp_lock) == 104, "lock layout");
_Static_assert(sizeof(struct zsp_log) == 64, "log layout");

/* How the kernel side treats a system call; user space fills the table by number for its
 * architecture. */
enum zsp_syscall {
	ZSP_SYSCALL_IGNORED = 0,
	ZSP_SYSCALL_READ = 1,      /* fd, buf, len: read */
	ZSP_SYSCALL_READV = 2,     /* fd, iov, n */
	ZSP_SYSCALL_RECVFROM = 3,  /* fd, buf, len, flags */
	ZSP_SYSCALL_RECVMSG = 4,   /* fd, msghdr, flags */
	ZSP_SYSCALL_RECVMMSG = 5,  /* fd, mmsghdr, n, flags */
	ZSP_SYSCALL_WRITE = 6,     /* fd, buf, len: write, sendto */
	ZSP_SYSCALL_WRITEV = 7,    /* fd, iov, n */
	ZSP_SYSCALL_SENDMSG = 8,   /* fd, msghdr */
	ZSP_SYSCALL_SENDMMSG = 9,  /* fd, mmsghdr, n */
	ZSP_SYSCALL_SENDFILE = 10, /* out_fd, in_fd */
	ZSP_SYSCALL_SPLICE = 11,   /* in_fd, off, out_fd */
	ZSP_SYSCALL_ACCEPT = 12,   /* returns the descriptor */
	ZSP_SYSCALL_CONNECT = 13,  /* fd */
	ZSP_SYSCALL_WAIT = 14,     /* epoll_wait, poll, select: a new slice begins */
	ZSP_SYSCALL_IO_URING = 15, /* io_uring_enter */
	ZSP_SYSCALL_MMAP = 16,     /* addr, len, prot, flags */
	ZSP_SYSCALL_SLEEP = 17,    /* nanosleep, clock_nanosleep */
	/* Not looked at, but told by when a thread waits in them. */
	ZSP_SYSCALL_LOCK = 18, /* semaphores, locks of files */
	ZSP_SYSCALL_FILE = 19, /* pread, fsync, open ... */
	ZSP_SYSCALL_FUTEX = 20,
};

/* System call numbers below this are looked up; x86-64 and arm64 end near 470. */
#define ZSP_SYSCALL_NUMBERS 512

/*
 * Where system calls are hooked by their functions only: a thread that was inside a call when the hooks were made comes
 * out of it unhooked. User space sets PERHAPS for the threads it finds.
 */
enum zsp_late {
	ZSP_LATE_NO = 0,
	ZSP_LATE_PERHAPS = 1, /* nothing was seen of it yet */
	ZSP_LATE_TAKEN =
	    2, /* what it received was taken from the socket layer, in a call hooked or not */
};

/* Entries of the thread table that nobody uses: first, first + 1 ... They may be n or one, but not none. */
struct zsp_thread_run {
	__u32 first; /* above 0: that entry is never used, the number says "none" */
	__u32 n;
};

/* Where a thread stood in its program when it entered the kernel: its registers, as far as walking its stack begins with them. */
struct zsp_stand {
	__u64 ip; /* next instruction; x86-64: rip, arm64: pc */
	__u64 sp;
	__u64 fp; /* rbp; x29 */
	__u64 lr; /* 0; x30 */
};

/* Bytes of the stack of who gave a lock back. */
#define ZSP_WAKE_STACK_MAX 8192

/* 104 bytes. h tells who gave it back. */
struct zsp_wake {
	struct zsp_header h;
	__u64 since_ns;    /* zsp_ledger.off_ns of the wait that it ended */
	__u32 woken;       /* thread that waited */
	__u32 stack_bytes; /* <= ZSP_WAKE_STACK_MAX, that follow: from stand.sp on */
	struct zsp_stand stand;
	__u8 comm[16]; /* name of the thread, NUL-terminated */
	__u8 stack[];
};

/* Where a thread's time off the CPU went; see ledger.bpf.h. */
struct zsp_ledger {
	struct zsp_waits waits; /* totals, without the wait of off_ns and without polled_ns */
	__u64 off_ns;       /* when it left the CPU; 0: what it waited for since is in the totals */
	__u64 on_ns;        /* when it came back; before off_ns: it is away now */
	__u64 cpu_ns;       /* the scheduler's count of its time on the CPU, as of off_ns */
	__u64 run_delay_ns; /* the scheduler's count of its waiting for the CPU, as of the totals */
	__u64 delayed_ns;   /* waits.ns[RUNQUEUE] as of waits.woken_ns */
	__u64 polled_ns;    /* waited in poll and its like: the call's end tells what for */
	__u32 wait;         /* enum zsp_wait, of the wait since off_ns */
	/* Of the last wait that was not for the CPU: */
	__u32 pid;        /* process */
	__u64 what;       /* first argument of the call: a futex's address, a descriptor */
	__u64 watched_ns; /* off_ns of the wait whose end is to be reported; user space's to set */
	struct zsp_stand stand;
};

/*
 * How an entry of the table of observed threads begins: so far user space, which maps the table, may look at threads that stay in one wait
 * meanwhile.
 */
struct zsp_thread_head {
	__u32 tid;  /* 0 or ZSP_THREAD_DEAD: nobody's */
	__u32 next; /* number of the next entry of the bucket; 0: none */
	struct zsp_ledger ledger;
};

_Static_assert(sizeof(struct zsp_wake) == 104, "wake layout");

/* The tid of an entry in a bucket that is nobody's any more. */
#define ZSP_THREAD_DEAD (~0u)

/*
 * The buckets of the table, by the last bits of a thread's number: the number of the first entry, and how many hold or
 * want the bucket's lock above it. Nearly every thread of the host that is none of ours is told by one load.
 */
#define ZSP_THREAD_MARKS     32768 /* a power of two */
#define ZSP_THREAD_HEAD_MASK 0xfffffu
#define ZSP_THREAD_LOCK      (ZSP_THREAD_HEAD_MASK + 1)

/*
 * Most entries of a bucket; a thread that would be one more is not observed. It takes as many threads as there are buckets for
 * one thread in two hundred to find no room, if their numbers are as good as random; numbers in sequence share no bucket.
 */
#define ZSP_THREAD_BUCKET_MAX 4

/* CPUs whose running threads are kept apart; a power of two. */
#define ZSP_CPUS_MAX 1024

/* The running kernel's own numbers of the structs through which ZSP_READ (compat.bpf.h) follows pointers; 0: none has the name. */
struct zsp_type_numbers {
	__u32 file, sock, socket_alloc, tcp_sock;
};

/* What two programs watch for; see twin.bpf.h. */
enum zsp_twins {
	ZSP_TWINS_FORK = 0,
	ZSP_TWINS_EXEC = 1,
	ZSP_TWINS_EXIT = 2,
	ZSP_TWINS_LOCK = 3,
	ZSP_TWINS_MAX
};

/* Changes of TCP's states, by the CPU that they were seen on. */
struct zsp_changes_seen {
	__u64 seen; /* each counted once */
	__u64
	    runs; /* of the program on the tracepoint, of which the kernel knows how many it skipped */
};

/* A CPU: who runs on it and who ran before, numbers of threads, 0: none. */
struct zsp_running {
	__u32 now, before;
	__s64 ahead_ns; /* CLOCK_MONOTONIC minus the scheduler's clock there; 0: not known */
};

/* What user space asks zsp_thread_command to do: the program's arguments are a thread's number, this, and a count. */
enum zsp_thread_command {
	ZSP_THREAD_OBSERVE =
	    1, /* result: 0, -EEXIST when it is observed already, -E2BIG when there is no room */
	ZSP_THREAD_FORGET = 2, /* result: 0, -ENOENT when it is not observed */
	ZSP_THREAD_FREE =
	    3, /* not a thread's number but the first of so many entries that are nobody's; result: 0 */
};

/* One attached copy of SQLite: where to find things in its objects, read from its own code. */
struct zsp_sqlite_copy {
	__u32 sql_offset; /* of the SQL text pointer in sqlite3_stmt */
	__u32 db_offset;  /* of the sqlite3 pointer in sqlite3_stmt */
	/* Of the byte in sqlite3 that is 0 in a transaction; 0: not known. */
	__u32 autocommit_offset;
	/* Of the int in sqlite3 that is the extended result code of its last call; 0: not known. */
	__u32 errcode_offset;
	/* Of the pointer in sqlite3_stmt that is NULL while the statement is at no row; 0: not known. */
	__u32 row_offset;
};

#define ZSP_SQLITE_COPIES_MAX 64

/* A probe's cookie: the copy's index and, above it, the number of the process in zsp_sqlite_processes. */
#define ZSP_SQLITE_COPY_MASK     0xffu
#define ZSP_SQLITE_PROCESS_SHIFT 8

/* zsp_sqlite_process.mode: the detail and, above it, the era. */
#define ZSP_SQLITE_DETAIL_MASK 3u
#define ZSP_SQLITE_ERA_SHIFT   2

/*
 * A process whose SQLite is observed: user space says how closely, the kernel side counts what that costs. 64 bytes, one
 * cache line.
 */
struct zsp_sqlite_process {
	__u32 mode; /* see above */
	__u32 reserved;
	__u64 steps;      /* hits on sqlite3_step, */
	__u64 ends;       /* on sqlite3_reset and sqlite3_finalize, */
	__u64 prepares;   /* on the preparing functions */
	__u64 executions; /* that began */
	__u64 refused;    /* preparations that failed, as far as they are told */
	__u64 cut;        /* executions that are not told, because the detail changed meanwhile */
	__u64 unused;
};

/* Number 0 stands for all that found no room: they are told in full. A power of two. */
#define ZSP_SQLITE_PROCESSES 1024

#endif
