// SPDX-License-Identifier: Apache-2.0
/* What is compressed comes back the same, behind what was in the buffer already. */
#include <stdlib.h>
#include <zlib.h>

#include "export/gzip.h"
#include "support.h"

static void expect_round_trip(const char *in, size_t len)
{
	char *back = malloc(len + 1);
	z_stream stream = {0};
	struct buf out;

	assert_non_null(back);
	buf_init(&out);
	buf_append_cstr(&out, "head");
	assert_int_equal(gzip_pack(&out, sv_from(in, len)), 0);
	assert_memory_equal(out.data, "head\x1f\x8b", 6);
	assert_int_equal(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
	stream.next_in = (Bytef *)out.data + 4;
	stream.avail_in = (uInt)(out.len - 4);
	stream.next_out = (Bytef *)back;
	stream.avail_out = (uInt)len + 1;
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(stream.total_out, len);
	assert_int_equal(stream.avail_in, 0);
	if (len)
		assert_memory_equal(back, in, len);
	inflateEnd(&stream);
	buf_release(&out);
	free(back);
}

static void test_round_trips(void **state)
{
	static char noise[100000];
	uint64_t bits = 1;

	(void)state;
	expect_round_trip(NULL, 0);
	expect_round_trip("x", 1);
	expect_round_trip(noise, sizeof(noise));
	for (size_t i = 0; i < sizeof(noise); i++) {
		bits = bits * 6364136223846793005ULL + 1442695040888963407ULL;
		noise[i] = (char)(bits >> 56);
	}
	expect_round_trip(noise, sizeof(noise)); /* grows instead of shrinking */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
