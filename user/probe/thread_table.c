// SPDX-License-Identifier: Apache-2.0
/* What user space asks of the table of observed threads; see thread_table.h. */
#include "probe/thread_table.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "zerospan.skel.h"

void thread_table_set_size(struct zerospan_bpf *skel, uint32_t entries)
{
	bpf_map__set_max_entries(skel->maps.zsp_threads, entries);
	bpf_map__set_max_entries(skel->maps.zsp_threads_free, entries);
}

static int command(
    struct zerospan_bpf *skel, uint32_t number, enum zsp_thread_command what, uint32_t count)
{
	uint64_t args[] = {number, what, count};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));
	int err = bpf_prog_test_run_opts(bpf_program__fd(skel->progs.zsp_thread_command), &opts);

	return err ? err : (int)opts.retval;
}

/* By the kernel side: whoever changes a map by system call holds up programs of others on that CPU. */
int thread_table_fill(struct zerospan_bpf *skel)
{
	uint32_t end = bpf_map__max_entries(skel->maps.zsp_threads), first = 1, n;
	int err = 0;

	for (uint32_t left = THREAD_TABLE_RUNS; left > 0 && !err; left--, first += n) {
		n = (end - first) / left;
		err = command(skel, first, ZSP_THREAD_FREE, n);
	}
	return err;
}

int thread_table_command(struct zerospan_bpf *skel, uint32_t tid, enum zsp_thread_command what)
{
	return command(skel, tid, what, 0);
}

/* --- looking at it ------------------------------------------------------------------------------- */

static size_t view_bytes(const struct thread_view *view)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (view->entry_size * view->n_entries + page - 1) / page * page;
}

int thread_view_open(struct thread_view *view, struct zerospan_bpf *skel)
{
	const struct bpf_map *map = skel->maps.zsp_threads;
	void *entries;

	view->entry_size = (bpf_map__value_size(map) + 7) / 8 * 8;
	view->n_entries = bpf_map__max_entries(map);
	view->marks = skel->bss->zsp_thread_marks;
	entries =
	    mmap(NULL, view_bytes(view), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (entries == MAP_FAILED)
		return -errno;
	view->entries = entries;
	return 0;
}

void thread_view_close(struct thread_view *view)
{
	if (view->entries)
		munmap((void *)view->entries, view_bytes(view));
	view->entries = NULL;
}

static volatile struct zsp_thread_head *entry_at(const struct thread_view *view, uint32_t number)
{
	return number && number < view->n_entries
	    ? (volatile void *)(view->entries + number * view->entry_size)
	    : NULL;
}

/* False: it is not away, or comes back while it is read. */
static bool read_away(const volatile struct zsp_thread_head *entry, struct thread_away *ret)
{
	const volatile struct zsp_ledger *ledger = &entry->ledger;

	ret->tid = entry->tid;
	ret->pid = ledger->pid;
	ret->since_ns = ledger->off_ns;
	ret->wait = (enum zsp_wait)ledger->wait;
	ret->what = ledger->what;
	ret->stand = ledger->stand;
	ret->waits = ledger->waits;
	__atomic_thread_fence(__ATOMIC_ACQUIRE); /* what follows is read after it */
	return ret->since_ns && ledger->on_ns < ret->since_ns && ledger->off_ns == ret->since_ns &&
	    ret->wait != ZSP_WAIT_RUNQUEUE && ret->wait < ZSP_WAIT_MAX && entry->tid == ret->tid &&
	    ret->tid && ret->tid != ZSP_THREAD_DEAD;
}

static void bucket_each_away(const struct thread_view *view, size_t mark, uint64_t before_ns,
    void (*away)(void *ctx, const struct thread_away *thread), void *ctx)
{
	uint32_t number = view->marks[mark] & ZSP_THREAD_HEAD_MASK;
	struct thread_away thread;

	for (int depth = 0; number && depth < ZSP_THREAD_BUCKET_MAX; depth++) {
		const volatile struct zsp_thread_head *entry = entry_at(view, number);

		if (!entry)
			break;
		thread.number = number;
		/* By the time it is read it may be another wait. */
		if (entry->ledger.off_ns < before_ns && read_away(entry, &thread) &&
		    thread.since_ns < before_ns)
			away(ctx, &thread);
		number = entry->next;
	}
}

void thread_view_each_away(const struct thread_view *view, uint64_t before_ns,
    void (*away)(void *ctx, const struct thread_away *thread), void *ctx)
{
	const volatile uint64_t *pairs = (const volatile void *)view->marks;

	/* Nearly all buckets are empty. */
	for (size_t i = 0; i < ZSP_THREAD_MARKS; i += 2) {
		if (!pairs[i / 2])
			continue;
		bucket_each_away(view, i, before_ns, away, ctx);
		bucket_each_away(view, i + 1, before_ns, away, ctx);
	}
}

struct search {
	uint32_t tid;
	struct thread_away found;
};

static void take_if_same(void *ctx, const struct thread_away *thread)
{
	struct search *search = ctx;

	if (thread->tid == search->tid)
		search->found = *thread;
}

bool thread_view_away(const struct thread_view *view, uint32_t tid, struct thread_away *ret_thread)
{
	struct search search = {.tid = tid};

	bucket_each_away(view, tid % ZSP_THREAD_MARKS, UINT64_MAX, take_if_same, &search);
	*ret_thread = search.found;
	return search.found.tid != 0;
}

void thread_view_watch(const struct thread_view *view, const struct thread_away *thread)
{
	volatile struct zsp_thread_head *entry = entry_at(view, thread->number);

	entry->ledger.watched_ns = thread->since_ns;
}
