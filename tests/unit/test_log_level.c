// SPDX-License-Identifier: Apache-2.0
/* Levels of lines as programs write them, and lines that have none although they look like it. */
#include "proto/log_level.h"
#include "support.h"

/* number 0: none. */
static void check(struct sv line, int number, const char *text)
{
	struct edge edge = edge_copy(line.p, line.len);
	struct log_level_found level = log_level_find(sv_from(edge.p, edge.len));

	if (level.number != number)
		fail_msg("'%.*s': %d, not %d", SV_ARG(line), level.number, number);
	if (!sv_eq(sv_from(level.text, level.text_len), sv_cstr(text)))
		fail_msg("'%.*s': level '%.*s'", SV_ARG(line), (int)level.text_len, level.text);
	edge_free(&edge);
}

struct row {
	const char *line;
	int number;
	const char *text;
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(sv_cstr(rows[i].line), rows[i].number, rows[i].text);
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof(rows[0]))

static void json_objects(void **state)
{
	static const struct row rows[] = {
	    {"{\"time\":\"2026-11-27T02:53:02.118Z\",\"level\":\"info\",\"msg\":\"request\",\"status\":200}",
		9, "info"},
	    {"{\"level\":\"warning\"}", 13, "warning"},
	    {"{\"severity\":\"ERROR\",\"message\":\"x\"}", 17, "ERROR"},
	    {"{\"level\":30,\"time\":1531171074631,\"pid\":657,\"hostname\":\"box\",\"msg\":\"hello\"}",
		9, "30"},
	    {"{\"name\":\"app\",\"hostname\":\"h\",\"pid\":1,\"level\":50 ,\"msg\":\"x\",\"v\":0}",
		17, "50"},
	    {"{\"level\":60}", 21, "60"},
	    {"{\"level\":10}", 1, "10"},
	    {"{\"log.level\":\"debug\",\"ecs.version\":\"1.6\"}", 5, "debug"},
	    {"{\"@timestamp\":\"x\",\"log\":{\"logger\":\"a\",\"level\":\"error\"},\"message\":\"m\"}",
		17, "error"},
	    {"{\"@t\":\"2026\",\"@l\":\"Fatal\",\"@m\":\"boom\"}", 21, "Fatal"},
	    {"{\"ts\":1.5,\"logger\":\"http\",\"msg\":\"a \\\"level\\\": b\",\"level\":\"dpanic\"}",
		21, "dpanic"},
	    {"  { \"lvl\" : \"WRN\" }", 13, "WRN"},
	    {"{\"nested\":{\"level\":\"error\"},\"level\":\"info\"}", 9, "info"},
	    {"{\"list\":[1,{\"level\":\"error\"}],\"levelname\":\"CRITICAL\"}", 21, "CRITICAL"},
	    /* Not told: another's key, no word that is known, no object, broken. */
	    {"{\"msg\":\"error\",\"nested\":{\"level\":\"error\"}}", 0, ""},
	    {"{\"level\":\"audit\"}", 0, ""},
	    {"{\"level\":35}", 0, ""},
	    {"{\"level\":300}", 0, ""},
	    {"{\"level\":null}", 0, ""},
	    {"{\"level\":\"inf", 0, ""},
	    {"{\"msg\":\"unterminated, \"level\":\"error\"", 0, ""},
	    {"{}", 0, ""},
	    {"{", 0, ""},
	    {"[\"level\",\"error\"]", 0, ""},
	};

	(void)state;
	CHECK_ROWS(rows);
}

static void beginnings(void **state)
{
	static const struct row rows[] = {
	    /* nginx, Apache, PHP, MySQL, PostgreSQL */
	    {"2024/03/01 10:00:00 [error] 123#0: *1 open() \"/x\" failed (2: No such file or directory)",
		17, "error"},
	    {"2024/03/01 10:00:00 [crit] 123#123: *4 SSL_do_handshake() failed", 18, "crit"},
	    {"2024/03/01 10:00:00 [emerg] 1#1: bind() failed", 21, "emerg"},
	    {"[Fri Nov 27 02:53:02.123456 2026] [core:error] [pid 17:tid 18] AH00126: Invalid URI",
		17, "error"},
	    {"[Fri Nov 27 02:53:02.123456 2026] [mpm_event:notice] [pid 17] AH00489: resuming", 10,
		"notice"},
	    {"[27-Nov-2026 02:53:02] WARNING: [pool www] seems busy", 13, "WARNING"},
	    {"2024-01-01T12:00:00.123456Z 0 [Warning] [MY-010068] [Server] CA certificate", 13,
		"Warning"},
	    {"2024-01-01 12:00:00.123 UTC [123] ERROR:  relation \"t\" does not exist", 17,
		"ERROR"},
	    /* Python, uvicorn, gunicorn */
	    {"WARNING:root:disk is full", 13, "WARNING"},
	    {"2026-11-27 02:53:02,118 - shop.orders - ERROR - no such item", 17, "ERROR"},
	    {"INFO:     127.0.0.1:51234 - \"GET / HTTP/1.1\" 200 OK", 9, "INFO"},
	    {"[2026-11-27 02:53:02 +0000] [1234] [INFO] Booting worker with pid: 1234", 9, "INFO"},
	    /* Java */
	    {"2026-11-27 02:53:02.118  WARN 1234 --- [nio-8080-exec-1] o.s.web.PageNotFound : No mapping",
		13, "WARN"},
	    {"2026-11-27T02:53:02.118+01:00 ERROR 12 --- [main] c.e.App : boom", 17, "ERROR"},
	    {"02:53:02.118 [main] INFO  com.example.App - started", 9, "INFO"},
	    {"2026-11-27 02:53:02 ERROR [main] App:12 - failed", 17, "ERROR"},
	    {"SEVERE: Servlet.service() threw exception", 17, "SEVERE"},
	    /* Go: glog, logrus, zap */
	    {"W0102 15:04:05.678901   12345 main.go:12] slow", 13, "W"},
	    {"E1127 02:53:02.118123       1 leader.go:330] lost", 17, "E"},
	    {"INFO[0000] listening  addr=\":8080\"", 9, "INFO"},
	    {"2026-11-27T02:53:02.118Z\tERROR\tmain.go:7\tfailed", 17, "ERROR"},
	    {"time=2026-11-27T02:53:02.118Z level=WARN msg=\"slow request\"", 13, "WARN"},
	    {"ts=1 caller=x.go:1 level=error err=\"no such file\"", 17, "error"},
	    {"lvl=\"dbug\" msg=x", 5, "dbug"},
	    /* .NET, Node, Ruby, Rust, Elixir */
	    {"info: Microsoft.Hosting.Lifetime[14]", 9, "info"},
	    {"fail: Microsoft.AspNetCore.Server.Kestrel[13]", 17, "fail"},
	    {"[02:53:02 WRN] Slow query", 13, "WRN"},
	    {"E, [2026-11-27T02:53:02.118123 #1234] ERROR -- : boom", 17, "ERROR"},
	    {"[2026-11-27T02:53:02Z WARN  shop::orders] slow", 13, "WARN"},
	    {"2026-11-27T02:53:02.118123Z  INFO shop: started", 9, "INFO"},
	    {"02:53:02.118 [error] GenServer terminating", 17, "error"},
	    {"2026-11-27 02:53:02.118 | DEBUG    | app:main:3 - x", 5, "DEBUG"},
	    /* syslog, and the journal's prefix */
	    {"<3>cannot open the disk", 17, "3"},
	    {"<34>1 2026-11-27T02:53:02Z host su - - - failed", 18, "34"},
	    {"<6>started", 9, "6"},
	    /* colours are not looked at */
	    {"\x1b[31mERROR\x1b[0m disk full", 17, "ERROR"},
	    {"\x1b[2m2026-11-27T02:53:02Z\x1b[0m \x1b[33m WARN\x1b[0m \x1b[2mshop\x1b[0m: slow", 13,
		"WARN"},
	    {"\x1b[36mINFO\x1b[0m[0000] x", 9, "INFO"},
	    {"error: cannot open", 17, "error"},
	    {"ERROR", 17, "ERROR"},
	    {"[error]", 17, "error"},
	};

	(void)state;
	CHECK_ROWS(rows);
}

static void nothing_is_guessed(void **state)
{
	static const struct row rows[] = {
	    {"", 0, ""},
	    {" ", 0, ""},
	    {"an error was not found", 0, ""},
	    {"error while loading", 0, ""},
	    {"Error handling is fine", 0, ""},
	    {"info about errors", 0, ""},
	    {"2026/11/27 02:53:02 error opening file", 0, ""},
	    {"2026/11/27 02:53:02 http: panic serving", 0, ""},
	    {"127.0.0.1 - - [27/Nov/2026:02:53:02 +0000] \"GET /error HTTP/1.1\" 500 7", 0, ""},
	    {"Traceback (most recent call last):", 0, ""},
	    {"  File \"shop.py\", line 3, in <module>", 0, ""},
	    {"ValueError: no such item", 0, ""},
	    {"\tat com.example.App.main(App.java:5)", 0, ""},
	    {"ERRORS: 3", 0, ""},
	    {"INFORMED", 0, ""},
	    {"loglevel=error", 0, ""},
	    {"msg=x mylevel=error", 0, ""},
	    {"level=", 0, ""},
	    {"[errors] x", 0, ""},
	    {"[no end ERROR", 0, ""},
	    {"<300>x", 0, ""},
	    {"<>x", 0, ""},
	    {"<3", 0, ""},
	    {"W010 15:04:05", 0, ""},
	    {"X0102 15:04:05", 0, ""},
	    {"* Debug mode: off", 0, ""},
	    {"a b c d e f g ERROR", 0, ""},
	};

	(void)state;
	CHECK_ROWS(rows);
	check(SV("\0ERROR: x"), 0, "");
	check(SV("\xff\xfe[error] x"), 0, "");
	check(SV("\x1b["), 0, "");
}

/* Cut anywhere it reads no byte too far; whatever it finds is written in the line. */
static void every_prefix(void **state)
{
	static const char *const lines[] = {
	    "{\"a\":[1,\"\\\"\"],\"log\":{\"x\":1,\"level\":\"error\"}}",
	    "[Fri Nov 27 02:53:02.123456 2026] [core:error] [pid 17] x",
	    "2026-11-27 02:53:02,118 - shop.orders - ERROR - no such item",
	    "W0102 15:04:05.678901 1 main.go:12] slow",
	    "\x1b[31mERROR\x1b[0m level=warn",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		for (size_t n = 0; n <= strlen(lines[i]); n++) {
			struct edge edge = edge_copy(lines[i], n);
			struct log_level_found level = log_level_find(sv_from(edge.p, n));

			assert_in_range(level.number, 0, 24);
			assert_int_equal(level.number == 0, level.text_len == 0);
			edge_free(&edge);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(json_objects),
	    cmocka_unit_test(beginnings),
	    cmocka_unit_test(nothing_is_guessed),
	    cmocka_unit_test(every_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
