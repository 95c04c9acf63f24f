/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as two parsers report them, to be compared; and our stream's report. */
#ifndef ZS_TESTS_HTTP1_MESSAGES_H
#define ZS_TESTS_HTTP1_MESSAGES_H

#include "fuzz.h"
#include "proto/http1.h"

enum {
	MESSAGES_MAX = 4, /* later ones of an input are not compared */
	FIELDS_MAX = 12,  /* likewise a message's fields */
};

struct message {
	struct buf method, target;
	struct buf names[FIELDS_MAX], values[FIELDS_MAX];
	size_t n_fields;
	int major, minor, status;
	uint64_t body;
	bool headed, complete, keeps_alive;
	bool proper; /* theirs: version and status stand there as they must */
	struct sv
	    behind; /* the input, ours: behind the head; theirs: behind the target or reason */
	/* Ours. */
	bool malformed, dropped, chunked, bare_cr;
	bool framing_differs;    /* the coding is read differently on purpose */
	bool connection_differs; /* so is persistence */
};

struct messages {
	struct message items[MESSAGES_MAX];
	struct message rest; /* takes what is not compared */
	size_t n;
};

static inline void message_release(struct message *m)
{
	buf_release(&m->method);
	buf_release(&m->target);
	for (size_t i = 0; i < FIELDS_MAX; i++) {
		buf_release(&m->names[i]);
		buf_release(&m->values[i]);
	}
	*m = (struct message){0};
}

static inline void messages_release(struct messages *all)
{
	for (size_t i = 0; i < MESSAGES_MAX && i < all->n; i++)
		message_release(&all->items[i]);
	message_release(&all->rest);
}

static inline struct message *messages_last(struct messages *all)
{
	return all->n && all->n <= MESSAGES_MAX ? &all->items[all->n - 1] : &all->rest;
}

static inline void messages_begin(struct messages *all)
{
	if (all->n++ >= MESSAGES_MAX)
		message_release(&all->rest);
}

static inline void message_add_field(struct message *m)
{
	if (m->n_fields == FIELDS_MAX)
		m->dropped = true;
	else
		m->n_fields++;
}

static inline struct buf *message_last_name(struct message *m)
{
	return &m->names[m->n_fields - 1];
}

static inline struct buf *message_last_value(struct message *m)
{
	return &m->values[m->n_fields - 1];
}

static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Take the next byte that is no blank; 0 at the end. */
static inline char next_visible(struct sv *s)
{
	char c = 0;

	while (s->len && is_blank(s->p[0]))
		*s = sv_skip(*s, 1);
	if (s->len)
		c = s->p[0];
	*s = sv_skip(*s, 1);
	return c;
}

/* Equal but for blanks around them; if ours is folded, but for all blanks. */
static inline bool same_value(struct sv ours, struct sv theirs)
{
	char c;

	if (sv_find(ours, '\n') == ours.len)
		return sv_eq(ours, sv_trim_ows(theirs));
	do {
		c = next_visible(&ours);
		if (c != next_visible(&theirs))
			return false;
	} while (c);
	return true;
}

/* --- our stream -------------------------------------------------------------------------------------- */

struct ours {
	struct messages *all;
	struct http1_stream stream;
	struct sv in;
	uint8_t answers;
};

/* Is there a CR without its LF? */
static inline bool has_bare_cr(struct sv s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '\r' && (i + 1 == s.len || s.p[i + 1] != '\n'))
			return true;
	return false;
}

static inline void our_begin(void *ctx)
{
	struct ours *o = ctx;

	messages_begin(o->all);
}

/* Is it the beginning of this name, and not all of it? The empty one is. */
static inline bool is_begun(struct sv member, struct sv name)
{
	return member.len < name.len && sv_eq_nocase(member, sv_from(name.p, member.len));
}

/* Is there a member of this list with whose end http_parser takes the comma: one that is empty, or only begins a name that it knows? */
static inline bool hides_next(struct sv list)
{
	for (;;) {
		struct sv member = sv_trim_ows(sv_from(list.p, sv_find(list, ',')));

		if (is_begun(member, SV("close")) || is_begun(member, SV("keep-alive")) ||
		    is_begun(member, SV("upgrade")) || is_begun(member, SV("chunked")))
			return true;
		if (sv_find(list, ',') == list.len)
			return false;
		list = sv_skip(list, sv_find(list, ',') + 1);
	}
}

static inline bool has_any(struct sv s, const char *bytes)
{
	for (size_t i = 0; i < s.len; i++)
		if (strchr(bytes, s.p[i]))
			return true;
	return false;
}

/* Tokens, commas and SP, and nothing else? */
static inline bool all_tokens(struct sv list)
{
	for (size_t i = 0; i < list.len; i++) {
		char lower = ascii_lower(list.p[i]);

		if (!(lower >= 'a' && lower <= 'z') && !(lower >= '0' && lower <= '9') &&
		    (!lower || !strchr("!#$%&'*+-.^_`|~, ", lower)))
			return false;
	}
	return true;
}

/* How often is chunked among the codings of this list of tokens? */
static inline size_t count_chunked(struct sv list)
{
	size_t n = 0;

	while (list.len) {
		struct sv member = sv_from(list.p, sv_find(list, ','));

		n += sv_eq_nocase(sv_trim_ows(member), SV("chunked"));
		list = sv_skip(list, member.len + 1);
	}
	return n;
}

/* What of the head is read differently on purpose, by the table in fuzz_http1_diff.c. */
static inline void our_note_differences(
    struct message *m, const struct http1_head *head, struct sv bytes)
{
	const enum http1_name connection = HTTP1_NAME_CONNECTION;
	bool folded = memmem(bytes.p, bytes.len, "\n ", 2) || memmem(bytes.p, bytes.len, "\n\t", 2);
	size_t chunked = 0;

	for (size_t i = 0; i < head->n_fields; i++) {
		const struct http1_field *f = &head->fields[i];
		struct sv line = sv_skip(bytes, (size_t)(f->name.p - bytes.p));
		bool odd = folded || has_any(sv_from(line.p, sv_find(line, '\n')), "\t");

		if (f->known == HTTP1_NAME_TRANSFER_ENCODING)
			m->framing_differs |= odd || !all_tokens(f->value) || hides_next(f->value);
		if (f->known == HTTP1_NAME_TRANSFER_ENCODING)
			chunked += count_chunked(f->value);
		if (f->known == HTTP1_NAME_CONTENT_LENGTH) /* 2^63 has 19 digits */
			m->framing_differs |= f->value.len >= 19;
		if (f->known == connection)
			m->connection_differs |=
			    odd || hides_next(f->value) || !all_tokens(f->value);
		if (sv_eq_nocase(f->name, SV("proxy-connection")))
			m->connection_differs = true;
	}
	m->framing_differs |= chunked > 1;
	if (head->version_minor == 0 && http1_known_has_token(head, connection, SV("close")))
		m->connection_differs = true;
}

static inline enum http1_answers our_head(void *ctx, const struct http1_head *head, size_t n)
{
	struct ours *o = ctx;
	struct message *m = messages_last(o->all);
	enum http1_framing framing = HTTP1_BODY_NONE;
	struct sv bytes = sv_from(o->in.p + o->stream.message_offset, n);
	int answers = o->answers & 3;

	m->headed = true;
	m->behind = sv_skip(o->in, (size_t)o->stream.message_offset + n);
	m->bare_cr = has_bare_cr(bytes);
	m->major = head->version_major;
	m->minor = head->version_minor;
	m->status = head->status;
	m->malformed = head->malformed;
	m->dropped = head->dropped != 0;
	buf_append_sv(&m->method, head->method);
	buf_append_sv(&m->target, head->target);
	for (size_t i = 0; i < head->n_fields; i++) {
		message_add_field(m);
		if (m->dropped)
			break;
		buf_append_sv(message_last_name(m), head->fields[i].name);
		buf_append_sv(message_last_value(m), head->fields[i].value);
	}
	if (head->kind == HTTP1_RESPONSE)
		framing = http1_response_body(head, HTTP1_ANSWERS_OTHER).framing;
	m->keeps_alive = http1_keeps_alive(head) && framing != HTTP1_BODY_UNTIL_CLOSE;
	our_note_differences(m, head, bytes);
	if (head->kind == HTTP1_RESPONSE && head->status >= 200) {
		o->answers >>= 2;
		answers = answers > HTTP1_ANSWERS_CONNECT ? HTTP1_ANSWERS_OTHER : answers;
		framing = http1_response_body(head, (enum http1_answers)answers).framing;
	} else if (head->kind == HTTP1_REQUEST) {
		framing = http1_request_body(head).framing;
	}
	m->chunked = framing == HTTP1_BODY_CHUNKED;
	return (enum http1_answers)answers;
}

static inline void our_body(void *ctx, struct sv data, uint64_t n)
{
	struct ours *o = ctx;

	(void)data;
	messages_last(o->all)->body += n;
}

static inline void our_end(void *ctx, enum http1_end how)
{
	struct ours *o = ctx;

	messages_last(o->all)->complete = how == HTTP1_END_COMPLETE;
}

static inline void our_reading(
    struct messages *all, enum http1_kind kind, uint8_t answers, struct sv in)
{
	static const struct http1_handler handler = {
	    .begin = our_begin, .head = our_head, .body = our_body, .end = our_end};
	struct ours ours = {.all = all, .answers = answers, .in = in};

	http1_stream_init(&ours.stream, kind, true, &handler, &ours);
	http1_stream_feed(&ours.stream, in);
	http1_stream_close(&ours.stream, false);
	http1_stream_release(&ours.stream);
}

#endif
