// SPDX-License-Identifier: Apache-2.0
/* What is under way, as text; see open_requests.h. */
#include "report/open_requests.h"

#include "export/tree.h"
#include "span/frames.h"

#define NAME_WIDTH  56
#define FRAME_WIDTH 100
/* Frames of the user stack that are told, and of the kernel's. */
#define FRAMES_TOLD 12
#define KERNEL_TOLD 3
/* States that took less of it are not told. */
#define STATE_TOLD_PART 20

struct telling {
	struct buf *out;
	size_t n;
};

static void append_ledger(struct buf *out, const struct span *span)
{
	uint64_t least_ns = (span->end_ns - span->start_ns) / STATE_TOLD_PART;
	const char *before = "  ";

	for (int i = 0; i < LEDGER_STATES; i++) {
		if (span->ledger.ns[i] <= least_ns)
			continue;
		buf_printf(out, "%s%s ", before, ledger_state_name(i));
		tree_append_duration(out, span->ledger.ns[i]);
		before = ", ";
	}
}

static void append_frames(struct buf *out, struct sv frames, size_t max, const char *mark)
{
	struct sv frame;

	for (size_t i = 0; i < max && frames_next(&frames, &frame); i++) {
		buf_printf(out, "            %s", mark);
		tree_append_text(out, frame, FRAME_WIDTH);
		buf_append_char(out, '\n');
	}
}

static void append_wait(struct buf *out, const struct span_wait *wait)
{
	if (!wait->place || wait->place->user.len + wait->place->kernel.len == 0)
		return;
	buf_printf(out, "          %s ", ledger_state_name(wait->state));
	tree_append_duration(out, wait->ns);
	buf_append_cstr(out, " in\n");
	append_frames(out, wait->place->user, FRAMES_TOLD, "");
	append_frames(out, wait->place->kernel, KERNEL_TOLD, "kernel: ");
	if (wait->state != LEDGER_LOCK || !wait->place->culprit.evidence)
		return;
	buf_append_cstr(out, "          ");
	tree_append_lock_culprit(out, &wait->place->culprit);
	buf_append_char(out, '\n');
}

static void tell(void *ctx, const struct span *span)
{
	struct telling *telling = ctx;
	struct buf *out = telling->out;

	if (telling->n++ >= OPEN_REQUESTS_TOLD)
		return;
	buf_append_cstr(out, "  ");
	tree_append_duration(out, span->end_ns - span->start_ns);
	buf_append_cstr(out, "  ");
	tree_append_text(out, span->name, NAME_WIDTH);
	buf_append_cstr(out, span->kind == SPAN_KIND_SERVER ? "  request of " : "  call of ");
	tree_append_text(out, sv_cstr(span->service->name), NAME_WIDTH);
	buf_printf(out, " (pid %d)", span->service->pid);
	append_ledger(out, span);
	buf_append_char(out, '\n');
	append_wait(out, &span->wait);
}

void open_requests_append(struct buf *out, struct pipeline *pipeline, uint64_t now_ns)
{
	struct telling telling = {.out = out};

	buf_append_cstr(out, "requests and calls that are open:\n");
	pipeline_each_open(pipeline, now_ns, now_ns, tell, &telling);
	if (telling.n == 0)
		buf_append_cstr(out, "  none\n");
	else if (telling.n > OPEN_REQUESTS_TOLD)
		buf_printf(out, "  and %zu more\n", telling.n - OPEN_REQUESTS_TOLD);
}
