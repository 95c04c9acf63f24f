// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as a collector's answer, over HTTP and over gRPC: the lines of the input are fields of its head, what follows them is its body. A verdict comes
 * out, with words that can be logged as they are.
 */
#include "export/otlp_grpc.h"
#include "export/otlp_http.h"
#include "export/otlp_retry.h"
#include "fuzz.h"

static void check(const struct otlp_verdict *verdict)
{
	REQUIRE(verdict->outcome >= OTLP_TAKEN && verdict->outcome <= OTLP_REFUSED);
	REQUIRE(verdict->wait_ms >= -1 && verdict->wait_ms <= OTLP_RETRY_AFTER_MAX_MS);
	REQUIRE(memchr(verdict->what, '\0', sizeof(verdict->what)));
	REQUIRE(memchr(verdict->why, '\0', sizeof(verdict->why)));
	for (const char *p = verdict->why; *p; p++)
		REQUIRE((unsigned char)*p >= 0x20 && *p != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_choices c = {data, size};
	struct otlp_answer answer = {.code = CURLE_OK, .http2 = true};
	struct otlp_verdict verdict;
	struct sv body;

	answer.status = 100 + (long)(fuzz_word(&c) % 500);
	for (int i = 0; i < OTLP_FIELDS; i++) {
		struct sv field = fuzz_part(&c, '\n');

		answer.has[i] = field.len > 0;
		buf_append_sv(&answer.fields[i], field);
	}
	body = fuzz_copy(c.p, c.left);
	buf_append_sv(&answer.body, body);
	verdict = otlp_grpc_judge(&answer);
	check(&verdict);
	verdict = otlp_http_judge(&answer, 784111777);
	check(&verdict);
	fuzz_free(body);
	buf_release(&answer.body);
	for (int i = 0; i < OTLP_FIELDS; i++)
		buf_release(&answer.fields[i]);
	return 0;
}
