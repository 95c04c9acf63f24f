// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The write lock of an SQLite database: who takes it and gives it up, and who is refused. SQLite locks single bytes of its
 * files by fcntl() (os_unix.c and wal.c of its source):
 *
 *	database file         0x40000000	PENDING: no new readers
 *	                      0x40000001	RESERVED: the write lock, unless the journal is a WAL
 *	                      0x40000002...	SHARED: read by readers, written by the one who has PENDING
 *	shared memory (-shm)  120		WAL_WRITE_LOCK: the write lock of a WAL
 *	                      121..128		other locks of a WAL
 *
 * All end in the kernel's posix_lock_inode(), unlocking by close() and by the end of a process too. Every POSIX lock of the
 * host passes this program, so what is not a lock of these bytes leaves at once. Between connections of one process SQLite
 * itself refuses the lock, without any call: user space knows from what was taken and not released.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "compat.bpf.h"
#include "lock.bpf.h"
#include "thread.bpf.h"
#include "twin.bpf.h"

#define ZSP_F_RDLCK 0
#define ZSP_F_WRLCK 1
#define ZSP_F_UNLCK 2

#define ZSP_EACCES 13
#define ZSP_EAGAIN 11

#define ZSP_PENDING_BYTE   0x40000000ULL
#define ZSP_RESERVED_BYTE  (ZSP_PENDING_BYTE + 1)
#define ZSP_SHARED_END     (ZSP_PENDING_BYTE + 511)
#define ZSP_WAL_WRITE_BYTE 120
#define ZSP_WAL_LOCK_END   128

/* Bytes first to last of a file, both included. */
struct range {
	u64 first, last;
};

static __always_inline bool holds_byte(struct range range, u64 byte)
{
	return range.first <= byte && byte <= range.last;
}

/* A lock of one of SQLite's bytes, and not of a whole file. */
static __always_inline bool is_of_sqlite(struct range range)
{
	return (range.first >= ZSP_PENDING_BYTE && range.last <= ZSP_SHARED_END) ||
	    (range.first >= ZSP_WAL_WRITE_BYTE && range.last <= ZSP_WAL_LOCK_END);
}

static __always_inline bool holds_write_lock(struct range range)
{
	return holds_byte(range, ZSP_RESERVED_BYTE) || holds_byte(range, ZSP_WAL_WRITE_BYTE);
}

/* A reader is refused by who is about to write; a writer by who has the write lock, if that was what it asked for. */
static __always_inline bool refused_by_writer(u32 type, struct range range)
{
	return type == ZSP_F_RDLCK ? range.first >= ZSP_PENDING_BYTE : holds_write_lock(range);
}

/* Has the current process given up the write lock of the file of this key? */
static __always_inline bool releases(struct range range, const u64 *key)
{
	struct zsp_lock_file *file = bpf_map_lookup_elem(&zsp_lock_files, key);

	if (!file || !holds_write_lock(range) || file->tgid != bpf_get_current_pid_tgid() >> 32)
		return false;
	file->tgid = 0;
	return true;
}

/* The file's entry; made by observed threads, NULL for others as long as there is none. */
static __always_inline struct zsp_lock_file *lock_file(struct zsp_thread *thread, const u64 *key)
{
	const struct zsp_lock_file nobody = {};
	struct zsp_lock_file *file = bpf_map_lookup_elem(&zsp_lock_files, key);

	if (file || !thread)
		return file;
	bpf_map_update_elem(&zsp_lock_files, key, &nobody, BPF_NOEXIST);
	return bpf_map_lookup_elem(&zsp_lock_files, key);
}

/* What the current process' request for a lock of this type, or to unlock, changes: an enum zsp_lock_op, INVALID for nothing. */
static __always_inline u32 lock_change(
    struct zsp_thread *thread, u32 type, struct range range, int ret, const u64 *key)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct zsp_lock_file *file;

	if (type == ZSP_F_UNLCK)
		return ret == 0 && releases(range, key) ? ZSP_LOCK_RELEASED : ZSP_LOCK_INVALID;
	if (!is_of_sqlite(range))
		return ZSP_LOCK_INVALID;
	file = lock_file(thread, key);
	if (!file)
		return ZSP_LOCK_INVALID;
	if (ret == 0 && type == ZSP_F_WRLCK && holds_write_lock(range) && file->tgid != tgid) {
		file->tgid = tgid;
		return ZSP_LOCK_TAKEN;
	}
	if ((ret == -ZSP_EAGAIN || ret == -ZSP_EACCES) && thread && refused_by_writer(type, range))
		return ZSP_LOCK_REFUSED;
	return ZSP_LOCK_INVALID;
}

static __always_inline int lock_asked_for(
    const void *ctx, struct inode *inode, struct file_lock *lock, int ret)
{
	struct zsp_thread *thread = zsp_current_thread();
	struct range range;
	u64 key = 0;
	u32 op;

	if (!inode || !lock)
		return 0;
	range.first = lock->fl_start;
	range.last = lock->fl_end;
	/* The inode's address as a mere number, with which the verifier lets us reckon: the first word of the context. */
	bpf_probe_read_kernel(&key, sizeof(key), ctx);
	op = lock_change(thread, zsp_lock_type(lock), range, ret, &key);
	if (op != ZSP_LOCK_INVALID)
		lock_emit(thread, op, &key);
	return 0;
}

SEC("tp_btf/posix_lock_inode")
int BPF_PROG(zsp_posix_lock_inode, struct inode *inode, struct file_lock *lock, int ret)
{
	zsp_twin_first(ZSP_TWINS_LOCK);
	return lock_asked_for(ctx, inode, lock, ret);
}

SEC("?tp_btf/posix_lock_inode")
int BPF_PROG(zsp_posix_lock_inode_twin, struct inode *inode, struct file_lock *lock, int ret)
{
	return zsp_twin_makes_up(ZSP_TWINS_LOCK) ? lock_asked_for(ctx, inode, lock, ret) : 0;
}
