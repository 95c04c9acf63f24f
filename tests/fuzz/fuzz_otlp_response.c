// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a collector's answer: the two messages in which a server's words reach the log. */
#include "fuzz.h"
#include "otlp_common.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = fuzz_copy(data, size);
	const uint8_t *p = (const uint8_t *)in.p;
	Opentelemetry__Proto__ExportResponse *response =
	    opentelemetry__proto__export_response__unpack(NULL, in.len, p);
	Opentelemetry__Proto__RpcStatus *status =
	    opentelemetry__proto__rpc_status__unpack(NULL, in.len, p);

	if (response && response->partial_success)
		REQUIRE(strlen(response->partial_success->error_message) <= size);
	if (status)
		REQUIRE(strlen(status->message) <= size);
	if (response)
		opentelemetry__proto__export_response__free_unpacked(response, NULL);
	if (status)
		opentelemetry__proto__rpc_status__free_unpacked(status, NULL);
	fuzz_free(in);
	return 0;
}
