// SPDX-License-Identifier: Apache-2.0
/* What answers over HTTP come to, and none at all: every status, every kind of partial success, every failure that libcurl tells apart. */
#include <stdio.h>

#include "export/otlp_http.h"
#include "export/otlp_retry.h"
#include "support.h"

#define NOW_S 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */

static struct otlp_verdict judge(long status, struct sv body, const char *retry_after)
{
	struct otlp_answer answer = {.code = CURLE_OK, .status = status};
	struct otlp_verdict verdict;

	buf_append_sv(&answer.body, body);
	if (retry_after) {
		answer.has[OTLP_FIELD_RETRY_AFTER] = true;
		buf_append_cstr(&answer.fields[OTLP_FIELD_RETRY_AFTER], retry_after);
	}
	verdict = otlp_http_judge(&answer, NOW_S);
	buf_release(&answer.body);
	buf_release(&answer.fields[OTLP_FIELD_RETRY_AFTER]);
	return verdict;
}

static void every_status(void **state)
{
	char text[24];

	(void)state;
	for (long status = 100; status < 600; status++) {
		struct otlp_verdict verdict = judge(status, SV(""), NULL);
		bool later = status == 429 || status == 502 || status == 503 || status == 504;

		if (status >= 200 && status < 300) {
			assert_int_equal(verdict.outcome, OTLP_TAKEN);
			assert_string_equal(verdict.what, "");
			continue;
		}
		assert_int_equal(verdict.outcome, later ? OTLP_RETRY : OTLP_REFUSED);
		assert_int_equal(verdict.wait_ms, -1);
		snprintf(text, sizeof(text), "%ld", status);
		assert_string_equal(verdict.error_type, text);
	}
}

/* Whatever it says: it was taken, and is not sent again. */
static void partial_success(void **state)
{
	static const struct {
		struct sv body;
		uint64_t rejected;
		const char *what, *why;
	} answers[] = {
	    {SV(""), 0, "", ""},
	    {SV("\x0a\x00"), 0, "", ""},                 /* a partial_success with nothing in it */
	    {SV("\x0a\x04\x08\x00\x12\x00"), 0, "", ""}, /* or with nothing but zeros */
	    {SV("\x0a\x02\x08\x05"), 5, "the server rejected some", ""},
	    {SV("\x0a\x06\x08\x05\x12\x02no"), 5, "the server rejected some", "no"},
	    {SV("\x0a\x04\x12\x02no"), 0, "the server warns", "no"},
	    {SV("\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 0, "", ""}, /* -1 */
	    {SV("\x52\x02no"), 0, "", ""}, /* a field of a later version */
	    {SV("<html>log in</html>"), 0, "the server's answer cannot be read", ""},
	    {SV("\x0a\x05\x08\x05"), 0, "the server's answer cannot be read", ""}, /* cut */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct otlp_verdict verdict = judge(200, answers[i].body, "5");

		assert_int_equal(verdict.outcome, OTLP_TAKEN);
		assert_int_equal(verdict.wait_ms, -1);
		assert_int_equal(verdict.rejected, answers[i].rejected);
		assert_string_equal(verdict.what, answers[i].what);
		assert_string_equal(verdict.why, answers[i].why);
	}
}

/* The body of an error is a google.rpc.Status: its message is told, its code counts for nothing. */
static void words_of_errors(void **state)
{
	struct otlp_verdict verdict =
	    judge(400, SV("\x08\x0e\x12\x0bno\ttenant\n!\x1a\x00"), "5"); /* UNAVAILABLE */

	(void)state;
	assert_int_equal(verdict.outcome, OTLP_REFUSED);
	assert_string_equal(verdict.what, "the server answered 400");
	assert_string_equal(verdict.why, "no tenant !");
	verdict = judge(503,
	    SV("\x08\x03\x12\x05" /* INVALID_ARGUMENT */
	       "later"),
	    NULL);
	assert_int_equal(verdict.outcome, OTLP_RETRY);
	assert_string_equal(verdict.why, "later");
	verdict = judge(500, SV("<h1>Internal Server Error</h1>"), NULL);
	assert_string_equal(verdict.what, "the server answered 500");
	assert_string_equal(verdict.why, "");
}

static void wishes(void **state)
{
	static const long statuses[] = {429, 502, 503, 504};
	static const struct {
		const char *text;
		int64_t ms;
	} values[] = {
	    {"2", 2000},
	    {"Sun, 06 Nov 1994 08:49:39 GMT", 2000},
	    {"Sun, 06 Nov 1994 08:00:00 GMT", 0}, /* it has passed */
	    {"1000000000000", OTLP_RETRY_AFTER_MAX_MS},
	    {"-2", -1},
	    {"soon", -1},
	    {"", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++)
			assert_int_equal(
			    judge(statuses[i], SV(""), values[j].text).wait_ms, values[j].ms);
}

static void no_answer(void **state)
{
	static const struct {
		CURLcode code;
		enum otlp_outcome outcome;
		const char *error_type;
	} failures[] = {
	    {CURLE_COULDNT_RESOLVE_HOST, OTLP_RETRY, "name_not_resolved"},
	    {CURLE_COULDNT_CONNECT, OTLP_RETRY, "connection_failed"},
	    {CURLE_OPERATION_TIMEDOUT, OTLP_RETRY, "timeout"},
	    {CURLE_GOT_NOTHING, OTLP_RETRY, "connection_broken"},
	    {CURLE_SEND_ERROR, OTLP_RETRY, "connection_broken"},
	    {CURLE_RECV_ERROR, OTLP_RETRY, "connection_broken"},
	    {CURLE_PARTIAL_FILE, OTLP_RETRY, "connection_broken"},
	    {CURLE_SSL_CONNECT_ERROR, OTLP_RETRY, "tls_failed"},
	    {CURLE_PEER_FAILED_VERIFICATION, OTLP_REFUSED, "tls_failed"},
	    {CURLE_SSL_CERTPROBLEM, OTLP_REFUSED, "tls_failed"},
	    {CURLE_URL_MALFORMAT, OTLP_REFUSED, "_OTHER"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		struct otlp_answer answer = {.code = failures[i].code, .error = "in words"};
		struct otlp_verdict verdict = otlp_http_judge(&answer, NOW_S);

		assert_int_equal(verdict.outcome, failures[i].outcome);
		assert_string_equal(verdict.error_type, failures[i].error_type);
		assert_string_equal(verdict.why, "in words");
		assert_int_equal(verdict.wait_ms, -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_status),
	    cmocka_unit_test(partial_success),
	    cmocka_unit_test(words_of_errors),
	    cmocka_unit_test(wishes),
	    cmocka_unit_test(no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
