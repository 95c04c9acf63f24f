// SPDX-License-Identifier: Apache-2.0
/* Verdicts that the transports share; see otlp_verdict.h. */
#include "export/otlp_verdict.h"

#include <stdio.h>

#include "otlp_common.pb-c.h"

/* Text of a server for our log: no control characters. */
static void clean_text(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
}

struct otlp_verdict otlp_verdict_of(enum otlp_outcome outcome, const char *what, const char *why)
{
	struct otlp_verdict verdict = {.outcome = outcome, .wait_ms = -1};

	snprintf(verdict.what, sizeof(verdict.what), "%s", what);
	snprintf(verdict.why, sizeof(verdict.why), "%s", why ? why : "");
	clean_text(verdict.why);
	return verdict;
}

/* Failures that may pass: no connection, no answer, a broken one. Not: bad certificates, bad URL.
 */
static bool may_pass(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return true;
	default:
		return false;
	}
}

struct otlp_verdict otlp_verdict_too_long(void)
{
	return otlp_verdict_of(OTLP_REFUSED, "the answer is longer than 4 MiB", NULL);
}

struct otlp_verdict otlp_verdict_no_answer(const struct otlp_answer *answer)
{
	if (answer->too_long)
		return otlp_verdict_too_long();
	return otlp_verdict_of(may_pass(answer->code) ? OTLP_RETRY : OTLP_REFUSED,
	    curl_easy_strerror(answer->code), answer->error);
}

struct otlp_verdict otlp_verdict_taken(struct sv message)
{
	Opentelemetry__Proto__ExportResponse *response =
	    opentelemetry__proto__export_response__unpack(
		NULL, message.len, (const uint8_t *)message.p);
	Opentelemetry__Proto__ExportPartialSuccess *partial =
	    response ? response->partial_success : NULL;
	struct otlp_verdict verdict = {.outcome = OTLP_TAKEN, .wait_ms = -1};

	if (partial && (partial->rejected > 0 || *partial->error_message)) {
		verdict = otlp_verdict_of(OTLP_TAKEN,
		    partial->rejected > 0 ? "the server rejected some" : "the server warns",
		    partial->error_message);
		verdict.rejected = partial->rejected > 0 ? (uint64_t)partial->rejected : 0;
	}
	if (response)
		opentelemetry__proto__export_response__free_unpacked(response, NULL);
	return verdict;
}
