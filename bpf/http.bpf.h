/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one thing the kernel side knows of HTTP: whether bytes look like the beginning of an HTTP/1
 * message. It decides what is captured, never what it means; a wrong yes costs a copy, and the
 * parser in user space says no. Methods are any token (RFC 9110 section 9.1), not a list.
 */
#ifndef ZSP_HTTP_BPF_H
#define ZSP_HTTP_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

/* Bytes looked at: enough for the longest registered method (VERSION-CONTROL) and its target's
 * start. */
#define ZSP_PREFIX 24

/* tchar of RFC 9110 section 5.6.2 as two 64-bit sets. */
static __always_inline bool zsp_is_tchar(u8 c)
{
	const u64 low = 0x03ff6cfa00000000ULL;  /* ! # $ % & ' * + - . 0-9 */
	const u64 high = 0x57ffffffc7fffffeULL; /* A-Z ^ _ ` a-z | ~ */

	if (c >= 128)
		return false;
	return ((c < 64 ? low >> c : high >> (c - 64)) & 1) != 0;
}

/* What recipients may take for the blank between the words of a start line (RFC 9112 section 3). */
static __always_inline bool zsp_is_blank(u8 c)
{
	return c == ' ' || (c >= '\t' && c <= '\r' && c != '\n');
}

static __always_inline bool zsp_starts_response(const u8 *p, u64 n)
{
	const u8 want[] = {'H', 'T', 'T', 'P', '/', '1', '.'};

#pragma unroll
	for (u32 i = 0; i < sizeof(want); i++) {
		if (i >= n)
			return true;
		if (p[i] != want[i])
			return false;
	}
	return true;
}

/* A token, a blank, and what a request target can begin with; a prefix of that when n is short. */
static __always_inline bool zsp_starts_request(const u8 *p, u64 n)
{
	u32 i;

	for (i = 0; i < ZSP_PREFIX - 1; i++) {
		u8 next;

		if (i >= n)
			return true;
		if (zsp_is_tchar(p[i]))
			continue;
		if (!zsp_is_blank(p[i]) || i == 0)
			return false;
		if (i + 1 >= n)
			return true;
		next = p[i + 1];
		return next == '/' || next == '*' || next == 'h' || next == 'H' ||
		    zsp_is_blank(next) || (p[0] == 'C' && p[1] == 'O');
	}
	return false;
}

/* The n first characters of text as a little-endian number. */
#define ZSP_WORD(text, n) ((u64)(*(const u64 *)(text)) & ~0ULL >> (64 - 8 * (n)))

/* How nearly all messages begin, told by their first 8 bytes at once. */
static __always_inline bool zsp_starts_usually(u64 first)
{
#define ZSP_BEGINS(text, n) ((first & (~0ULL >> (64 - 8 * (n)))) == ZSP_WORD(text "       ", n))
	return ZSP_BEGINS("HTTP/1.", 7) || ZSP_BEGINS("GET /", 5) || ZSP_BEGINS("POST /", 6) ||
	    ZSP_BEGINS("PUT /", 5) || ZSP_BEGINS("HEAD /", 6) || ZSP_BEGINS("DELETE /", 8);
#undef ZSP_BEGINS
}

/*
 * Do the n bytes at this user address look like the start of a message? Empty lines may come first.
 * A global function: the verifier checks it once, for any arguments.
 */
__weak int zsp_starts_http(u64 address, u64 n)
{
	u64 words[ZSP_PREFIX / 8] = {};
	const u8 *p = (const u8 *)words;

	if (n == 0)
		return false;
	if (n > ZSP_PREFIX)
		n = ZSP_PREFIX;
	if (bpf_probe_read_user(words, n, (void *)address))
		return false;
	if (zsp_starts_usually(words[0]))
		return true;
	if (p[0] == '\r' || p[0] == '\n')
		return true;
	return zsp_starts_response(p, n) || zsp_starts_request(p, n);
}

#endif
