// SPDX-License-Identifier: Apache-2.0
/* Any bytes as Accept and Accept-Encoding: in bounds, the same with blanks around, and text after q=1 stays text. */
#include "base/buf.h"
#include "export/accept.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = fuzz_copy(data, size);
	struct accepted accepted = accept_format(in), again;
	struct buf other;

	REQUIRE(accepted.openmetrics || !accepted.escaping);
	buf_init(&other);
	buf_append_cstr(&other, " \t");
	buf_append_sv(&other, in);
	again = accept_format(buf_sv(&other));
	REQUIRE(again.openmetrics == accepted.openmetrics && again.escaping == accepted.escaping);
	REQUIRE(accept_gzip(buf_sv(&other)) == accept_gzip(in));
	buf_clear(&other);
	buf_append_cstr(&other, "text/plain,");
	buf_append_sv(&other, in);
	REQUIRE(!accept_format(buf_sv(&other)).openmetrics);
	buf_release(&other);
	fuzz_free(in);
	return 0;
}
