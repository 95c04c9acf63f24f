// SPDX-License-Identifier: Apache-2.0
/* A JSON reader for texts that may be cut anywhere; see json.h. */
#include "proto/json.h"

#include <assert.h>
#include <string.h>

/* What may come next. */
enum {
	EXPECT_VALUE = 0,
	EXPECT_ITEM_OR_END, /* right behind '[' */
	EXPECT_KEY_OR_END,  /* right behind '{' */
	EXPECT_KEY,
	EXPECT_COLON,
	EXPECT_COMMA_OR_END,
	EXPECT_NOTHING, /* the outermost value is complete */
	EXPECT_CUT,
	EXPECT_BAD,
};

void json_reader_init(struct json_reader *reader, struct sv text, bool whole)
{
	*reader = (struct json_reader){.rest = text, .whole = whole, .expects = EXPECT_VALUE};
}

static struct json_token token(enum json_kind kind, struct sv text)
{
	return (struct json_token){.kind = kind, .text = text};
}

static struct json_token bad(struct json_reader *r)
{
	r->expects = EXPECT_BAD;
	return token(JSON_BAD, (struct sv){0});
}

static struct json_token cut(struct json_reader *r)
{
	r->expects = EXPECT_CUT;
	return token(JSON_CUT, (struct sv){0});
}

static void skip_space(struct json_reader *r)
{
	while (r->rest.len && strchr(" \t\n\r", r->rest.p[0]) && r->rest.p[0])
		r->rest = sv_skip(r->rest, 1);
}

static struct json_token open_bracket(struct json_reader *r, enum json_kind kind)
{
	if (r->depth == JSON_MAX_DEPTH)
		return bad(r);
	r->objects &= ~(UINT64_C(1) << r->depth);
	r->objects |= (uint64_t)(kind == JSON_OBJECT) << r->depth;
	r->depth++;
	r->rest = sv_skip(r->rest, 1);
	r->expects = kind == JSON_OBJECT ? EXPECT_KEY_OR_END : EXPECT_ITEM_OR_END;
	return token(kind, (struct sv){0});
}

static bool in_object(const struct json_reader *r)
{
	return r->objects >> (r->depth - 1) & 1;
}

static void value_ended(struct json_reader *r)
{
	r->expects = r->depth ? EXPECT_COMMA_OR_END : EXPECT_NOTHING;
}

static struct json_token close_bracket(struct json_reader *r)
{
	enum json_kind kind = in_object(r) ? JSON_OBJECT_END : JSON_ARRAY_END;

	r->depth--;
	r->rest = sv_skip(r->rest, 1);
	value_ended(r);
	return token(kind, (struct sv){0});
}

/* Behind the opening quote: up to the closing one. Control characters must be escaped. */
static struct json_token read_string(struct json_reader *r, enum json_kind kind)
{
	struct sv in = sv_skip(r->rest, 1);
	size_t i = 0;

	for (; i < in.len && in.p[i] != '"'; i++) {
		if ((unsigned char)in.p[i] < 0x20)
			return bad(r);
		if (in.p[i] == '\\')
			i++;
	}
	if (i >= in.len)
		return cut(r);
	r->rest = sv_skip(in, i + 1);
	if (kind == JSON_KEY)
		r->expects = EXPECT_COLON;
	else
		value_ended(r);
	return token(kind, sv_from(in.p, i));
}

static size_t digits(struct sv s)
{
	size_t n = 0;

	while (n < s.len && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return n;
}

/* Length of the number that in begins with; 0: there is none. *ret_open: it could go on, or must, where in ends. */
static size_t number_length(struct sv in, bool *ret_open)
{
	size_t i = in.len && in.p[0] == '-', n = digits(sv_skip(in, i));

	*ret_open = i + n == in.len;
	if (n > 1 && in.p[i] == '0')
		*ret_open = false;
	if (n == 0 || (n > 1 && in.p[i] == '0'))
		return 0;
	i += n;
	if (i < in.len && in.p[i] == '.') {
		n = digits(sv_skip(in, i + 1));
		*ret_open = i + 1 + n == in.len;
		if (n == 0)
			return 0;
		i += 1 + n;
	}
	if (i < in.len && (in.p[i] == 'e' || in.p[i] == 'E')) {
		size_t sign = i + 1 < in.len && (in.p[i + 1] == '+' || in.p[i + 1] == '-');

		n = digits(sv_skip(in, i + 1 + sign));
		*ret_open = i + 1 + sign + n == in.len;
		if (n == 0)
			return 0;
		i += 1 + sign + n;
	}
	return i;
}

static struct json_token read_number(struct json_reader *r)
{
	struct sv text = r->rest;
	bool open = false;

	text.len = number_length(text, &open);
	if (open && !r->whole)
		return cut(r);
	if (text.len == 0)
		return open ? cut(r) : bad(r);
	r->rest = sv_skip(r->rest, text.len);
	value_ended(r);
	return token(JSON_NUMBER, text);
}

static struct json_token read_word(struct json_reader *r, struct sv word, enum json_kind kind)
{
	struct sv begin = word;

	if (begin.len > r->rest.len)
		begin.len = r->rest.len;
	if (!sv_starts(r->rest, begin))
		return bad(r);
	if (begin.len < word.len)
		return cut(r);
	r->rest = sv_skip(r->rest, word.len);
	value_ended(r);
	return token(kind, (struct sv){0});
}

static struct json_token read_value(struct json_reader *r)
{
	switch (r->rest.p[0]) {
	case '{':
		return open_bracket(r, JSON_OBJECT);
	case '[':
		return open_bracket(r, JSON_ARRAY);
	case '"':
		return read_string(r, JSON_STRING);
	case 't':
		return read_word(r, SV("true"), JSON_TRUE);
	case 'f':
		return read_word(r, SV("false"), JSON_FALSE);
	case 'n':
		return read_word(r, SV("null"), JSON_NULL);
	default:
		return read_number(r);
	}
}

/* Behind a value inside of brackets: their end, or a comma and the next one. */
static struct json_token read_next(struct json_reader *r)
{
	char c = r->rest.p[0];

	if (c == (in_object(r) ? '}' : ']'))
		return close_bracket(r);
	if (c != ',')
		return bad(r);
	r->rest = sv_skip(r->rest, 1);
	r->expects = in_object(r) ? EXPECT_KEY : EXPECT_VALUE;
	return json_next(r);
}

static struct json_token read_colon(struct json_reader *r)
{
	if (r->rest.p[0] != ':')
		return bad(r);
	r->rest = sv_skip(r->rest, 1);
	r->expects = EXPECT_VALUE;
	return json_next(r);
}

struct json_token json_next(struct json_reader *r)
{
	if (r->expects == EXPECT_NOTHING)
		return token(JSON_END, (struct sv){0});
	if (r->expects == EXPECT_BAD)
		return bad(r);
	skip_space(r);
	if (r->rest.len == 0 || r->expects == EXPECT_CUT)
		return cut(r);
	switch (r->expects) {
	case EXPECT_KEY_OR_END:
		if (r->rest.p[0] == '}')
			return close_bracket(r);
		/* fall through */
	case EXPECT_KEY:
		return r->rest.p[0] == '"' ? read_string(r, JSON_KEY) : bad(r);
	case EXPECT_COLON:
		return read_colon(r);
	case EXPECT_COMMA_OR_END:
		return read_next(r);
	case EXPECT_ITEM_OR_END:
		if (r->rest.p[0] == ']')
			return close_bracket(r);
		/* fall through */
	default:
		return read_value(r);
	}
}

/* --- strings ------------------------------------------------------------------------------------- */

/* Four hexadecimal digits; -1: there are none. */
static int hex4(struct sv s)
{
	int value = 0;

	if (s.len < 4)
		return -1;
	for (size_t i = 0; i < 4; i++) {
		char c = ascii_lower(s.p[i]);

		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (c - 'a' + 10);
		else
			return -1;
	}
	return value;
}

/* The bytes of a character in UTF-8; how many they are. */
static size_t put_utf8(unsigned int code, char out[4])
{
	size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (size_t i = n; i-- > 1; code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3f));
	out[0] = (char)(first[n] | code);
	return n;
}

/* The character that the escape at the beginning of in, which has a backslash first, stands for. Returns the escape's length. */
static size_t read_escape(struct sv in, unsigned int *ret_code)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	char c = in.len > 1 ? in.p[1] : '\0';
	const char *name = c ? strchr(names, c) : NULL;
	int high = c == 'u' ? hex4(sv_skip(in, 2)) : -1, low = -1;

	if (name) {
		*ret_code = (unsigned char)values[name - names];
		return 2;
	}
	if (high < 0) { /* no escape: as it stands */
		*ret_code = '\\';
		return 1;
	}
	if (high >= 0xd800 && high < 0xdc00 && sv_starts(sv_skip(in, 6), SV("\\u")))
		low = hex4(sv_skip(in, 8));
	if (low >= 0xdc00 && low < 0xe000) {
		*ret_code =
		    0x10000 + ((unsigned int)(high - 0xd800) << 10) + (unsigned int)(low - 0xdc00);
		return 12;
	}
	*ret_code = high >= 0xd800 && high < 0xe000 ? 0xfffd : (unsigned int)high;
	return 6;
}

/* Take what is plain up to the next escape, or an escape, off the front of *text: what that says, there or in room. */
static struct sv take_piece(struct sv *text, char room[4])
{
	struct sv piece = sv_from(text->p, sv_find(*text, '\\'));
	unsigned int code = 0;

	if (piece.len) {
		*text = sv_skip(*text, piece.len);
		return piece;
	}
	*text = sv_skip(*text, read_escape(*text, &code));
	return sv_from(room, put_utf8(code, room));
}

void json_append_string(struct buf *out, struct sv text)
{
	char room[4];

	while (text.len)
		buf_append_sv(out, take_piece(&text, room));
}

/* Does the text say this key? Read no further than they are the same. */
static bool says(struct sv text, struct sv key)
{
	char room[4];

	if (text.len < key.len) /* no escape is shorter than what it stands for */
		return false;
	while (text.len) {
		struct sv piece = take_piece(&text, room);

		if (!sv_starts(key, piece))
			return false;
		key = sv_skip(key, piece.len);
	}
	return key.len == 0;
}

/*
 * --- values at paths -----------------------------------------------------------------------------
 *
 * Down the open brackets goes a set of those paths that have led here so far, one bit for each. A key or item is compared with the one
 * step that each of these has at this depth, and never again, however many values stand beside and below it:
 *
 *	depth 0     {                      all paths
 *	depth 1       "user": {            of these, those that begin with user
 *	depth 2         "id": 7            of these, those that go on with id: whose last step this is has its value
 */

struct search {
	const struct json_path *const *paths;
	uint64_t led[JSON_MAX_DEPTH + 1]; /* by depth */
	size_t items[JSON_MAX_DEPTH];     /* of open arrays, by depth: how many there were */
};

static bool is_step(const struct json_step *at, const struct json_step *step)
{
	if (!at->key.p != !step->key.p)
		return false;
	return step->key.p ? says(at->key, step->key) : at->index == step->index;
}

/* A step down to this depth: which paths take it? */
static void enter(struct search *search, size_t depth, struct json_step at)
{
	search->led[depth] = 0;
	for (uint64_t left = search->led[depth - 1]; left; left &= left - 1) {
		const struct json_path *path = search->paths[__builtin_ctzll(left)];

		if (path->n >= depth && is_step(&at, &path->steps[depth - 1]))
			search->led[depth] |= left & -left;
	}
}

/* A value stands at this depth. What one before it had further down, if its key was the same, is gone. */
static void give(const struct search *search, size_t depth, struct json_token value,
    struct json_token *ret_values)
{
	for (uint64_t left = search->led[depth]; left; left &= left - 1) {
		size_t i = (size_t)__builtin_ctzll(left);
		bool there = search->paths[i]->n == depth;

		ret_values[i] = there ? value : token(JSON_NONE, (struct sv){0});
	}
}

bool json_find(struct sv text, bool whole, const struct json_path *const *paths, size_t n,
    struct json_token *ret_values)
{
	struct search search = {.paths = paths};
	struct json_reader reader;

	assert(n <= JSON_MAX_PATHS);
	json_reader_init(&reader, text, whole);
	search.led[0] = n ? UINT64_MAX >> (64 - n) : 0;
	for (size_t i = 0; i < n; i++)
		ret_values[i] = token(JSON_NONE, (struct sv){0});
	for (;;) {
		size_t depth = reader.depth;
		bool item = depth && !in_object(&reader);
		struct json_token next = json_next(&reader);

		if (next.kind == JSON_END || next.kind == JSON_CUT || next.kind == JSON_BAD)
			return next.kind == JSON_END;
		if (next.kind == JSON_OBJECT_END || next.kind == JSON_ARRAY_END)
			continue;
		if (next.kind == JSON_KEY) {
			enter(&search, depth, (struct json_step){.key = next.text});
			continue;
		}
		if (item)
			enter(
			    &search, depth, (struct json_step){.index = search.items[depth - 1]++});
		give(&search, depth, next, ret_values);
		if (next.kind == JSON_OBJECT || next.kind == JSON_ARRAY)
			search.items[depth] = 0;
	}
}
