// SPDX-License-Identifier: Apache-2.0
/*
 * `zerospan` of the bundle: starts the real program with the loader and the libraries that lie
 * beside it. Linked statically without any C library, so that a host needs nothing but its kernel.
 *
 *	DIRECTORY/zerospan            this
 *	DIRECTORY/lib/ld-linux-….so   the loader of the C library that the program was built with
 *	DIRECTORY/lib/zerospan        the program; its run path is $ORIGIN
 *	DIRECTORY/lib/lib….so.N       everything it is linked with
 *
 * It replaces itself (execve): same process, same signals, same descriptors. Arguments and
 * environment go on unchanged: no LD_LIBRARY_PATH, which programs started by the program would
 * inherit. The loader's --library-path is not used either: a directory with a ":" or "$" in its
 * name could not be written there, a run path of $ORIGIN takes any. --inhibit-cache: the host's
 * table of libraries is not even looked at.
 */
#include <asm/unistd.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "files.h" /* written by deploy/bundle/pack: LOADER, and FILES, everything else in lib/ */

#define LIB "/lib/"

/* One that is missing here would be looked for among the host's, and perhaps found. */
static const char *const files[] = {FILES};

enum {
	PATH_BYTES = 4096 + 64, /* the longest path the kernel hands out, and what is appended */
	ADDED_WORDS = 8,        /* more arguments than came in, at most */
};

#if defined(__x86_64__)

/* The kernel enters with argc at the stack pointer; the ABI wants that aligned at a call. */
__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call launch\n");

static long call(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

__asm__(".globl _start\n"
	"_start:\n"
	"	mov x29, #0\n"
	"	mov x30, #0\n"
	"	mov x0, sp\n"
	"	b launch\n");

static long call(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

#else
#error "no system calls for this architecture"
#endif

static size_t length(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

static void say(const char *text)
{
	call(__NR_write, STDERR_FILENO, (long)text, (long)length(text), 0, 0, 0);
}

static void fail(const char *path, long error)
{
	say("zerospan: cannot use \"");
	say(path);
	say("\": ");
	switch (-error) {
	case ENOENT:
		say("it is not there; unpack the whole bundle again, its files belong together\n");
		break;
	case EACCES:
		say("not permitted; is the file system mounted noexec?\n");
		break;
	case ENOEXEC:
		say("it is damaged or for another kind of processor\n");
		break;
	case ENAMETOOLONG:
		say("its path is too long\n");
		break;
	default:
		say("the kernel refused\n");
	}
	call(__NR_exit_group, 1, 0, 0, 0, 0, 0);
	__builtin_unreachable();
}

/* The path this was started with: the kernel's last word, where /proc is not mounted. */
static const char *started_as(char **envp)
{
	const Elf64_auxv_t *aux;

	while (*envp)
		envp++;
	for (aux = (const void *)(envp + 1); aux->a_type != AT_NULL; aux++)
		if (aux->a_type == AT_EXECFN)
			return (const char *)aux->a_un.a_val;
	return "";
}

/* The directory of this program into path, without the "/" at its end; returns its length. */
static size_t own_directory(char **envp, char path[PATH_BYTES])
{
	long n = call(__NR_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)path, 4096, 0, 0);

	if (n <= 0) {
		const char *name = started_as(envp);

		for (n = 0; name[n] && n < 4096; n++)
			path[n] = name[n];
	}
	if (n >= 4096)
		fail("/proc/self/exe", -ENAMETOOLONG);
	while (n > 0 && path[n - 1] != '/')
		n--;
	if (n == 0) /* started as a bare name */
		path[n++] = '.';
	else
		n--;
	return (size_t)n;
}

static void append(char path[PATH_BYTES], size_t at, const char *text)
{
	do
		path[at++] = *text;
	while (*text++);
}

/* path has room behind the directory, which is len bytes. */
static void check_files(char path[PATH_BYTES], size_t len)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		long result;

		append(path, len, files[i]);
		result = call(__NR_faccessat, AT_FDCWD, (long)path, R_OK, 0, 0, 0);
		if (result < 0)
			fail(path, result);
	}
}

__attribute__((noreturn, used)) static void launch(long *stack)
{
	static char program[PATH_BYTES], loader[PATH_BYTES];
	static char name[] = "zerospan", no_cache[] = "--inhibit-cache", argv0[] = "--argv0";
	size_t argc = (size_t)*stack, n = 0, len;
	char **argv = (char **)(stack + 1), **envp = argv + argc + 1, **args;
	long result;

	len = own_directory(envp, program);
	own_directory(envp, loader);
	append(program, len, LIB);
	append(loader, len, LIB LOADER);
	check_files(program, len + sizeof(LIB) - 1);
	append(program, len, LIB "zerospan");
	result = call(__NR_mmap, 0, (long)((argc + ADDED_WORDS) * sizeof(*args)),
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (result < 0 && result > -4096)
		fail(loader, result);
	args = (char **)result;
	args[n++] = argc ? argv[0] : name;
	args[n++] = no_cache;
	args[n++] = argv0;
	args[n++] = argc ? argv[0] : name;
	args[n++] = program;
	for (size_t i = 1; i < argc; i++)
		args[n++] = argv[i];
	args[n] = NULL;
	fail(loader, call(__NR_execve, (long)loader, (long)args, (long)envp, 0, 0, 0));
	__builtin_unreachable();
}
