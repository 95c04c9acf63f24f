// SPDX-License-Identifier: Apache-2.0
/* Writes become lines: joined, cut, told apart by thread, bounded. And how many of them pass. */
#include "base/buf.h"
#include "log_fixture.h"
#include "logs/lines.h"
#include "logs/rate.h"

/* Lines as text, "tid:text" each; "~" before those from a buffer, "+N" behind those of which N bytes are missing. */
struct scene {
	struct feed feed;
	struct lines *lines;
	struct buf told;
};

static void on_line(void *ctx, const struct log_line *line)
{
	struct scene *s = ctx;

	assert_true(line->first_ns <= line->last_ns);
	buf_printf(&s->told, "%s%s%u:", s->told.len ? "|" : "", line->kept ? "~" : "", line->tid);
	if (line->stream == ZSP_STDERR)
		buf_append_char(&s->told, '!');
	buf_append_sv(&s->told, line->text);
	if (line->missing)
		buf_printf(&s->told, "+%llu", (unsigned long long)line->missing);
}

static void take(void *ctx, const struct event *event)
{
	struct scene *s = ctx;

	assert_true(lines_write(s->lines, event->log));
}

static struct scene *scene_new(void)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	feed_init(&s->feed, take, s);
	s->lines = lines_new(on_line, s);
	assert_non_null(s->lines);
	buf_init(&s->told);
	return s;
}

static void scene_free(struct scene *s)
{
	lines_free(s->lines);
	buf_release(&s->told);
	free(s);
}

static void expect(struct scene *s, const char *told)
{
	assert_string_equal(s->told.len ? s->told.data : "", told);
	buf_clear(&s->told);
}

static const struct actor a = {10, 1, 0}, b = {10, 2, 0}, other = {11, 1, 0};

static void one_write_one_line(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	feed_line(&s->feed, &a, "hello\n");
	feed_line(&s->feed, &b, "dos\r\n");
	feed_write(&s->feed, &a, ZSP_STDERR, SV("bad\n"));
	feed_line(&s->feed, &a, "\n");
	feed_line(&s->feed, &a, "\r\n");
	feed_line(&s->feed, &a, " \n");
	expect(s, "1:hello|2:dos|1:!bad|1: ");
	scene_free(s);
}

static void pieces_of_threads_are_kept_apart(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	feed_line(&s->feed, &a, "one ");
	feed_line(&s->feed, &b, "whole line\n");
	feed_write(&s->feed, &a, ZSP_STDERR, SV("oops\n"));
	feed_line(&s->feed, &b, "x");
	feed_line(&s->feed, &other, "y");
	feed_line(&s->feed, &a, "two ");
	feed_line(&s->feed, &b, "z\n");
	feed_line(&s->feed, &other, "\n");
	feed_line(&s->feed, &a, "three\n");
	expect(s, "2:whole line|1:!oops|2:xz|1:y|1:one two three");
	scene_free(s);
}

/* Each line its own; one message, if only its first line says a level, or those behind it are indented. */
static void several_lines_of_one_message(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	feed_line(&s->feed, &a,
	    "02:53 [main] ERROR c.e.App - boom\njava.lang.Error: x\n\tat App.main(App.java:5)\n");
	expect(s,
	    "1:02:53 [main] ERROR c.e.App - boom|1:java.lang.Error: x|1:\tat App.main(App.java:5)");
	feed_line(&s->feed, &a,
	    "ERROR: boom\nTraceback (most recent call last):\n  File \"a.py\"\nValueError: x\n");
	expect(s,
	    "1:ERROR: boom|1:Traceback (most recent call last):|1:  File \"a.py\"|1:ValueError: x");
	feed_line(&s->feed, &a, "  File \"a.py\", line 3, in f\n    g()\n");
	expect(s, "1:  File \"a.py\", line 3, in f|1:    g()");
	scene_free(s);
}

static void several_messages_come_from_a_buffer(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	feed_line(&s->feed, &a, "INFO: one\nINFO: two\n");
	expect(s, "~1:INFO: one|~1:INFO: two");
	feed_line(&s->feed, &a, "one\ntwo\n");
	expect(s, "~1:one|~1:two");
	feed_line(&s->feed, &a, "INFO order 1\norder 2 ok\n");
	expect(s, "~1:INFO order 1|~1:order 2 ok");
	feed_line(&s->feed, &a, "INFO order 1\n  more\nand more\norder 2 ok\n");
	expect(s, "~1:INFO order 1|~1:  more|~1:and more|~1:order 2 ok");
	feed_line(&s->feed, &a, "zero\nthr");
	feed_line(&s->feed, &b, "ee\n  more\n");
	expect(s, "~1:zero|~2:three|~2:  more");
	/* A full buffer ends anywhere; who writes the rest is another thread. */
	feed_line(&s->feed, &a, "three\nfo");
	feed_line(&s->feed, &b, "ur\nfive\nsi");
	feed_line(&s->feed, &a, "x\n");
	feed_line(&s->feed, &a, "seven\n");
	expect(s, "~1:three|~2:four|~2:five|~1:six|1:seven");
	scene_free(s);
}

static void the_rest_is_not_awaited_for_ever(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	feed_line(&s->feed, &a, "password: ");
	lines_tick(s->lines, s->feed.now_ns + LINES_WAIT_NS - 1);
	expect(s, "");
	lines_tick(s->lines, s->feed.now_ns + LINES_WAIT_NS);
	expect(s, "1:password: ");
	feed_line(&s->feed, &a, "again");
	lines_tick(s->lines, UINT64_MAX);
	expect(s, "1:again");
	lines_tick(s->lines, UINT64_MAX);
	expect(s, "");
	scene_free(s);
}

static void long_lines_are_cut(void **state)
{
	struct scene *s = scene_new();
	char *text = malloc(LINES_MAX_BYTES);
	struct buf want;

	(void)state;
	memset(text, 'x', LINES_MAX_BYTES);
	buf_init(&want);
	buf_append_cstr(&want, "1:");
	buf_append(&want, text, LINES_MAX_BYTES);
	/* Exactly as long as may be, in two writes. */
	feed_write(&s->feed, &a, ZSP_STDOUT, sv_from(text, LINES_MAX_BYTES / 2));
	feed_write(&s->feed, &a, ZSP_STDOUT, sv_from(text, LINES_MAX_BYTES / 2));
	feed_line(&s->feed, &a, "\n");
	expect(s, want.data);
	/* Longer. */
	feed_write(&s->feed, &a, ZSP_STDOUT, sv_from(text, LINES_MAX_BYTES));
	feed_line(&s->feed, &a, "yz\n");
	buf_append_cstr(&want, "+2");
	expect(s, want.data);
	buf_release(&want);
	/* One write, of which the kernel side told the beginning: 100 bytes and the end are missing. */
	feed_write_cut(&s->feed, &a, ZSP_STDOUT, SV("begin"), 106, '\n');
	feed_line(&s->feed, &a, "next\n");
	expect(s, "1:begin+100|1:next");
	/* The same without an end: what comes next belongs to it, but not behind those five bytes. */
	feed_write_cut(&s->feed, &a, ZSP_STDOUT, SV("begin"), 105, 'x');
	feed_line(&s->feed, &a, "end\n");
	expect(s, "1:begin+103");
	/* Nothing of it could be read. */
	feed_write_cut(&s->feed, &a, ZSP_STDOUT, SV(""), 7, '\n');
	expect(s, "1:+6");
	free(text);
	scene_free(s);
}

static void open_lines_are_bounded(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	for (uint32_t i = 1; i <= LINES_MAX_OPEN + 1; i++) {
		const struct actor thread = {10, i, 0};

		feed_line(&s->feed, &thread, "open");
	}
	expect(s, "1:open");
	lines_tick(s->lines, s->feed.now_ns + LINES_WAIT_NS);
	assert_true(s->told.len > (size_t)LINES_MAX_OPEN * 6);
	scene_free(s);
}

static void any_bytes(void **state)
{
	struct scene *s = scene_new();

	(void)state;
	feed_write(&s->feed, &a, ZSP_STDOUT, SV("\x00\xff\x01\n"));
	assert_int_equal(s->told.len, 5);
	assert_memory_equal(s->told.data, "1:\x00\xff\x01", 5);
	scene_free(s);
}

static void so_many_per_second(void **state)
{
	const struct rate_limit limit = {.per_second = 10, .burst = 3};
	struct rates *rates = rates_new(&limit);
	uint64_t now = NS_PER_S;
	int passed = 0;

	(void)state;
	for (int i = 0; i < 10; i++)
		passed += rates_pass(rates, 10, now);
	assert_int_equal(passed, 3);
	assert_true(rates_pass(rates, 11, now)); /* each process has its own */
	assert_false(rates_pass(rates, 10, now + NS_PER_S / 10 - 1));
	assert_true(rates_pass(rates, 10, now + NS_PER_S / 10));
	assert_false(rates_pass(rates, 10, now)); /* the clock of another CPU */
	now += 1000 * NS_PER_S;
	for (passed = 0; rates_pass(rates, 10, now);)
		passed++;
	assert_int_equal(passed, 3);
	for (passed = 0; now < 1011 * NS_PER_S; now += NS_PER_MS)
		passed += rates_pass(rates, 10, now);
	assert_int_equal(passed, 99); /* the hundredth is due when the tenth second is over */
	rates_free(rates);
	rates_free(NULL);
}

static void processes_are_bounded(void **state)
{
	const struct rate_limit limit = {.per_second = 1, .burst = 1};
	struct rates *rates = rates_new(&limit);

	(void)state;
	for (uint32_t pid = 1; pid <= RATES_MAX_PROCESSES + 1; pid++)
		assert_true(rates_pass(rates, pid, 1));
	assert_false(rates_pass(rates, RATES_MAX_PROCESSES + 1, 1));
	assert_true(rates_pass(rates, 1, 1)); /* forgotten, and new */
	rates_free(rates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_write_one_line),
	    cmocka_unit_test(pieces_of_threads_are_kept_apart),
	    cmocka_unit_test(several_lines_of_one_message),
	    cmocka_unit_test(several_messages_come_from_a_buffer),
	    cmocka_unit_test(the_rest_is_not_awaited_for_ever),
	    cmocka_unit_test(long_lines_are_cut),
	    cmocka_unit_test(open_lines_are_bounded),
	    cmocka_unit_test(any_bytes),
	    cmocka_unit_test(so_many_per_second),
	    cmocka_unit_test(processes_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
