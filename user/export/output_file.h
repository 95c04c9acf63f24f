/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of lines that several sinks write to, each from its own thread: what is written in one call
 * is never mixed with another's. A file with a name may be rotated by its size, always between two
 * lines: FILE becomes FILE.1, that FILE.2, and so on. It is found again when it was moved or deleted,
 * and a write that fails leaves no half line in it. Knows nothing of what the lines say.
 */
#ifndef ZS_EXPORT_OUTPUT_FILE_H
#define ZS_EXPORT_OUTPUT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sv.h"

struct output_file;

struct output_file_options {
	const char *path;
	bool append;        /* go on where it ends; else it is emptied */
	uint64_t max_bytes; /* a line that would make it longer goes to a new file; 0: no rotation;
	                       nor of what is no regular file */
	unsigned int keep;  /* so many old files stay; at least 1 */
};

/* Open and create (mode 0644). One reference; NULL and errno. */
struct output_file *output_file_open(const struct output_file_options *options);

/* The same around an open descriptor, which stays the caller's: the terminal, a pipe. SIGPIPE is
 * ignored by the caller. NULL and errno. */
struct output_file *output_file_of_fd(int fd);

struct output_file *output_file_ref(struct output_file *file);
void output_file_unref(struct output_file *file); /* the last one closes; NULL is fine */

/* Its path; "the terminal or pipe" for a descriptor. */
const char *output_file_name(const struct output_file *file);

/*
 * Write whole lines (the last byte is a line end). Blocks while the reader of a pipe stalls or another
 * thread writes, and then ends early when stopping(ctx) is true (-ECANCELED). Returns the bytes
 * that arrived as whole lines from the beginning on; if they are not all, *ret_error is negative errno.
 */
size_t output_file_write(struct output_file *file, struct sv lines, bool (*stopping)(void *ctx),
    void *ctx, int *ret_error);

#endif
