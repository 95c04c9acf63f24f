// SPDX-License-Identifier: Apache-2.0
/* The SQL tokeniser; see sql_token.h. Each helper returns the length of a token known to start at s. */
#include "proto/sql_token.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\0' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
	char lower = ascii_lower(c);

	return (lower >= 'a' && lower <= 'z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_name_char(char c)
{
	return is_name_start(c) || is_digit(c) || c == '$';
}

static char at(struct sv s, size_t i)
{
	return i < s.len ? s.p[i] : '\0';
}

static size_t space_length(struct sv s)
{
	size_t n = 0;

	while (n < s.len && is_space(s.p[n]))
		n++;
	return n;
}

static size_t name_length(struct sv s, size_t from)
{
	while (from < s.len && is_name_char(s.p[from]))
		from++;
	return from;
}

/* From the opening quote at s.p[from] to its partner; a doubled quote stands for one. */
static size_t quoted_length(struct sv s, size_t from, bool *ret_open)
{
	char quote = s.p[from] == '[' ? ']' : s.p[from];

	for (size_t i = from + 1; i < s.len; i++) {
		if (s.p[i] != quote)
			continue;
		if (quote == ']' || at(s, i + 1) != quote) {
			*ret_open = false;
			return i + 1;
		}
		i++;
	}
	*ret_open = true;
	return s.len;
}

/* Length of a comment, or 0 when s starts none. */
static size_t comment_length(struct sv s, bool *ret_open)
{
	if (s.p[0] == '-' && at(s, 1) == '-')
		return sv_find(s, '\n');
	if (s.p[0] != '/' || at(s, 1) != '*')
		return 0;
	for (size_t i = 2; i < s.len; i++)
		if (s.p[i] == '*' && at(s, i + 1) == '/')
			return i + 2;
	*ret_open = true;
	return s.len;
}

/* Digits, fraction, exponent or hex, and whatever name characters stick to them. */
static size_t number_length(struct sv s)
{
	size_t n = 0;

	while (n < s.len) {
		char c = ascii_lower(s.p[n]);
		bool exponent_sign = (c == '+' || c == '-') && n > 0 &&
		    ascii_lower(s.p[n - 1]) == 'e' && is_digit(at(s, n + 1)) && at(s, 1) != 'x' &&
		    at(s, 1) != 'X';

		if (!is_name_char(c) && c != '.' && !exponent_sign)
			break;
		n++;
	}
	return n;
}

/* Length of a placeholder, or 0 when s starts none. */
static size_t placeholder_length(struct sv s)
{
	size_t n = 1;

	if (s.p[0] == '?') {
		while (is_digit(at(s, n)))
			n++;
		return n;
	}
	if (s.p[0] != ':' && s.p[0] != '@' && s.p[0] != '$')
		return 0;
	n = name_length(s, 1);
	return n > 1 ? n : 0;
}

static size_t token_length(struct sv s, enum sql_token_kind *ret_kind, bool *ret_open)
{
	char c = s.p[0];
	size_t n;

	*ret_kind = SQL_SPACE;
	if (is_space(c))
		return space_length(s);
	*ret_kind = SQL_COMMENT;
	if ((n = comment_length(s, ret_open)) > 0)
		return n;
	*ret_kind = c == '\'' ? SQL_STRING : c == '"' ? SQL_QUOTED_WEAK : SQL_QUOTED;
	if (c == '\'' || c == '"' || c == '`' || c == '[')
		return quoted_length(s, 0, ret_open);
	*ret_kind = SQL_BLOB;
	if (ascii_lower(c) == 'x' && at(s, 1) == '\'')
		return quoted_length(s, 1, ret_open);
	*ret_kind = SQL_NUMBER;
	if (is_digit(c) || (c == '.' && is_digit(at(s, 1))))
		return number_length(s);
	*ret_kind = SQL_PLACEHOLDER;
	if ((n = placeholder_length(s)) > 0)
		return n;
	*ret_kind = SQL_WORD;
	if (is_name_start(c))
		return name_length(s, 1);
	*ret_kind = SQL_PUNCTUATION;
	return 1;
}

struct sql_token sql_next_token(struct sv *rest)
{
	struct sql_token token = {.kind = SQL_END, .text = sv_from(rest->p, 0)};

	if (rest->len == 0)
		return token;
	token.text.len = token_length(*rest, &token.kind, &token.open);
	*rest = sv_skip(*rest, token.text.len);
	return token;
}

struct sql_token sql_next_significant(struct sv *rest)
{
	struct sql_token token;

	do {
		token = sql_next_token(rest);
	} while (token.kind == SQL_SPACE || token.kind == SQL_COMMENT);
	return token;
}

bool sql_token_is_word(const struct sql_token *token, const char *keyword)
{
	return token->kind == SQL_WORD && sv_eq_nocase(token->text, sv_cstr(keyword));
}

bool sql_token_is_any(const struct sql_token *token, const char *const *keywords, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (sql_token_is_word(token, keywords[i]))
			return true;
	return false;
}
