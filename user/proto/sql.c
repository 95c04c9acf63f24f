// SPDX-License-Identifier: Apache-2.0
/*
 * SQL text without its literals; see sql.h. One walk over the tokens; what cannot be told from a
 * literal is taken for one.
 *
 * "Double quotes" are the hard case: a name, unless no such name exists, then SQLite takes a string.
 * A token in double quotes is treated as a literal where a value may stand: behind an operator, in
 * the lists of VALUES and IN, and among the arguments of a function. It stays where names are
 * declared or chosen: SELECT "a", INSERT INTO t ("a"), "t"."a".
 */
#include "proto/sql.h"

#include "base/utf8.h"
#include "proto/sql_token.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Parentheses deeper than this are treated as lists of values. SQLite's own limit is 1000. */
#define MAX_DEPTH 32

struct sanitiser {
	struct buf *out;
	size_t start;          /* length of out before the text */
	struct sv rest;        /* behind the current token */
	struct sql_token prev; /* significant token before the current one */
	bool space;            /* white space or a comment waits to become one space */
	bool ddl;              /* the statement declares: parentheses hold names */
	bool naming;           /* so they do behind INTO, WITH, CONFLICT, USING */
	bool between;          /* the AND of BETWEEN is still to come */
	size_t depth;
	bool values[MAX_DEPTH]; /* per parenthesis: it holds values */
};

static bool in_values(const struct sanitiser *s)
{
	return s->depth > MAX_DEPTH || (s->depth > 0 && s->values[s->depth - 1]);
}

static bool next_is(const struct sanitiser *s, char c)
{
	struct sv rest = s->rest;
	struct sql_token next = sql_next_significant(&rest);

	return sql_token_is(&next, c);
}

static bool at_value(const struct sanitiser *s)
{
	static const char *const before_value[] = {"LIKE", "GLOB", "REGEXP", "MATCH", "BETWEEN",
	    "THEN", "ELSE", "ESCAPE", "DEFAULT", "IS", "NOT", "LIMIT", "OFFSET", "ATTACH",
	    "DATABASE"};

	if (s->prev.kind == SQL_PUNCTUATION) {
		char c = s->prev.text.p[0];

		return c == '(' || c == ',' ? in_values(s) : c != '.' && c != ')' && c != ';';
	}
	if (sql_token_is_word(&s->prev, "AND"))
		return s->between;
	if (sql_token_is_word(&s->prev, "KEY"))
		return !s->ddl;
	return sql_token_is_any(&s->prev, before_value, COUNT(before_value));
}

static bool is_literal(const struct sanitiser *s, const struct sql_token *token)
{
	static const char *const booleans[] = {"TRUE", "FALSE"};

	switch (token->kind) {
	case SQL_STRING:
	case SQL_BLOB:
	case SQL_NUMBER:
		return true;
	case SQL_QUOTED:
		return token->open;
	case SQL_QUOTED_WEAK:
		return token->open || (at_value(s) && !next_is(s, '.'));
	case SQL_WORD:
		return sql_token_is_any(token, booleans, COUNT(booleans)) &&
		    !sql_token_is(&s->prev, '.') && !next_is(s, '.');
	default:
		return false;
	}
}

/* Does a parenthesis behind prev hold values? */
static bool opens_values(const struct sanitiser *s)
{
	static const char *const lists[] = {"VALUES", "IN"};
	static const char *const no_function[] = {"SELECT", "FROM", "JOIN", "WHERE", "AND", "OR",
	    "ON", "AS", "BY", "HAVING", "EXISTS", "WHEN", "CASE", "UNION", "ALL", "EXCEPT",
	    "INTERSECT", "DISTINCT", "SET", "OVER", "FILTER", "NOT", "RETURNING"};

	if (sql_token_is_any(&s->prev, lists, COUNT(lists)) || sql_token_is(&s->prev, ','))
		return true;
	if (s->prev.kind != SQL_WORD || s->ddl || s->naming)
		return at_value(s);
	return !sql_token_is_any(&s->prev, no_function, COUNT(no_function));
}

/* What the current token means for the tokens behind it. */
static void follow(struct sanitiser *s, const struct sql_token *token)
{
	static const char *const declares[] = {"CREATE", "ALTER"};
	static const char *const names[] = {"INTO", "WITH", "RECURSIVE", "CONFLICT", "USING"};
	static const char *const values[] = {
	    "SELECT", "VALUES", "WHERE", "SET", "DO", "FROM", "ON"};

	if (sql_token_is(token, '(')) {
		if (s->depth < MAX_DEPTH)
			s->values[s->depth] = opens_values(s);
		s->depth++;
	} else if (sql_token_is(token, ')') && s->depth) {
		s->depth--;
	} else if (sql_token_is(token, ';')) {
		s->ddl = s->naming = s->between = false;
	} else if (sql_token_is_any(token, declares, COUNT(declares))) {
		s->ddl = true;
	} else if (sql_token_is_any(token, names, COUNT(names))) {
		s->naming = true;
	} else if (sql_token_is_any(token, values, COUNT(values))) {
		s->naming = false;
		if (sql_token_is_word(token, "SELECT") && s->depth && s->depth <= MAX_DEPTH)
			s->values[s->depth - 1] = false;
	} else if (sql_token_is_word(token, "BETWEEN")) {
		s->between = true;
	} else if (sql_token_is_word(token, "AND")) {
		/* still needed for the very next token */
	} else if (sql_token_is_word(&s->prev, "AND")) {
		s->between = false;
	}
	s->prev = *token;
}

/* Length of "( literal, literal ... )" at the start of text, or 0. */
static size_t literal_list_length(struct sv text)
{
	struct sv rest = text;
	struct sql_token token = sql_next_significant(&rest);

	if (!sql_token_is(&token, '('))
		return 0;
	do {
		token = sql_next_significant(&rest);
		if (sql_token_is(&token, '-') || sql_token_is(&token, '+'))
			token = sql_next_significant(&rest);
		if (token.open ||
		    (token.kind != SQL_STRING && token.kind != SQL_BLOB &&
			token.kind != SQL_NUMBER && token.kind != SQL_QUOTED_WEAK &&
			!sql_token_is_word(&token, "TRUE") && !sql_token_is_word(&token, "FALSE")))
			return 0;
		token = sql_next_significant(&rest);
	} while (sql_token_is(&token, ','));
	return sql_token_is(&token, ')') ? text.len - rest.len : 0;
}

static void write(struct sanitiser *s, struct sv text)
{
	if (s->space && s->out->len > s->start)
		buf_append_char(s->out, ' ');
	s->space = false;
	utf8_append_repaired(s->out, text);
}

void sql_sanitise(struct buf *out, struct sv text)
{
	struct sanitiser s = {.out = out, .start = out->len, .rest = text};
	struct sql_token token;
	size_t list;

	while ((token = sql_next_token(&s.rest)).kind != SQL_END) {
		if (token.kind == SQL_SPACE || token.kind == SQL_COMMENT) {
			s.space = true;
			continue;
		}
		write(&s, is_literal(&s, &token) ? SV("?") : token.text);
		follow(&s, &token);
		if (!sql_token_is_word(&token, "IN") || !(list = literal_list_length(s.rest)))
			continue;
		s.space = true;
		write(&s, SV("(?)"));
		s.prev = (struct sql_token){.kind = SQL_PUNCTUATION, .text = SV(")")};
		s.rest = sv_skip(s.rest, list);
	}
}

static void fill(char *text, const struct sql_token *token, size_t begin, size_t end, char with)
{
	char *at = text + begin;

	if (token->text.len > begin + end)
		memset(at, with, token->text.len - begin - end);
}

/* Digits and letters become 0, but those that say what belongs to the number: signs, points, the e before a sign. */
static void mask_number(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool sign_follows = i + 1 < len && (text[i + 1] == '+' || text[i + 1] == '-');

		if (text[i] == '+' || text[i] == '-' || text[i] == '.')
			continue;
		if (!sign_follows || ascii_lower(text[i]) != 'e')
			text[i] = '0';
	}
}

static void mask_token(char *text, const struct sql_token *token)
{
	size_t last = token->open ? 0 : 1;

	switch (token->kind) {
	case SQL_COMMENT:
		if (text[0] == '/')
			fill(text, token, 2, 2 * last, 'x');
		else /* up to the end of the line, which may be part of it */
			fill(text, token, 2, text[token->text.len - 1] == '\n', 'x');
		break;
	case SQL_BLOB:
		fill(text, token, 2, last, '0');
		break;
	case SQL_NUMBER:
		mask_number(text, token->text.len);
		break;
	case SQL_WORD:
		break; /* TRUE or FALSE: who reads that one stood there has learnt little */
	default:
		fill(text, token, 1, last, 'x');
	}
}

void sql_mask(char *text, size_t len)
{
	struct sanitiser s = {.rest = sv_from(text, len)};
	struct sql_token token;

	while ((token = sql_next_token(&s.rest)).kind != SQL_END) {
		char *at = text + (token.text.p - text);

		if (token.kind == SQL_COMMENT || is_literal(&s, &token))
			mask_token(at, &token);
		if (token.kind != SQL_SPACE && token.kind != SQL_COMMENT)
			follow(&s, &token);
	}
}

/* --- batches -----------------------------------------------------------------------------------*/

struct sv sql_next_statement(struct sv *rest)
{
	struct sv start = *rest;
	struct sql_token token = {0}, first = {0}, prev = {0};
	bool trigger = false;

	for (;;) {
		token = sql_next_significant(rest);
		if (first.kind == SQL_END && sql_token_is(&token, ';')) {
			start = *rest;
			continue;
		}
		if (first.kind == SQL_END)
			first = token;
		if (token.kind == SQL_END)
			return first.kind == SQL_END ? sv_from(NULL, 0) : start;
		trigger |=
		    sql_token_is_word(&token, "TRIGGER") && sql_token_is_word(&first, "CREATE");
		if (sql_token_is(&token, ';') && (!trigger || sql_token_is_word(&prev, "END")))
			return sv_from(start.p, (size_t)(token.text.p - start.p));
		prev = token;
	}
}

size_t sql_batch(struct buf *out_text, struct buf *out_summary, struct sv text)
{
	struct buf first, other;
	bool same = true;
	struct sv statement;
	size_t n = 0;

	buf_init(&first);
	buf_init(&other);
	while ((statement = sql_next_statement(&text)).p) {
		struct buf *summary = n ? &other : &first;

		if (n)
			buf_append_cstr(out_text, "; ");
		sql_sanitise(out_text, statement);
		buf_clear(&other);
		sql_summary(summary, statement);
		same = same && (n == 0 || sv_eq(buf_sv(&first), buf_sv(&other)));
		n++;
	}
	if (n != 1)
		buf_append_cstr(out_summary, "BATCH");
	if (same && first.len && (n == 1 || first.len + strlen("BATCH ") <= SQL_SUMMARY_MAX)) {
		if (n != 1)
			buf_append_char(out_summary, ' ');
		buf_append_sv(out_summary, buf_sv(&first));
	}
	buf_release(&first);
	buf_release(&other);
	return n;
}
