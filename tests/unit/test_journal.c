// SPDX-License-Identifier: Apache-2.0
/* The journal: a pipeline that is fed from the journal of another publishes the same bytes, wherever the journal is cut up to there. */
#include <errno.h>
#include <fcntl.h>

#include "base/log.h"
#include "journal_fixture.h"

#define SEED    77
#define SLOW_US 5000

/* A file of the test's own, and its bytes when it is written. */
struct file {
	char path[64];
	struct clock_base clock;
};

static struct journal *journal_begin(struct file *file)
{
	struct journal *journal;
	struct buf message;
	int fd;

	*file = (struct file){.path = "/tmp/zerospan-journal-XXXXXX", .clock.offset_ns = 5};
	fd = mkstemp(file->path);
	assert_true(fd >= 0);
	close(fd);
	buf_init(&message);
	assert_int_equal(
	    journal_new(file->path, SEED, SLOW_US, &file->clock, &journal, &message), 0);
	buf_release(&message);
	return journal;
}

static struct bytes journal_bytes(const struct file *file)
{
	int fd = open(file->path, O_RDONLY | O_CLOEXEC);
	struct bytes bytes = bytes_of(fd);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	close(fd);
	unlink(file->path);
	return bytes;
}

/* Not much longer than SLOW_US, beside another one. */
static void brief_request(struct world *w, uint64_t id)
{
	struct sock one =
	    sock_tcp(&w->feed, id, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40000 + id));
	struct sock other =
	    sock_tcp(&w->feed, id + 1, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40001 + id));

	sock_announce(&one);
	sock_announce(&other);
	sock_read(&one, &first, POST("/brief"));
	sock_read(&other, &second, POST("/beside"));
	w->feed.now_ns += SLOW_US * NS_PER_US;
	sock_write(&one, &first, OK2);
	sock_write(&other, &second, OK2);
	sock_close(&one);
	sock_close(&other);
}

/* A thread is looked at while it waits, in the 400 ms that its request takes; its place is told after the end. */
static void slow_request(struct world *w, uint64_t id)
{
	struct zsp_waits waits = {.switches = 1};
	struct thread_wait wait = {.pid = 10, .tid = 101, .kind = ZSP_WAIT_LOCK, .asked = true};
	struct thread_place place = {
	    .tid = 101, .user = SV("lock \xc3\xa9\nmain"), .kernel = SV("futex_wait\nread")};
	struct sock sock =
	    sock_tcp(&w->feed, id, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40000 + id));

	sock_announce(&sock);
	brief_request(w, id + 1);
	w->feed.waits = &waits;
	sock_read(&sock, &first, POST("/slow"));
	wait.waits = waits;
	wait.since_ns = place.since_ns = w->feed.now_ns;
	w->feed.now_ns += 200 * NS_PER_MS;
	wait.time_ns = w->feed.now_ns;
	pipeline_wait(w->pipeline, &wait);
	wait.asked = false;
	pipeline_wait(w->pipeline, &wait);
	w->feed.now_ns += 200 * NS_PER_MS;
	waits.ns[ZSP_WAIT_LOCK] += 400 * NS_PER_MS;
	waits.switches++;
	sock_write(&sock, &first, OK2);
	w->feed.waits = NULL;
	pipeline_place(w->pipeline, &place);
	place.since_ns++; /* of nothing that is known */
	place.user = place.kernel = (struct sv){0};
	pipeline_place(w->pipeline, &place);
	sock_close(&sock);
}

/* A request that is cut off by the end; of what it waited for, and still does, only the totals are known. */
static void endless_request(struct world *w, uint64_t id)
{
	struct thread_wait wait = {.pid = 10, .tid = 102, .kind = ZSP_WAIT_DISK};
	struct sock sock =
	    sock_tcp(&w->feed, id, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40000 + id));

	sock_announce(&sock);
	sock_read(&sock, &second, POST("/endless"));
	w->feed.now_ns += 100 * NS_PER_MS;
	wait.waits.ns[ZSP_WAIT_SLEEP] = 100 * NS_PER_MS;
	wait.since_ns = w->feed.now_ns;
	w->feed.now_ns += 300 * NS_PER_MS;
	wait.time_ns = w->feed.now_ns;
	pipeline_wait(w->pipeline, &wait);
}

/* Everything that a pipeline can be told. */
static struct bytes live(struct buf *ret_json)
{
	static const struct actor third = {12, 120, 0};
	struct file file;
	struct journal *journal = journal_begin(&file);
	struct world *w = world_slow(SEED, SLOW_US, journal);
	struct journal_counts counts = {.processes = 3, .kernel = {[1] = 7}};
	struct service_facts gone = {.pid = 12,
	    .exe = "/bin/\xff"
		   "odd",
	    .command = "odd --x",
	    .attrs = SV("process.pid\00012\0os.type\0linux\0")};

	process(w, 10, "shop", 1);
	assert_int_equal(pipeline_process(w->pipeline, &gone), 0);
	for (uint64_t i = 0; i < 20; i++) {
		checkout(w, 100 + 10 * i);
		w->answer = i % 3 ? 0 : -ESRCH;
		feed_execution(&w->feed, &third,
		    &(struct execution){.sql = "SELECT 1", .db = 0x5000 + i / 2, .rows = 1});
	}
	pipeline_process_end(w->pipeline, 12, w->feed.now_ns);
	process(w, 10, "renamed", 2);
	checkout(w, 900);
	w->feed.now_ns += 10 * NS_PER_S;
	pipeline_tick(w->pipeline, w->feed.now_ns);
	checkout(w, 1000);
	slow_request(w, 1010);
	endless_request(w, 1020);
	journal_counts(journal, &counts);
	pipeline_end(w->pipeline, w->feed.now_ns);
	assert_int_equal(journal_dropped(journal), 0);
	journal_free(journal);
	world_end(w);
	*ret_json = json_of(&w->kept);
	assert_true(w->kept.n > 20);
	world_free(w);
	return journal_bytes(&file);
}

static void same_bytes(void **state)
{
	static const char *const told[] = {
	    "lock \xc3\xa9\\nmain",
	    "futex_wait\\nread",
	    "\"zerospan.time.sleep_ms\",\"value\":{\"doubleValue\":100}",
	    "\"zerospan.time.disk_ms\",\"value\":{\"doubleValue\":300}",
	    "\"process.pid\",\"value\":{\"intValue\":\"12\"}",
	    "\"zerospan.neighbours.count\",\"value\":{\"intValue\":\"1\"}",
	    "\"zerospan.neighbours.top\",\"value\":{\"stringValue\":\"POST /beside 5.0 ms\"}",
	    "\"os.type\",\"value\":{\"stringValue\":\"linux\"}",
	};
	struct buf want, have;
	struct bytes bytes = live(&want);
	struct player player;
	char why[128];

	(void)state;
	buf_append_char(&want, '\0');
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		assert_non_null(strstr(want.data, told[i]));
	want.len--;
	assert_int_equal(replay(bytes.p, bytes.len, &player, &have, why), 0);
	assert_int_equal(have.len, want.len);
	assert_memory_equal(have.data, want.data, want.len);
	assert_true(player.ended);
	assert_int_equal(player.start.seed, SEED);
	assert_int_equal(player.start.wall_offset_ns, 5);
	assert_string_equal(player.start.version, ZEROSPAN_VERSION);
	assert_int_equal(player.counts.processes, 3);
	assert_int_equal(player.counts.kernel[1], 7);
	buf_release(&want);
	buf_release(&have);
	free(bytes.p);
}

/* Cut anywhere: an error, and the pipeline ends as of the last time seen. */
static void cut(void **state)
{
	struct buf want, have;
	struct bytes bytes = live(&want);
	struct player player;
	char why[128];

	(void)state;
	for (size_t len = 0; len < bytes.len; len += len < 400 ? 1 : 509) {
		assert_int_equal(replay(bytes.p, len, &player, &have, why), -EBADMSG);
		assert_non_null(strstr(why, "the file "));
		assert_false(player.ended);
		buf_release(&have);
	}
	buf_release(&want);
	free(bytes.p);
}

static void write_event(void *ctx, const struct event *event)
{
	journal_event(ctx, event, NULL);
}

/* Whoever recorded it has asked for a path at another time than a replay would: its answer counts from then on all the same. */
static void asked_at_another_time(void **state)
{
	static const struct database_handle handle = {.pid = 10, .db = 5};
	static const struct execution execution = {.sql = "SELECT 1", .db = 5};
	struct file file;
	struct journal *journal = journal_begin(&file);
	struct player player;
	struct bytes bytes;
	struct feed feed;
	struct buf json;
	char why[128];

	(void)state;
	feed_init(&feed, write_event, journal);
	journal_process(journal,
	    &(struct service_facts){.pid = 10, .name = "shop", .exe = "/bin/x", .start_id = 1});
	journal_database(journal, &handle, "");
	feed_execution(&feed, &first, &execution);
	journal_database(journal, &handle, "/srv/told.db");
	feed_execution(&feed, &first, &execution);
	journal_end(journal, feed.now_ns);
	journal_free(journal);
	bytes = journal_bytes(&file);
	assert_int_equal(replay(bytes.p, bytes.len, &player, &json, why), 0);
	assert_non_null(strstr(json.data, "/srv/told.db"));
	buf_release(&json);
	free(bytes.p);
}

/* --- writing ------------------------------------------------------------------------------------ */

/* What is told reaches the file within a second of ticks. */
static void written_each_second(void **state)
{
	struct file file;
	struct journal *journal = journal_begin(&file);
	struct stat st;

	(void)state;
	journal_tick(journal, 10 * NS_PER_S); /* the first writes at once */
	assert_int_equal(stat(file.path, &st), 0);
	assert_true(st.st_size > 0);
	for (uint64_t ms = 1, size = (uint64_t)st.st_size; ms <= 1000; ms++) {
		journal_tick(journal, 10 * NS_PER_S + ms * NS_PER_MS);
		assert_int_equal(stat(file.path, &st), 0);
		assert_int_equal((uint64_t)st.st_size > size, ms == 1000);
	}
	journal_free(journal);
	unlink(file.path);
}

static void full_disk(void **state)
{
	struct clock_base clock = {0};
	struct journal *journal;
	struct buf message;

	(void)state;
	buf_init(&message);
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(journal_new("/dev/full", SEED, SLOW_US, &clock, &journal, &message), 0);
	assert_int_equal(journal_dropped(journal), 0);
	journal_tick(journal, NS_PER_S);
	journal_tick(journal, 2 * NS_PER_S);
	assert_int_equal(journal_dropped(journal), 3); /* with the start */
	journal_free(journal);
	log_set_level(LOG_LEVEL_INFO);
	buf_release(&message);
}

static void nowhere(void **state)
{
	struct clock_base clock = {0};
	struct journal *journal = NULL;
	struct buf message;

	(void)state;
	buf_init(&message);
	assert_int_equal(
	    journal_new("/no/such/folder", SEED, SLOW_US, &clock, &journal, &message), -ENOENT);
	assert_non_null(strstr(message.data, "cannot record to '/no/such/folder'"));
	assert_null(journal);
	buf_release(&message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(same_bytes),
	    cmocka_unit_test(cut),
	    cmocka_unit_test(asked_at_another_time),
	    cmocka_unit_test(written_each_second),
	    cmocka_unit_test(full_disk),
	    cmocka_unit_test(nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
