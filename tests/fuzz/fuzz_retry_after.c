// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a Retry-After field: in bounds, and the same in any surrounding blanks. */
#include "export/otlp_retry.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const time_t now_s = 1700000000;
	struct sv in = fuzz_copy(data, size);
	int64_t ms = otlp_retry_after_parse(in, now_s);
	struct buf padded;

	REQUIRE(ms >= -1 && ms <= OTLP_RETRY_AFTER_MAX_MS && (ms == -1 || ms % 1000 == 0));
	buf_init(&padded);
	buf_append_cstr(&padded, " \t");
	buf_append_sv(&padded, in);
	buf_append_cstr(&padded, "\t ");
	REQUIRE(otlp_retry_after_parse(buf_sv(&padded), now_s) == ms);
	buf_release(&padded);
	fuzz_free(in);
	return 0;
}
