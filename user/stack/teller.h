/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells samples of stacks on a thread of its own: opening a program and its debug information can
 * take a second, and whoever reads the kernel's events must not wait for that.
 *
 *   ask() ─► questions ─► the thread: stack.h ─► answers ─► take()
 *
 * Every question that was accepted gets exactly one answer, in order. Questions and their answers
 * are bounded together, so answers that nobody takes make it refuse questions. The thread runs
 * behind others (base/priority.h) and with all signals blocked.
 *
 * All functions but new and free may be called from any thread, take by one at a time.
 */
#ifndef ZS_STACK_TELLER_H
#define ZS_STACK_TELLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/sv.h"
#include "stack/blocked.h"
#include "stack/stack.h"

enum {
	/* Questions that wait, the one in hand, and answers that are not taken, together: */
	STACK_QUESTIONS_MAX = 64,
	/* ... and the bytes copied for those not answered yet: 32 whole copies, most are smaller */
	STACK_QUESTIONS_BYTES_MAX = 1 << 20,
	STACK_TEXT_MAX = 4096, /* bytes of the user part of an answer, cut at a line */
};

/* What is known of programs takes 15 MB for a small one; told again it costs some 50 ms. */
#define STACK_QUIET_NS (60 * NS_PER_S)

struct stack_question {
	pid_t pid, tid;
	/* Not looked at, they stand in the answer: when the wait began, and what the caller likes. */
	uint64_t since_ns;
	uint32_t tag;
	struct stack_regs regs;          /* with which the thread entered the kernel */
	const struct blocked_copy *copy; /* borrowed for the call */
};

/* Frames are innermost first, '\n' between. Borrowed for the call. */
struct stack_answer {
	pid_t pid, tid;
	uint64_t since_ns;
	uint32_t tag;
	struct sv user;   /* as stack_frame_print() has them; empty: it cannot be told */
	struct sv kernel; /* as it was copied; may be empty */
};

struct stack_teller_counts {
	uint64_t asked;    /* questions accepted */
	uint64_t refused;  /* questions that found no room, or no memory */
	uint64_t answered; /* of those accepted */
	uint64_t untold;   /* of those answered: without a user part */
	uint64_t forgot;   /* times that all was forgotten */
	struct stack_counts stacks;
};

struct stack_teller;

/*
 * Start. wake_fd: an eventfd, which is written when there are answers to take; borrowed until
 * stack_teller_free(); -1: none. quiet_ns: when nothing was asked for so long, all that is known of
 * programs is forgotten, and its memory given back to the system; usually STACK_QUIET_NS. NULL and
 * errno on failure.
 */
struct stack_teller *stack_teller_new(int wake_fd, uint64_t quiet_ns);

/* Ends after the question in hand; the others are dropped. NULL is fine. */
void stack_teller_free(struct stack_teller *teller);

/* Ask; what the question holds is copied. False when it is refused, which is counted. */
bool stack_teller_ask(struct stack_teller *teller, const struct stack_question *question);

/*
 * Have the answers there are, each by a call on this thread; they are gone then. ctx: handed
 * through. Returns how many they were.
 */
size_t stack_teller_take(struct stack_teller *teller,
    void (*answer)(void *ctx, const struct stack_answer *answer), void *ctx);

/* Wait until all that was asked is answered, at most for so long. */
void stack_teller_wait(struct stack_teller *teller, uint64_t timeout_ns);

/*
 * Say that a process has ended: once the questions before are answered, what is known of it is
 * forgotten. Cheap for a process of which nothing was asked.
 */
void stack_teller_forget(struct stack_teller *teller, pid_t pid);

void stack_teller_counts(struct stack_teller *teller, struct stack_teller_counts *ret_counts);

#endif
