// SPDX-License-Identifier: Apache-2.0
/*
 * A program with a stack that it knows: it says which functions are on it and in which lines they
 * wait, innermost first, then waits there. Compiled in many ways (module.mk) and looked at by
 * tests/unit/test_stack_programs.c.
 *
 *	waiter sleep|recurse|inline|signal|other-stack|thread|twice|pointer|jump
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))
#if defined(__clang__)
#undef NOINLINE
#define NOINLINE __attribute__((noinline))
#endif

enum {
	RECURSIONS = 100,
	KNOWN_MAX = RECURSIONS + 16,
};

static struct {
	const char *function;
	int line;
} known[KNOWN_MAX];
static int n_known;
static volatile int sink;

/* To be called in the line of the call that follows. */
static inline void about_to_call(const char *function, int line)
{
	known[n_known].function = function;
	known[n_known++].line = line;
}

#define CALL(function, call) (about_to_call(function, __LINE__), call)

static void say(void)
{
	for (int i = n_known - 1; i >= 0; i--)
		printf("frame %s %d\n", known[i].function, known[i].line);
	printf("ready %ld\n", (long)syscall(SYS_gettid));
	fflush(stdout);
}

void rest(void);
int level_three(int depth);
int level_two(int depth);
int level_one(int depth);
int recurse(int depth);
int calls_inlined(int depth);
int signals(int depth);
int calls_twice(int depth);
int called_by_pointer(int depth);
int jumps(int depth);
int jumped_to(int depth, int more);
void handler(int number);
void *thread_main(void *arg);

NOINLINE void rest(void)
{
	const struct timespec forever = {.tv_sec = 1000};

	about_to_call("rest", __LINE__ + 2);
	say();
	nanosleep(&forever, NULL);
	sink++;
}

/*
 * Something on the stack that has to be aligned, so that where the frame began is not at a constant
 * distance.
 */
NOINLINE int level_three(int depth)
{
	volatile char room[100] __attribute__((aligned(64)));

	room[depth] = 1;
	CALL("level_three", rest());
	return room[depth];
}

NOINLINE int level_two(int depth)
{
	volatile char room[200];

	room[depth] = (char)depth;
	return CALL("level_two", level_three(depth)) + room[depth];
}

NOINLINE int level_one(int depth)
{
	return CALL("level_one", level_two(depth)) + depth;
}

/* What is done with the result is nothing that a loop could do. */
NOINLINE int recurse(int depth)
{
	int result;

	if (depth == 0)
		result = CALL("recurse", level_one(7));
	else
		result = CALL("recurse", recurse(depth - 1));
	return result ^ sink;
}

static inline __attribute__((always_inline)) int inlined_inner(int depth)
{
	return CALL("inlined_inner", level_two(depth)) + depth;
}

static inline __attribute__((always_inline)) int inlined_outer(int depth)
{
	return CALL("inlined_outer", inlined_inner(depth)) * 3;
}

NOINLINE int calls_inlined(int depth)
{
	return CALL("calls_inlined", inlined_outer(depth)) - depth;
}

/* Two calls of the same function, it waits in one of them. */
NOINLINE int calls_twice(int depth)
{
	if (sink == depth)
		return level_one(depth) + 1;
	return CALL("calls_twice", level_one(depth)) ^ sink;
}

NOINLINE int called_by_pointer(int depth)
{
	return CALL("called_by_pointer", level_one(depth)) ^ sink;
}

static int (*volatile pointer)(int) = called_by_pointer;

NOINLINE int jumped_to(int depth, int more)
{
	return CALL("jumped_to", level_one(depth)) ^ more;
}

/* Optimised, its last call is a jump. */
NOINLINE int jumps(int depth)
{
	return jumped_to(depth, sink);
}

NOINLINE void handler(int number)
{
	CALL("handler", level_two(number % 16));
	sink++;
}

/* A fault comes at an instruction of its own, not behind a call. */
NOINLINE int signals(int depth)
{
	int *volatile nowhere = NULL;

	about_to_call("signals", __LINE__ + 1);
	sink = *nowhere;
	return sink + depth;
}

static void set_handler(int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
	stack_t stack = {.ss_size = 65536};

	if (flags & SA_ONSTACK) {
		stack.ss_sp = malloc(stack.ss_size);
		sigaltstack(&stack, NULL);
	}
	sigaction(SIGSEGV, &action, NULL);
}

void *thread_main(void *arg)
{
	CALL("thread_main", level_one(5));
	sink++;
	return arg;
}

static int run_thread(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, thread_main, NULL) || pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "sleep";

	if (strcmp(mode, "sleep") == 0)
		return CALL("main", level_one(7)) + argc;
	if (strcmp(mode, "recurse") == 0)
		return CALL("main", recurse(RECURSIONS)) + argc;
	if (strcmp(mode, "inline") == 0)
		return CALL("main", calls_inlined(7)) + argc;
	if (strcmp(mode, "twice") == 0)
		return CALL("main", calls_twice(7)) + argc;
	if (strcmp(mode, "pointer") == 0)
		return CALL("main", pointer(7)) + argc;
	if (strcmp(mode, "jump") == 0)
		return CALL("main", jumps(7)) + argc;
	if (strcmp(mode, "thread") == 0)
		return run_thread();
	set_handler(strcmp(mode, "other-stack") == 0 ? SA_ONSTACK : 0);
	return CALL("main", signals(7)) + argc;
}
