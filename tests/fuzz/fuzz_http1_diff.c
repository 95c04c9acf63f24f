// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as one direction of a connection, read by our stream and by http_parser (2.9.4, as Debian builds it,
 * not strict): where both accept a message, they agree on its start line, fields, persistence and body; and ours
 * gives each head and each whole message that http_parser gives. The first difference on purpose ends the comparison
 * of an input:
 *
 *	what                                  http_parser             ours, and the rule (RFC 9112 unless said)
 *	Upgrade or CONNECT in a request       leaves HTTP             goes on; the answer decides (RFC 9110 7.8, 9.3.6)
 *	204, 304 with a length                reads a body            has none (6.3, 1)
 *	101, with Upgrade or without          leaves HTTP, goes on    leaves HTTP (RFC 9110 15.2.2)
 *	HTTP/0.9, HTTP/2.0 in a start line    a message               no HTTP/1 (2.3)
 *	HTAB, FF in a target                  part of it              ends it (3: white space between words)
 *	any bytes where "HTTP/" is due        a message               no HTTP/1 (2.3)
 *	status of not three digits            a status                no status line (4)
 *	a CR that no LF follows               ends the line           stands for SP, or faulty (2.2)
 *	SP in or behind a field's name        part of it              no field (5.1)
 *	a line with SP before the first field a field                 passed over (2.2)
 *	line folding in a value               joined by nothing       joined by SP (5.2)
 *	empty members of a list               hide what comes next    ignored (RFC 9110 5.6.1)
 *	members that begin a name it knows    hide what comes next    members like others (RFC 9110 5.6.1)
 *	codings whose names are no tokens     hide a later chunked    chunked counts if it is last (6.3, 4)
 *	chunked with parameters, or twice     another coding          faulty (7, 6.1)
 *	close beside keep-alive in HTTP/1.0   persists                closes (9.3)
 *	Proxy-Connection                      as Connection           no field of HTTP/1.1 (C.2.2)
 *	connection options that are no tokens hide what comes next    passed over (RFC 9110 7.6.1)
 *	HTAB around a connection option       another option          the same (RFC 9110 5.6.3: OWS)
 *	trailers                              as fields               never merged (RFC 9110 6.5.1)
 *	LF alone in a chunk's extension       passed over             ends the line (2.2)
 *	text behind a chunk's size            passed over             faulty (7.1.1: ";" comes first)
 *	any two bytes behind a chunk's data   passed over             faulty unless CRLF or LF (7.1)
 *	numbers of 2^63 and more              up to 2^64              faulty: nobody sends that much
 *	more than 128 fields                  all                     framing unknown (a limit of ours)
 *
 * Byte 0, bit 0: responses; byte 1: what they answer, two bits each.
 */
#include <http_parser.h>

#include "http1_messages.h"

/* --- http_parser's side ----------------------------------------------------------------------------- */

struct theirs {
	struct messages all;
	struct sv in;
	uint8_t answers;
	bool in_value;
};

static struct message *current(http_parser *p)
{
	struct theirs *t = p->data;

	return messages_last(&t->all);
}

static int their_begin(http_parser *p)
{
	struct theirs *t = p->data;

	messages_begin(&t->all);
	t->in_value = false;
	return 0;
}

static bool is_version(struct sv s)
{
	return sv_starts(s, SV("HTTP/1.")) && s.len > 7 && s.p[7] >= '0' && s.p[7] <= '9';
}

/* The input is read in one go, so this is called once; the version stands behind. */
static int their_url(http_parser *p, const char *at, size_t n)
{
	struct theirs *t = p->data;
	struct sv behind = sv_skip(t->in, (size_t)(at + n - t->in.p));

	buf_append(&current(p)->target, at, n);
	while (behind.len && behind.p[0] == ' ')
		behind = sv_skip(behind, 1);
	current(p)->proper = is_version(behind);
	current(p)->behind = behind;
	return 0;
}

/* Likewise; the version and the status stand before the reason. */
static int their_status(http_parser *p, const char *at, size_t n)
{
	struct theirs *t = p->data;
	size_t left = (size_t)(at - t->in.p), digits = 0;
	struct sv behind = sv_skip(t->in, left + n);
	bool ends = sv_starts(behind, SV("\r\n")) || sv_starts(behind, SV("\n"));

	while (left && at[-1] == ' ' && digits == 0)
		at--, left--;
	for (; left && at[-1] >= '0' && at[-1] <= '9'; at--, left--)
		digits++;
	current(p)->behind = behind;
	current(p)->proper = ends && digits == 3 && *at != '0' && left && at[-1] == ' ';
	for (; left && at[-1] == ' '; at--)
		left--;
	if (left < 8 || !is_version(sv_from(at - 8, 8)))
		current(p)->proper = false;
	return 0;
}

/* Fields come in pieces; trailers, which come behind the head, are none. */
static int their_name(http_parser *p, const char *at, size_t n)
{
	struct theirs *t = p->data;
	struct message *m = current(p);

	if (m->headed)
		return 0;
	if (t->in_value || m->n_fields == 0)
		message_add_field(m);
	t->in_value = false;
	buf_append(message_last_name(m), at, n);
	return 0;
}

static int their_value(http_parser *p, const char *at, size_t n)
{
	struct theirs *t = p->data;
	struct message *m = current(p);

	t->in_value = true;
	if (!m->headed && m->n_fields)
		buf_append(message_last_value(m), at, n);
	return 0;
}

static int their_answers(http_parser *p)
{
	struct theirs *t = p->data;
	int answers = t->answers & 3;

	if (p->status_code < 200)
		return p->status_code == 101 ? 2 : 1;
	t->answers >>= 2;
	if (answers == HTTP1_ANSWERS_CONNECT && p->status_code / 100 == 2)
		return 2;
	return answers == HTTP1_ANSWERS_HEAD || p->status_code == 204 || p->status_code == 304;
}

static int their_head(http_parser *p)
{
	struct message *m = current(p);

	m->headed = true;
	m->major = p->http_major;
	m->minor = p->http_minor;
	m->keeps_alive = http_should_keep_alive(p);
	if (p->type == HTTP_REQUEST) {
		buf_append_cstr(&m->method, http_method_str((enum http_method)p->method));
		p->upgrade = 0;
		return 0;
	}
	m->status = p->status_code;
	return their_answers(p);
}

static int their_body(http_parser *p, const char *at, size_t n)
{
	(void)at;
	current(p)->body += n;
	return 0;
}

static int their_end(http_parser *p)
{
	current(p)->complete = true;
	return 0;
}

static void their_reading(struct theirs *t, enum http_parser_type type, struct sv in)
{
	static const http_parser_settings settings = {
	    .on_message_begin = their_begin,
	    .on_url = their_url,
	    .on_status = their_status,
	    .on_header_field = their_name,
	    .on_header_value = their_value,
	    .on_headers_complete = their_head,
	    .on_body = their_body,
	    .on_message_complete = their_end,
	};
	http_parser p;
	size_t n;

	http_parser_init(&p, type);
	p.data = t;
	p.allow_chunked_length = 1; /* beside Content-Length, which it then beats: 6.3, 3 */
	t->in = in;
	n = http_parser_execute(&p, &settings, in.p, in.len);
	if (!p.upgrade && p.http_errno == HPE_OK && n == in.len)
		http_parser_execute(&p, &settings, NULL, 0);
}

/* --- the comparison --------------------------------------------------------------------------------- */

/* Must the comparison end before this message, for a reason in the table above? */
static bool differs_on_purpose(const struct message *ours, const struct message *theirs)
{
	struct sv target = buf_sv(&theirs->target);

	return theirs->major != 1 || theirs->minor > 9 || sv_find(target, '\t') < target.len ||
	    sv_find(target, '\f') < target.len || ours->malformed || ours->dropped ||
	    ours->framing_differs || ours->bare_cr;
}

static void compare_heads(const struct message *ours, const struct message *theirs)
{
	REQUIRE(ours->minor == theirs->minor && ours->status == theirs->status);
	REQUIRE(sv_eq(buf_sv(&ours->method), buf_sv(&theirs->method)));
	REQUIRE(sv_eq(buf_sv(&ours->target), buf_sv(&theirs->target)));
	REQUIRE(ours->n_fields == theirs->n_fields);
	for (size_t i = 0; i < ours->n_fields; i++) {
		REQUIRE(sv_eq(buf_sv(&ours->names[i]), buf_sv(&theirs->names[i])));
		REQUIRE(same_value(buf_sv(&ours->values[i]), buf_sv(&theirs->values[i])));
	}
	if (!ours->connection_differs)
		REQUIRE(ours->keeps_alive == theirs->keeps_alive);
}

/* Take a line, without its end, off *s. False when it does not end, or not as asked for. */
static bool take_line(struct sv *s, bool lf_alone, struct sv *ret_line)
{
	size_t lf = sv_find(*s, '\n');
	struct sv line = sv_from(s->p, lf);

	if (lf == s->len || (!lf_alone && (lf == 0 || s->p[lf - 1] != '\r')))
		return false;
	line.len -= lf && s->p[lf - 1] == '\r';
	*s = sv_skip(*s, lf + 1);
	*ret_line = line;
	return sv_find(line, '\r') == line.len;
}

/* Is this, to its end or the end of the input, a chunked body with nothing in it that the table names? */
static bool proper_chunks(struct sv s)
{
	struct sv line;

	do {
		char size[16] = "";
		size_t digits = 0;
		uint64_t n;

		if (!take_line(&s, false, &line))
			return false;
		while (digits < line.len && digits < 15 &&
		    memchr("0123456789abcdefABCDEF", line.p[digits], 22))
			size[digits] = line.p[digits], digits++;
		if (!digits || (digits < line.len && line.p[digits] != ';'))
			return false;
		n = strtoull(size, NULL, 16);
		if (n == 0)
			break;
		if (s.len < n)
			return true;
		s = sv_skip(s, n);
		if (s.len && !sv_starts(s, SV("\r\n")))
			return false;
		s = sv_skip(s, 2);
	} while (s.len);
	while (s.len) {
		struct sv rest = s;

		if (!take_line(&s, true, &line)) /* cut, or not a line */
			return s.len == rest.len && !has_bare_cr(rest);
		if (line.len == 0)
			return true;
	}
	return true;
}

static void compare(const struct messages *ours, const struct messages *theirs)
{
	for (size_t i = 0; i < MESSAGES_MAX && theirs->items[i].headed; i++) {
		const struct message *a = &ours->items[i], *b = &theirs->items[i];

		if (!b->proper || differs_on_purpose(a, b))
			return;
		if (!a->headed && has_bare_cr(b->behind))
			return;
		REQUIRE(a->headed);
		compare_heads(a, b);
		if (a->chunked && !proper_chunks(a->behind))
			return;
		REQUIRE(a->complete || !b->complete);
		if (b->complete)
			REQUIRE(a->body == b->body);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_choices c = {data, size};
	bool responses = fuzz_byte(&c) & 1;
	uint8_t answers = fuzz_byte(&c);
	struct sv in = fuzz_copy(c.p, c.left);
	struct theirs *theirs = calloc(1, sizeof(*theirs));
	struct messages *ours = calloc(1, sizeof(*ours));

	theirs->answers = answers;
	their_reading(theirs, responses ? HTTP_RESPONSE : HTTP_REQUEST, in);
	our_reading(ours, responses ? HTTP1_RESPONSE : HTTP1_REQUEST, answers, in);
	compare(ours, &theirs->all);
	messages_release(ours);
	messages_release(&theirs->all);
	free(ours);
	free(theirs);
	fuzz_free(in);
	return 0;
}
