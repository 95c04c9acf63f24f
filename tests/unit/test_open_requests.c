// SPDX-License-Identifier: Apache-2.0
/* What is told of requests and calls that have not ended. */
#include "pipeline_fixture.h"
#include "report/open_requests.h"

#define HEADING "requests and calls that are open:\n"

static struct sock request(struct world *w, uint64_t id, const struct actor *who, const char *text)
{
	struct sock sock =
	    sock_tcp(&w->feed, id, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40000 + id));

	sock_announce(&sock);
	sock_read(&sock, who, text);
	return sock;
}

/* The thread has waited since its last event, for so long. */
static void waits(
    struct world *w, const struct actor *who, uint64_t ms, const char *user, const char *kernel)
{
	struct thread_wait wait = {.pid = who->pid,
	    .tid = who->tid,
	    .since_ns = w->feed.now_ns,
	    .kind = ZSP_WAIT_LOCK,
	    .asked = true};
	const struct thread_place place = {.tid = who->tid,
	    .since_ns = w->feed.now_ns,
	    .user = sv_cstr(user),
	    .kernel = sv_cstr(kernel)};

	w->feed.now_ns += ms * NS_PER_MS;
	wait.time_ns = w->feed.now_ns;
	pipeline_wait(w->pipeline, &wait);
	pipeline_place(w->pipeline, &place);
}

static void expect(struct world *w, const char *expected)
{
	struct buf out;

	buf_init(&out);
	open_requests_append(&out, w->pipeline, w->feed.now_ns);
	assert_false(out.failed);
	assert_string_equal(out.data, expected);
	buf_release(&out);
}

static void nothing_open(void **state)
{
	struct world *w = world_new(1);
	struct sock sock;

	(void)state;
	expect(w, HEADING "  none\n");
	sock = request(w, 1, &first, POST("/a"));
	sock_write(&sock, &first, OK2);
	expect(w, HEADING "  none\n");
	world_free(w);
}

static void a_request_that_waits(void **state)
{
	struct world *w = world_new(1);

	(void)state;
	request(w, 1, &first, POST("/a"));
	waits(w, &first, 3000, "pthread_mutex_lock\nwork\nmain", "futex_wait\ndo_futex");
	expect(w,
	    HEADING "  3.00 s  POST /a  request of shop (pid 10)  lock 3.00 s\n"
		    "          lock 3.00 s in\n"
		    "            pthread_mutex_lock\n"
		    "            work\n"
		    "            main\n"
		    "            kernel: futex_wait\n"
		    "            kernel: do_futex\n");
	world_free(w);
}

/* Nothing is "in" what could not be told. */
static void a_wait_in_nothing(void **state)
{
	struct world *w = world_new(1);

	(void)state;
	request(w, 1, &first, POST("/a"));
	waits(w, &first, 3000, "", "");
	expect(w, HEADING "  3.00 s  POST /a  request of shop (pid 10)  lock 3.00 s\n");
	world_free(w);
}

/* Names are the target's: they do not reach the terminal as they are. */
static void hostile_texts(void **state)
{
	struct world *w = world_empty(1, NULL);
	struct buf out;

	(void)state;
	process(w, 10, "sh\x1b[31mop", 1);
	request(w, 1, &first, POST("/a"));
	waits(w, &first, 3000, "a\x1b[2Jb\rc", "d\x1b");
	buf_init(&out);
	open_requests_append(&out, w->pipeline, w->feed.now_ns);
	assert_non_null(strstr(out.data, "request of sh"));
	for (size_t i = 0; i < out.len; i++)
		assert_true((unsigned char)out.data[i] >= ' ' || out.data[i] == '\n');
	buf_release(&out);
	world_free(w);
}

static void only_some_are_told(void **state)
{
	struct world *w = world_new(1);
	struct buf out;
	size_t lines = 0;

	(void)state;
	for (uint32_t i = 0; i < OPEN_REQUESTS_TOLD + 3; i++)
		request(w, 1 + i, &(struct actor){10, 101 + i, 0}, POST("/a"));
	w->feed.now_ns += NS_PER_S;
	buf_init(&out);
	open_requests_append(&out, w->pipeline, w->feed.now_ns);
	for (size_t i = 0; i < out.len; i++)
		lines += out.data[i] == '\n';
	assert_int_equal(lines, 1 + OPEN_REQUESTS_TOLD + 1);
	assert_non_null(strstr(out.data, "\n  and 3 more\n"));
	buf_release(&out);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_open),
	    cmocka_unit_test(a_request_that_waits),
	    cmocka_unit_test(a_wait_in_nothing),
	    cmocka_unit_test(hostile_texts),
	    cmocka_unit_test(only_some_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
