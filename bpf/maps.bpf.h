/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every map: key, value, who writes, who removes. All are allocated at load time, because uprobe
 * and tracepoint programs must not allocate. There is no per-CPU scratch for uprobe programs, which are
 * preemptible; zsp_gathers is for the programs of system calls, of which one runs at a time on a CPU.
 */
#ifndef ZSP_MAPS_BPF_H
#define ZSP_MAPS_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "event.h"

/* An object of SQLite in a process: a statement, or a connection. */
struct zsp_object_key {
	u64 address;
	u64 tgid;
};

/* SQLite calls that a thread is inside of, innermost last. */
struct zsp_sqlite_frame {
	u64 stmt;
	u64 sp; /* user stack pointer at entry: frames at or below a newer entry's are stale */
};
#define ZSP_SQLITE_DEPTH 4

/* Preparations that run inside each other: a connection's first one reads the schema by another one. */
#define ZSP_PREPARE_DEPTH 2

/* Pieces of one call, or messages of one sendmmsg or recvmmsg, that are looked at; messages beyond are a counted loss. */
#define ZSP_PIECES_MAX 64

/*
 * One call that moved bytes. Lives in the thread's entry and not on the stack: what is read back
 * from a map is unknown to the verifier, so it checks the code behind it once and not once per kind
 * of call.
 */
struct zsp_transfer {
	u64 now;
	u64 start;    /* as in struct zsp_data */
	u64 buf, len; /* first piece of the user buffer */
	u64 iov;      /* array of pieces, or of messages (batch), 0: one buffer only */
	u64 second; /* user address of the second piece if the last byte moved is in that, else 0 */
	u64 want;   /* bytes to capture, the first ones */
	u64 first;  /* its first 8 bytes, 0 beyond their end, or if they are of no interest */
	u32 bytes;  /* moved by the call */
	u32 seq;    /* stream position of the first byte */
	u8 direction; /* enum zsp_direction */
	u8 flags;     /* ZSP_DATA_FULL, or 0 */
	u8 batch;     /* iov is an array of struct mmsghdr, each with one piece */
	u8 hidden;    /* the bytes are in no buffer of the process: sendfile, splice, MSG_TRUNC */
	u8 fits;      /* within the budget: captured first and looked at then */
	u8 starts;    /* it begins a message */
	u8 chunks;    /* it is in a chunked body, and more than is to be captured */
	u8 pieces; /* of iov, ZSP_PIECES_MAX at most; later, those to look at one by one, 0: no need to */
};

/* A statement execution in progress, or a preparation that has failed. */
struct zsp_stmt {
	u64 start_ns; /* 0: it was at a row when it was first seen, its beginning is not known */
	u64 enter_ns; /* of the step in progress or the last one */
	u64 last_ns;  /* end of the last step; as far as the execution is told */
	u64 inside_ns;
	u32 rows;
	u32 tid;
	u32 slice;
	u32 copy;        /* index into zsp_sqlite_copies */
	u32 closes;      /* of its connection's address, read at the end */
	u32 text_bytes;  /* of the SQL text at most; ~0: up to its NUL */
	u32 transaction; /* enum zsp_transaction, read at the end */
	u32 errcode;     /* of its connection, read at the end when that is an error */
	u32 mode;        /* of its process when it began */
	u32 reserved;
	u64 waits_before[ZSP_WAIT_MAX]; /* its thread's totals when it began */
	u64 waits[ZSP_WAIT_MAX];        /* as in struct zsp_statement, until last_ns */
	u64 stmt;                       /* user address of the statement; 0: a preparation */
	u64 text; /* user address of the SQL text; an execution's is read at the end */
	u64 db;   /* user address of the connection, likewise */
};

/* The preparation of a statement that a thread is inside of. */
struct zsp_prepare {
	u64 sp; /* user stack pointer near its entry; 0: inside of none */
	u64 start_ns;
	u64 db, text;   /* user addresses of the connection and of the SQL text */
	u64 waited_ns;  /* for whatever, of its thread, when it began */
	u32 text_bytes; /* as in struct zsp_stmt */
	u32 slice;
};

/* What a thread has taken from a TCP socket in the call it is in; see arrival.bpf.c. */
struct zsp_arrival {
	u64 sk; /* address of the struct sock; 0: nothing yet */
	u64 ns; /* when the kernel had it; by TCP's own look at the clock, which may be a little ahead of ours */
	u32 seq; /* stream position behind the first piece that was taken */
	u32 reserved;
};

/* The totals of a thread when it entered the write that it is in. */
struct zsp_begun {
	u64 write;               /* ZSP_BEGUN_WRITE */
	u64 sent_ns, delayed_ns; /* SEND, RUNQUEUE */
};
#define ZSP_BEGUN_WRITE 1 /* no address of a struct sock */
_Static_assert(sizeof(struct zsp_begun) == sizeof(struct zsp_arrival), "of one size");

/*
 * A thread of an observed process. The entry is the observation: a thread without one is nobody's
 * business, and every program's first question is this one look-up. Made on user space's behalf for the threads
 * that are there when a process is chosen, inside clone and fork from then on; removed when the thread exits. Who gets
 * which entry: see thread_table.bpf.c.
 */
struct zsp_thread {
	/* As struct zsp_thread_head. */
	u32 tid;
	u32 next;
	/* What is behind here begins as 0. */
	struct zsp_ledger ledger;
	u64 call_start_ns; /* entry of the write or sleep in progress */
	u32 slice;         /* returns from epoll_wait and its like */
	u32 depth;         /* sqlite frames in use */
	u32 late : 8;      /* enum zsp_late */
	u32 early_ns : 24; /* the last wait was told by so much too long; the next one counts for less: ledger.bpf.c */
	u32 sqlite_mode;  /* of the process when frames and prepares were last used */
	u32 sqlite_place; /* cookie of the probe that is running, */
	u32 sqlite_now; /* mode of the process as it found it: user space may change it at any time */
	u64 returned_sp; /* of the SQLite call that returned last; 0: one was entered since */
	struct zsp_sqlite_frame frames[ZSP_SQLITE_DEPTH];
	struct zsp_transfer transfer;
	union { /* of the call in progress: a read or a write */
		struct zsp_arrival arrival;
		struct zsp_begun begun;
	};
	struct zsp_prepare
	    prepares[ZSP_PREPARE_DEPTH]; /* the outermost one and the innermost one */
	struct zsp_object_key
	    key; /* of what is being looked up: uprobe programs have little stack */
};

_Static_assert(__builtin_offsetof(struct zsp_thread, next) ==
	    __builtin_offsetof(struct zsp_thread_head, next) &&
	__builtin_offsetof(struct zsp_thread, ledger) ==
	    __builtin_offsetof(struct zsp_thread_head, ledger),
    "what user space looks at");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 16384); /* user space sets it by the number of CPUs before load */
	__type(key, u32);           /* number of the entry */
	__type(value, struct zsp_thread);
} zsp_threads __weak SEC(".maps");

/* The entries that nobody uses: all after load, at user space's command. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 16384); /* as many: they may be runs of one */
	__type(value, struct zsp_thread_run);
} zsp_threads_free __weak SEC(".maps");

/* Where in a chunked body the next byte of a stream is. */
enum zsp_chunk_state {
	ZSP_CHUNK_NONE = 0, /* in none, or nobody knows */
	ZSP_CHUNK_DATA = 1,
	ZSP_CHUNK_SIZE = 2, /* in the digits of a size line */
	ZSP_CHUNK_LINE = 3, /* behind them */
};

/* A stream socket of a target. Made at accept, connect, the first message on TCP or the first HTTP/1 message start; removed by
 * close() of the last descriptor, or when TCP says closed and no process has the socket. A process that
 * dies with a Unix socket, or with a TCP socket that was reset, leaves the entry behind until its
 * address is used again; it counts against the table's size until then. */
struct zsp_conn {
	u64 id; /* socket inode number; another number at the same address is another socket */
	u64 first_ns; /* accept or connect */
	/* By direction - 1: bytes that were moved, modulo 2^32; */
	u32 bytes[2];
	/* bytes to the next size line, or the size so far if in one, and enum zsp_chunk_state: see chunk.bpf.h; */
	u32 chunk[2];
	u8 chunk_state[2];
	/* payload bytes still to capture in this burst. */
	u16 budget[2];

	u8 role;      /* enum zsp_role */
	u8 family;    /* enum zsp_family */
	u8 http;      /* a message start was seen: from now on every message is reported */
	u8 announced; /* the CONN_OPEN record is in the ring */
	u8 direction; /* of the last message, enum zsp_direction */
	u8 opaque;    /* answers and counter-answers that began no message, before one that did */
	u8 state;     /* TCP's, as last told by its tracepoint; 0: not yet */
	u8 error; /* errno of a reset that came while a process had the socket; socket errors are below 256 */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384); /* likewise */
	__type(key, u64);           /* address of struct sock; never leaves the kernel */
	__type(value, struct zsp_conn);
} zsp_conns __weak SEC(".maps");

/* Made at the first step; removed when the execution is reported. Least recently used ones go first: a process that
 * dies in mid-statement leaves its entries behind. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048); /* likewise */
	__type(key, struct zsp_object_key);
	__type(value, struct zsp_stmt);
} zsp_stmts __weak SEC(".maps");

/* For kernels without attach cookies: the cookie of the copy whose probes a process hits. Written by user
 * space, overwritten when the pid is used again. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, u32); /* tgid; 0: every other process */
	__type(value, u32);
} zsp_copy_of_process __weak SEC(".maps");

/*
 * How often a connection at this address was closed: what was learnt of the address before is void. Counted by the
 * kernel side, read by user space. Least recently used ones go first; a lost count only means 0 again, which then
 * differs from what a statement carried.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024); /* likewise */
	__type(key, struct zsp_object_key);
	__type(value, u32);
} zsp_db_closes __weak SEC(".maps");

/* A file whose write lock observed processes compete for, by the address of its struct inode. */
struct zsp_lock_file {
	u32 tgid; /* of the process that has the write lock; 0: nobody */
};

/*
 * Made when an observed thread first locks the file; from then on other processes' locks on it are told as well. Least
 * recently used ones go first: then they are not, until it is locked again.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024); /* likewise */
	__type(key, u64);
	__type(value, struct zsp_lock_file);
} zsp_lock_files __weak SEC(".maps");

/* Attached copies of SQLite. Written by user space before it attaches the copy's probes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ZSP_SQLITE_COPIES_MAX);
	__type(key, u32);
	__type(value, struct zsp_sqlite_copy);
} zsp_sqlite_copies __weak SEC(".maps");

/*
 * The pieces of a scattered buffer on their way into records; see capture.bpf.h. One entry per CPU, used by the program
 * of a system call while it runs.
 */
struct zsp_gather {
	u64 iov;    /* as in struct zsp_transfer */
	u64 left;   /* bytes of the call behind those that were looked at */
	u64 want;   /* bytes still to capture, the next ones */
	u64 first;  /* the first 8 bytes that were captured, 0 beyond their end */
	u32 batch;  /* as in struct zsp_transfer */
	u32 chunks; /* the pieces are chunks of one buffer, the next of which is told by: */
	u32 chunk, chunk_state;  /* as in struct zsp_conn */
	struct user_iovec piece; /* the one that is looked at */
	/* The record under construction, a struct zsp_data: of all bytes that were looked at since its first. */
	u64 record[(sizeof(struct zsp_data) + 2 * ZSP_CAPTURE_MAX + ZSP_TAIL_MAX) / 8];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* user space sets it to the number of CPUs before load */
	__type(key, u32);
	__type(value, struct zsp_gather);
} zsp_gathers __weak SEC(".maps");

/* All records of all CPUs, in the order of reservation. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 * 1024 * 1024); /* likewise */
} zsp_ring __weak SEC(".maps");

/* Plain memory for the reason that zsp_counters gives. What is large is not weak: the linker makes room for every weak copy. */
extern volatile struct zsp_sqlite_process zsp_sqlite_processes[ZSP_SQLITE_PROCESSES];

/* By the CPU's number modulo ZSP_CPUS_MAX. */
extern volatile struct zsp_running zsp_running[ZSP_CPUS_MAX];

/* See conn.bpf.c. */
extern volatile struct zsp_changes_seen zsp_changes_seen[ZSP_CPUS_MAX];

/* See ZSP_THREAD_MARKS. */
extern volatile __u32 zsp_thread_marks[ZSP_THREAD_MARKS];

/*
 * enum zsp_counter. Plain memory that user space maps, not a map it would have to call the kernel for:
 * while a process is inside such a call, tracepoint programs on its CPU are skipped (the kernel's
 * bpf_prog_active), and on preemptible kernels that can last.
 */
volatile __u64 zsp_counters[ZSP_COUNT_MAX] __weak;

/* Runs of first programs that the kernel skipped and the second one made up for. */
volatile __u64 zsp_made_up[ZSP_TWINS_MAX] __weak;

static __always_inline void zsp_count(u32 counter, u64 n)
{
	__sync_fetch_and_add(&zsp_counters[counter], n);
}

#endif
