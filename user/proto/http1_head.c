// SPDX-License-Identifier: Apache-2.0
/*
 * The head parser: start line and fields as views into the input, in one pass and without
 * allocation. Only the start line can make a head malformed; a bad field is left out and flagged,
 * because the peers go on talking whatever an observer thinks of a field.
 *
 * Numbers such as L4 are the framing rules of RFC 9112: L2 line ends and bare CR (section 2.2), L3
 * empty lines before the start line (2.2), L4 request line (3), L5 status line (4), L6 fields
 * (5.1), L7 line folding (5.2).
 */
#include <errno.h>

#include "proto/http1.h"

/* How much of a start line without an end is inspected: keeps byte-wise delivery linear. */
#define PREFIX_CHECK_BYTES 64

/* tchar of RFC 9110 section 5.6.2 */
static const unsigned char token_char[256] = {
    ['0' ... '9'] = 1,
    ['A' ... 'Z'] = 1,
    ['a' ... 'z'] = 1,
    ['!'] = 1,
    ['#'] = 1,
    ['$'] = 1,
    ['%'] = 1,
    ['&'] = 1,
    ['\''] = 1,
    ['*'] = 1,
    ['+'] = 1,
    ['-'] = 1,
    ['.'] = 1,
    ['^'] = 1,
    ['_'] = 1,
    ['`'] = 1,
    ['|'] = 1,
    ['~'] = 1,
};

static bool is_token_char(char c)
{
	return token_char[(unsigned char)c];
}

bool http1_is_token(struct sv s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_token_char(s.p[i]))
			return false;
	return s.len > 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Between the words of a start line (L4). */
static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r' && c != '\n');
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static size_t skip_space(struct sv line, size_t at)
{
	while (at < line.len && is_space(line.p[at]))
		at++;
	return at;
}

/* Four at a time: names are most of a head. */
static size_t skip_token(struct sv line, size_t at)
{
	const unsigned char *p = (const unsigned char *)line.p;

	while (line.len - at >= 4 &&
	    (token_char[p[at]] & token_char[p[at + 1]] & token_char[p[at + 2]] &
		token_char[p[at + 3]]))
		at += 4;
	while (at < line.len && token_char[p[at]])
		at++;
	return at;
}

/* Does line hold an HTTP/1.x version at this place? */
static bool version_at(struct sv line, size_t at)
{
	return line.len - at >= 8 && memcmp(line.p + at, "HTTP/1.", 7) == 0 &&
	    is_digit(line.p[at + 7]);
}

static void set_version(struct http1_head *head, char minor)
{
	head->version_major = 1;
	head->version_minor = minor - '0';
}

static bool parse_request_line(struct sv line, struct http1_head *head)
{
	size_t at = skip_token(line, 0), start;

	if (at == 0 || at == line.len || !is_space(line.p[at]))
		return false;
	head->method = sv_from(line.p, at);
	start = at = skip_space(line, at);
	while (at < line.len && !is_control(line.p[at]) && line.p[at] != ' ')
		at++;
	if (at == start || at == line.len || !is_space(line.p[at]))
		return false;
	head->target = sv_from(line.p + start, at - start);
	at = skip_space(line, at);
	if (!version_at(line, at))
		return false;
	set_version(head, line.p[at + 7]);
	return skip_space(line, at + 8) == line.len;
}

static bool parse_status_line(struct sv line, struct http1_head *head)
{
	size_t at;

	if (!version_at(line, 0))
		return false;
	set_version(head, line.p[7]);
	at = skip_space(line, 8);
	if (at == 8 || line.len - at < 3)
		return false;
	for (size_t i = at; i < at + 3; i++) {
		if (!is_digit(line.p[i]))
			return false;
		head->status = head->status * 10 + (line.p[i] - '0');
	}
	return head->status >= 100 && (line.len == at + 3 || is_space(line.p[at + 3]));
}

/* Is a start line without an end still possible? Never refuses what the parsers above accept. */
static bool start_line_possible(enum http1_kind kind, struct sv in)
{
	static const char pattern[] = "HTTP/1.0 000";
	size_t at = 0;

	if (in.len > PREFIX_CHECK_BYTES)
		in.len = PREFIX_CHECK_BYTES;
	if (kind == HTTP1_REQUEST) {
		at = skip_token(in, 0);
		if (at == 0 || (at < in.len && !is_space(in.p[at])))
			return false;
		while (at < in.len && (is_space(in.p[at]) || !is_control(in.p[at])))
			at++;
		return at == in.len;
	}
	for (size_t i = 0; pattern[i] && at < in.len; i++) {
		bool fits = pattern[i] == '0' ? is_digit(in.p[at])
		    : pattern[i] == ' '       ? is_space(in.p[at])
					      : in.p[at] == pattern[i];

		if (!fits)
			return false;
		at = pattern[i] == ' ' ? skip_space(in, at) : at + 1;
	}
	return true;
}

/* Not 0 when one of the eight bytes is below 0x20 ("determine if a word has a byte less than n", Anderson, Bit
 * Twiddling Hacks). */
static uint64_t low_bytes(const char *p)
{
	const uint64_t ones = 0x0101010101010101ULL;
	uint64_t word;

	memcpy(&word, p, 8);
	return (word - ones * 0x20) & ~word & (ones * 0x80);
}

/* Is there a byte below 0x20? Eight at a time, the last eight perhaps once more. */
static bool has_low_byte(struct sv s)
{
	uint64_t hit = 0;

	if (s.len < 8) {
		for (size_t i = 0; i < s.len; i++)
			hit |= (unsigned char)s.p[i] < 0x20;
		return hit;
	}
	for (size_t i = 0; i < s.len - 8; i += 8)
		hit |= low_bytes(s.p + i);
	return (hit | low_bytes(s.p + s.len - 8)) != 0;
}

/* False when the value must not be used (NUL); a bare CR is flagged and stands for SP (L2). */
static bool check_value(struct http1_head *head, struct sv value)
{
	if (!has_low_byte(value))
		return true;
	if (sv_find(value, '\r') < value.len)
		head->malformed = true;
	return sv_find(value, '\0') == value.len;
}

/*
 * Are n (4 or 8) bytes of a token these letters and '-', letter case aside? Without bit 0x20 a letter is itself in either
 * case, and '-' itself or CR, which is in no token.
 */
static inline bool same_bytes(const char *p, const char *lower, size_t n)
{
	uint64_t a = 0, b = 0;

	memcpy(&a, p, n);
	memcpy(&b, lower, n);
	return ((a ^ b) & ~0x2020202020202020ULL) == 0;
}

/* The known name, if the token name is that one; it is as long as lower, at least 4 bytes. */
static inline enum http1_name known_if(struct sv name, const char *lower, enum http1_name known)
{
	const size_t step = name.len < 8 ? 4 : 8;

	for (size_t i = 0; i + step < name.len; i += step)
		if (!same_bytes(name.p + i, lower + i, step))
			return HTTP1_NAME_OTHER;
	if (!same_bytes(name.p + name.len - step, lower + name.len - step, step))
		return HTTP1_NAME_OTHER;
	return known;
}

/* All known names differ in length or in their first letter. */
static enum http1_name known_name(struct sv name)
{
	switch (name.len) {
	case 4:
		return known_if(name, "host", HTTP1_NAME_HOST);
	case 6:
		return known_if(name, "expect", HTTP1_NAME_EXPECT);
	case 9:
		return known_if(name, "forwarded", HTTP1_NAME_FORWARDED);
	case 10:
		switch (ascii_lower(name.p[0])) {
		case 'c':
			return known_if(name, "connection", HTTP1_NAME_CONNECTION);
		case 'u':
			return known_if(name, "user-agent", HTTP1_NAME_USER_AGENT);
		default:
			return known_if(name, "tracestate", HTTP1_NAME_TRACESTATE);
		}
	case 11:
		return known_if(name, "traceparent", HTTP1_NAME_TRACEPARENT);
	case 14:
		return known_if(name, "content-length", HTTP1_NAME_CONTENT_LENGTH);
	case 15:
		return known_if(name, "x-forwarded-for", HTTP1_NAME_X_FORWARDED_FOR);
	case 16:
		return known_if(name, "x-forwarded-host", HTTP1_NAME_X_FORWARDED_HOST);
	case 17:
		if (ascii_lower(name.p[0]) == 't')
			return known_if(name, "transfer-encoding", HTTP1_NAME_TRANSFER_ENCODING);
		return known_if(name, "x-forwarded-proto", HTTP1_NAME_X_FORWARDED_PROTO);
	default:
		return HTTP1_NAME_OTHER;
	}
}

/* Add the field on this line. Returns it, or NULL when it was left out. */
static struct http1_field *add_field(struct http1_head *head, struct sv line)
{
	struct http1_field *field;
	enum http1_name known;
	size_t colon = skip_token(line, 0);

	if (colon == 0 || colon == line.len || line.p[colon] != ':' ||
	    !check_value(head, sv_skip(line, colon + 1))) {
		head->malformed = true;
		return NULL;
	}
	known = known_name(sv_from(line.p, colon));
	if (head->n_fields >= (known ? HTTP1_MAX_FIELDS : HTTP1_MAX_OTHER_FIELDS)) {
		head->dropped |= 1u << known;
		return NULL;
	}
	field = &head->fields[head->n_fields++];
	field->name = sv_from(line.p, colon);
	field->known = known;
	head->known |= 1u << known;
	field->value = sv_trim_ows(sv_from(line.p + colon + 1, line.len - colon - 1));
	return field;
}

/* The line continues the value of the last field (L7). Returns it, or NULL when it was left out. */
static struct http1_field *fold_field(
    struct http1_head *head, struct http1_field *field, struct sv line)
{
	const char *end = line.p + line.len;

	if (!check_value(head, line)) {
		head->malformed = true;
		head->n_fields--;
		return NULL;
	}
	line = sv_trim_ows(line);
	if (line.len == 0)
		return field;
	if (field->value.len == 0)
		field->value = line;
	else
		field->value = sv_trim_ows(sv_from(field->value.p, (size_t)(end - field->value.p)));
	return field;
}

/* The fields from p on. Returns the end of the head, or NULL when it is not there yet. */
static const char *parse_fields(struct http1_head *head, const char *p, const char *end)
{
	struct http1_field *last = NULL;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		struct sv line;

		if (!lf)
			return NULL;
		line = sv_from(p, (size_t)(lf - p));
		if (line.len && lf[-1] == '\r')
			line.len--;
		p = lf + 1;
		if (line.len == 0)
			return p;
		if (line.p[0] != ' ' && line.p[0] != '\t')
			last = add_field(head, line);
		else if (last)
			last = fold_field(head, last, line);
		else if (!head->dropped)
			head->malformed = true;
	}
	return NULL;
}

long http1_parse_head(enum http1_kind kind, struct sv in, struct http1_head *ret_head)
{
	const char *p = in.p, *end = in.p + in.len, *lf;
	size_t limit;
	struct sv line;

	while (p < end && (*p == '\r' || *p == '\n'))
		p++;
	if (p == end)
		return 0;
	limit =
	    (size_t)(end - p) > HTTP1_MAX_START_LINE ? HTTP1_MAX_START_LINE + 1 : (size_t)(end - p);
	lf = memchr(p, '\n', limit);
	if (!lf) {
		if (!start_line_possible(kind, sv_from(p, limit)))
			return -EBADMSG;
		return limit > HTTP1_MAX_START_LINE ? -E2BIG : 0;
	}
	line = sv_from(p, (size_t)(lf - p) - (lf[-1] == '\r'));

	ret_head->kind = kind;
	ret_head->method = ret_head->target = sv_from(NULL, 0);
	ret_head->status = 0;
	ret_head->malformed = false;
	ret_head->n_fields = 0;
	ret_head->known = ret_head->dropped = 0;
	if (!(kind == HTTP1_REQUEST ? parse_request_line : parse_status_line)(line, ret_head))
		return -EBADMSG;
	lf = parse_fields(ret_head, lf + 1, end);
	if (lf ? lf - p > HTTP1_MAX_HEAD : end - p >= HTTP1_MAX_HEAD)
		return -E2BIG;
	return lf ? lf - in.p : 0;
}

/* --- getting back into step --------------------------------------------------------------------*/

/*
 * Do the bytes match pattern as far as both reach? In a pattern '0' is any digit, '#' the first
 * digit of a status code.
 */
static bool matches(struct sv in, struct sv pattern)
{
	for (size_t i = 0; i < in.len && i < pattern.len; i++) {
		bool fits = pattern.p[i] == '0' ? is_digit(in.p[i])
		    : pattern.p[i] == '#'       ? in.p[i] >= '1' && in.p[i] <= '5'
						: in.p[i] == pattern.p[i];

		if (!fits)
			return false;
	}
	return true;
}

static bool ends_line(struct sv in)
{
	return in.len == 0 || in.p[0] == '\r' || in.p[0] == '\n';
}

/* A path, an asterisk, or something with a colon: a URI or the authority of CONNECT. */
static bool plausible_target(struct sv target, bool whole)
{
	for (size_t i = 0; i < target.len; i++)
		if (is_control(target.p[i]))
			return false;
	if (target.len == 0)
		return !whole;
	if (target.p[0] == '/' || target.p[0] == '[')
		return true;
	if (target.p[0] == '*')
		return target.len == 1;
	return is_token_char(target.p[0]) && (!whole || sv_find(target, ':') < target.len);
}

static bool plausible_request(struct sv in)
{
	static const struct sv methods[] = {SV("GET "), SV("HEAD "), SV("POST "), SV("PUT "),
	    SV("DELETE "), SV("CONNECT "), SV("OPTIONS "), SV("TRACE "), SV("PATCH "),
	    SV("QUERY ")};
	const size_t n_methods = sizeof(methods) / sizeof(methods[0]);
	size_t i = 0, end;

	while (i < n_methods && !matches(in, methods[i]))
		i++;
	if (i == n_methods)
		return false;
	in = sv_skip(in, methods[i].len);
	end = sv_find(in, ' ');
	if (!plausible_target(sv_from(in.p, end), end < in.len))
		return false;
	in = sv_skip(in, end);
	return matches(in, SV(" HTTP/1.0")) && ends_line(sv_skip(in, 9));
}

static bool plausible_response(struct sv in)
{
	struct sv rest = sv_skip(in, 12);

	return matches(in, SV("HTTP/1.0 #00")) && (ends_line(rest) || rest.p[0] == ' ');
}

bool http1_plausible_start(enum http1_kind kind, struct sv in)
{
	if (in.len == 0)
		return false;
	return kind == HTTP1_REQUEST ? plausible_request(in) : plausible_response(in);
}
