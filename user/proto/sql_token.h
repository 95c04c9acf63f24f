/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQL text as tokens, after SQLite's dialect (https://www.sqlite.org/lang_keywords.html and its
 * tokenize.c). Knows no grammar and refuses nothing: any bytes are a sequence of tokens, and each
 * byte belongs to exactly one.
 */
#ifndef ZS_PROTO_SQL_TOKEN_H
#define ZS_PROTO_SQL_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sv.h"

enum sql_token_kind {
	SQL_END = 0, /* no more text */
	SQL_SPACE,
	SQL_COMMENT,
	SQL_STRING,      /* 'text' */
	SQL_BLOB,        /* x'0aff' */
	SQL_NUMBER,      /* with everything that sticks to it */
	SQL_WORD,        /* keyword or name */
	SQL_QUOTED,      /* [name] or `name` */
	SQL_QUOTED_WEAK, /* "name": SQLite takes it for a string when no such name exists */
	SQL_PLACEHOLDER, /* ? ?1 :a @a $a */
	SQL_PUNCTUATION, /* one byte */
};

struct sql_token {
	enum sql_token_kind kind;
	struct sv text; /* as written, quotes included */
	bool open;      /* a quote or comment that the end of the text cut off */
};

/* Take the next token off *rest. */
struct sql_token sql_next_token(struct sv *rest);

/* The same, passing over spaces and comments. */
struct sql_token sql_next_significant(struct sv *rest);

/* Is token this keyword (given in upper case)? */
bool sql_token_is_word(const struct sql_token *token, const char *keyword);

/* Is token one of n keywords? */
bool sql_token_is_any(const struct sql_token *token, const char *const *keywords, size_t n);

/* Is token this byte of punctuation? */
static inline bool sql_token_is(const struct sql_token *token, char c)
{
	return token->kind == SQL_PUNCTUATION && token->text.p[0] == c;
}

#endif
