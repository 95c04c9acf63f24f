// SPDX-License-Identifier: Apache-2.0
/* Calls of gRPC and their answers, without a network; and gzip, which both transports use. */
#include <errno.h>
#include <stdlib.h>

#include "export/gzip.h"
#include "export/otlp_grpc.h"
#include "export/otlp_retry.h"
#include "support.h"

#define TRAILER_MAX 512

static void expect_timeout(uint64_t ms, const char *want)
{
	char text[10];

	otlp_grpc_timeout(text, ms);
	assert_string_equal(text, want);
}

static void timeouts(void **state)
{
	(void)state;
	expect_timeout(10000, "10000m");
	expect_timeout(99999999, "99999999m");
	expect_timeout(100000000, "100000S");
	expect_timeout(100000000000, "1666666M");
	expect_timeout(UINT64_MAX / 1000000, "5124095H");
}

static void expect_url(const char *endpoint, enum otlp_signal signal, const char *want)
{
	struct otlp_options options = {.url = (char *)(uintptr_t)endpoint};
	struct buf url;

	buf_init(&url);
	assert_int_equal(otlp_grpc_url(&url, &options, signal), 0);
	assert_string_equal(url.data, want);
	buf_release(&url);
}

static void urls(void **state)
{
	(void)state;
	expect_url("http://c:4317/", OTLP_TRACES,
	    "http://c:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export");
	expect_url("https://[::1]:1/some/path?q#f", OTLP_METRICS,
	    "https://[::1]:1/opentelemetry.proto.collector.metrics.v1.MetricsService/Export");
	expect_url("http://c", OTLP_LOGS,
	    "http://c/opentelemetry.proto.collector.logs.v1.LogsService/Export");
}

static void expect_line(const struct curl_slist *lines, size_t n, const char *want)
{
	while (n--)
		lines = lines->next;
	assert_string_equal(lines->data, want);
}

static void header_lines(void **state)
{
	char user[] = "X-Tenant: e2e";
	char *headers[] = {user};
	struct otlp_options options = {
	    .timeout_ms = 250, .gzip = true, .headers = headers, .n_headers = 1};
	struct curl_slist *lines = otlp_grpc_lines(&options);

	(void)state;
	expect_line(lines, 0, "grpc-timeout: 250m");
	expect_line(lines, 1, "te: trailers");
	expect_line(lines, 2, "content-type: application/grpc");
	expect_line(lines, 3, "grpc-encoding: gzip");
	expect_line(lines, 4, "grpc-accept-encoding: identity,gzip");
	expect_line(lines, 8, "X-Tenant: e2e");
	curl_slist_free_all(lines);
	options = (struct otlp_options){0};
	lines = otlp_grpc_lines(&options);
	expect_line(lines, 0, "te: trailers"); /* no limit is no line */
	expect_line(lines, 2, "grpc-accept-encoding: identity,gzip");
	curl_slist_free_all(lines);
}

static void packing(void **state)
{
	struct buf out, scratch;
	struct sv message;

	(void)state;
	buf_init(&out);
	buf_init(&scratch);
	assert_int_equal(otlp_grpc_pack(&out, SV("abc"), false), 0);
	assert_int_equal(out.len, 8);
	assert_memory_equal(out.data, "\0\0\0\0\3abc", 8);
	assert_int_equal(otlp_grpc_unpack(buf_sv(&out), SV(""), &scratch, &message), 0);
	assert_true(sv_eq(message, SV("abc")));

	buf_clear(&out);
	assert_int_equal(otlp_grpc_pack(&out, SV("abcabcabcabcabcabc"), true), 0);
	assert_int_equal(out.data[0], 1);
	assert_int_equal(out.data[4], out.len - 5);
	assert_int_equal(otlp_grpc_unpack(buf_sv(&out), SV("gzip"), &scratch, &message), 0);
	assert_true(sv_eq(message, SV("abcabcabcabcabcabc")));
	assert_int_equal(
	    otlp_grpc_unpack(buf_sv(&out), SV("snappy"), &scratch, &message), -EBADMSG);
	buf_release(&out);
	buf_release(&scratch);
}

static void bad_frames(void **state)
{
	static const struct sv bad[] = {SV(""), SV("\0\0\0\0"), SV("\0\0\0\0\1"),
	    SV("\0\0\0\0\1ab"), SV("\2\0\0\0\1a"), SV("\1\0\0\0\1a"), SV("\0\xff\xff\xff\xff")};
	struct sv message;
	struct buf scratch;

	(void)state;
	buf_init(&scratch);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct edge edge = edge_copy(bad[i].p, bad[i].len);

		assert_int_equal(
		    otlp_grpc_unpack(sv_from(edge.p, edge.len), SV("gzip"), &scratch, &message),
		    -EBADMSG);
		edge_free(&edge);
	}
	buf_release(&scratch);
}

static void gzip_limits(void **state)
{
	struct buf in, packed, out;

	(void)state;
	buf_init(&in);
	buf_init(&packed);
	buf_init(&out);
	for (int i = 0; i < 300000; i++)
		buf_append_char(&in, (char)(i % 7 * i));
	assert_int_equal(gzip_pack(&packed, buf_sv(&in)), 0);
	assert_true(packed.len < in.len);
	assert_int_equal(gzip_unpack(&out, buf_sv(&packed), 300000), 0);
	assert_true(sv_eq(buf_sv(&out), buf_sv(&in)));
	buf_clear(&out);
	assert_int_equal(gzip_unpack(&out, buf_sv(&packed), 299999), -E2BIG);
	buf_clear(&out);
	assert_int_equal(gzip_unpack(&out, sv_from(packed.data, packed.len - 1), 300000), -EBADMSG);
	buf_clear(&out);
	buf_append_char(&packed, 'x');
	assert_int_equal(gzip_unpack(&out, buf_sv(&packed), 300000), -EBADMSG);
	assert_int_equal(gzip_unpack(&out, SV("not gzip at all"), 300000), -EBADMSG);
	buf_release(&in);
	buf_release(&packed);
	buf_release(&out);
}

static void expect_message(const char *text, const char *want)
{
	struct edge edge = edge_copy(text, strlen(text));
	struct buf out;

	buf_init(&out);
	otlp_grpc_decode_message(&out, sv_from(edge.p, edge.len));
	assert_true(sv_eq(buf_sv(&out), sv_cstr(want)));
	buf_release(&out);
	edge_free(&edge);
}

static void messages(void **state)
{
	(void)state;
	expect_message("", "");
	expect_message("no such tenant", "no such tenant");
	expect_message("100%25 %C3%A4%c3%a4", "100% \xc3\xa4\xc3\xa4");
	expect_message("%", "%");
	expect_message("%4", "%4");
	expect_message("a%zzb%", "a%zzb%");
}

static int decode(const char *text, struct buf *out)
{
	struct edge edge = edge_copy(text, strlen(text));
	int err;

	buf_clear(out);
	err = otlp_grpc_decode_base64(out, sv_from(edge.p, edge.len));
	edge_free(&edge);
	return err;
}

static void base64(void **state)
{
	static const char *const vectors[][2] = {{"", ""}, {"Zg==", "f"}, {"Zg", "f"},
	    {"Zm8=", "fo"}, {"Zm8", "fo"}, {"Zm9v", "foo"}, {"Zm9vYg", "foob"},
	    {"Zm9vYmE=", "fooba"}, {"Zm9vYmFy", "foobar"}, {"+/8=", "\xfb\xff"}};
	struct buf out;

	(void)state;
	buf_init(&out);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		assert_int_equal(decode(vectors[i][0], &out), 0);
		assert_true(sv_eq(buf_sv(&out), sv_cstr(vectors[i][1])));
	}
	assert_int_equal(decode("Z", &out), -EBADMSG);
	assert_int_equal(decode("Zm9vY", &out), -EBADMSG);
	assert_int_equal(decode("Zm 9v", &out), -EBADMSG);
	assert_int_equal(decode("Zg=a", &out), -EBADMSG);
	buf_release(&out);
}

/* google.rpc.Status{code=8, details={Any{type, value}}}; short enough for one-byte lengths. */
static size_t put_status(char *p, const char *type, struct sv value)
{
	size_t n = strlen(type), any = 2 + n + 2 + value.len, at = 0;

	p[at++] = 0x08;
	p[at++] = 8;
	p[at++] = 0x1a;
	p[at++] = (char)any;
	p[at++] = 0x0a;
	p[at++] = (char)n;
	memcpy(p + at, type, n);
	at += n;
	p[at++] = 0x12;
	p[at++] = (char)value.len;
	memcpy(p + at, value.p, value.len);
	return at + value.len;
}

static int64_t delay(const char *type, struct sv info)
{
	char status[TRAILER_MAX];

	return otlp_grpc_retry_delay(sv_from(status, put_status(status, type, info)));
}

static void retry_info(void **state)
{
	static const char type[] = "type.googleapis.com/google.rpc.RetryInfo";

	(void)state;
	assert_int_equal(delay(type, SV("\x0a\x02\x08\x02")), 2000);
	assert_int_equal(delay(type, SV("\x0a\x07\x08\x01\x10\x80\xe5\x9a\x77")), 1250);
	assert_int_equal(delay(type, SV("")), 0);
	assert_int_equal(delay(type, SV("\x0a\x04\x08\xff\xff\x7f")), OTLP_RETRY_AFTER_MAX_MS);
	assert_int_equal(
	    delay(type, SV("\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")), -1);
	assert_int_equal(delay(type, SV("\xff")), -1);
	assert_int_equal(delay("type.googleapis.com/google.rpc.Help", SV("\x0a\x02\x08\x02")), -1);
	assert_int_equal(otlp_grpc_retry_delay(SV("\xff\xff")), -1);
	assert_int_equal(otlp_grpc_retry_delay(SV("")), -1);
}

/* --- verdicts --- */

static void set_field(struct otlp_answer *answer, enum otlp_field field, const char *text)
{
	answer->has[field] = true;
	buf_append_cstr(&answer->fields[field], text);
}

static struct otlp_verdict judge(
    long http, const char *status, const char *message, const char *details)
{
	struct otlp_answer answer = {.code = CURLE_OK, .status = http, .http2 = true};
	struct otlp_verdict verdict;

	if (status)
		set_field(&answer, OTLP_FIELD_GRPC_STATUS, status);
	if (message)
		set_field(&answer, OTLP_FIELD_GRPC_MESSAGE, message);
	if (details)
		set_field(&answer, OTLP_FIELD_GRPC_DETAILS, details);
	verdict = otlp_grpc_judge(&answer);
	for (int i = 0; i < OTLP_FIELDS; i++)
		buf_release(&answer.fields[i]);
	return verdict;
}

/* Status{8, details={RetryInfo{2 s}}}, not padded */
#define RETRY_IN_2_S "CAgaMAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIECgIIAg"

/* gRPC's codes in their order, and what OTLP has clients do. */
static const struct code {
	const char *name;
	enum otlp_outcome outcome, outcome_with_delay; /* with RetryInfo */
} codes[] = {
    {"OK", OTLP_TAKEN, OTLP_TAKEN},
    {"CANCELLED", OTLP_RETRY, OTLP_RETRY},
    {"UNKNOWN", OTLP_REFUSED, OTLP_REFUSED},
    {"INVALID_ARGUMENT", OTLP_REFUSED, OTLP_REFUSED},
    {"DEADLINE_EXCEEDED", OTLP_RETRY, OTLP_RETRY},
    {"NOT_FOUND", OTLP_REFUSED, OTLP_REFUSED},
    {"ALREADY_EXISTS", OTLP_REFUSED, OTLP_REFUSED},
    {"PERMISSION_DENIED", OTLP_REFUSED, OTLP_REFUSED},
    {"RESOURCE_EXHAUSTED", OTLP_REFUSED, OTLP_RETRY},
    {"FAILED_PRECONDITION", OTLP_REFUSED, OTLP_REFUSED},
    {"ABORTED", OTLP_RETRY, OTLP_RETRY},
    {"OUT_OF_RANGE", OTLP_RETRY, OTLP_RETRY},
    {"UNIMPLEMENTED", OTLP_REFUSED, OTLP_REFUSED},
    {"INTERNAL", OTLP_REFUSED, OTLP_REFUSED},
    {"UNAVAILABLE", OTLP_RETRY, OTLP_RETRY},
    {"DATA_LOSS", OTLP_RETRY, OTLP_RETRY},
    {"UNAUTHENTICATED", OTLP_REFUSED, OTLP_REFUSED},
};

#define CODES (sizeof(codes) / sizeof(codes[0]))

static void verdicts_by_code(void **state)
{
	struct otlp_verdict verdict;
	char number[12], what[64];

	(void)state;
	assert_int_equal(CODES, 17);
	for (size_t code = 0; code < CODES; code++) {
		snprintf(number, sizeof(number), "%zu", code);
		snprintf(
		    what, sizeof(what), "the server answered %s (%zu)", codes[code].name, code);
		verdict = judge(200, number, NULL, NULL);
		assert_int_equal(verdict.outcome, codes[code].outcome);
		assert_string_equal(verdict.what, code ? what : "");
		assert_string_equal(verdict.error_type, code ? codes[code].name : "");
		verdict = judge(200, number, NULL, RETRY_IN_2_S);
		assert_int_equal(verdict.outcome, codes[code].outcome_with_delay);
		if (verdict.outcome == OTLP_RETRY)
			assert_int_equal(verdict.wait_ms, 2000);
	}
	assert_string_equal(judge(200, "3", "bad%20span%0a!", NULL).why, "bad span !");
}

/* The code that stands for a status of HTTP, where the server says none (http-grpc-status-mapping.md). */
static const char *code_of(long http)
{
	static const struct {
		long http;
		const char *name;
	} mapping[] = {{400, "INTERNAL"}, {401, "UNAUTHENTICATED"}, {403, "PERMISSION_DENIED"},
	    {404, "UNIMPLEMENTED"}, {429, "UNAVAILABLE"}, {431, "INTERNAL"}, {502, "UNAVAILABLE"},
	    {503, "UNAVAILABLE"}, {504, "UNAVAILABLE"}};

	for (size_t i = 0; i < sizeof(mapping) / sizeof(mapping[0]); i++)
		if (mapping[i].http == http)
			return mapping[i].name;
	return "UNKNOWN";
}

static void expect_code(struct otlp_verdict verdict, const char *name)
{
	size_t code = 0;

	while (code < CODES && strcmp(codes[code].name, name) != 0)
		code++;
	assert_true(code < CODES);
	assert_string_equal(verdict.error_type, name);
	assert_int_equal(verdict.outcome, codes[code].outcome);
}

static void verdicts_without_a_code(void **state)
{
	(void)state;
	for (long http = 200; http < 600; http++)
		expect_code(judge(http, NULL, NULL, NULL), code_of(http));
	/* a code wins over the status of HTTP; what is none is UNKNOWN */
	expect_code(judge(503, "3", NULL, NULL), "INVALID_ARGUMENT");
	expect_code(judge(404, "14", NULL, NULL), "UNAVAILABLE");
	expect_code(judge(503, "00", NULL, NULL), "UNKNOWN");
	expect_code(judge(503, "14x", NULL, NULL), "UNKNOWN");
	expect_code(judge(503, "17", NULL, NULL), "UNKNOWN");
	expect_code(judge(503, "99", NULL, NULL), "UNKNOWN");
	expect_code(judge(503, "", NULL, NULL), "UNKNOWN");
}

static void exhausted_with_a_delay(void **state)
{
	struct otlp_verdict verdict = judge(200, "8", NULL, RETRY_IN_2_S);

	(void)state;
	assert_int_equal(verdict.outcome, OTLP_RETRY);
	assert_int_equal(verdict.wait_ms, 2000);
	assert_int_equal(judge(200, "8", NULL, "!").outcome, OTLP_REFUSED);
	assert_int_equal(judge(200, "14", NULL, RETRY_IN_2_S).wait_ms, 2000);
	assert_int_equal(judge(200, "14", NULL, "!").wait_ms, -1);
}

static struct otlp_verdict judge_error(CURLcode code, const char *error)
{
	struct otlp_answer answer = {.code = code};

	snprintf(answer.error, sizeof(answer.error), "%s", error);
	return otlp_grpc_judge(&answer);
}

static void resets(void **state)
{
	/* by HTTP/2's error codes: PROTOCOL-HTTP2.md, "Errors" */
	static const char *const want[] = {
	    "INTERNAL",           /* NO_ERROR */
	    "INTERNAL",           /* PROTOCOL_ERROR */
	    "INTERNAL",           /* INTERNAL_ERROR */
	    "INTERNAL",           /* FLOW_CONTROL_ERROR */
	    "INTERNAL",           /* SETTINGS_TIMEOUT */
	    "INTERNAL",           /* STREAM_CLOSED: gRPC has no mapping */
	    "INTERNAL",           /* FRAME_SIZE_ERROR */
	    "UNAVAILABLE",        /* REFUSED_STREAM */
	    "CANCELLED",          /* CANCEL */
	    "INTERNAL",           /* COMPRESSION_ERROR */
	    "INTERNAL",           /* CONNECT_ERROR */
	    "RESOURCE_EXHAUSTED", /* ENHANCE_YOUR_CALM */
	    "PERMISSION_DENIED",  /* INADEQUATE_SECURITY */
	};
	struct otlp_answer old = {.code = CURLE_OK, .status = 200};
	char text[80];

	(void)state;
	for (size_t code = 0; code < sizeof(want) / sizeof(want[0]); code++) {
		snprintf(text, sizeof(text), "HTTP/2 stream 1 was not closed cleanly: X (err %zu)",
		    code);
		expect_code(judge_error(CURLE_HTTP2_STREAM, text), want[code]);
	}
	expect_code(judge_error(CURLE_HTTP2_STREAM,
			"HTTP/2 stream 1 was closed cleanly, but before getting  all response "
			"header fields, treated as error"),
	    "INTERNAL");
	assert_int_equal(judge_error(CURLE_HTTP2_STREAM, "").outcome, OTLP_RETRY);
	assert_int_equal(judge_error(CURLE_COULDNT_CONNECT, "").outcome, OTLP_RETRY);
	assert_int_equal(judge_error(CURLE_OPERATION_TIMEDOUT, "").outcome, OTLP_RETRY);
	assert_int_equal(judge_error(CURLE_PEER_FAILED_VERIFICATION, "").outcome, OTLP_REFUSED);
	assert_string_equal(otlp_grpc_judge(&old).what, "the server does not speak HTTP/2");
}

static void partial_success(void **state)
{
	struct otlp_answer answer = {.code = CURLE_OK, .status = 200, .http2 = true};
	struct otlp_verdict verdict;

	(void)state;
	set_field(&answer, OTLP_FIELD_GRPC_STATUS, "0");
	otlp_grpc_pack(&answer.body, SV("\x0a\x06\x08\x03\x12\x02no"), false);
	verdict = otlp_grpc_judge(&answer);
	assert_int_equal(verdict.outcome, OTLP_TAKEN);
	assert_int_equal(verdict.rejected, 3);
	assert_string_equal(verdict.error_type, "rejected");
	assert_string_equal(verdict.why, "no");
	answer.body.len--; /* cut short: taken all the same, and said */
	verdict = otlp_grpc_judge(&answer);
	assert_int_equal(verdict.outcome, OTLP_TAKEN);
	assert_int_equal(verdict.rejected, 0);
	assert_string_equal(verdict.what, "the server's answer cannot be read");
	buf_release(&answer.body);
	buf_release(&answer.fields[OTLP_FIELD_GRPC_STATUS]);
}

/* An answer of n zeros, compressed to little. */
static struct otlp_verdict judge_compressed(size_t n)
{
	struct otlp_answer answer = {.code = CURLE_OK, .status = 200, .http2 = true};
	struct otlp_verdict verdict;
	char *zeros = calloc(1, n);

	assert_non_null(zeros);
	set_field(&answer, OTLP_FIELD_GRPC_STATUS, "0");
	set_field(&answer, OTLP_FIELD_GRPC_ENCODING, "gzip");
	assert_int_equal(otlp_grpc_pack(&answer.body, sv_from(zeros, n), true), 0);
	assert_true(answer.body.len < n / 100);
	verdict = otlp_grpc_judge(&answer);
	free(zeros);
	buf_release(&answer.body);
	for (int i = 0; i < OTLP_FIELDS; i++)
		buf_release(&answer.fields[i]);
	return verdict;
}

static void answers_that_grow(void **state)
{
	struct otlp_verdict verdict = judge_compressed(OTLP_MAX_RESPONSE_BYTES + 1);

	(void)state;
	assert_int_equal(verdict.outcome, OTLP_REFUSED);
	assert_string_equal(verdict.what, "the answer is longer than 4 MiB");
	assert_int_equal(judge_compressed(OTLP_MAX_RESPONSE_BYTES).outcome, OTLP_TAKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(timeouts),
	    cmocka_unit_test(urls),
	    cmocka_unit_test(header_lines),
	    cmocka_unit_test(packing),
	    cmocka_unit_test(bad_frames),
	    cmocka_unit_test(gzip_limits),
	    cmocka_unit_test(messages),
	    cmocka_unit_test(base64),
	    cmocka_unit_test(retry_info),
	    cmocka_unit_test(verdicts_by_code),
	    cmocka_unit_test(verdicts_without_a_code),
	    cmocka_unit_test(exhausted_with_a_delay),
	    cmocka_unit_test(resets),
	    cmocka_unit_test(partial_success),
	    cmocka_unit_test(answers_that_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
