// SPDX-License-Identifier: Apache-2.0
/*
 * One direction of an HTTP/1.x connection as a state machine over pieces of the stream.
 *
 *	  +---- head, no body ----+
 *	  v                       |
 *	START ----> HEAD ----> body?
 *	  ^                       |
 *	  |    +------------------+------------------+
 *	  |    v                  v                  v
 *	  +- LENGTH          CHUNK_SIZE <---+    UNTIL_CLOSE
 *	  |                       |         |
 *	  |                  CHUNK_DATA     |
 *	  |                       |         |
 *	  |                  CHUNK_END -----+
 *	  +---------------------TRAILER (after the last chunk)
 *
 * Each state's step takes bytes off the piece. TUNNEL takes everything and never ends. LOST is entered
 * from everywhere when the place in the stream is no longer known; it is left only at the start of a
 * piece, never inside one.
 *
 * A head that comes in one piece is parsed where it lies: no copy, no allocation. A line or head cut by
 * the end of a piece is held until its end comes; only new bytes are searched for that end.
 */
#include <errno.h>

#include "proto/http1.h"

/* A chunk-size line with its extensions, a trailer line. Servers allow 4 to 8 KiB. */
#define MAX_BODY_LINE 8192

/* Memory that a stream may keep between messages. */
#define MAX_IDLE_HELD 4096

static const struct sv h2_preface = SV("PRI * HTTP/2.0");

/* --- transitions -------------------------------------------------------------------------------*/

static void drop_held(struct http1_stream *s)
{
	if (s->held.cap > MAX_IDLE_HELD)
		buf_release(&s->held);
	else
		buf_clear(&s->held);
}

static void begin_message(struct http1_stream *s)
{
	s->in_message = true;
	s->handler->begin(s->ctx);
}

static void end_message(struct http1_stream *s, enum http1_end how, enum http1_state next)
{
	bool open = s->in_message;

	s->state = next;
	s->in_message = s->body_untouched = s->body_optional = false;
	s->left = 0;
	if (s->held.len || s->held.failed)
		drop_held(s);
	if (open)
		s->handler->end(s->ctx, how);
}

/* Out of step from here on; used is what this piece still had. Returns it: all of it is consumed.
 */
static size_t lose(struct http1_stream *s, enum http1_end how, size_t used)
{
	s->losses++;
	s->lost_bytes += used;
	end_message(s, how, HTTP1_STATE_LOST);
	return used;
}

static void deliver_body(struct http1_stream *s, const char *p, uint64_t n)
{
	s->body_untouched = false;
	if (n)
		s->handler->body(s->ctx, sv_from(p, p ? (size_t)n : 0), n);
}

/* A complete head of n bytes: tell the handler, then choose how the body is framed. Does nothing when
 * begin already turned the stream into a tunnel. */
static void deliver_head(struct http1_stream *s, const struct http1_head *head, size_t n)
{
	enum http1_answers answers;
	struct http1_body body;

	if (!s->in_message)
		return;
	answers = s->handler->head(s->ctx, head, n);
	if (!s->in_message)
		return;
	body = s->kind == HTTP1_REQUEST ? http1_request_body(head)
					: http1_response_body(head, answers);
	if (s->held.len)
		drop_held(s);
	s->left = body.length;
	s->body_untouched = true;
	switch (body.framing) {
	case HTTP1_BODY_NONE:
		end_message(s, HTTP1_END_COMPLETE, HTTP1_STATE_START);
		break;
	case HTTP1_BODY_LENGTH:
		s->state = HTTP1_STATE_LENGTH;
		if (s->left == 0)
			end_message(s, HTTP1_END_COMPLETE, HTTP1_STATE_START);
		break;
	case HTTP1_BODY_CHUNKED:
		s->state = HTTP1_STATE_CHUNK_SIZE;
		break;
	case HTTP1_BODY_UNTIL_CLOSE:
		s->state = HTTP1_STATE_UNTIL_CLOSE;
		break;
	case HTTP1_BODY_TUNNEL:
		end_message(s, HTTP1_END_COMPLETE, HTTP1_STATE_TUNNEL);
		break;
	case HTTP1_BODY_UNKNOWN:
		lose(s, HTTP1_END_LOST, 0);
		break;
	}
}

/* --- heads -------------------------------------------------------------------------------------*/

static bool is_h2_preface(const struct http1_stream *s, struct sv start)
{
	return s->kind == HTTP1_REQUEST && sv_starts(start, h2_preface);
}

/* Could be one yet? Then nothing has begun. */
static bool may_be_h2_preface(const struct http1_stream *s, struct sv start)
{
	return s->kind == HTTP1_REQUEST && sv_starts(h2_preface, start);
}

/*
 * The parser has refused start. Whether a message began there is decided by its first byte alone,
 * so that the calls are the same however the bytes were cut.
 */
static size_t refuse_start(struct http1_stream *s, struct sv start, long err, size_t used)
{
	s->refused = true;
	if (is_h2_preface(s, start)) {
		end_message(s, HTTP1_END_LOST, HTTP1_STATE_TUNNEL);
		return used;
	}
	if (!s->in_message && http1_parse_head(s->kind, sv_from(start.p, 1), NULL) == 0)
		begin_message(s);
	if (s->state == HTTP1_STATE_TUNNEL)
		return used;
	return lose(s, err == -E2BIG ? HTTP1_END_LOST : HTTP1_END_MALFORMED, used);
}

/* Keep all of piece for later. */
static size_t hold(struct http1_stream *s, struct sv piece)
{
	buf_append_sv(&s->held, piece);
	return s->held.failed ? lose(s, HTTP1_END_LOST, piece.len) : piece.len;
}

/* Begin the message whose first bytes are held, unless they are or may become an HTTP/2 preface. */
static void begin_held(struct http1_stream *s)
{
	struct sv held = buf_sv(&s->held);

	if (s->in_message)
		return;
	if (is_h2_preface(s, held))
		end_message(s, HTTP1_END_LOST, HTTP1_STATE_TUNNEL);
	else if (!may_be_h2_preface(s, held))
		begin_message(s);
}

static size_t start_step(struct http1_stream *s, struct sv piece)
{
	struct http1_head head;
	size_t empty = 0, used;
	long n;

	while (empty < piece.len && (piece.p[empty] == '\r' || piece.p[empty] == '\n'))
		empty++;
	if (empty)
		return empty;
	s->message_offset = s->offset;
	n = http1_parse_head(s->kind, piece, &head);
	if (n < 0)
		return refuse_start(s, piece, n, piece.len);
	if (n > 0) {
		begin_message(s);
		deliver_head(s, &head, (size_t)n);
		return (size_t)n;
	}
	s->state = HTTP1_STATE_HEAD;
	used = hold(s, piece);
	if (s->state == HTTP1_STATE_HEAD)
		begin_held(s);
	return used;
}

/*
 * Position after the empty line that ends the held head, or 0. A line feed ends the head when the
 * line before it is empty or a lone CR; that line may lie across the border of held and piece.
 */
static size_t find_head_end(struct sv held, struct sv piece)
{
	size_t at = 0;

	for (;;) {
		size_t lf = at + sv_find(sv_skip(piece, at), '\n');
		char last[2] = {0};

		if (lf == piece.len)
			return 0;
		for (size_t i = 0; i < 2; i++) {
			if (i < lf)
				last[i] = piece.p[lf - 1 - i];
			else if (i - lf < held.len)
				last[i] = held.p[held.len - 1 - (i - lf)];
		}
		at = lf + 1;
		if (last[0] == '\n' || (last[0] == '\r' && last[1] == '\n'))
			return at;
	}
}

static size_t head_step(struct http1_stream *s, struct sv piece)
{
	struct http1_head head;
	bool line_open = sv_find(buf_sv(&s->held), '\n') == s->held.len;
	size_t end = find_head_end(buf_sv(&s->held), piece);
	size_t take = end ? end : piece.len;
	long n = 0;

	if (take > HTTP1_MAX_HEAD - s->held.len || (!end && take == HTTP1_MAX_HEAD - s->held.len))
		return refuse_start(s, buf_sv(&s->held), -E2BIG, piece.len);
	buf_append(&s->held, piece.p, take);
	if (s->held.failed)
		return lose(s, HTTP1_END_LOST, piece.len);
	if (end || line_open)
		n = http1_parse_head(s->kind, buf_sv(&s->held), &head);
	if (n < 0)
		return refuse_start(s, buf_sv(&s->held), n, piece.len);
	begin_held(s);
	if (n > 0)
		deliver_head(s, &head, (size_t)n);
	return take;
}

/* --- bodies ------------------------------------------------------------------------------------*/

/* At most n bytes (not captured when p is NULL) of a body or chunk of known length. Returns how
 * many belonged to it. */
static uint64_t take_known(struct http1_stream *s, const char *p, uint64_t n)
{
	if (n > s->left)
		n = s->left;
	s->left -= n;
	deliver_body(s, p, n);
	if (s->left == 0 && s->state == HTTP1_STATE_LENGTH)
		end_message(s, HTTP1_END_COMPLETE, HTTP1_STATE_START);
	else if (s->left == 0 && s->state == HTTP1_STATE_CHUNK_DATA)
		s->state = HTTP1_STATE_CHUNK_END;
	return n;
}

/*
 * Take a line, of which the beginning may be held, off the piece. Returns the bytes used;
 * *ret_line.p is NULL when the line has not ended yet or the stream was lost. The line, without its
 * end, is valid until held changes.
 */
static size_t take_line(struct http1_stream *s, struct sv piece, struct sv *ret_line)
{
	size_t lf = sv_find(piece, '\n');
	size_t used = lf < piece.len ? lf + 1 : lf;
	struct sv line = sv_from(piece.p, lf);

	*ret_line = sv_from(NULL, 0);
	if (lf > MAX_BODY_LINE - s->held.len)
		return lose(s, HTTP1_END_LOST, piece.len);
	if (lf == piece.len)
		return hold(s, piece);
	if (s->held.len) {
		hold(s, line);
		if (s->state == HTTP1_STATE_LOST)
			return piece.len;
		line = buf_sv(&s->held);
	}
	s->line_crlf = line.len && line.p[line.len - 1] == '\r';
	line.len -= s->line_crlf;
	*ret_line = line;
	return used;
}

static size_t chunk_size_step(struct http1_stream *s, struct sv piece)
{
	struct sv line;
	size_t used = take_line(s, piece, &line);

	s->body_untouched = false;
	if (!line.p)
		return used;
	if (http1_parse_chunk_size(line, &s->left))
		return lose(s, HTTP1_END_MALFORMED, piece.len);
	buf_clear(&s->held);
	s->state = s->left ? HTTP1_STATE_CHUNK_DATA : HTTP1_STATE_TRAILER;
	if (!s->left)
		s->left = HTTP1_MAX_HEAD;
	return used;
}

static size_t chunk_end_step(struct http1_stream *s, struct sv piece)
{
	struct sv line;
	size_t used;

	/* Junk is refused at once instead of held until a line ends. */
	if (piece.p[0] != '\n' && (piece.p[0] != '\r' || s->held.len))
		return lose(s, HTTP1_END_MALFORMED, piece.len);
	if (piece.p[0] == '\r' && piece.len > 1 && piece.p[1] != '\n')
		return lose(s, HTTP1_END_MALFORMED, piece.len);
	used = take_line(s, piece, &line);
	if (!line.p)
		return used;
	buf_clear(&s->held);
	s->state = HTTP1_STATE_CHUNK_SIZE;
	return used;
}

/* Trailer fields are passed over: they never count as header fields (RFC 9110 section 6.5.1). */
static size_t trailer_step(struct http1_stream *s, struct sv piece)
{
	struct sv line;
	size_t used = take_line(s, piece, &line);

	if (s->state == HTTP1_STATE_LOST)
		return used;
	if (used > s->left)
		return lose(s, HTTP1_END_LOST, piece.len);
	s->left -= used;
	if (!line.p)
		return used;
	if (line.len == 0)
		end_message(s, HTTP1_END_COMPLETE, HTTP1_STATE_START);
	else
		buf_clear(&s->held);
	return used;
}

/* --- the interface -----------------------------------------------------------------------------*/

void http1_stream_init(struct http1_stream *s, enum http1_kind kind, bool known_start,
    const struct http1_handler *handler, void *ctx)
{
	*s = (struct http1_stream){
	    .handler = handler,
	    .ctx = ctx,
	    .kind = kind,
	    .state = known_start ? HTTP1_STATE_START : HTTP1_STATE_LOST,
	};
	buf_init(&s->held);
}

void http1_stream_release(struct http1_stream *s)
{
	buf_release(&s->held);
}

/* Does this piece begin with a whole and plausible start line? */
static bool starts_message(const struct http1_stream *s, struct sv piece)
{
	struct http1_head head;

	return http1_plausible_start(s->kind, piece) && sv_find(piece, '\n') < piece.len &&
	    http1_parse_head(s->kind, piece, &head) >= 0;
}

static size_t step(struct http1_stream *s, struct sv piece)
{
	switch (s->state) {
	case HTTP1_STATE_START:
		return start_step(s, piece);
	case HTTP1_STATE_HEAD:
		return head_step(s, piece);
	case HTTP1_STATE_LENGTH:
	case HTTP1_STATE_CHUNK_DATA:
		return (size_t)take_known(s, piece.p, piece.len);
	case HTTP1_STATE_CHUNK_SIZE:
		return chunk_size_step(s, piece);
	case HTTP1_STATE_CHUNK_END:
		return chunk_end_step(s, piece);
	case HTTP1_STATE_TRAILER:
		return trailer_step(s, piece);
	case HTTP1_STATE_UNTIL_CLOSE:
		deliver_body(s, piece.p, piece.len);
		return piece.len;
	case HTTP1_STATE_TUNNEL:
		return piece.len;
	case HTTP1_STATE_LOST:
		s->lost_bytes += piece.len;
		return piece.len;
	}
	return piece.len;
}

static enum http1_part part_of(
    const struct http1_stream *s, enum http1_state before, struct sv bytes)
{
	bool lost = s->state == HTTP1_STATE_LOST;

	switch (before) {
	case HTTP1_STATE_START:
		return lost && s->refused && !http1_plausible_start(s->kind, bytes)
		    ? HTTP1_PART_JUNK
		    : HTTP1_PART_HEAD;
	case HTTP1_STATE_HEAD:
		return HTTP1_PART_HEAD;
	case HTTP1_STATE_CHUNK_SIZE:
	case HTTP1_STATE_CHUNK_END:
		return lost ? HTTP1_PART_LINES : HTTP1_PART_FRAMING;
	case HTTP1_STATE_TRAILER:
		return HTTP1_PART_LINES;
	default:
		return HTTP1_PART_CONTENT;
	}
}

/* The same, and tell what the bytes were part of. */
static size_t step_and_tell(struct http1_stream *s, struct sv piece)
{
	enum http1_state before = s->state;
	size_t used;

	s->refused = false;
	used = step(s, piece);
	piece.len = used;
	s->handler->passed(s->ctx, part_of(s, before, piece), piece);
	return used;
}

void http1_stream_feed(struct http1_stream *s, struct sv piece)
{
	if (s->state == HTTP1_STATE_LOST && starts_message(s, piece))
		s->state = HTTP1_STATE_START;
	else if (s->body_optional && s->body_untouched && starts_message(s, piece))
		end_message(s, HTTP1_END_COMPLETE, HTTP1_STATE_START);
	while (piece.len) {
		size_t used = s->handler->passed ? step_and_tell(s, piece) : step(s, piece);

		s->offset += used;
		piece = sv_skip(piece, used);
	}
}

void http1_stream_expect_start(struct http1_stream *s)
{
	if (s->state == HTTP1_STATE_LOST && s->losses == 0)
		s->state = HTTP1_STATE_START;
}

/* The line end after a chunk's data passed uncaptured, or the beginning of it. Returns its bytes, at most n. */
static uint64_t pass_chunk_end(struct http1_stream *s, uint64_t n)
{
	uint64_t due = (s->line_crlf ? 2 : 1) - s->held.len;

	if (n < due) {
		hold(s, SV("\r"));
		return n;
	}
	buf_clear(&s->held);
	s->state = HTTP1_STATE_CHUNK_SIZE;
	return due;
}

void http1_stream_gap(struct http1_stream *s, uint64_t n)
{
	s->offset += n;
	if (s->state == HTTP1_STATE_TUNNEL)
		return;
	if (s->state == HTTP1_STATE_UNTIL_CLOSE) {
		deliver_body(s, NULL, n);
		return;
	}
	if (s->state == HTTP1_STATE_LENGTH || s->state == HTTP1_STATE_CHUNK_DATA)
		n -= take_known(s, NULL, n);
	if (n && s->state == HTTP1_STATE_CHUNK_END)
		n -= pass_chunk_end(s, n);
	if (n == 0 || s->state == HTTP1_STATE_TUNNEL)
		return;
	s->lost_bytes += n;
	if (s->state != HTTP1_STATE_LOST)
		lose(s, HTTP1_END_LOST, 0);
}

void http1_stream_gap_before(struct http1_stream *s, uint64_t n, struct sv tail)
{
	if (n)
		http1_stream_gap(s, n);
	if (s->state == HTTP1_STATE_LOST) /* no message begins in the middle of a piece */
		http1_stream_gap(s, tail.len);
	else
		http1_stream_feed(s, tail);
}

void http1_stream_close(struct http1_stream *s, bool reset)
{
	enum http1_end how = reset                ? HTTP1_END_RESET
	    : s->state == HTTP1_STATE_UNTIL_CLOSE ? HTTP1_END_COMPLETE
						  : HTTP1_END_CLOSED;

	end_message(s, how, s->state == HTTP1_STATE_TUNNEL ? HTTP1_STATE_TUNNEL : HTTP1_STATE_LOST);
}

void http1_stream_body_optional(struct http1_stream *s)
{
	s->body_optional = s->body_untouched;
}

void http1_stream_tunnel(struct http1_stream *s)
{
	s->losses += s->in_message;
	end_message(s, HTTP1_END_LOST, HTTP1_STATE_TUNNEL);
}

void http1_stream_leave_tunnel(struct http1_stream *s, uint64_t at)
{
	if (s->state != HTTP1_STATE_TUNNEL)
		return;
	s->state = s->offset == at ? HTTP1_STATE_START : HTTP1_STATE_LOST;
	s->losses += s->offset != at;
	s->lost_bytes += s->offset - at;
}
