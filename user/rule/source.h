/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the values in an expression come from: what a source is written as, and the list of those that some expressions have in
 * common, so that each is looked up once per request. Knows the names, not the requests.
 *
 *	request.FIELD response.FIELD                 a field of the body, JSON or a form; deeper: .a.b, [0], ["a key"]
 *	request_header["NAME"] response_header["NAME"]
 *	query.NAME                                   a parameter of the URL
 *	method route status duration error           status: a number; duration: seconds; error: error.type
 *	time.STATE                                   seconds of the ledger: time.sleep, time.lock ...
 *	sql.text sql.summary rows                    of statements: without literals; rows: a number
 */
#ifndef ZS_RULE_SOURCE_H
#define ZS_RULE_SOURCE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/sv.h"
#include "proto/json.h"
#include "rule/value.h"

/* Of one rule: a body is read once for all of them. */
#define RULE_MAX_SOURCES JSON_MAX_PATHS

enum rule_root {
	RULE_ROOT_INVALID = 0,
	RULE_REQUEST,
	RULE_RESPONSE,
	RULE_REQUEST_HEADER,
	RULE_RESPONSE_HEADER,
	RULE_QUERY,
	RULE_METHOD,
	RULE_ROUTE,
	RULE_STATUS,
	RULE_DURATION,
	RULE_ERROR,
	RULE_TIME,
	RULE_SQL_TEXT,
	RULE_SQL_SUMMARY,
	RULE_ROWS,
};

/* What kind of values come from it. */
enum rule_kind {
	RULE_KIND_ANY = 0,
	RULE_KIND_BOOL,
	RULE_KIND_NUMBER,
	RULE_KIND_TEXT,
	RULE_KIND_NULL,
};

struct rule_source {
	enum rule_root root;
	struct json_path path; /* REQUEST, RESPONSE: n > 0 */
	struct sv name;        /* headers, QUERY */
	size_t state;          /* TIME: which of the states */
};

/* Names of the ledger's states, which are another stage's. NULL: there are no more. */
typedef const char *rule_state_name(size_t state);

struct rule_sources {
	size_t n;
	struct rule_source sources[RULE_MAX_SOURCES];
};

/* Is it of a statement, and not of a request? And the reverse; the others may be of either. */
bool rule_root_of_statement(enum rule_root root);
bool rule_root_of_request(enum rule_root root);

enum rule_kind rule_root_kind(enum rule_root root);

/*
 * Take a source off the front of *text, where a name begins, and put it into the list unless it is there. Texts are borrowed from *text.
 * Its number; -EINVAL with why, -E2BIG when the list is full.
 */
int rule_source_take(
    struct rule_sources *sources, struct sv *text, rule_state_name *states, struct buf *why);

/*
 * The name that secrets stand under (proto/secret.h) among those that lead to it: the header's, the parameter's, the key of any step to a
 * field, for what stands below a secret is one. Empty: none.
 */
struct sv rule_source_secret(const struct rule_source *source);

/* Length of the word (letters, digits, "_", beginning with none of the digits) that text begins with. */
size_t rule_word_length(struct sv text);

/* Take a text in single or double quotes off the front; a backslash stands for nothing else. False: it is not closed. */
bool rule_quoted_take(struct sv *text, struct sv *ret_text);

#endif
