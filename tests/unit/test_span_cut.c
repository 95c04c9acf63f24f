// SPDX-License-Identifier: Apache-2.0
/* A request that had not ended when the observation did is told from one whose connection was closed. */
#include "trace_fixture.h"

static void expect(const struct stage *stage, const char *name, bool cut, const char *error)
{
	const struct span *span = stage_find(stage, SPAN_KIND_SERVER, name);
	const struct attr *type = span_attr(span, "error.type");

	assert_int_equal(span->cut, cut);
	assert_int_equal(type != NULL, error != NULL);
	if (error)
		assert_true(sv_eq(type->string, sv_cstr(error)));
}

static void ended_and_cut(void **state)
{
	const struct actor actors[] = {{10, 101, 0}, {10, 102, 0}, {10, 103, 0}, {10, 104, 0}};
	struct stage *stage = stage_new(1);
	struct sock answered = front(stage, 1), closed = front(stage, 2), open = front(stage, 3);
	struct sock half = front(stage, 4);

	(void)state;
	sock_read(&answered, &actors[0], GET("/answered"));
	sock_write(&answered, &actors[0], OK2);
	sock_read(&closed, &actors[1], GET("/closed"));
	sock_close(&closed);
	sock_read(&open, &actors[2], GET("/open"));
	sock_read(&half, &actors[3], GET("/half"));
	sock_write(&half, &actors[3], "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}");
	stage_finish(stage);
	expect(stage, "GET /answered", false, NULL);
	expect(stage, "GET /closed", false, "connection_closed");
	expect(stage, "GET /open", true, "connection_closed");
	expect(stage, "GET /half", true, "incomplete_response");
	stage_free(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ended_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
