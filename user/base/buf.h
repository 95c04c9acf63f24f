/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable byte buffer. Invariant: data is NULL or holds cap bytes of which the first len are
 * valid and data[len] is NUL. An allocation failure sets `failed` and turns later appends into
 * no-ops, so a writer appends freely and checks once at the end.
 */
#ifndef ZS_BASE_BUF_H
#define ZS_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/sv.h"

struct buf {
	char *data;
	size_t len; /* bytes used */
	size_t cap; /* bytes allocated */
	bool failed;
};

void buf_init(struct buf *b);
void buf_release(struct buf *b);

/* Forget the contents and the failure, keep the memory. */
void buf_clear(struct buf *b);

/* Make room for extra more bytes. Returns 0 or -ENOMEM (also remembered in failed). */
int buf_reserve(struct buf *b, size_t extra);

/* For buf_append(): when there is no room. */
void buf_append_growing(struct buf *b, const void *p, size_t len);

static inline void buf_append(struct buf *b, const void *p, size_t len)
{
	if (b->failed || b->cap <= b->len || len >= b->cap - b->len) {
		buf_append_growing(b, p, len);
		return;
	}
	if (len)
		memcpy(b->data + b->len, p, len);
	b->len += len;
	b->data[b->len] = '\0';
}

static inline void buf_append_sv(struct buf *b, struct sv s)
{
	buf_append(b, s.p, s.len);
}

void buf_append_cstr(struct buf *b, const char *s);
void buf_append_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Remove the first n bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);

/* The contents; borrowed until the buffer changes. */
static inline struct sv buf_sv(const struct buf *b)
{
	return sv_from(b->data, b->len);
}

#endif
