// SPDX-License-Identifier: Apache-2.0
/* Guises of values; see guise.h. */
#include "rule/guise.h"

#include <string.h>

/* Characters that a masked value still shows, and how long it must be for that. */
#define MASK_SHOWN 4
#define MASK_MIN   9

/* --- SipHash ------------------------------------------------------------------------------------- */

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_rounds(struct sip *s, int n)
{
	while (n-- > 0) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 = rotate(s->v2, 32);
	}
}

static uint64_t little_endian(const uint8_t *p, size_t n)
{
	uint64_t word = 0;

	while (n-- > 0)
		word = word << 8 | p[n];
	return word;
}

static void sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_rounds(s, 2);
	s->v0 ^= word;
}

static uint64_t sip_end(struct sip *s)
{
	sip_rounds(s, 4);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* The 128-bit form: another constant at the beginning, and a second end. */
static void sip_hash(const uint8_t *key, struct sv in, uint64_t ret_hash[2])
{
	const uint8_t *p = (const uint8_t *)in.p;
	uint64_t k0 = little_endian(key, 8), k1 = little_endian(key + 8, 8);
	struct sip s = {k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL ^ 0xee,
	    k0 ^ 0x6c7967656e657261ULL, k1 ^ 0x7465646279746573ULL};
	size_t left = in.len;

	for (; left >= 8; left -= 8, p += 8)
		sip_word(&s, little_endian(p, 8));
	sip_word(&s, (left ? little_endian(p, left) : 0) | (uint64_t)in.len << 56);
	s.v2 ^= 0xee;
	ret_hash[0] = sip_end(&s);
	s.v1 ^= 0xdd;
	ret_hash[1] = sip_end(&s);
}

static void append_hash(struct buf *out, const uint8_t *key, struct sv value)
{
	uint64_t hash[2];

	sip_hash(key, value, hash);
	for (size_t i = 0; i < 16; i++)
		buf_printf(out, "%02x", (unsigned int)(hash[i / 8] >> (i % 8 * 8) & 0xff));
}

/* Bytes of the last n characters of UTF-8. */
static size_t last_characters(struct sv text, size_t n)
{
	size_t i = text.len;

	while (i > 0 && n > 0)
		if (((unsigned char)text.p[--i] & 0xc0) != 0x80)
			n--;
	return text.len - i;
}

void rule_guise_append(struct buf *out, enum rule_guise guise, const uint8_t *key, struct sv value)
{
	size_t shown = 0;

	if (guise == RULE_PLAIN) {
		buf_append_sv(out, value);
	} else if (guise == RULE_HASHED) {
		append_hash(out, key, value);
	} else {
		if (last_characters(value, MASK_MIN) > last_characters(value, MASK_MIN - 1))
			shown = last_characters(value, MASK_SHOWN);
		buf_append_cstr(out, "****");
		buf_append_sv(out, sv_skip(value, value.len - shown));
	}
}
