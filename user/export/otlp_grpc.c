// SPDX-License-Identifier: Apache-2.0
/* Calls of gRPC and their answers; see otlp_grpc.h. */
#include "export/otlp_grpc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/gzip.h"
#include "export/otlp_http.h"

enum {
	PREFIX_BYTES = 5,
};

/* gRPC's status codes (doc/statuscodes.md). */
enum status {
	STATUS_OK = 0,
	STATUS_CANCELLED = 1,
	STATUS_UNKNOWN = 2,
	STATUS_DEADLINE_EXCEEDED = 4,
	STATUS_PERMISSION_DENIED = 7,
	STATUS_RESOURCE_EXHAUSTED = 8,
	STATUS_ABORTED = 10,
	STATUS_OUT_OF_RANGE = 11,
	STATUS_UNIMPLEMENTED = 12,
	STATUS_INTERNAL = 13,
	STATUS_UNAVAILABLE = 14,
	STATUS_DATA_LOSS = 15,
	STATUS_UNAUTHENTICATED = 16,
	STATUSES,
};

static const char *const status_names[STATUSES] = {"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

/* --- a call --- */

int otlp_grpc_url(struct buf *out, const struct otlp_options *options, enum otlp_signal signal)
{
	static const char *const paths[OTLP_SIGNALS] = {
	    [OTLP_TRACES] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
	    [OTLP_METRICS] = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
	    [OTLP_LOGS] = "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
	};
	CURLU *url = curl_url();
	char *whole = NULL;
	int err = url ? -EINVAL : -ENOMEM;

	if (url && curl_url_set(url, CURLUPART_URL, options->url, 0) == CURLUE_OK &&
	    curl_url_set(url, CURLUPART_PATH, paths[signal], 0) == CURLUE_OK &&
	    curl_url_set(url, CURLUPART_QUERY, NULL, 0) == CURLUE_OK &&
	    curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_URL, &whole, 0) == CURLUE_OK) {
		buf_append_cstr(out, whole);
		err = out->failed ? -ENOMEM : 0;
	}
	curl_free(whole);
	curl_url_cleanup(url);
	return err;
}

void otlp_grpc_timeout(char text[10], uint64_t timeout_ms)
{
	static const struct {
		uint64_t ms;
		char name;
	} units[] = {{1, 'm'}, {1000, 'S'}, {60000, 'M'}, {3600000, 'H'}};
	size_t i = 0;

	while (i < 3 && timeout_ms / units[i].ms > 99999999)
		i++;
	snprintf(
	    text, 10, "%u%c", (unsigned)(timeout_ms / units[i].ms) % 100000000u, units[i].name);
}

struct curl_slist *otlp_grpc_lines(const struct otlp_options *options)
{
	char timeout[10], line[32];
	struct curl_slist *lines = NULL;

	otlp_grpc_timeout(timeout, options->timeout_ms);
	snprintf(line, sizeof(line), "grpc-timeout: %s", timeout);
	if ((!options->timeout_ms || otlp_lines_add(&lines, line)) &&
	    otlp_lines_add(&lines, "te: trailers") &&
	    otlp_lines_add(&lines, "content-type: application/grpc") &&
	    (!options->gzip || otlp_lines_add(&lines, "grpc-encoding: gzip")) &&
	    otlp_lines_add(&lines, "grpc-accept-encoding: identity,gzip") &&
	    otlp_lines_add(&lines, OTLP_USER_AGENT) && otlp_lines_add(&lines, "Accept:") &&
	    otlp_lines_add(&lines, "Expect:") && otlp_lines_add_user(&lines, options))
		return lines;
	curl_slist_free_all(lines);
	return NULL;
}

int otlp_grpc_pack(struct buf *out, struct sv message, bool compress)
{
	const size_t at = out->len;
	size_t len;

	buf_append(out, "\0\0\0\0", PREFIX_BYTES); /* four and the one that ends the literal */
	if (compress && gzip_pack(out, message))
		return -ENOMEM;
	if (!compress)
		buf_append_sv(out, message);
	if (out->failed)
		return -ENOMEM;
	len = out->len - at - PREFIX_BYTES;
	out->data[at] = compress;
	for (int i = 0; i < 4; i++)
		out->data[at + 1 + (size_t)i] = (char)(len >> (24 - 8 * i));
	return 0;
}

/* --- an answer --- */

int otlp_grpc_unpack(
    struct sv body, struct sv encoding, struct buf *scratch, struct sv *ret_message)
{
	const unsigned char *p = (const unsigned char *)body.p;
	size_t len;

	if (body.len < PREFIX_BYTES)
		return -EBADMSG;
	len = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
	if (p[0] > 1 || len != body.len - PREFIX_BYTES)
		return -EBADMSG;
	body = sv_skip(body, PREFIX_BYTES);
	if (p[0] == 1) {
		int err = sv_eq_nocase(encoding, SV("gzip"))
		    ? gzip_unpack(scratch, body, OTLP_MAX_RESPONSE_BYTES)
		    : -EBADMSG;

		if (err)
			return err;
		body = buf_sv(scratch);
	}
	*ret_message = body;
	return 0;
}

/* What happened, where the server does not say: by the status of HTTP (http-grpc-status-mapping.md). */
static enum status by_http_status(long status)
{
	switch (status) {
	case 400:
	case 431:
		return STATUS_INTERNAL;
	case 401:
		return STATUS_UNAUTHENTICATED;
	case 403:
		return STATUS_PERMISSION_DENIED;
	case 404:
		return STATUS_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return STATUS_UNAVAILABLE;
	default:
		return STATUS_UNKNOWN;
	}
}

/* By the error code with which the server reset the stream (PROTOCOL-HTTP2.md, "Errors"). */
static enum status by_reset(unsigned long code)
{
	switch (code) {
	case 7: /* REFUSED_STREAM */
		return STATUS_UNAVAILABLE;
	case 8: /* CANCEL */
		return STATUS_CANCELLED;
	case 11: /* ENHANCE_YOUR_CALM */
		return STATUS_RESOURCE_EXHAUSTED;
	case 12: /* INADEQUATE_SECURITY */
		return STATUS_PERMISSION_DENIED;
	default:
		return STATUS_INTERNAL;
	}
}

static bool may_be_tried_again(enum status status, int64_t wait_ms)
{
	switch (status) {
	case STATUS_CANCELLED:
	case STATUS_DEADLINE_EXCEEDED:
	case STATUS_ABORTED:
	case STATUS_OUT_OF_RANGE:
	case STATUS_UNAVAILABLE:
	case STATUS_DATA_LOSS:
		return true;
	case STATUS_RESOURCE_EXHAUSTED:
		return wait_ms >= 0; /* it can be had again, says RetryInfo */
	default:
		return false;
	}
}

static struct otlp_verdict failure(enum status status, int64_t wait_ms, const char *why)
{
	bool again = may_be_tried_again(status, wait_ms);
	struct otlp_verdict verdict;
	char what[64];

	snprintf(
	    what, sizeof(what), "the server answered %s (%d)", status_names[status], (int)status);
	verdict =
	    otlp_verdict_of(again ? OTLP_RETRY : OTLP_REFUSED, status_names[status], what, why);
	verdict.wait_ms = wait_ms;
	return verdict;
}

/* libcurl tells the code of a reset in words only: "... (err 7)"; of NO_ERROR, "... closed cleanly, but before ...". */
static struct otlp_verdict judge_no_answer(const struct otlp_answer *answer)
{
	const char *code = strstr(answer->error, "(err ");

	if (answer->code == CURLE_HTTP2_STREAM && code)
		return failure(by_reset(strtoul(code + 5, NULL, 10)), -1, answer->error);
	if (answer->code == CURLE_HTTP2_STREAM && strstr(answer->error, "closed cleanly"))
		return failure(STATUS_INTERNAL, -1, answer->error);
	return otlp_verdict_no_answer(answer);
}

/* 0 to 16 in decimal, without a zero before it. */
static enum status parse_status(struct sv text)
{
	unsigned value = 0;

	if (text.len == 0 || text.len > 2 || (text.len == 2 && text.p[0] == '0'))
		return STATUS_UNKNOWN;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return STATUS_UNKNOWN;
		value = value * 10 + (unsigned)(text.p[i] - '0');
	}
	return value < STATUSES ? (enum status)value : STATUS_UNKNOWN;
}

static int64_t delay_of(const struct otlp_answer *answer)
{
	int64_t delay = -1;
	struct buf status;

	if (!answer->has[OTLP_FIELD_GRPC_DETAILS])
		return -1;
	buf_init(&status);
	if (otlp_grpc_decode_base64(&status, buf_sv(&answer->fields[OTLP_FIELD_GRPC_DETAILS])) == 0)
		delay = otlp_grpc_retry_delay(buf_sv(&status));
	buf_release(&status);
	return delay;
}

/* An OK whose message cannot be read is an OK; but one over the limit is an error, as it is before it is decompressed. */
static struct otlp_verdict judge_ok(const struct otlp_answer *answer)
{
	struct otlp_verdict verdict = {.outcome = OTLP_TAKEN, .wait_ms = -1};
	struct sv message;
	struct buf scratch;
	int err;

	buf_init(&scratch);
	err = otlp_grpc_unpack(buf_sv(&answer->body),
	    buf_sv(&answer->fields[OTLP_FIELD_GRPC_ENCODING]), &scratch, &message);
	if (err == 0)
		verdict = otlp_verdict_taken(message);
	else if (err == -E2BIG)
		verdict = otlp_verdict_too_long();
	else if (answer->body.len)
		verdict = otlp_verdict_unreadable();
	buf_release(&scratch);
	return verdict;
}

struct otlp_verdict otlp_grpc_judge(const struct otlp_answer *answer)
{
	struct otlp_verdict verdict;
	enum status status;
	struct buf why;

	if (answer->code != CURLE_OK)
		return judge_no_answer(answer);
	if (!answer->http2)
		return otlp_verdict_of(
		    OTLP_REFUSED, "no_http2", "the server does not speak HTTP/2", NULL);
	status = answer->has[OTLP_FIELD_GRPC_STATUS]
	    ? parse_status(buf_sv(&answer->fields[OTLP_FIELD_GRPC_STATUS]))
	    : by_http_status(answer->status);
	if (status == STATUS_OK)
		return judge_ok(answer);
	buf_init(&why);
	otlp_grpc_decode_message(&why, buf_sv(&answer->fields[OTLP_FIELD_GRPC_MESSAGE]));
	verdict = failure(status, delay_of(answer), why.data);
	buf_release(&why);
	return verdict;
}
