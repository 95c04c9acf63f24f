// SPDX-License-Identifier: Apache-2.0
/* Compressed bodies: of one and of several members, cut, at the bound, and with something behind them. */
#include <stdlib.h>
#include <zlib.h>

#include "rule/inflate.h"
#include "support.h"

/* zlib's numbers of the three forms. */
enum {
	GZIP = 15 + 16,
	ZLIB = 15,
	BARE = -15
};

static void pack(struct buf *out, const char *text, int window)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)text, .avail_in = (uInt)strlen(text)};
	Bytef packed[512];

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_out = packed;
	z.avail_out = sizeof(packed);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_append(out, packed, sizeof(packed) - z.avail_out);
	deflateEnd(&z);
}

static void expect(struct sv in, size_t max, bool whole, const char *says)
{
	struct edge edge = edge_copy(in.p, in.len);
	struct buf out;

	buf_init(&out);
	buf_append_cstr(&out, ">");
	assert_int_equal(inflate_append(&out, sv_from(edge.p, edge.len), max), whole);
	assert_int_equal(out.len, 1 + strlen(says));
	assert_string_equal(out.data + 1, says);
	buf_release(&out);
	edge_free(&edge);
}

static void one_text(void **state)
{
	static const int windows[] = {GZIP, ZLIB, BARE};
	struct buf in;

	(void)state;
	buf_init(&in);
	for (size_t i = 0; i < 3; i++) {
		buf_clear(&in);
		pack(&in, "{\"total\":12}", windows[i]);
		expect(buf_sv(&in), 100, true, "{\"total\":12}");
		expect(buf_sv(&in), 12, true, "{\"total\":12}");
		expect(buf_sv(&in), 4, false, "{\"to");
		buf_append_char(&in, 'x');
		expect(buf_sv(&in), 100, false, "{\"total\":12}");
	}
	expect(SV("no such thing"), 100, false, "");
	expect(SV(""), 100, false, "");
	buf_release(&in);
}

static void members(void **state)
{
	struct buf in;
	size_t first;

	(void)state;
	buf_init(&in);
	pack(&in, "{\"total\":12", GZIP);
	first = in.len;
	pack(&in, "", GZIP);
	pack(&in, "34.5}", GZIP);
	expect(buf_sv(&in), 100, true, "{\"total\":1234.5}");
	expect(buf_sv(&in), 16, true, "{\"total\":1234.5}");
	expect(buf_sv(&in), 15, false, "{\"total\":1234.5");
	expect(buf_sv(&in), 11, false, "{\"total\":12");
	expect(buf_sv(&in), 5, false, "{\"tot");
	for (size_t n = first + 1; n < first + 18; n++)
		expect(sv_from(in.data, n), 100, false, "{\"total\":12");
	buf_append_cstr(&in, "PK");
	expect(buf_sv(&in), 100, false, "{\"total\":1234.5}");
	/* zlib has one text only, and none follows gzip. */
	buf_clear(&in);
	pack(&in, "a", ZLIB);
	pack(&in, "b", GZIP);
	expect(buf_sv(&in), 100, false, "a");
	buf_clear(&in);
	pack(&in, "a", GZIP);
	pack(&in, "b", ZLIB);
	expect(buf_sv(&in), 100, false, "a");
	buf_release(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_text),
	    cmocka_unit_test(members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
