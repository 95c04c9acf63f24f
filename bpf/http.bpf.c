// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Whether bytes look like the beginning of an HTTP/1 message, be it an unusual one.
 *
 * The verifier follows each turn of a loop by itself, and traces numbers that addresses depend on back to their origin: byte by
 * byte that took 59 M more of the instructions that zerospan needs to start. So the bytes are three words that are shifted along,
 * characters are told by a table, and the functions are global: checked once, for any arguments.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "http.bpf.h"

/* Bytes looked at: enough for the longest registered method (VERSION-CONTROL) and its target's
 * start. */
#define ZSP_PREFIX 24

/* What a character may be. */
#define ZSP_TOKEN  1 /* a part of a token: tchar of RFC 9110 section 5.6.2 */
#define ZSP_BLANK  2 /* taken for the blank between the words of a start line (RFC 9112 section 3) */
#define ZSP_TARGET 4 /* behind that blank: the beginning of a request target, or another blank */

static const u8 zsp_characters[256] = {
    ['\t'] = ZSP_BLANK | ZSP_TARGET,
    ['\v' ... '\r'] = ZSP_BLANK | ZSP_TARGET,
    [' '] = ZSP_BLANK | ZSP_TARGET,
    ['!'] = ZSP_TOKEN,
    ['#' ... '\''] = ZSP_TOKEN,
    ['*'] = ZSP_TOKEN | ZSP_TARGET,
    ['+'] = ZSP_TOKEN,
    ['-' ... '.'] = ZSP_TOKEN,
    ['/'] = ZSP_TARGET,
    ['0' ... '9'] = ZSP_TOKEN,
    ['A' ... 'G'] = ZSP_TOKEN,
    ['H'] = ZSP_TOKEN | ZSP_TARGET,
    ['I' ... 'Z'] = ZSP_TOKEN,
    ['^' ... 'g'] = ZSP_TOKEN,
    ['h'] = ZSP_TOKEN | ZSP_TARGET,
    ['i' ... 'z'] = ZSP_TOKEN,
    ['|'] = ZSP_TOKEN,
    ['~'] = ZSP_TOKEN,
};

/* May the first character of these bytes be this? */
static __always_inline bool first_is(u64 bytes, u8 what)
{
	return zsp_characters[bytes & 0xff] & what;
}

/* Are the n first bytes of an answer all that there is? */
static __always_inline bool starts_answer(u64 first, u64 n)
{
	return n < 7 && !((first ^ ZSP_WORD("HTTP/1. ", 7)) & ZSP_BYTES(n));
}

/* A token, a blank, and what a request target can begin with; a prefix of that when n is short. */
static __always_inline bool starts_request(u64 first, u64 second, u64 third, u64 n)
{
	u64 rest = first;

	if (!first_is(rest, ZSP_TOKEN))
		return false;
#pragma clang loop unroll(disable)
	for (u64 length = 1; length < ZSP_PREFIX - 1; length++) {
		rest = rest >> 8 | second << 56;
		second = second >> 8 | third << 56;
		third >>= 8;
		if (first_is(rest, ZSP_TOKEN))
			continue;
		if (length >= n)
			return true;
		if (!first_is(rest, ZSP_BLANK))
			return false;
		return length + 1 >= n || first_is(rest >> 8, ZSP_TARGET) ||
		    ZSP_BEGINS(first, "CO", 2);
	}
	return false;
}

/* The same of n bytes, with 0 behind them, that are no usual beginning. */
__noinline int zsp_starts_unusually(u64 first, u64 second, u64 third, u64 n)
{
	return ZSP_BEGINS(first, "\r", 1) || ZSP_BEGINS(first, "\n", 1) ||
	    starts_answer(first, n) || starts_request(first, second, third, n);
}

__noinline int zsp_starts_http(u64 address, u64 n)
{
	u64 words[ZSP_PREFIX / 8] = {};

	if (n == 0)
		return false;
	if (n > ZSP_PREFIX)
		n = ZSP_PREFIX;
	if (bpf_probe_read_user(words, n, (void *)address))
		return false;
	return zsp_starts_usually(words[0]) ||
	    zsp_starts_unusually(words[0], words[1], words[2], n);
}
