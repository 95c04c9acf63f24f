// SPDX-License-Identifier: Apache-2.0
/* Any bytes repaired: valid by the definition of UTF-8, unchanged when they were, and never repaired twice. */
#include "fuzz.h"

/* By the value of the code point instead of table 3-7: shortest form, no surrogate, at most U+10FFFF. */
static bool valid_by_value(struct sv s)
{
	for (size_t i = 0; i < s.len;) {
		unsigned char lead = (unsigned char)s.p[i];
		size_t n = lead < 0x80 ? 1
		    : lead < 0xc0      ? 0
		    : lead < 0xe0      ? 2
		    : lead < 0xf0      ? 3
				       : 4;
		uint32_t value = n == 1 ? lead : n == 2 ? lead & 31 : n == 3 ? lead & 15 : lead & 7;

		if (n == 0 || lead > 0xf7 || n > s.len - i)
			return false;
		for (size_t k = 1; k < n; k++) {
			if ((s.p[i + k] & 0xc0) != 0x80)
				return false;
			value = value << 6 | (s.p[i + k] & 63);
		}
		if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000) ||
		    (n == 2 && value < 0x80) || (n == 3 && value < 0x800) ||
		    (n == 4 && value < 0x10000))
			return false;
		i += n;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = fuzz_copy(data, size);
	size_t good = utf8_valid_prefix(in);
	struct buf once, twice;

	buf_init(&once);
	buf_init(&twice);
	REQUIRE(good <= in.len && valid_by_value(sv_from(in.p, good)));
	REQUIRE(utf8_valid(in) == valid_by_value(in));
	utf8_append_repaired(&once, in);
	utf8_append_repaired(&twice, buf_sv(&once));
	REQUIRE(valid_by_value(buf_sv(&once)) && once.len <= 3 * in.len);
	REQUIRE(sv_eq(buf_sv(&once), buf_sv(&twice)));
	REQUIRE(good < in.len || sv_eq(buf_sv(&once), in));
	buf_release(&once);
	buf_release(&twice);
	fuzz_free(in);
	return 0;
}
