// SPDX-License-Identifier: Apache-2.0
/*
 * The journal: a pipeline that is fed from the journal of another publishes the same bytes, wherever
 * the journal is cut up to there; and what does not belong into a journal is refused with the reason.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/log.h"
#include "export/exporters.h"
#include "pipeline_fixture.h"
#include "recording_fixture.h"

#define SEED 77

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
	assert_int_equal(journal_new(file->path, SEED, &file->clock, &journal, &message), 0);
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

static struct buf json_of(const struct kept *kept)
{
	struct clock_base clock = {.offset_ns = 5};
	struct buf out;

	buf_init(&out);
	for (size_t i = 0; i < kept->n; i++) {
		encode_otlp_json(&out, kept->traces + i, 1, &clock);
		buf_append_char(&out, '\n');
	}
	return out;
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

/* A request that is cut off by the end; of what it waits for only the totals are known. */
static void endless_request(struct world *w, uint64_t id)
{
	struct thread_wait wait = {.pid = 10, .tid = 102, .kind = ZSP_WAIT_DISK};
	struct sock sock =
	    sock_tcp(&w->feed, id, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40000 + id));

	sock_announce(&sock);
	sock_read(&sock, &second, POST("/endless"));
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
	struct world *w = world_empty(SEED, journal);
	struct journal_counts counts = {.processes = 3, .kernel = {[1] = 7}};
	struct service_facts gone = {.pid = 12,
	    .exe = "/bin/\xff"
		   "odd",
	    .command = "odd --x"};

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

/* Replays what there is; the error, the player and the traces. */
static int replay(
    const uint8_t *p, size_t len, struct player *ret_player, struct buf *ret_json, char why[128])
{
	struct recording *recording = recording_of(p, len);
	struct player player;
	struct pipeline_options options = {.database_path = player_database_path, .ctx = &player};
	struct world *w = world_empty(1, NULL);
	uint64_t offset;
	int err;

	pipeline_free(w->pipeline, 0);
	player_init(&player, recording);
	err = player_start(&player);
	options.metrics = w->metrics;
	rng_seed(&options.rng, player.start.seed);
	w->pipeline = pipeline_new(&options);
	assert_int_equal(pipeline_add_sink(w->pipeline, w->sink), 0);
	while (!err || err == 1) {
		err = player_step(&player, w->pipeline);
		if (err == 0)
			break;
	}
	if (err)
		pipeline_end(w->pipeline, player.end_ns);
	snprintf(why, 128, "%s", recording_error(recording, &offset));
	world_end(w);
	*ret_json = json_of(&w->kept);
	world_free(w);
	*ret_player = player;
	player_release(&player);
	recording_free(recording);
	return err;
}

static void same_bytes(void **state)
{
	struct buf want, have;
	struct bytes bytes = live(&want);
	struct player player;
	char why[128];

	(void)state;
	buf_append_char(&want, '\0');
	assert_non_null(strstr(want.data, "lock \xc3\xa9\\nmain"));
	assert_non_null(strstr(want.data, "futex_wait\\nread"));
	assert_non_null(
	    strstr(want.data, "\"zerospan.time.disk_ms\",\"value\":{\"doubleValue\":300}"));
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

/* --- what is no journal ------------------------------------------------------------------------- */

static struct bytes written(void (*write_entries)(struct recorder *recorder))
{
	int fd = memory_file(), copy = dup(fd);
	struct recorder *recorder = recorder_new(fd);
	struct bytes bytes;

	write_entries(recorder);
	assert_int_equal(recorder_close(recorder), 0);
	bytes = bytes_of(copy);
	close(copy);
	return bytes;
}

static void refuse(void (*write_entries)(struct recorder *recorder), const char *expected)
{
	struct bytes bytes = written(write_entries);
	struct player player;
	struct buf json;
	char why[128];

	assert_int_equal(replay(bytes.p, bytes.len, &player, &json, why), -EBADMSG);
	assert_string_equal(why, expected);
	buf_release(&json);
	free(bytes.p);
}

static void put(struct recorder *recorder, uint16_t type, const void *body, size_t len)
{
	const struct sv part = sv_from(body, len);

	recorder_put(recorder, type, &part, 1);
}

static struct journal_start good_start(void)
{
	struct journal_start start = {.event_version = JOURNAL_EVENT_VERSION,
	    .capture_max = ZSP_CAPTURE_MAX,
	    .sql_max = ZSP_SQL_MAX};

	for (unsigned int kind = 0; kind < JOURNAL_KINDS; kind++)
		start.record_size[kind] = (uint16_t)event_fixed_size(kind);
	return start;
}

static void put_start(struct recorder *recorder)
{
	struct journal_start start = good_start();

	put(recorder, JOURNAL_START, &start, sizeof(start));
}

static void nothing(struct recorder *recorder)
{
	(void)recorder;
}

static void short_start(struct recorder *recorder)
{
	struct journal_start start = good_start();

	put(recorder, JOURNAL_START, &start, sizeof(start) - 1);
}

static void other_first(struct recorder *recorder)
{
	struct journal_time time = {0};

	put(recorder, JOURNAL_TICK, &time, sizeof(time));
	put_start(recorder);
}

static void endless_version(struct recorder *recorder)
{
	struct journal_start start = good_start();

	memset(start.version, 'x', sizeof(start.version));
	put(recorder, JOURNAL_START, &start, sizeof(start));
}

static void other_events(struct recorder *recorder)
{
	struct journal_start start = good_start();

	start.event_version++;
	put(recorder, JOURNAL_START, &start, sizeof(start));
}

static void other_layout(struct recorder *recorder)
{
	struct journal_start start = good_start();

	start.record_size[ZSP_KIND_DATA] += 8;
	put(recorder, JOURNAL_START, &start, sizeof(start));
}

static void longer_payload(struct recorder *recorder)
{
	struct journal_start start = good_start();

	start.capture_max *= 2;
	put(recorder, JOURNAL_START, &start, sizeof(start));
}

static void no_end(struct recorder *recorder)
{
	put_start(recorder);
}

static void start_twice(struct recorder *recorder)
{
	put_start(recorder);
	put_start(recorder);
}

static void unknown_type(struct recorder *recorder)
{
	put_start(recorder);
	put(recorder, 200, NULL, 0);
}

static void behind_the_end(struct recorder *recorder)
{
	struct journal_time time = {.time_ns = 1};

	put_start(recorder);
	put(recorder, JOURNAL_END, &time, sizeof(time));
	put(recorder, JOURNAL_TICK, &time, sizeof(time));
}

static void short_tick(struct recorder *recorder)
{
	struct journal_time time = {.time_ns = 1};

	put_start(recorder);
	put(recorder, JOURNAL_TICK, &time, sizeof(time) - 1);
}

static void false_event(struct recorder *recorder)
{
	struct zsp_header h = {.kind = ZSP_KIND_DATA, .size = sizeof(h)};

	put_start(recorder);
	put(recorder, JOURNAL_EVENT, &h, sizeof(h));
}

static void event_with_a_tail(struct recorder *recorder)
{
	struct zsp_conn_state state[2] = {
	    {.h = {.kind = ZSP_KIND_CONN_STATE, .size = sizeof(struct zsp_conn_state), .conn = 1},
		.change = ZSP_CHANGE_CLOSED}};

	put_start(recorder);
	put(recorder, JOURNAL_EVENT, state, sizeof(state));
}

static void short_strings(struct recorder *recorder)
{
	struct journal_process process = {.pid = 1, .exe_bytes = 1};

	put_start(recorder);
	put(recorder, JOURNAL_PROCESS, &process, sizeof(process));
}

/* A place that is as it must be, but for its texts; user: bytes of the first one, as it says. */
static void put_place(struct recorder *recorder, uint32_t user, struct sv texts)
{
	const struct journal_place place = {.since_ns = 1, .tid = 1, .user_bytes = user};
	const struct sv parts[] = {sv_from(&place, sizeof(place)), texts};

	put_start(recorder);
	recorder_put(recorder, JOURNAL_PLACE, parts, 2);
}

static void put_wait(struct recorder *recorder, struct journal_wait wait, size_t len)
{
	put_start(recorder);
	put(recorder, JOURNAL_WAIT, &wait, len);
}

static void short_wait(struct recorder *recorder)
{
	put_wait(recorder, (struct journal_wait){0}, sizeof(struct journal_wait) - 1);
}

static void wait_for_what(struct recorder *recorder)
{
	put_wait(
	    recorder, (struct journal_wait){.kind = ZSP_WAIT_MAX}, sizeof(struct journal_wait));
}

static void wait_for_anything(struct recorder *recorder)
{
	put_wait(recorder, (struct journal_wait){.kind = UINT32_MAX}, sizeof(struct journal_wait));
}

static void wait_from_the_future(struct recorder *recorder)
{
	put_wait(recorder, (struct journal_wait){.since_ns = 2, .time_ns = 1},
	    sizeof(struct journal_wait));
}

/* As much as there can be is fine: what is missing here is the end. */
static void wait_at_the_limits(struct recorder *recorder)
{
	put_wait(recorder,
	    (struct journal_wait){
		.kind = ZSP_WAIT_MAX - 1, .since_ns = 1, .time_ns = 1, .asked = 1},
	    sizeof(struct journal_wait));
}

static void short_place(struct recorder *recorder)
{
	const struct journal_place place = {.tid = 1};

	put_start(recorder);
	put(recorder, JOURNAL_PLACE, &place, sizeof(place) - 1);
}

static void place_beyond_its_body(struct recorder *recorder)
{
	put_place(recorder, 5, SV("user"));
}

static void place_far_beyond(struct recorder *recorder)
{
	put_place(recorder, UINT32_MAX, SV("user"));
}

static void place_up_to_its_body(struct recorder *recorder)
{
	put_place(recorder, 4, SV("user"));
}

static void ill_formed_user(struct recorder *recorder)
{
	put_place(recorder, 2, SV("\xff!kernel"));
}

static void ill_formed_kernel(struct recorder *recorder)
{
	put_place(recorder, 4, SV("user\xc3"));
}

/* Well-formed as a whole, and neither half is. */
static void place_cut_in_two(struct recorder *recorder)
{
	put_place(recorder, 1, SV("\xc3\xa9"));
}

static void no_journals(void **state)
{
	(void)state;
	refuse(nothing, "the first entry is not as it must be");
	refuse(short_start, "the first entry is not as it must be");
	refuse(other_first, "the first entry is not as it must be");
	refuse(endless_version, "the first entry is not as it must be");
	refuse(other_events, "its events are of another version than this zerospan's");
	refuse(other_layout, "its events have another layout than this zerospan's");
	refuse(longer_payload, "its events hold more than this zerospan takes");
	refuse(no_end, "the end is missing");
	refuse(start_twice, "an entry that does not belong here");
	refuse(unknown_type, "an entry that does not belong here");
	refuse(behind_the_end, "an entry that does not belong here");
	refuse(short_tick, "an entry is too short");
	refuse(false_event, "an entry is not as it must be");
	refuse(event_with_a_tail, "an entry is not as it must be");
	refuse(short_strings, "an entry is not as it must be");
}

static void no_waits(void **state)
{
	(void)state;
	refuse(short_wait, "an entry is too short");
	refuse(wait_for_what, "an entry is not as it must be");
	refuse(wait_for_anything, "an entry is not as it must be");
	refuse(wait_from_the_future, "an entry is not as it must be");
	refuse(wait_at_the_limits, "the end is missing");
	refuse(short_place, "an entry is too short");
	refuse(place_beyond_its_body, "an entry is not as it must be");
	refuse(place_far_beyond, "an entry is not as it must be");
	refuse(place_up_to_its_body, "the end is missing");
	refuse(ill_formed_user, "an entry is not as it must be");
	refuse(ill_formed_kernel, "an entry is not as it must be");
	refuse(place_cut_in_two, "an entry is not as it must be");
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
	assert_int_equal(journal_new("/dev/full", SEED, &clock, &journal, &message), 0);
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
	assert_int_equal(journal_new("/no/such/folder", SEED, &clock, &journal, &message), -ENOENT);
	assert_non_null(strstr(message.data, "cannot record to '/no/such/folder'"));
	assert_null(journal);
	buf_release(&message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(same_bytes),
	    cmocka_unit_test(cut),
	    cmocka_unit_test(no_journals),
	    cmocka_unit_test(no_waits),
	    cmocka_unit_test(written_each_second),
	    cmocka_unit_test(full_disk),
	    cmocka_unit_test(nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
