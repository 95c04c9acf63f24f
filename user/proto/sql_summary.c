// SPDX-License-Identifier: Apache-2.0
/*
 * The summary of a statement: its operations and their targets in the order of the text; see sql.h.
 * Keywords say where a target must follow (FROM, JOIN, INTO, UPDATE, TABLE ...); nothing else of the
 * grammar is known. Commas go on with targets only in a FROM list of the same parenthesis.
 */
#include "base/utf8.h"
#include "proto/sql.h"
#include "proto/sql_token.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Parentheses deeper than this are not looked into. */
#define MAX_DEPTH 32

struct summary {
	struct buf *out;
	size_t start;          /* length of out before the summary */
	struct sv rest;        /* behind the current token */
	struct sql_token prev; /* significant token before the current one */
	bool full;             /* a token did not fit: the summary ends */
	bool expect;           /* a target may follow */
	bool at_start;         /* an operation may follow */
	bool with;             /* the statement began with WITH: its operation stands behind ")" */
	bool trigger;          /* END ends a trigger's body, no transaction */
	bool vacuum;           /* INTO names a file */
	bool object;           /* CREATE, DROP or ALTER waits for what kind of thing */
	size_t depth;
	struct {
		bool verb; /* an operation was seen, so FROM begins its targets */
		bool list; /* in that list of targets */
	} level[MAX_DEPTH + 1];
};

static void add(struct summary *s, struct sv text)
{
	size_t mark = s->out->len;

	if (s->full)
		return;
	if (mark > s->start)
		buf_append_char(s->out, ' ');
	utf8_append_repaired(s->out, text);
	if (s->out->len - s->start > SQL_SUMMARY_MAX) {
		s->out->len = mark;
		s->out->data[mark] = '\0';
		s->full = true;
	}
}

static bool is_name(const struct sql_token *token)
{
	static const char *const no_names[] = {"SELECT", "VALUES", "WHERE", "SET", "ON", "FROM"};

	if (token->open)
		return false;
	if (token->kind == SQL_WORD)
		return !sql_token_is_any(token, no_names, COUNT(no_names));
	return token->kind == SQL_QUOTED || token->kind == SQL_QUOTED_WEAK ||
	    token->kind == SQL_STRING;
}

/* A name with the parts behind its dots, as written but without white space. */
static void take_target(struct summary *s, struct sql_token token)
{
	struct buf name;

	buf_init(&name);
	for (;;) {
		struct sv ahead = s->rest;
		struct sql_token dot = sql_next_significant(&ahead);
		struct sql_token part = sql_next_significant(&ahead);

		buf_append_sv(&name, token.text);
		if (!sql_token_is(&dot, '.') || !is_name(&part))
			break;
		buf_append_char(&name, '.');
		token = part;
		s->rest = ahead;
	}
	s->prev = token;
	s->expect = false;
	add(s, buf_sv(&name));
	buf_release(&name);
}

/* Words between a keyword and its target: UPDATE OR IGNORE t, TABLE IF NOT EXISTS t. */
static bool is_before_target(const struct summary *s, const struct sql_token *token)
{
	static const char *const fillers[] = {"OR", "IF", "NOT", "EXISTS"};

	return token->kind == SQL_WORD &&
	    (sql_token_is_any(token, fillers, COUNT(fillers)) || sql_token_is_word(&s->prev, "OR"));
}

static void take_punctuation(struct summary *s, char c)
{
	bool tracked = s->depth <= MAX_DEPTH;

	if (c == '(') {
		bool list = s->expect && tracked;

		s->depth++;
		if (s->depth <= MAX_DEPTH)
			s->level[s->depth].list = s->level[s->depth].verb = list;
	} else if (c == ')' && s->depth) {
		s->depth--;
		s->expect = false;
		s->at_start = s->with && s->depth == 0;
	} else if (c == ',') {
		s->expect = tracked && s->level[s->depth].list;
	} else if (c == ';') {
		s->depth = 0;
		s->level[0].list = s->level[0].verb = false;
		s->expect = s->with = s->vacuum = s->object = false;
		s->at_start = true;
	}
}

/* A keyword that begins a statement. Returns false when token is none. */
static bool take_operation(struct summary *s, const struct sql_token *token)
{
	static const char *const operations[] = {"INSERT", "REPLACE", "DELETE", "UPDATE", "CREATE",
	    "DROP", "ALTER", "PRAGMA", "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE",
	    "VACUUM", "ANALYZE", "REINDEX", "ATTACH", "DETACH", "EXPLAIN", "VALUES"};
	static const char *const objects[] = {"CREATE", "DROP", "ALTER"};
	static const char *const targeted[] = {"UPDATE", "PRAGMA", "ANALYZE", "REINDEX"};

	if (!sql_token_is_any(token, operations, COUNT(operations)))
		return false;
	if (s->trigger && sql_token_is_word(token, "END"))
		return true;
	add(s, token->text);
	if (s->depth <= MAX_DEPTH)
		s->level[s->depth].verb = true;
	s->object = sql_token_is_any(token, objects, COUNT(objects));
	s->expect = sql_token_is_any(token, targeted, COUNT(targeted));
	s->vacuum = sql_token_is_word(token, "VACUUM");
	s->at_start = s->with = false;
	if (sql_token_is_word(token, "EXPLAIN"))
		s->at_start = true;
	return true;
}

/* TABLE and its like behind CREATE, DROP or ALTER. */
static bool take_object(struct summary *s, const struct sql_token *token)
{
	static const char *const kinds[] = {"TABLE", "VIEW", "INDEX", "TRIGGER"};

	if (!s->object || !sql_token_is_any(token, kinds, COUNT(kinds)))
		return false;
	add(s, token->text);
	s->object = false;
	s->expect = true;
	s->trigger = sql_token_is_word(token, "TRIGGER");
	return true;
}

/* Words inside a statement that begin or end a place for targets. */
static void take_clause(struct summary *s, const struct sql_token *token)
{
	static const char *const ends[] = {"WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "UNION",
	    "EXCEPT", "INTERSECT", "SET", "RETURNING", "WINDOW", "VALUES"};
	bool tracked = s->depth <= MAX_DEPTH;

	if (sql_token_is_word(token, "SELECT")) {
		add(s, token->text);
		s->with = s->with && s->depth > 0;
		if (tracked) {
			s->level[s->depth].verb = true;
			s->level[s->depth].list = false;
		}
	} else if (sql_token_is_word(token, "FROM") || sql_token_is_word(token, "JOIN")) {
		s->expect =
		    tracked && s->level[s->depth].verb && !sql_token_is_word(&s->prev, "DISTINCT");
		if (s->expect)
			s->level[s->depth].list = true;
	} else if (sql_token_is_word(token, "INTO")) {
		s->expect = !s->vacuum;
	} else if (tracked && sql_token_is_any(token, ends, COUNT(ends))) {
		s->level[s->depth].list = false;
	}
}

static void take_word(struct summary *s, const struct sql_token *token)
{
	bool at_start = s->at_start;

	s->at_start = false;
	if (at_start && sql_token_is_word(token, "WITH"))
		s->with = true;
	else if (at_start &&
	    (sql_token_is_word(token, "QUERY") || sql_token_is_word(token, "PLAN")))
		s->at_start = true;
	else if (s->trigger && sql_token_is_word(token, "BEGIN"))
		s->at_start = true;
	else if (!(at_start && take_operation(s, token)) && !take_object(s, token))
		take_clause(s, token);
}

void sql_summary(struct buf *out, struct sv text)
{
	struct summary s = {.out = out, .start = out->len, .rest = text, .at_start = true};
	struct sql_token token;

	while (!s.full && (token = sql_next_significant(&s.rest)).kind != SQL_END) {
		bool filler = s.expect && is_before_target(&s, &token);

		if (s.expect && !filler && is_name(&token)) {
			take_target(&s, token);
			continue;
		}
		s.expect = filler || (s.expect && sql_token_is(&token, '('));
		if (token.kind == SQL_PUNCTUATION)
			take_punctuation(&s, token.text.p[0]);
		else if (token.kind == SQL_WORD && !filler && !sql_token_is(&s.prev, '.'))
			take_word(&s, &token);
		s.prev = token;
	}
}
