// SPDX-License-Identifier: Apache-2.0
/*
 * The trust boundary. A record of each kind is valid as it is, cut at every length it is not, and
 * each field has values that are refused. Records end at an unmapped page.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "ingest/decode.h"
#include "support.h"

union record {
	struct zsp_header h;
	struct zsp_conn_open open;
	struct zsp_data data;
	struct zsp_conn_state state;
	struct zsp_proc proc;
	struct zsp_statement statement;
	struct zsp_log log;
	uint8_t bytes[512];
};

enum {
	PAYLOAD = 24,
};

/* A valid record of this kind. */
static union record valid(enum zsp_kind kind)
{
	union record r = {
	    .h = {.kind = (uint16_t)kind, .time_ns = 1000, .pid = 1, .tid = 2, .conn = 9}};

	switch (kind) {
	case ZSP_KIND_CONN_OPEN:
		r.h.size = sizeof(r.open);
		r.open.family = ZSP_FAMILY_IPV4;
		r.open.role = ZSP_ROLE_ACCEPTED;
		break;
	case ZSP_KIND_DATA:
		r.h.size = sizeof(r.data) + PAYLOAD;
		r.data.start_ns = 900;
		r.data.bytes = 100;
		r.data.captured = PAYLOAD;
		r.data.direction = ZSP_IN;
		break;
	case ZSP_KIND_CONN_STATE:
		r.h.size = sizeof(r.state);
		r.state.change = ZSP_CHANGE_CLOSED;
		break;
	case ZSP_KIND_STATEMENT:
		r.h.size = sizeof(r.statement) + PAYLOAD;
		r.statement.start_ns = 800;
		r.statement.end_ns = 900;
		r.statement.text_bytes = PAYLOAD;
		break;
	case ZSP_KIND_LOG:
		r.h.size = sizeof(r.log) + PAYLOAD;
		r.log.bytes = 100;
		r.log.captured = PAYLOAD;
		r.log.stream = ZSP_STDERR;
		break;
	default:
		r.h.size = sizeof(r.proc);
		memcpy(r.proc.comm, "shop", 5);
	}
	return r;
}

static const enum zsp_kind kinds[] = {ZSP_KIND_CONN_OPEN, ZSP_KIND_DATA, ZSP_KIND_CONN_STATE,
    ZSP_KIND_PROC_FORK, ZSP_KIND_PROC_EXEC, ZSP_KIND_PROC_EXIT, ZSP_KIND_LISTEN, ZSP_KIND_STATEMENT,
    ZSP_KIND_PROC_MAP, ZSP_KIND_LOG};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Decode size bytes that end at an unmapped page, or near it: records are 8-byte aligned. */
static int decode(const void *record, size_t size)
{
	size_t padded = (size + 7) & ~(size_t)7;
	char copy[ZSP_CAPTURE_MAX + 512] = {0};
	struct edge edge;
	struct event event;
	int err;

	assert_true(padded <= sizeof(copy));
	memcpy(copy, record, size);
	edge = edge_copy(copy, padded);
	err = event_decode(edge.p, size, &event);
	if (!err)
		assert_ptr_equal(event.h, edge.p);
	edge_free(&edge);
	return err;
}

static int decode_record(const union record *r)
{
	return decode(r, r->h.size);
}

static void every_kind(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_KINDS; i++) {
		union record r = valid(kinds[i]);

		assert_int_equal(decode_record(&r), 0);
		assert_int_equal(
		    decode(&r, sizeof(r)), 0); /* bytes behind the record are not its own */
	}
}

static void every_length(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_KINDS; i++) {
		union record r = valid(kinds[i]);
		uint32_t whole = r.h.size;

		for (size_t size = 0; size < whole; size++) /* the ring gave less than it says */
			assert_int_equal(decode(&r, size), -EBADMSG);
		for (r.h.size = 0; r.h.size < whole; r.h.size++) /* the record says less */
			assert_int_equal(decode(&r, sizeof(r)), -EBADMSG);
		r.h.size = UINT32_MAX;
		assert_int_equal(decode(&r, sizeof(r)), -EBADMSG);
	}
}

static void unknown_kinds(void **state)
{
	(void)state;
	for (uint32_t kind = 0; kind <= UINT16_MAX; kind++) {
		union record r = valid(ZSP_KIND_PROC_EXIT);
		struct event event;
		bool known = kind >= ZSP_KIND_CONN_OPEN && kind <= ZSP_KIND_PROC_MAP;

		r.h.kind = (uint16_t)kind;
		if (!known)
			assert_int_equal(event_decode(&r, sizeof(r), &event), -EBADMSG);
	}
}

static void failure_leaves_the_event_alone(void **state)
{
	union record r = valid(ZSP_KIND_PROC_EXIT);
	struct event event = {.h = NULL};

	(void)state;
	r.h.kind = 0;
	assert_int_equal(event_decode(&r, sizeof(r), &event), -EBADMSG);
	assert_null(event.h);
}

#define REFUSED(kind, change)                                  \
	do {                                                   \
		union record r = valid(kind);                  \
		change;                                        \
		assert_int_equal(decode_record(&r), -EBADMSG); \
	} while (0)

#define TAKEN(kind, change)                             \
	do {                                            \
		union record r = valid(kind);           \
		change;                                 \
		assert_int_equal(decode_record(&r), 0); \
	} while (0)

static void conn_open_fields(void **state)
{
	(void)state;
	REFUSED(ZSP_KIND_CONN_OPEN, r.open.family = 0);
	REFUSED(ZSP_KIND_CONN_OPEN, r.open.family = ZSP_FAMILY_UNIX + 1);
	REFUSED(ZSP_KIND_CONN_OPEN, r.open.family = 255);
	REFUSED(ZSP_KIND_CONN_OPEN, r.open.role = ZSP_ROLE_CONNECTED + 1);
	REFUSED(ZSP_KIND_CONN_OPEN, r.open.role = 255);
	REFUSED(ZSP_KIND_CONN_OPEN, r.h.conn = 0);
	TAKEN(ZSP_KIND_CONN_OPEN, r.open.family = ZSP_FAMILY_UNIX);
	TAKEN(ZSP_KIND_CONN_OPEN, r.open.role = ZSP_ROLE_UNKNOWN);
	TAKEN(ZSP_KIND_CONN_OPEN, r.h.conn = UINT64_MAX);
}

static void data_fields(void **state)
{
	(void)state;
	REFUSED(ZSP_KIND_DATA, r.data.direction = 0);
	REFUSED(ZSP_KIND_DATA, r.data.direction = 3);
	REFUSED(ZSP_KIND_DATA, r.data.captured = PAYLOAD - 1);
	REFUSED(ZSP_KIND_DATA, r.data.captured = PAYLOAD + 1);
	REFUSED(ZSP_KIND_DATA, r.data.captured = UINT32_MAX);
	REFUSED(ZSP_KIND_DATA, r.data.bytes = PAYLOAD - 1);
	REFUSED(ZSP_KIND_DATA, r.data.bytes = 0);
	REFUSED(ZSP_KIND_DATA, r.h.conn = 0);
	REFUSED(ZSP_KIND_DATA, r.data.start_ns = r.h.time_ns + 1);
	REFUSED(ZSP_KIND_DATA, r.data.tail = 1);
	REFUSED(ZSP_KIND_DATA, r.data.sent_ns = 1);
	REFUSED(ZSP_KIND_DATA, r.data.delayed_ns = 1);
	TAKEN(ZSP_KIND_DATA, r.data.sent_ns = r.data.waits.ns[ZSP_WAIT_SEND] = 1);
	TAKEN(ZSP_KIND_DATA, r.data.delayed_ns = r.data.waits.ns[ZSP_WAIT_RUNQUEUE] = 1);
	TAKEN(ZSP_KIND_DATA, r.data.bytes = PAYLOAD);
	TAKEN(ZSP_KIND_DATA, r.data.bytes = UINT32_MAX);
	TAKEN(ZSP_KIND_DATA, r.data.direction = ZSP_OUT);
	TAKEN(ZSP_KIND_DATA, r.data.start_ns = r.h.time_ns);
	TAKEN(ZSP_KIND_DATA, r.data.captured = 0; r.h.size = sizeof(r.data));
	/* The end of a stream. */
	TAKEN(ZSP_KIND_DATA, r.data.captured = 0; r.data.bytes = 0; r.h.size = sizeof(r.data));
}

static void data_beyond_the_largest(void **state)
{
	struct {
		struct zsp_data data;
		char payload[ZSP_CAPTURE_MAX + 8];
	} r = {0};

	(void)state;
	r.data = valid(ZSP_KIND_DATA).data;
	r.data.bytes = r.data.captured = ZSP_CAPTURE_MAX;
	r.data.h.size = sizeof(r.data) + ZSP_CAPTURE_MAX;
	assert_int_equal(decode(&r, r.data.h.size), 0);
	r.data.bytes = r.data.captured = ZSP_CAPTURE_MAX + 1;
	r.data.h.size++;
	assert_int_equal(decode(&r, r.data.h.size), -EBADMSG);
}

static void state_fields(void **state)
{
	(void)state;
	REFUSED(ZSP_KIND_CONN_STATE, r.state.change = 0);
	REFUSED(ZSP_KIND_CONN_STATE, r.state.change = ZSP_CHANGE_CLOSED + 1);
	REFUSED(ZSP_KIND_CONN_STATE, r.h.conn = 0);
	TAKEN(ZSP_KIND_CONN_STATE, r.state.change = ZSP_CHANGE_LOCAL_FIN);
	TAKEN(ZSP_KIND_CONN_STATE, r.state.change = ZSP_CHANGE_REMOTE_FIN);
	TAKEN(ZSP_KIND_CONN_STATE, r.h.pid = 0);
}

static void proc_fields(void **state)
{
	(void)state;
	REFUSED(ZSP_KIND_PROC_FORK, r.h.pid = 0);
	REFUSED(ZSP_KIND_PROC_EXEC, memset(r.proc.comm, 'x', sizeof(r.proc.comm)));
	TAKEN(ZSP_KIND_PROC_EXEC, memset(r.proc.comm, 'x', sizeof(r.proc.comm) - 1));
	TAKEN(ZSP_KIND_PROC_EXIT, r.proc.comm[0] = 0);
}

static void statement_fields(void **state)
{
	(void)state;
	REFUSED(ZSP_KIND_STATEMENT, r.statement.text_bytes = PAYLOAD - 1);
	REFUSED(ZSP_KIND_STATEMENT, r.statement.text_bytes = PAYLOAD + 1);
	REFUSED(ZSP_KIND_STATEMENT, r.statement.text_bytes = UINT32_MAX);
	REFUSED(ZSP_KIND_STATEMENT, r.statement.start_ns = r.statement.end_ns + 1);
	REFUSED(ZSP_KIND_STATEMENT, r.statement.end_ns = r.h.time_ns + 1);
	TAKEN(ZSP_KIND_STATEMENT, r.statement.end_ns = r.statement.start_ns);
	TAKEN(ZSP_KIND_STATEMENT, r.statement.text_bytes = 0; r.h.size = sizeof(r.statement));
	TAKEN(ZSP_KIND_STATEMENT, r.statement.result = -1);
}

static void statement_beyond_the_largest(void **state)
{
	struct {
		struct zsp_statement statement;
		char text[ZSP_SQL_MAX];
	} r = {0};

	(void)state;
	r.statement = valid(ZSP_KIND_STATEMENT).statement;
	r.statement.text_bytes = ZSP_SQL_MAX - 1;
	r.statement.h.size = sizeof(r.statement) + ZSP_SQL_MAX - 1;
	assert_int_equal(decode(&r, r.statement.h.size), 0);
	r.statement.text_bytes++;
	r.statement.h.size++;
	assert_int_equal(decode(&r, r.statement.h.size), -EBADMSG);
}

static void log_fields(void **state)
{
	(void)state;
	REFUSED(ZSP_KIND_LOG, r.log.stream = 0);
	REFUSED(ZSP_KIND_LOG, r.log.stream = ZSP_STDERR + 1);
	REFUSED(ZSP_KIND_LOG, r.log.captured = PAYLOAD - 1);
	REFUSED(ZSP_KIND_LOG, r.log.captured = PAYLOAD + 1);
	REFUSED(ZSP_KIND_LOG, r.log.captured = UINT32_MAX);
	REFUSED(ZSP_KIND_LOG, r.log.bytes = PAYLOAD - 1);
	REFUSED(ZSP_KIND_LOG, r.log.bytes = r.log.captured = 0; r.h.size = sizeof(r.log));
	REFUSED(ZSP_KIND_LOG, r.h.pid = 0);
	TAKEN(ZSP_KIND_LOG, r.log.bytes = PAYLOAD);
	TAKEN(ZSP_KIND_LOG, r.log.stream = ZSP_STDOUT);
	TAKEN(ZSP_KIND_LOG, r.log.captured = 0; r.h.size = sizeof(r.log));
}

static void log_beyond_the_largest(void **state)
{
	struct {
		struct zsp_log log;
		char text[ZSP_LOG_MAX + 8];
	} r = {0};

	(void)state;
	r.log = valid(ZSP_KIND_LOG).log;
	r.log.bytes = r.log.captured = ZSP_LOG_MAX;
	r.log.h.size = sizeof(r.log) + ZSP_LOG_MAX;
	assert_int_equal(decode(&r, r.log.h.size), 0);
	r.log.bytes = r.log.captured = ZSP_LOG_MAX + 1;
	r.log.h.size++;
	assert_int_equal(decode(&r, r.log.h.size), -EBADMSG);
}

/* What a valid event promises to those behind. */
static void expect_promises(const struct event *event, size_t size)
{
	assert_true(event->h->size <= size);
	if (event->h->kind == ZSP_KIND_DATA)
		assert_true(sizeof(*event->data) + event->data->captured == event->h->size &&
		    event->data->captured <= event->data->bytes);
	if (event->h->kind == ZSP_KIND_STATEMENT)
		assert_int_equal(
		    sizeof(*event->statement) + event->statement->text_bytes, event->h->size);
}

/* Valid records with bytes turned, and noise. */
static void random_bytes(void **state)
{
	struct rng rng;
	size_t passed = 0;

	(void)state;
	rng_seed(&rng, 1);
	for (int round = 0; round < 200000; round++) {
		union record r = valid(kinds[rng_next(&rng) % N_KINDS]);
		size_t size = rng_next(&rng) % 4 ? r.h.size : rng_next(&rng) % sizeof(r);
		struct event event;

		for (uint64_t n = rng_next(&rng) % 6; n; n--)
			r.bytes[rng_next(&rng) % 128] = (uint8_t)rng_next(&rng);
		if (rng_next(&rng) % 8 == 0)
			for (size_t i = 0; i < sizeof(r); i++)
				r.bytes[i] = (uint8_t)rng_next(&rng);
		if (event_decode(&r, size, &event) == 0) {
			expect_promises(&event, size);
			passed++;
		}
	}
	assert_true(passed > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind),
	    cmocka_unit_test(every_length),
	    cmocka_unit_test(unknown_kinds),
	    cmocka_unit_test(failure_leaves_the_event_alone),
	    cmocka_unit_test(conn_open_fields),
	    cmocka_unit_test(data_fields),
	    cmocka_unit_test(data_beyond_the_largest),
	    cmocka_unit_test(state_fields),
	    cmocka_unit_test(proc_fields),
	    cmocka_unit_test(statement_fields),
	    cmocka_unit_test(statement_beyond_the_largest),
	    cmocka_unit_test(log_fields),
	    cmocka_unit_test(log_beyond_the_largest),
	    cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
