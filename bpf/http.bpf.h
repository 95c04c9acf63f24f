/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel side knows of HTTP, beside the size lines of chunks: whether bytes look like the beginning of an HTTP/1
 * message. It decides what is captured, never what it means; a wrong yes costs a copy, and the
 * parser in user space says no. Methods are any token (RFC 9110 section 9.1), not a list.
 */
#ifndef ZSP_HTTP_BPF_H
#define ZSP_HTTP_BPF_H

#include "vmlinux.h"

/* The lowest n bytes, 1 to 8, of a word. */
#define ZSP_BYTES(n) (~0ULL >> (64 - 8 * (n)))
/* The n first characters of text as a little-endian number. */
#define ZSP_WORD(text, n) ((u64)(*(const u64 *)(text)) & ZSP_BYTES(n))
/* Are these bytes' first n characters those of text? */
#define ZSP_BEGINS(bytes, text, n) (((bytes)&ZSP_BYTES(n)) == ZSP_WORD(text "       ", n))

/* How nearly all messages begin, told by their first 8 bytes at once. */
static __always_inline bool zsp_starts_usually(u64 first)
{
	return ZSP_BEGINS(first, "HTTP/1.", 7) || ZSP_BEGINS(first, "GET /", 5) ||
	    ZSP_BEGINS(first, "POST /", 6) || ZSP_BEGINS(first, "PUT /", 5) ||
	    ZSP_BEGINS(first, "HEAD /", 6) || ZSP_BEGINS(first, "DELETE /", 8);
}

/* Do the n bytes at this user address look like the start of a message? Empty lines may come first. */
int zsp_starts_http(u64 address, u64 n);

#endif
