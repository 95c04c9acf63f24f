// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as one direction of a connection, in pieces and with holes as the input chooses. Without holes,
 * and met at its birth, a stream gives the same calls in pieces as whole, up to the first loss: behind that,
 * where the pieces begin decides where it joins again.
 *
 *	byte 0      bit 0: responses; 1: met late; 2: holes; 3: ends by a reset; 4: bodies become optional;
 *	            5: a start is expected after each hole
 *	bytes 1, 2  what the responses answer, two bits each
 *	bytes 3..8  the lengths of pieces, over and over; with holes, those with bit 7 set are holes
 */
#include "http1_log.h"

enum {
	LENGTHS = 6,
};

enum flag {
	RESPONSES = 1,
	LATE = 2,
	HOLES = 4,
	RESET = 8,
	OPTIONAL = 16,
	EXPECT = 32,
};

struct plan {
	uint8_t flags;
	uint32_t answers;
	uint8_t lengths[LENGTHS];
	struct sv in;
};

static void start(const struct plan *plan, struct http1_log *log)
{
	http1_log_init(log, plan->flags & RESPONSES ? HTTP1_RESPONSE : HTTP1_REQUEST,
	    !(plan->flags & LATE), plan->answers);
}

static void feed_pieces(const struct plan *plan, struct http1_log *log)
{
	struct sv rest = plan->in;

	for (size_t i = 0; rest.len; i++) {
		uint8_t length = plan->lengths[i % LENGTHS];
		size_t n = (size_t)(length & 0x7f) + 1;

		n = n < rest.len ? n : rest.len;
		if ((plan->flags & HOLES) && (length & 0x80)) {
			http1_stream_gap(&log->stream, n);
			if (plan->flags & EXPECT)
				http1_stream_expect_start(&log->stream);
		} else {
			http1_log_feed(log, sv_from(rest.p, n));
		}
		if (plan->flags & OPTIONAL)
			http1_stream_body_optional(&log->stream);
		rest = sv_skip(rest, n);
		REQUIRE(log->stream.offset == plan->in.len - rest.len);
		REQUIRE(log->stream.held.len <= HTTP1_MAX_HEAD);
	}
}

static void finish(const struct plan *plan, struct http1_log *log)
{
	http1_stream_close(&log->stream, plan->flags & RESET);
	REQUIRE(!log->open && log->bodies <= plan->in.len);
	REQUIRE(log->stream.lost_bytes <= plan->in.len && log->stream.held.len == 0);
}

static void compare(const struct http1_log *whole, const struct http1_log *pieces)
{
	if (whole->stream.losses) {
		REQUIRE(pieces->stream.losses);
		REQUIRE(sv_starts(buf_sv(&pieces->calls), buf_sv(&whole->calls)));
	} else {
		REQUIRE(sv_eq(buf_sv(&whole->calls), buf_sv(&pieces->calls)));
		REQUIRE(pieces->stream.losses == 0);
		REQUIRE(pieces->stream.message_offset == whole->stream.message_offset);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_choices c = {data, size};
	struct http1_log whole, pieces;
	struct plan plan = {.flags = fuzz_byte(&c), .answers = fuzz_word(&c)};

	for (size_t i = 0; i < LENGTHS; i++)
		plan.lengths[i] = fuzz_byte(&c);
	plan.in = sv_from(c.p, c.left);
	start(&plan, &pieces);
	feed_pieces(&plan, &pieces);
	finish(&plan, &pieces);
	if (!(plan.flags & (LATE | HOLES | OPTIONAL))) {
		start(&plan, &whole);
		http1_log_feed(&whole, plan.in);
		finish(&plan, &whole);
		compare(&whole, &pieces);
		http1_log_release(&whole);
	}
	http1_log_release(&pieces);
	return 0;
}
