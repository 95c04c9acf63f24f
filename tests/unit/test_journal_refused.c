// SPDX-License-Identifier: Apache-2.0
/* What does not belong into a journal is refused, with the reason. */
#include <errno.h>

#include "journal_fixture.h"

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

static void put_process(struct recorder *recorder, struct sv attrs)
{
	const struct journal_process process = {.pid = 1, .exe_bytes = 1};
	const struct sv parts[] = {sv_from(&process, sizeof(process)), SV("e"), attrs};

	put_start(recorder);
	recorder_put(recorder, JOURNAL_PROCESS, parts, 3);
}

static void cut_attributes(struct recorder *recorder)
{
	put_process(recorder, SV("os.type\0linux"));
}

static void long_attributes(struct recorder *recorder)
{
	static char text[SERVICE_ATTRS_MAX_BYTES + 1];

	memset(text, 'x', sizeof(text) - 1);
	text[1] = '\0';
	put_process(recorder, sv_from(text, sizeof(text)));
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
	refuse(cut_attributes, "an entry is not as it must be");
	refuse(long_attributes, "an entry is not as it must be");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_journals),
	    cmocka_unit_test(no_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
