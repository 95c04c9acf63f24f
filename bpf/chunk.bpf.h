/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the size lines of a chunked body stand (RFC 9112 section 7.1), so that they are captured however large a call is: a body whose
 * sizes are not seen has no end.
 *
 *	head CRLF CRLF  2000 CRLF  ... data ... CRLF  1f4;x=y CRLF  ... data ... CRLF  0 CRLF CRLF
 *	DATA            SIZE       DATA               SIZE    LINE  DATA               SIZE
 *
 * They are followed from the end of a head on, or from a call on that begins with such a line, through all calls whose bytes lie in
 * one buffer. Nothing here is believed: where the bytes are no chunks, a little too much is captured, and what they mean user space
 * finds out.
 */
#ifndef ZSP_CHUNK_BPF_H
#define ZSP_CHUNK_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "http.bpf.h"
#include "maps.bpf.h"
#include "transfer.bpf.h"

/* A call that begins a message and has fewer bytes is not searched for the end of a head: most messages are no longer. */
#define ZSP_CHUNK_LEAST 512
/* A head that is longer is followed by no chunks, as far as is known. A power of two. */
#define ZSP_HEAD_LOOK 1024
#define ZSP_HEAD_STEP 32
/* Most bytes of a size line in one call; three words. */
#define ZSP_SIZE_LINE_MAX 24
/* Chunks that are longer are not followed. */
#define ZSP_CHUNK_MAX 0x7ffffff
/* The square of this is how many chunks of one call are looked at, if all of it is captured. */
#define ZSP_CHUNKS_SOME 8

static __always_inline bool in_size_line(u32 state)
{
	return state == ZSP_CHUNK_SIZE || state == ZSP_CHUNK_LINE;
}

/* Has this word a byte that is the same as all of pattern's? (Mycroft 1987: never no if there is one.) */
static __always_inline bool has_byte(u64 word, u64 pattern)
{
	u64 zero = word ^ pattern;

	return (zero - 0x0101010101010101ULL) & ~zero & 0x8080808080808080ULL;
}

static __always_inline bool is_hex(u8 c)
{
	return c - '0' < 10U || (c | 0x20) - 'a' < 6U;
}

/* May these first bytes of a call be a size line? */
static __always_inline bool chunk_seems_size(u64 first)
{
	return is_hex(first) && has_byte(first, 0x0d0d0d0d0d0d0d0dULL);
}

/* Where an empty line (\r\n\r\n) ends that begins in the first of two words; 0: there is none. */
static __always_inline u32 empty_line_end(u64 word, u64 next)
{
	for (u32 i = 0; i < 8; i++) {
		if ((u32)word == 0x0a0d0a0d)
			return i + 4;
		word = word >> 8 | next << 56;
		next >>= 8;
	}
	return 0;
}

/*
 * Where an empty line ends that begins within ZSP_HEAD_STEP bytes at this place of what was copied; 0: there is none. A global function, as it
 * is called in a loop: checked once, and not once for each turn.
 */
__weak int zsp_chunk_empty_line(u32 cpu, u32 at)
{
	const struct zsp_gather *g = bpf_map_lookup_elem(&zsp_gathers, &cpu);
	const u64 *words;

	if (!g)
		return 0;
	at &= ZSP_HEAD_LOOK - ZSP_HEAD_STEP;
	words = &g->record[at / 8];
	for (u32 i = 0; i < ZSP_HEAD_STEP / 8; i++) {
		u32 end = has_byte(words[i], 0x0a0a0a0a0a0a0a0aULL)
		    ? empty_line_end(words[i], words[i + 1])
		    : 0;

		if (end)
			return at + 8 * i + end;
	}
	return 0;
}

/* How many of these n bytes are a head, with its empty line; 0: it does not end soon. */
__weak int zsp_chunk_head_bytes(u32 cpu, u64 address, u64 n)
{
	struct zsp_gather *g = bpf_map_lookup_elem(&zsp_gathers, &cpu);
	u64 end;

	if (!g || !n)
		return 0;
	if (n > ZSP_HEAD_LOOK)
		n = ZSP_HEAD_LOOK;
	barrier_var(n);
	n = ((n - 1) & (ZSP_HEAD_LOOK - 1)) +
	    1; /* n as it is; for the verifier, without a branch */
	if (bpf_probe_read_user(g->record, n, (void *)address))
		return 0;
#pragma clang loop unroll(disable)
	for (u32 at = 0; at < ZSP_HEAD_LOOK && at < n; at += ZSP_HEAD_STEP) {
		end = zsp_chunk_empty_line(cpu, at);
		if (end)
			return end <= n ? end : 0; /* behind n there is what was there before */
	}
	return 0;
}

/*
 * One more byte of a size line. Its state is DATA once it has ended, NONE if it is none, or one behind which there is no data. Returns whether
 * it goes on. A global function, as it is called in a loop.
 */
__weak int zsp_chunk_size_byte(u32 cpu, u32 byte)
{
	struct zsp_gather *g = bpf_map_lookup_elem(&zsp_gathers, &cpu);
	u8 c = byte;

	if (!g)
		return false;
	if (g->chunk_state == ZSP_CHUNK_SIZE && is_hex(c)) {
		g->chunk = g->chunk << 4 | ((c & 0xf) + (c > '9' ? 9 : 0));
		if (g->chunk > ZSP_CHUNK_MAX)
			g->chunk_state = ZSP_CHUNK_NONE;
	} else if (c == '\n') {
		g->chunk_state = g->chunk ? ZSP_CHUNK_DATA : ZSP_CHUNK_NONE;
		g->chunk += 2;
	} else if (g->chunk_state == ZSP_CHUNK_LINE || c == '\r' || c == ';' || c == ' ' ||
	    c == '\t') {
		g->chunk_state = ZSP_CHUNK_LINE;
	} else {
		g->chunk_state = ZSP_CHUNK_NONE;
	}
	return in_size_line(g->chunk_state);
}

/*
 * Go on in a size line with what is left of the call at this address; how many bytes there are of it. A global function: what it returns is any
 * number to the verifier.
 */
__weak int zsp_chunk_size_line(u32 cpu, u64 address, u64 left)
{
	u64 words[ZSP_SIZE_LINE_MAX / 8] = {}, first, second, third;
	u64 n = left < sizeof(words) ? left : sizeof(words);
	u32 i = 0;

	if (!n || bpf_probe_read_user(words, n, (void *)address))
		return 0;
	first = words[0];
	second = words[1];
	third = words[2];
#pragma clang loop unroll(disable)
	while (i < ZSP_SIZE_LINE_MAX && i < n) {
		i++;
		if (!zsp_chunk_size_byte(cpu, first & 0xff))
			return i;
		first = first >> 8 | second << 56;
		second = second >> 8 | third << 56;
		third >>= 8;
	}
	return n == left ? i : 0; /* or it is too long */
}

/*
 * The next piece of the call behind g->piece: up to the next size line, or from one to the one behind it. Returns how much of it is to be
 * captured at least, in bytes. A global function: checked once, for any arguments.
 */
__weak int zsp_chunk_next(u32 cpu)
{
	struct zsp_gather *g = bpf_map_lookup_elem(&zsp_gathers, &cpu);
	u64 address;
	u32 line = 0;

	if (!g)
		return 0;
	address = (u64)g->piece.iov_base + g->piece.iov_len;
	if (in_size_line(g->chunk_state)) {
		line = zsp_chunk_size_line(cpu, address, g->left);
		if (!line)
			g->chunk_state = ZSP_CHUNK_NONE;
	}
	g->piece.iov_base = (void *)address;
	g->piece.iov_len = g->left;
	if (g->chunk_state == ZSP_CHUNK_DATA) {
		if (line + g->chunk < g->left)
			g->piece.iov_len = line + g->chunk;
		g->chunk -= g->piece.iov_len - line;
		if (!g->chunk)
			g->chunk_state = ZSP_CHUNK_SIZE;
	}
	return line ? ZSP_SIZE_LINE_MAX : 0;
}

/* Go through some pieces; returns whether there are more. */
__weak int zsp_chunk_pass_some(u32 cpu)
{
	struct zsp_gather *g = bpf_map_lookup_elem(&zsp_gathers, &cpu);

	if (!g)
		return false;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < ZSP_CHUNKS_SOME && g->left; i++) {
		zsp_chunk_next(cpu);
		g->left -= g->piece.iov_len;
	}
	return g->left != 0;
}

/* Go through a call of which all is captured anyhow. */
static __always_inline void chunk_pass(u32 cpu)
{
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < ZSP_CHUNKS_SOME; i++)
		if (!zsp_chunk_pass_some(cpu))
			break;
}

/* Is the call that begins at g->piece in a chunked body? starts: it may begin a message. */
__weak int zsp_chunk_find(u32 cpu, u32 starts)
{
	struct zsp_gather *g = bpf_map_lookup_elem(&zsp_gathers, &cpu);

	if (!g)
		return false;
	/* What may begin a message is often but the line end behind a chunk. */
	if (starts && (!g->chunk_state || zsp_starts_usually(g->first))) {
		g->chunk = zsp_chunk_head_bytes(cpu, (u64)g->piece.iov_base, g->left);
		g->chunk_state = g->chunk ? ZSP_CHUNK_DATA : ZSP_CHUNK_NONE;
	} else if (!g->chunk_state) {
		g->chunk = 0;
		g->chunk_state = ZSP_CHUNK_SIZE;
	}
	return g->chunk_state != ZSP_CHUNK_NONE;
}

/* The call begins. */
static __always_inline void chunk_begin(
    struct zsp_gather *g, const struct zsp_conn *conn, const struct zsp_transfer *t)
{
	u32 way = way_of(t);

	g->chunk = conn->chunk[way];
	g->chunk_state = conn->chunk_state[way];
	g->first = t->first;
	g->left = t->bytes;
	g->piece.iov_base = (void *)t->buf;
	g->piece.iov_len = 0;
}

/* It has ended: what has not been looked at cannot be followed. */
static __always_inline void chunk_end(
    const struct zsp_gather *g, struct zsp_conn *conn, const struct zsp_transfer *t)
{
	u32 way = way_of(t);

	conn->chunk[way] = g->chunk;
	conn->chunk_state[way] = g->left ? ZSP_CHUNK_NONE : g->chunk_state;
}

#endif
