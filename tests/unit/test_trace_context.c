// SPDX-License-Identifier: Apache-2.0
/*
 * Tests of traceparent and tracestate. The vector files hold raw header lines; each row walks the
 * full path: a request made of the lines, the head parser, the rule "exactly once", the parser.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/http1.h"
#include "proto/trace_context.h"
#include "support.h"

#define VALID "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static struct http1_head head;

/* --- the vector files --------------------------------------------------------------------------*/

/* Undo the escapes \t \r \n \\ \xNN in place. Returns the length. */
static size_t unescape(char *cell)
{
	char *to = cell;

	for (const char *from = cell; *from; from++) {
		unsigned byte;

		if (*from != '\\') {
			*to++ = *from;
			continue;
		}
		from++;
		if (*from == 'x' && sscanf(from + 1, "%2x", &byte) == 1) {
			*to++ = (char)byte;
			from += 2;
		} else {
			*to++ = *from == 't' ? '\t'
			    : *from == 'r'   ? '\r'
			    : *from == 'n'   ? '\n'
					     : *from;
		}
	}
	return (size_t)(to - cell);
}

/* Append the header lines of a cell; a line feed that belongs to no fold ends a line. */
static void append_lines(struct buf *request, char *cell)
{
	size_t len = unescape(cell);

	for (size_t i = 0; i < len; i++) {
		if (cell[i] == '\n' && (i == 0 || cell[i - 1] != '\r'))
			buf_append_cstr(request, "\r\n");
		else
			buf_append_char(request, cell[i]);
	}
	if (len)
		buf_append_cstr(request, "\r\n");
}

static void parse_request(struct buf *request)
{
	struct edge edge;

	buf_append_cstr(request, "\r\n");
	edge = edge_copy(request->data, request->len);
	assert_int_equal(
	    http1_parse_head(HTTP1_REQUEST, sv_from(edge.p, edge.len), &head), request->len);
	edge_free(&edge);
	/* The views are wanted for longer than the guarded copy. */
	assert_int_equal(http1_parse_head(HTTP1_REQUEST, buf_sv(request), &head), request->len);
}

static bool find_parent(struct trace_context *ret_ctx)
{
	struct edge edge;
	struct sv value;
	int err;

	if (http1_field_find(&head, SV("traceparent"), &value) != 1)
		return false;
	edge = edge_copy(value.p, value.len);
	err = traceparent_parse(sv_from(edge.p, edge.len), ret_ctx);
	edge_free(&edge);
	return err == 0;
}

static int find_state(struct buf *out)
{
	struct sv values[HTTP1_MAX_FIELDS];
	size_t n = 0;

	for (size_t i = 0; i < head.n_fields; i++)
		if (sv_eq_nocase(head.fields[i].name, SV("tracestate")))
			values[n++] = head.fields[i].value;
	return tracestate_parse(values, n, out);
}

static void check_parent_row(const char *name, char **cell)
{
	struct trace_context ctx = {0};
	char trace[33], parent[17], flags[3];
	struct buf request, tracestate;
	const char *want;
	bool valid;

	buf_init(&request);
	buf_init(&tracestate);
	buf_append_cstr(&request, "GET / HTTP/1.1\r\nHost: a\r\n");
	append_lines(&request, cell[1]);
	append_lines(&request, cell[2]);
	parse_request(&request);
	valid = find_parent(&ctx);
	if (valid != (strcmp(cell[3], "valid") == 0))
		fail_msg("%s: not %s", name, cell[3]);
	trace_id_hex(&ctx.trace_id, trace);
	span_id_hex(&ctx.parent_id, parent);
	snprintf(flags, sizeof(flags), "%02x", ctx.flags);
	if (valid && (strcmp(trace, cell[4]) || strcmp(parent, cell[5]) || strcmp(flags, cell[6])))
		fail_msg("%s: %s-%s-%s", name, trace, parent, flags);
	want = strstr(cell[7], "tracestate=");
	if (valid && want) {
		size_t len = strcspn(want += strlen("tracestate="), " ");

		find_state(&tracestate);
		if (!sv_eq(buf_sv(&tracestate), sv_from(want, len)))
			fail_msg("%s: tracestate '%.*s'", name, SV_ARG(buf_sv(&tracestate)));
	}
	buf_release(&tracestate);
	buf_release(&request);
}

static void check_state_row(const char *name, char **cell)
{
	struct buf request, out;
	bool kept;

	buf_init(&request);
	buf_init(&out);
	buf_append_cstr(&request, "GET / HTTP/1.1\r\ntraceparent: " VALID "\r\n");
	append_lines(&request, cell[1]);
	cell[3][unescape(cell[3])] = '\0';
	parse_request(&request);
	kept = find_state(&out) > 0;
	if (kept != (strcmp(cell[2], "discard") != 0))
		fail_msg("%s: not %s", name, cell[2]);
	if (strcmp(cell[2], "either") == 0)
		assert_true(sv_starts(buf_sv(&out), sv_cstr(cell[3])));
	else if (!sv_eq(buf_sv(&out), sv_cstr(cell[3])))
		fail_msg("%s: '%.*s'", name, SV_ARG(buf_sv(&out)));
	buf_release(&out);
	buf_release(&request);
}

/* Call check for each row behind the first; a row must have n cells. Returns the number of rows. */
static size_t each_row(const char *file, size_t n, void (*check)(const char *name, char **cell))
{
	char *text = test_data(file), *rest = text, *line;
	size_t rows = 0;

	strsep(&rest, "\n");
	while ((line = strsep(&rest, "\n")) && *line) {
		char *cell[8] = {0};

		for (size_t i = 0; i < n; i++) {
			cell[i] = strsep(&line, "\t");
			assert_non_null(cell[i]);
		}
		assert_null(line);
		check(cell[0], cell);
		rows++;
	}
	free(text);
	return rows;
}

static void test_traceparent_vectors(void **state)
{
	(void)state;
	assert_int_equal(each_row("traceparent_vectors.tsv", 8, check_parent_row), 64);
}

static void test_tracestate_vectors(void **state)
{
	(void)state;
	assert_int_equal(each_row("tracestate_vectors.tsv", 5, check_state_row), 33);
}

/* --- traceparent -------------------------------------------------------------------------------*/

static void test_every_version(void **state)
{
	struct trace_context ctx;
	char text[80];

	(void)state;
	for (unsigned version = 0; version < 256; version++) {
		snprintf(text, sizeof(text), "%02x%s", version, VALID + 2);
		assert_int_equal(
		    traceparent_parse(sv_cstr(text), &ctx), version == 255 ? -EBADMSG : 0);
		snprintf(text, sizeof(text), "%02x%s-", version, VALID + 2);
		assert_int_equal(traceparent_parse(sv_cstr(text), &ctx),
		    version == 255 || version == 0 ? -EBADMSG : 0);
		snprintf(text, sizeof(text), "%02x%s0", version, VALID + 2);
		assert_int_equal(traceparent_parse(sv_cstr(text), &ctx), -EBADMSG);
	}
}

static void test_every_flag_byte(void **state)
{
	struct trace_context ctx;
	char text[80];

	(void)state;
	for (unsigned flags = 0; flags < 256; flags++) {
		snprintf(text, sizeof(text), "%.53s%02x", VALID, flags);
		assert_int_equal(traceparent_parse(sv_cstr(text), &ctx), 0);
		assert_int_equal(ctx.flags, flags & 3);
	}
}

static void test_every_byte_at_every_place(void **state)
{
	struct trace_context ctx;
	char text[] = VALID;

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		for (int c = 0; c < 256; c++) {
			bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
			/* a version other than 00 is as good, but for ff which one digit cannot
			 * make */
			bool good = VALID[i] == '-' ? c == '-' : hex;

			text[i] = (char)c;
			if ((traceparent_parse(sv_from(text, 55), &ctx) == 0) != good)
				fail_msg("byte %d at %zu", c, i);
		}
		text[i] = VALID[i];
	}
}

static void test_cut_at_every_offset(void **state)
{
	struct trace_context ctx = {.flags = 77};

	(void)state;
	for (size_t cut = 0; cut < 55; cut++) {
		struct edge edge = edge_copy(VALID, cut);

		assert_int_equal(traceparent_parse(sv_from(edge.p, cut), &ctx), -EBADMSG);
		edge_free(&edge);
	}
	assert_int_equal(ctx.flags, 77);
}

static void test_folds_around_the_value(void **state)
{
	struct trace_context ctx;

	(void)state;
	assert_int_equal(traceparent_parse(SV("\r\n \t" VALID " \r\n\t "), &ctx), 0);
	assert_int_equal(traceparent_parse(SV("\r\n "), &ctx), -EBADMSG);
}

/* --- finding it in a head ----------------------------------------------------------------------*/

static bool request_has_parent(const char *before, const char *lines, struct trace_context *ctx)
{
	struct buf request;
	bool found;

	buf_init(&request);
	buf_printf(&request, "GET / HTTP/1.1\r\n%s%s", before, lines);
	parse_request(&request);
	found = find_parent(ctx);
	buf_release(&request);
	return found;
}

static void test_any_letter_case(void **state)
{
	char line[] = "traceparent: " VALID "\r\n";
	struct trace_context ctx;

	(void)state;
	for (unsigned mask = 0; mask < 1u << 11; mask++) {
		for (unsigned i = 0; i < 11; i++)
			line[i] = (char)(mask >> i & 1 ? toupper(line[i]) : tolower(line[i]));
		assert_true(request_has_parent("", line, &ctx));
	}
}

static void test_behind_four_kilobytes(void **state)
{
	struct trace_context ctx;
	struct buf before;

	(void)state;
	buf_init(&before);
	for (int i = 0; before.len < 4 << 10; i++)
		buf_printf(&before, "Cookie-%d: traceparent=%s; cart=%0200d\r\n", i, VALID, i);
	assert_true(request_has_parent(before.data, "TraceParent:" VALID "\r\n", &ctx));
	assert_false(request_has_parent(before.data, "", &ctx));
	buf_clear(&before);
	for (int i = 0; before.len < 4 << 10; i++) /* of few bytes each */
		buf_printf(&before, "X-%d: y\r\n", i);
	assert_true(request_has_parent(before.data, "TraceParent:" VALID "\r\n", &ctx));
	buf_release(&before);
}

static void test_never_inside_something_else(void **state)
{
	static const char *const lines[] = {"X: traceparent: " VALID "\r\n",
	    "X: a\n\ttraceparent: " VALID "\r\n", "X:\r\n traceparent: " VALID "\r\n",
	    "X: a\rtraceparent: " VALID "\r\n", "X : a\r\n traceparent: " VALID "\r\n",
	    " traceparent: " VALID "\r\n", "traceparent : " VALID "\r\n",
	    "X-traceparent: " VALID "\r\n"};
	struct trace_context ctx;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (request_has_parent("", lines[i], &ctx))
			fail_msg("found in: %s", lines[i]);
}

/* --- tracestate --------------------------------------------------------------------------------*/

static void test_member_limit(void **state)
{
	struct buf in, out;
	struct sv values[2];

	(void)state;
	buf_init(&in);
	buf_init(&out);
	for (int i = 0; i < 32; i++)
		buf_printf(&in, ",k%d=%d,,", i, i);
	values[0] = buf_sv(&in);
	values[1] = SV(" , ");
	assert_int_equal(tracestate_parse(values, 2, &out), 32);
	values[1] = SV("one=more");
	buf_clear(&out);
	buf_append_cstr(&out, "as it was");
	assert_int_equal(tracestate_parse(values, 2, &out), -EBADMSG);
	assert_string_equal(out.data, "as it was");
	buf_release(&in);
	buf_release(&out);
}

static void test_members(void **state)
{
	static const struct {
		struct sv in;
		const char *out; /* NULL: refused */
	} rows[] = {
	    {SV("a=b\r\n c,d=e"), "a=b c,d=e"},
	    {SV("a=b,\r\n\tc=d"), "a=b,c=d"},
	    {SV("a=  b"), "a=  b"},
	    {SV("a="), NULL},
	    {SV("a= "), NULL},
	    {SV("=b"), NULL},
	    {SV("a=b\tc"), NULL},
	    {SV("a=\x7f"), NULL},
	    {SV("a=\xc3\xa9"), NULL},
	    {SV("a=b\0"), NULL},
	    {SV("_a=b"), NULL},
	    {SV("a=b;c=d"), NULL},
	    {SV("a=b, =,c=d"), NULL},
	};
	struct buf out;

	(void)state;
	buf_init(&out);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct edge edge = edge_copy(rows[i].in.p, rows[i].in.len);
		struct sv value = sv_from(edge.p, edge.len);
		int n = tracestate_parse(&value, 1, &out);

		if ((n >= 0) != (rows[i].out != NULL))
			fail_msg("row %zu gives %d", i, n);
		if (n >= 0)
			assert_string_equal(out.data, rows[i].out);
		buf_clear(&out);
		edge_free(&edge);
	}
	assert_int_equal(tracestate_parse(NULL, 0, &out), 0);
	buf_release(&out);
}

static void test_ids(void **state)
{
	struct trace_id trace = {{0}}, other = {{0}};
	struct span_id span = {{0}};
	char hex[33];

	(void)state;
	assert_true(trace_id_is_zero(&trace) && span_id_is_zero(&span));
	assert_true(trace_id_eq(&trace, &other) && span_id_eq(&span, &span));
	trace.b[15] = 0xf0;
	span.b[0] = 0x0a;
	assert_false(trace_id_is_zero(&trace) || span_id_is_zero(&span));
	assert_false(trace_id_eq(&trace, &other));
	trace_id_hex(&trace, hex);
	assert_string_equal(hex, "000000000000000000000000000000f0");
	span_id_hex(&span, hex);
	assert_string_equal(hex, "0a00000000000000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_traceparent_vectors),
	    cmocka_unit_test(test_tracestate_vectors),
	    cmocka_unit_test(test_every_version),
	    cmocka_unit_test(test_every_flag_byte),
	    cmocka_unit_test(test_every_byte_at_every_place),
	    cmocka_unit_test(test_cut_at_every_offset),
	    cmocka_unit_test(test_folds_around_the_value),
	    cmocka_unit_test(test_any_letter_case),
	    cmocka_unit_test(test_behind_four_kilobytes),
	    cmocka_unit_test(test_never_inside_something_else),
	    cmocka_unit_test(test_member_limit),
	    cmocka_unit_test(test_members),
	    cmocka_unit_test(test_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
