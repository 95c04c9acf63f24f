// SPDX-License-Identifier: Apache-2.0
/* OTLP over HTTP/protobuf; see otlp_http.h. */
#include "export/otlp_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/otlp_retry.h"
#include "otlp_common.pb-c.h"

bool otlp_lines_add(struct curl_slist **lines, const char *line)
{
	struct curl_slist *grown = curl_slist_append(*lines, line);

	if (grown)
		*lines = grown;
	return grown != NULL;
}

/* libcurl writes an empty value as "Name;", and "Name:" would remove a header. */
static bool add_user_line(struct curl_slist **lines, const char *line)
{
	size_t len = strcspn(line, ":");
	char *empty;
	bool added;

	if (line[len] == '\0' || line[len + 1 + strspn(line + len + 1, " \t")] != '\0')
		return otlp_lines_add(lines, line);
	empty = strndup(line, len + 1);
	if (!empty)
		return false;
	empty[len] = ';';
	added = otlp_lines_add(lines, empty);
	free(empty);
	return added;
}

bool otlp_lines_add_user(struct curl_slist **lines, const struct otlp_options *options)
{
	for (size_t i = 0; i < options->n_headers; i++)
		if (!add_user_line(lines, options->headers[i]))
			return false;
	return true;
}

struct curl_slist *otlp_http_lines(const struct otlp_options *options)
{
	struct curl_slist *lines = NULL;

	/* No "100-continue" dance: it costs a round trip, and a second where nobody answers it. */
	if (otlp_lines_add(&lines, "Content-Type: application/x-protobuf") &&
	    otlp_lines_add(&lines, OTLP_USER_AGENT) && otlp_lines_add(&lines, "Expect:") &&
	    (!options->gzip || otlp_lines_add(&lines, "Content-Encoding: gzip")) &&
	    otlp_lines_add_user(&lines, options))
		return lines;
	curl_slist_free_all(lines);
	return NULL;
}

/* The body of an error is a google.rpc.Status. */
static struct otlp_verdict refusal(const struct otlp_answer *answer)
{
	Opentelemetry__Proto__RpcStatus *body = opentelemetry__proto__rpc_status__unpack(
	    NULL, answer->body.len, (const uint8_t *)answer->body.data);
	bool again = otlp_http_status_retryable(answer->status);
	struct otlp_verdict verdict;
	char what[48], status[24];

	snprintf(status, sizeof(status), "%ld", answer->status);
	snprintf(what, sizeof(what), "the server answered %s", status);
	verdict = otlp_verdict_of(
	    again ? OTLP_RETRY : OTLP_REFUSED, status, what, body ? body->message : NULL);
	if (body)
		opentelemetry__proto__rpc_status__free_unpacked(body, NULL);
	return verdict;
}

struct otlp_verdict otlp_http_judge(const struct otlp_answer *answer, time_t now_s)
{
	struct otlp_verdict verdict;

	if (answer->code != CURLE_OK)
		return otlp_verdict_no_answer(answer);
	if (answer->status >= 200 && answer->status < 300)
		return otlp_verdict_taken(buf_sv(&answer->body));
	verdict = refusal(answer);
	if (answer->has[OTLP_FIELD_RETRY_AFTER])
		verdict.wait_ms =
		    otlp_retry_after_parse(buf_sv(&answer->fields[OTLP_FIELD_RETRY_AFTER]), now_s);
	return verdict;
}
