// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who becomes an observed thread, and who ceases to be one: changes of the table that zsp_thread_of() reads.
 *
 *	zsp_thread_marks            zsp_threads, an array                       zsp_threads_free, a queue
 *	┌───┬───┬───┬───┬─ ─        ┌──────────────────────┐  ┌─────────────┐   ┌─────┬─────┬─ ─
 *	│   │ 7 ────────────────────► 7: tid 40961, next 3 ──►│ 3: tid 8193 │   │ 5×1 │ 8×9 │
 *	└───┴───┴───┴───┴─ ─        └──────────────────────┘  └─────────────┘   └─────┴─────┴─ ─
 *	 by tid's last bits
 *
 * An array, because the kernel looks into one without a call, and a hash costs several times as much in each of half a dozen
 * programs per request.
 *
 * Everyone who changes a bucket holds its lock. BPF programs have no compare-and-exchange before Linux 5.12, and an addition
 * gives nothing back; so a lock is taken by adding one to the bucket's count and then reading it: who reads one has it, who
 * reads more takes the one back and tries again. Two that add at once both read two. As lock and head are one
 * word, who has the lock has read the right head, and one addition gives up the lock and puts a new head in place. Nobody
 * waits without end: a thread that does not get the lock is not entered, and counted; of one that exits without it the entry stays,
 * dead, for the next thread of the bucket.
 *
 * Nobody who only reads takes the lock. It never misses a thread that stays, because
 * - an entry is complete before it is linked, and linked by one store;
 * - an entry that is removed keeps its next, so who stands on it finds the way on;
 * - it goes to the end of the queue: it would have to be used again, after all others that were free, while one single look-up
 *   stands on it. That one would go on in another bucket, compare numbers there, find none the same, and miss an event.
 * The pointer that a program has to its own thread's entry is as safe: the entry goes when the thread exits, or when
 * user space lets go of the process, and is not used again so soon.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"
#include "thread.bpf.h"
#include "thread_table.bpf.h"

volatile __u32 zsp_thread_marks[ZSP_THREAD_MARKS]
    __attribute__((aligned(8))); /* user space reads two at once */

/* As long as the lock is held, and more: each try waits for the word to come over from another CPU. */
#define ZSP_THREAD_LOCK_TRIES 4

static __always_inline bool bucket_lock(volatile u32 *mark)
{
	for (u32 i = 0; i < ZSP_THREAD_LOCK_TRIES; i++) {
		__sync_fetch_and_add(mark, ZSP_THREAD_LOCK);
		if (*mark < 2 * ZSP_THREAD_LOCK)
			return true;
		__sync_fetch_and_add(mark, -ZSP_THREAD_LOCK);
	}
	return false;
}

/*
 * Whoever sees what is stored after this sees what was stored before. x86 keeps stores in order by itself. BPF has no
 * barrier, but to unlock and to lock again is one (Documentation/memory-barriers.txt), and the queue does both.
 */
static __always_inline void keep_order(void)
{
#ifndef __TARGET_ARCH_x86
	struct zsp_thread_run run;

	bpf_map_peek_elem(&zsp_threads_free, &run);
	bpf_map_peek_elem(&zsp_threads_free, &run);
#endif
	barrier();
}

static __always_inline u32 bucket_head(volatile u32 *mark)
{
	return *mark & ZSP_THREAD_HEAD_MASK;
}

/* Number head is the first entry from now on. */
static __always_inline void bucket_unlock(volatile u32 *mark, u32 head)
{
	keep_order();
	__sync_fetch_and_add(mark, head - bucket_head(mark) - ZSP_THREAD_LOCK);
}

/* An entry of a bucket, and its neighbours. */
struct place {
	u32 number; /* 0: there is none */
	u32 before; /* number of the one before it; 0: it is the first */
	u32 next;   /* number of the one behind it */
	bool full;  /* there is none, and no room for another one */
};

/* A place as one number: a function that is checked once, for any arguments, returns no more. */
#define ZSP_PLACE_BITS 20
_Static_assert(ZSP_THREAD_HEAD_MASK >> ZSP_PLACE_BITS == 0, "room for a number");
#define ZSP_PLACE_FULL (1ULL << (3 * ZSP_PLACE_BITS))

static __always_inline u64 place_pack(u64 number, u64 before, u64 next)
{
	return number | before << ZSP_PLACE_BITS | next << (2 * ZSP_PLACE_BITS);
}

__noinline u64 zsp_bucket_find(u32 head, u32 tid)
{
	u32 number = head, before = 0, next = 0, i;
	struct zsp_thread *thread;

	for (i = 0; i < ZSP_THREAD_BUCKET_MAX && number; i++) {
		thread = bpf_map_lookup_elem(&zsp_threads, &number);
		if (!thread)
			break;
		next = thread->next;
		if (thread->tid == tid)
			return place_pack(number, before, next);
		before = number;
		number = next;
	}
	return place_pack(0, before, next) | (i == ZSP_THREAD_BUCKET_MAX ? ZSP_PLACE_FULL : 0);
}

static __always_inline struct place bucket_find(u32 head, u32 tid)
{
	u64 packed = zsp_bucket_find(head, tid);

	return (struct place){
	    .number = packed & ZSP_THREAD_HEAD_MASK,
	    .before = packed >> ZSP_PLACE_BITS & ZSP_THREAD_HEAD_MASK,
	    .next = packed >> (2 * ZSP_PLACE_BITS) & ZSP_THREAD_HEAD_MASK,
	    .full = packed & ZSP_PLACE_FULL,
	};
}

static __always_inline void free_entries(u32 first, u32 n)
{
	struct zsp_thread_run run = {.first = first, .n = n};

	/* Never full: there are not more runs than entries. */
	bpf_map_push_elem(&zsp_threads_free, &run, BPF_ANY);
}

/* The number of an entry that was nobody's; 0: there is none. */
static __always_inline u32 take_entry(void)
{
	struct zsp_thread_run run;

	if (bpf_map_pop_elem(&zsp_threads_free, &run))
		return 0;
	if (run.n > 1)
		free_entries(run.first + 1, run.n - 1);
	return run.first;
}

static __always_inline bool make_entry(u32 number, u32 tid, u32 late, u32 next)
{
	struct zsp_thread *thread = bpf_map_lookup_elem(&zsp_threads, &number);

	struct zsp_ledger *unknown;

	if (!number || !thread)
		return false;
	unknown = &thread->ledger; /* and what is behind it */
	__builtin_memset(unknown, 0, (char *)(thread + 1) - (char *)unknown);
	thread->late = late;
	thread->next = next;
	thread->tid = tid;
	return true;
}

__noinline int zsp_thread_enter(u32 tid, u32 late)
{
	volatile u32 *mark = zsp_thread_mark(tid);
	u32 head, first, number, next;
	int err = -ZSP_E2BIG;
	struct place place;

	if (!bucket_lock(mark))
		return err;
	first = head = bucket_head(mark);
	place = bucket_find(head, tid);
	if (place.number && late != ZSP_LATE_NO) {
		err = -ZSP_EEXIST;
		goto out;
	}
	if (!place.number)
		place = bucket_find(head, ZSP_THREAD_DEAD);
	number = place.number;
	next = place.next;
	if (!number && !place.full) {
		number = first = take_entry();
		next = head;
	}
	if (make_entry(number, tid, late, next)) {
		head = first;
		err = 0;
	}
out:
	bucket_unlock(mark, head);
	return err;
}

/* Take the entry out of its bucket; the new head. */
static __always_inline u32 unlink_entry(u32 head, struct place place)
{
	struct zsp_thread *before = bpf_map_lookup_elem(&zsp_threads, &place.before);

	if (!place.before || !before)
		return place.next;
	before->next = place.next;
	return head;
}

__noinline int zsp_thread_forget(u32 tid)
{
	volatile u32 *mark = zsp_thread_mark(tid);
	bool locked = bucket_lock(mark);
	u32 head = bucket_head(mark);
	struct place place = bucket_find(head, tid);
	struct zsp_thread *thread = bpf_map_lookup_elem(&zsp_threads, &place.number);
	int err = -ZSP_ENOENT;

	if (thread && place.number) {
		thread->tid = ZSP_THREAD_DEAD;
		err = 0;
		if (locked)
			head = unlink_entry(head, place);
	}
	if (!locked)
		return err;
	bucket_unlock(mark, head);
	if (!err)
		free_entries(place.number, 1);
	return err;
}

/* What user space does to the table, in a test run of this program. */
SEC("raw_tp")
int zsp_thread_command(struct bpf_raw_tracepoint_args *ctx)
{
	u32 tid = ctx->args[0];

	if (ctx->args[1] == ZSP_THREAD_OBSERVE)
		return zsp_thread_enter(tid, ZSP_LATE_PERHAPS);
	if (ctx->args[1] == ZSP_THREAD_FREE) {
		free_entries(ctx->args[0], ctx->args[2]);
		return 0;
	}
	return zsp_thread_forget(tid);
}
