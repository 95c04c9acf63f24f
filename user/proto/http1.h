/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.x message framing for an observer (RFC 9112): a pure head parser, the body-length
 * decision, and one incremental state machine per direction that keeps in step with a byte stream
 * of which parts may be missing. An observer never answers; it keeps sync or gives up cleanly.
 * Knows nothing of time, threads or pairing: that is the exchange's job, one storey up.
 */
#ifndef ZS_PROTO_HTTP1_H
#define ZS_PROTO_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/sv.h"

enum http1_kind {
	HTTP1_KIND_INVALID = 0,
	HTTP1_REQUEST = 1,
	HTTP1_RESPONSE = 2,
};

/* Limits of what is kept; a message beyond them is lost and counted, never allocated for. Servers
 * refuse more than 8 KiB of start line or 8 to 64 KiB of head. */
#define HTTP1_MAX_START_LINE 16384
#define HTTP1_MAX_HEAD       65536
/* Fields that are kept. Some servers refuse more than 100, nginx and others take as many as fit into a head: behind the
 * first so many only those are kept that this program asks for itself. */
#define HTTP1_MAX_FIELDS       160
#define HTTP1_MAX_OTHER_FIELDS 128

/* Fields that this program asks for itself. */
enum http1_name {
	HTTP1_NAME_OTHER = 0,
	HTTP1_NAME_HOST,
	HTTP1_NAME_EXPECT,
	HTTP1_NAME_CONNECTION,
	HTTP1_NAME_USER_AGENT,
	HTTP1_NAME_TRACEPARENT,
	HTTP1_NAME_TRACESTATE,
	HTTP1_NAME_CONTENT_LENGTH,
	HTTP1_NAME_TRANSFER_ENCODING,
	HTTP1_NAME_FORWARDED,
	HTTP1_NAME_X_FORWARDED_FOR,
	HTTP1_NAME_X_FORWARDED_HOST,
	HTTP1_NAME_X_FORWARDED_PROTO,
};

struct http1_field {
	struct sv name;  /* token, as sent */
	struct sv value; /* OWS removed at both ends; a folded value still holds its line breaks */
	enum http1_name known;
};

struct http1_head {
	enum http1_kind kind;
	int version_major, version_minor; /* "HTTP/1.1" is 1, 1 */
	struct sv method, target;         /* requests */
	int status;                       /* responses: 100 to 999 */
	/* A field was ignored (whitespace before the colon, no colon, NUL ...), or a value holds a
	 * bare CR, which stands for SP. */
	bool malformed;
	size_t n_fields;
	uint32_t
	    known; /* 1 << enum http1_name of each field there is, or was before it was left out */
	uint32_t dropped; /* the same of fields that were beyond the limits */
	struct http1_field fields[HTTP1_MAX_FIELDS];
};

/*
 * Parse one head (start line, fields, empty line) at the start of in; leading empty lines are
 * skipped. Returns the bytes consumed, 0 when the head is not complete yet, -EBADMSG when in cannot
 * be the start of such a head, -E2BIG over a limit. All views of *ret_head point into in. Lines end
 * by CRLF or LF. Unless the result is positive *ret_head is scratch: filling it in place spares
 * every message a copy of its 4 KiB.
 */
long http1_parse_head(enum http1_kind kind, struct sv in, struct http1_head *ret_head);

/* Is s a token (RFC 9110 section 5.6.2), as methods and names of fields are? Not when it is empty. */
bool http1_is_token(struct sv s);

/*
 * Could in (any length >= 1, perhaps cut) be the beginning of a head of this kind? Used to get back
 * into step: strict, since a wrong yes invents a message.
 */
bool http1_plausible_start(enum http1_kind kind, struct sv in);

/* Number of fields with this name (ASCII case-insensitive); *ret_first is the first one's value. */
size_t http1_field_find(const struct http1_head *head, struct sv name, struct sv *ret_first);

/* The same for a field that is known by name; costs next to nothing when there is none. */
size_t http1_known_find(const struct http1_head *head, enum http1_name name, struct sv *ret_first);

/* Was a field of this name beyond the limits? Then there is more of it than is known. */
bool http1_known_dropped(const struct http1_head *head, enum http1_name name);

/* Does the comma-separated list in all fields of this name hold token (case-insensitive)? */
bool http1_known_has_token(const struct http1_head *head, enum http1_name name, struct sv token);

/* Append a field's value with each line fold and bare CR, and the blanks around it, replaced by one
 * SP (RFC 9112 section 5.2). */
void http1_append_unfolded(struct buf *out, struct sv value);

/* True when the connection is to be reused after this message by its own words (RFC 9112
 * section 9.3). */
bool http1_keeps_alive(const struct http1_head *head);

/* --- body framing (RFC 9112 section 6.3) -------------------------------------------------------*/

enum http1_framing {
	HTTP1_BODY_NONE = 1,
	HTTP1_BODY_LENGTH = 2,
	HTTP1_BODY_CHUNKED = 3,
	HTTP1_BODY_UNTIL_CLOSE = 4,
	HTTP1_BODY_TUNNEL = 5, /* 101, or 2xx to CONNECT: all further bytes are opaque */
	HTTP1_BODY_UNKNOWN =
	    6, /* invalid framing, or fields of it were dropped: lost after this head */
};

struct http1_body {
	enum http1_framing framing;
	uint64_t length; /* for HTTP1_BODY_LENGTH */
};

/* What the request was that a response answers. */
enum http1_answers {
	HTTP1_ANSWERS_OTHER = 0,
	HTTP1_ANSWERS_HEAD = 1,
	HTTP1_ANSWERS_CONNECT = 2,
};

/* What others may understand in another way: how requests are smuggled past one of two. */
enum http1_flaw {
	HTTP1_FLAW_NONE = 0,
	HTTP1_FLAW_FIELD = 1,  /* head.malformed */
	HTTP1_FLAW_LENGTH = 2, /* Transfer-Encoding beside Content-Length, or in HTTP/1.0 */
};

/* The worst flaw of a head. */
enum http1_flaw http1_head_flaw(const struct http1_head *head);

/* Are all bytes behind this response's head opaque? */
bool http1_response_opens_tunnel(const struct http1_head *head, enum http1_answers answers);

struct http1_body http1_request_body(const struct http1_head *head);
struct http1_body http1_response_body(const struct http1_head *head, enum http1_answers answers);

/* Parse a chunk-size line without its end; extensions are ignored. Returns 0 or -EBADMSG (no size,
 * or 2^63 and more). */
int http1_parse_chunk_size(struct sv line, uint64_t *ret_size);

/* --- one direction of a connection -------------------------------------------------------------*/

enum http1_end {
	HTTP1_END_COMPLETE = 1,
	HTTP1_END_CLOSED = 2, /* the stream ended inside the message */
	HTTP1_END_RESET = 3,  /* the connection was reset inside the message */
	HTTP1_END_LOST = 4,   /* bytes were missed, a limit was exceeded, or no framing is known */
	HTTP1_END_MALFORMED = 5, /* the bytes are no valid body (bad chunk size ...) */
};

enum http1_part {
	HTTP1_PART_HEAD = 1,
	HTTP1_PART_FRAMING = 2, /* sizes of chunks, and their ends */
	HTTP1_PART_LINES = 3,   /* trailers, and what is no framing where some is due */
	HTTP1_PART_CONTENT = 4, /* of bodies and tunnels, and all that passes out of step */
	HTTP1_PART_JUNK = 5,    /* where a head should begin, and does not look like one */
};

/*
 * Called in stream order from within feed, gap, close and tunnel. begin..end brackets each message:
 * begin at its first byte, then head, body*, end exactly once. After begin, end may come without
 * head (closed, lost or malformed inside the head). The head's views are valid during the call
 * only. The bytes of an HTTP/2 preface ("PRI * HTTP/2.0") are no message: the stream turns to
 * HTTP1_STATE_TUNNEL without a call, and begin waits while the bytes could become one.
 */
struct http1_handler {
	void (*begin)(void *ctx);
	/* The return value matters for responses only: which kind of request this response answers.
	 */
	enum http1_answers (*head)(void *ctx, const struct http1_head *head, size_t head_bytes);
	/* n body bytes without chunk framing; data.len is n, or 0 when the bytes were not captured.
	 */
	void (*body)(void *ctx, struct sv data, uint64_t n);
	void (*end)(void *ctx, enum http1_end how);
	/* May be NULL. Bytes that were fed, after the calls that they brought about, by what they are part of. */
	void (*passed)(void *ctx, enum http1_part part, struct sv bytes);
};

enum http1_state {
	HTTP1_STATE_START = 0, /* between messages */
	HTTP1_STATE_HEAD,
	HTTP1_STATE_LENGTH,
	HTTP1_STATE_CHUNK_SIZE,
	HTTP1_STATE_CHUNK_DATA,
	HTTP1_STATE_CHUNK_END, /* the CRLF after a chunk's data */
	HTTP1_STATE_TRAILER,
	HTTP1_STATE_UNTIL_CLOSE,
	HTTP1_STATE_TUNNEL, /* opaque for good */
	HTTP1_STATE_LOST,   /* out of step: waits for a piece that plausibly starts a message */
};

struct http1_stream {
	const struct http1_handler *handler;
	void *ctx;
	enum http1_kind kind;
	enum http1_state state;
	bool in_message;     /* begin was called, end not yet */
	bool body_untouched; /* the head is complete and no byte of its body has come yet */
	bool body_optional;  /* see http1_stream_body_optional() */
	bool refused;        /* the last step found no head where one should have begun */
	bool line_crlf;      /* the last line of chunked framing ended by CRLF, not LF */
	uint64_t offset;     /* bytes of the stream that have passed */
	uint64_t
	    message_offset;  /* of the first byte of the message in progress, or of the last one */
	uint64_t left;       /* bytes of body or chunk still to come, or that a trailer may have */
	struct buf held;     /* an incomplete head, chunk-size or trailer line; usually empty */
	uint64_t lost_bytes; /* bytes that passed while out of step, ever */
	uint32_t losses;     /* times sync was lost, ever */
};

/* A new connection direction. known_start: the stream is seen from its first byte on; otherwise
 * (late attach) the stream starts in HTTP1_STATE_LOST and joins at the first plausible start. */
void http1_stream_init(struct http1_stream *s, enum http1_kind kind, bool known_start,
    const struct http1_handler *handler, void *ctx);
void http1_stream_release(struct http1_stream *s);

/* The next bytes of the stream, exactly as one read or write delivered them (a piece starts here).
 */
void http1_stream_feed(struct http1_stream *s, struct sv piece);

/*
 * The other direction shows that the next byte of this one starts a message: a stream that was met late
 * need not wait for a piece with a whole start line. Does nothing once the stream has been in step.
 */
void http1_stream_expect_start(struct http1_stream *s);

/* n bytes passed that were not captured. Inside a body of known length they are counted, and the line end behind a
 * chunk's data is taken to be like that of its size line; elsewhere sync is lost and an open message ends with
 * HTTP1_END_LOST, except until-close bodies, which just count. */
void http1_stream_gap(struct http1_stream *s, uint64_t n);

/* The same, and behind them the captured end of the same read or write, in which no message is taken to begin unless the
 * stream is in step. */
void http1_stream_gap_before(struct http1_stream *s, uint64_t n, struct sv tail);

/* The stream has ended: by FIN or close (reset false), or by RST or an error. */
void http1_stream_close(struct http1_stream *s, bool reset);

/*
 * The request being received was answered for good before its body (told by the other direction
 * when the request had "Expect: 100-continue" and no 100 was sent): the body may never come. While
 * none of it has, a piece that starts with a whole plausible start line ends this message as
 * complete and begins the next. Does nothing when body bytes were seen or no body is awaited. The same for an answer of
 * which nobody knows what it answers.
 */
void http1_stream_body_optional(struct http1_stream *s);

/*
 * From here on all bytes are opaque (told by the other direction: 101, 2xx to CONNECT). An open
 * message ends with HTTP1_END_LOST and counts as a loss. A handler may call it for its own stream:
 * then end is called from within, no further call follows, and a head's views are no longer valid.
 */
void http1_stream_tunnel(struct http1_stream *s);

/*
 * The tunnel was refused, and the stream goes on where it began: at, an offset, behind a message. Bytes that passed
 * since then are lost. Does nothing in no tunnel.
 */
void http1_stream_leave_tunnel(struct http1_stream *s, uint64_t at);

#endif
