/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a raw copy of a user stack to functions, files and lines. No frame pointers are needed, and
 * the observed process is neither stopped nor touched: its mappings and files are read through
 * /proc.
 *
 *   registers, bytes ─► unwind tables ─► return addresses ─► libdw, symbols ─► frames
 *
 * What feeds it: samples of threads that wait, taken while they wait. The kernel side keeps the
 * registers of a blocked thread, nothing is copied when it blocks; of one that has been in the same
 * wait for long its stack is copied from here (blocked.h), and told on a thread of its own
 * (teller.h). They are rare, so a sample may cost milliseconds, and the first of a process more:
 * its files are opened, symbols and debug information are read.
 *
 * Stacks, files and debug information are the observed program's and are believed nothing: all work
 * and all memory is bounded. What is not certain is not said: a frame is told only if its address
 * is code.
 *
 * A reader is for one thread at a time; several readers share nothing.
 */
#ifndef ZS_STACK_STACK_H
#define ZS_STACK_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

enum {
	STACK_FRAMES_MAX = 64, /* inlined ones included */
	STACK_SAVED = 10,      /* registers that functions preserve, at most */
	STACK_PROCESSES_MAX = 64,
	/* Bytes, NUL included: of a function's name, cut at the end ... */
	STACK_FUNCTION_SIZE = 256,
	/* ... of a source file's path and of a program's or library's name, cut at the start. */
	STACK_FILE_SIZE = 192,
	STACK_MODULE_SIZE = 64,
};

/*
 * Registers of a user thread, as struct pt_regs or PTRACE_GETREGSET have them: those that functions
 * preserve and the few that unwinding starts from. The same layout on both machines.
 */
struct stack_regs {
	uint64_t ip;                 /* x86-64: rip; arm64: pc */
	uint64_t sp;                 /* rsp; sp */
	uint64_t fp;                 /* rbp; x29 */
	uint64_t lr;                 /* unused, 0; x30 */
	uint64_t saved[STACK_SAVED]; /* rbx, r12 to r15, the rest unused; x19 to x28 */
	/*
	 * Whether saved has them. If not, they are known from where the first function on the way
	 * saved them: enough for nearly all functions, which find their callers by sp or fp.
	 */
	bool saved_known;
};

struct stack_sample {
	pid_t pid; /* the process, in our pid namespace */
	struct stack_regs regs;
	const void *bytes; /* what stood at regs.sp and upward; borrowed */
	size_t len;        /* 8 to 32 KiB tell most stacks whole */
};

/* How far a trace goes. */
enum stack_end {
	STACK_END_INVALID = 0,
	STACK_END_COMPLETE = 1, /* to the thread's first function */
	STACK_END_CUT = 2,      /* more frames lie behind the last copied byte */
	STACK_END_LIMIT = 3,    /* STACK_FRAMES_MAX */
	STACK_END_LOST = 4,     /* no way on: no unwind table, or a damaged stack */
};

/* Strings stand in the trace. They are valid UTF-8 without control characters. */
struct stack_frame {
	uint64_t address; /* in the process: of the next instruction of that function */
	/* As linkers know it, for C as in the source; "<signal handler called>"; NULL: unknown. */
	const char *function;
	const char *module; /* name of the program or library; NULL: code without a file */
	const char *file;   /* source file as the compiler was given it; NULL: not known */
	uint32_t line;      /* 0: not known */
	/*
	 * From the start of the function; without a function: the address in the module, as
	 * addr2line takes it. For a caller, of the last byte of its call.
	 */
	uint64_t offset;
	bool inlined; /* into the next frame */
	/*
	 * Found by frame pointer, or behind a return probe (seam.h): between it and the frame
	 * before some may lack.
	 */
	bool guessed;
};

struct stack_trace {
	struct stack_frame frames[STACK_FRAMES_MAX]; /* innermost first */
	size_t n;
	enum stack_end end;
	char text[STACK_FRAMES_MAX * (STACK_FUNCTION_SIZE + STACK_FILE_SIZE + STACK_MODULE_SIZE)];
	size_t text_len;
};

/* What could not be done, since the reader began. */
struct stack_counts {
	uint64_t traces;
	uint64_t cut, lost; /* of them, by how they end */
	uint64_t gone; /* samples of processes that had ended before anything was known of them */
	/* Files that could not be opened, files and mappings beyond limits. */
	uint64_t files_refused;
	/* Of the files that are open now: debug information beyond limits, so that lines lack. */
	uint64_t debug_too_large;
};

struct stack_reader;

struct stack_reader *stack_reader_new(void);         /* NULL: no memory */
void stack_reader_free(struct stack_reader *reader); /* NULL is fine */

/*
 * Forget what is known of a process, which has ended. (One that executes another program, or a pid
 * used again, is noticed.) Until then its samples can be told although it is gone.
 */
void stack_reader_forget(struct stack_reader *reader, pid_t pid);

/* Forget all processes and files. */
void stack_reader_forget_all(struct stack_reader *reader);

/*
 * Tell a sample. now_ns: monotonic. Returns 0 with at least one frame; -ESRCH when the process is
 * gone and nothing is known of it; -EACCES without the right to look at it; -ENOMEM.
 */
int stack_reader_trace(struct stack_reader *reader, const struct stack_sample *sample,
    uint64_t now_ns, struct stack_trace *ret_trace);

struct stack_counts stack_reader_counts(const struct stack_reader *reader);

/*
 * Append a frame as people read it: "deduct (shop.c:412)", "poll (poll.c:29, libc.so.6)", "nanosleep (libc.so.6)",
 * "libfoo.so.1+0x1a2b" or "0x7f0123456789".
 */
void stack_frame_print(const struct stack_frame *frame, struct buf *out);

/*
 * Append the frames of a trace so, innermost first, '\n' between: as many as fit into max bytes.
 */
void stack_trace_print(const struct stack_trace *trace, size_t max, struct buf *out);

#endif
