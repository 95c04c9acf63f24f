// SPDX-License-Identifier: Apache-2.0
/* UTF-8 validation and repair; see utf8.h for the rules. */
#include "base/utf8.h"

#include <stdint.h>

/*
 * Length of the sequence at p (1 to 4) when well formed; otherwise minus the number of bytes of the
 * maximal ill-formed part (at least 1).
 */
static int utf8_sequence(const unsigned char *p, size_t left)
{
	unsigned char lead = p[0], low = 0x80, high = 0xbf;
	int need;

	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf) {
		need = 1;
	} else if ((lead & 0xf0) == 0xe0) {
		need = 2;
		low = lead == 0xe0 ? 0xa0 : 0x80;
		high = lead == 0xed ? 0x9f : 0xbf;
	} else if (lead >= 0xf0 && lead <= 0xf4) {
		need = 3;
		low = lead == 0xf0 ? 0x90 : 0x80;
		high = lead == 0xf4 ? 0x8f : 0xbf;
	} else {
		return -1;
	}
	for (int i = 1; i <= need; i++) {
		if ((size_t)i >= left || p[i] < low || p[i] > high)
			return -i;
		low = 0x80;
		high = 0xbf;
	}
	return need + 1;
}

/* How many bytes from the beginning are ASCII for sure; eight at a time. */
static size_t ascii_prefix(struct sv s)
{
	size_t at = 0;
	uint64_t word;

	for (; s.len - at >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, s.p + at, sizeof(word));
		if (word & 0x8080808080808080ULL)
			return at;
	}
	while (at < s.len && !(s.p[at] & 0x80))
		at++;
	return at;
}

size_t utf8_valid_prefix(struct sv s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t at = ascii_prefix(s);

	while (at < s.len) {
		int n = utf8_sequence(p + at, s.len - at);

		if (n < 0)
			break;
		at += (size_t)n;
	}
	return at;
}

void utf8_append_repaired(struct buf *out, struct sv s)
{
	while (s.len) {
		size_t good = utf8_valid_prefix(s);

		buf_append(out, s.p, good);
		s = sv_skip(s, good);
		if (!s.len)
			break;
		buf_append(out, "\xef\xbf\xbd", 3);
		s = sv_skip(s, (size_t)-utf8_sequence((const unsigned char *)s.p, s.len));
	}
}
