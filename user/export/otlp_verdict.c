// SPDX-License-Identifier: Apache-2.0
/* Verdicts that the transports share; see otlp_verdict.h. */
#include "export/otlp_verdict.h"

#include <stdio.h>

#include "export/operation.h"
#include "otlp_common.pb-c.h"

/* Text of a server for our log: no control characters. */
static void clean_text(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
}

struct otlp_verdict otlp_verdict_of(
    enum otlp_outcome outcome, const char *error_type, const char *what, const char *why)
{
	struct otlp_verdict verdict = {.outcome = outcome, .wait_ms = -1};

	snprintf(verdict.error_type, sizeof(verdict.error_type), "%s", error_type);
	snprintf(verdict.what, sizeof(verdict.what), "%s", what);
	snprintf(verdict.why, sizeof(verdict.why), "%s", why ? why : "");
	clean_text(verdict.why);
	return verdict;
}

/* Failures by what libcurl calls them. Those that may pass: no connection, no answer, a broken one. Not: bad certificates, bad URL. */
struct failure {
	CURLcode code;
	const char *error_type;
	bool may_pass;
};

static struct failure failure_of(CURLcode code)
{
	static const struct failure failures[] = {
	    {CURLE_COULDNT_RESOLVE_PROXY, "name_not_resolved", true},
	    {CURLE_COULDNT_RESOLVE_HOST, "name_not_resolved", true},
	    {CURLE_COULDNT_CONNECT, "connection_failed", true},
	    {CURLE_OPERATION_TIMEDOUT, "timeout", true},
	    {CURLE_SSL_CONNECT_ERROR, "tls_failed", true},
	    {CURLE_PEER_FAILED_VERIFICATION, "tls_failed", false},
	    {CURLE_SSL_CERTPROBLEM, "tls_failed", false},
	    {CURLE_GOT_NOTHING, "connection_broken", true},
	    {CURLE_SEND_ERROR, "connection_broken", true},
	    {CURLE_RECV_ERROR, "connection_broken", true},
	    {CURLE_PARTIAL_FILE, "connection_broken", true},
	    {CURLE_HTTP2, "connection_broken", true},
	    {CURLE_HTTP2_STREAM, "connection_broken", true},
	};

	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		if (failures[i].code == code)
			return failures[i];
	return (struct failure){.error_type = EXPORT_ERROR_OTHER};
}

struct otlp_verdict otlp_verdict_too_long(void)
{
	return otlp_verdict_of(
	    OTLP_REFUSED, "response_too_long", "the answer is longer than 4 MiB", NULL);
}

struct otlp_verdict otlp_verdict_no_answer(const struct otlp_answer *answer)
{
	struct failure failure = failure_of(answer->code);

	if (answer->too_long)
		return otlp_verdict_too_long();
	return otlp_verdict_of(failure.may_pass ? OTLP_RETRY : OTLP_REFUSED, failure.error_type,
	    curl_easy_strerror(answer->code), answer->error);
}

struct otlp_verdict otlp_verdict_unreadable(void)
{
	return otlp_verdict_of(OTLP_TAKEN, "rejected", "the server's answer cannot be read", NULL);
}

struct otlp_verdict otlp_verdict_taken(struct sv message)
{
	Opentelemetry__Proto__ExportResponse *response =
	    opentelemetry__proto__export_response__unpack(
		NULL, message.len, (const uint8_t *)message.p);
	Opentelemetry__Proto__ExportPartialSuccess *partial =
	    response ? response->partial_success : NULL;
	struct otlp_verdict verdict = {.outcome = OTLP_TAKEN, .wait_ms = -1};

	if (!response)
		return otlp_verdict_unreadable();
	if (partial && (partial->rejected > 0 || *partial->error_message)) {
		verdict = otlp_verdict_of(OTLP_TAKEN, "rejected",
		    partial->rejected > 0 ? "the server rejected some" : "the server warns",
		    partial->error_message);
		verdict.rejected = partial->rejected > 0 ? (uint64_t)partial->rejected : 0;
	}
	opentelemetry__proto__export_response__free_unpacked(response, NULL);
	return verdict;
}
