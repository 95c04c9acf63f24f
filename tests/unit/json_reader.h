/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict JSON reader for tests (RFC 8259): parses a whole text into nodes and finds values by a
 * path such as "resourceSpans/0/scopeSpans/0/spans/1/name". Independent of the encoders.
 */
#ifndef ZS_TESTS_JSON_READER_H
#define ZS_TESTS_JSON_READER_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct json {
	char type;  /* { [ " 0 t f n */
	char *key;  /* in an object */
	char *text; /* decoded string, or the number as written */
	struct json *child, *next;
};

static inline void json_free(struct json *j)
{
	while (j) {
		struct json *next = j->next;

		json_free(j->child);
		free(j->key);
		free(j->text);
		free(j);
		j = next;
	}
}

static inline void json_ws(const char **p)
{
	while (**p == ' ' || **p == '\n' || **p == '\t' || **p == '\r')
		(*p)++;
}

/* One escape after the backslash; only code points below U+0800 are needed here. */
static inline bool json_escape(const char **p, char **o)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *hit = **p ? strchr(from, **p) : NULL;
	unsigned code;

	if (hit) {
		*(*o)++ = to[hit - from];
		(*p)++;
		return true;
	}
	if (**p != 'u' || sscanf(*p + 1, "%4x", &code) != 1 || code >= 0x80)
		return false;
	*(*o)++ = (char)code;
	*p += 5;
	return true;
}

static inline char *json_string(const char **p)
{
	char *text = malloc(strlen(*p) + 1), *o = text;

	if (*(*p)++ != '"') {
		free(text);
		return NULL;
	}
	while (**p && **p != '"') {
		bool ok = (unsigned char)**p >= 0x20;

		if (ok && **p == '\\') {
			(*p)++;
			ok = json_escape(p, &o);
		} else if (ok) {
			*o++ = *(*p)++;
		}
		if (!ok) {
			free(text);
			return NULL;
		}
	}
	*o = '\0';
	if (**p != '"') {
		free(text);
		return NULL;
	}
	(*p)++;
	return text;
}

static inline struct json *json_value(const char **p);

/* Members or elements up to the closing bracket. */
static inline bool json_members(const char **p, struct json *j)
{
	char close = j->type == '{' ? '}' : ']';
	struct json **tail = &j->child;

	(*p)++;
	json_ws(p);
	if (**p == close)
		return (*p)++, true;
	for (;;) {
		char *key = NULL;

		json_ws(p);
		if (close == '}') {
			key = json_string(p);
			json_ws(p);
			if (!key || *(*p)++ != ':') {
				free(key);
				return false;
			}
		}
		*tail = json_value(p);
		if (!*tail) {
			free(key);
			return false;
		}
		(*tail)->key = key;
		tail = &(*tail)->next;
		json_ws(p);
		if (**p == close)
			return (*p)++, true;
		if (*(*p)++ != ',')
			return false;
	}
}

static inline bool json_number(const char **p, struct json *j)
{
	size_t len = strspn(*p, "+-.0123456789eE");
	char *end;

	j->type = '0';
	j->text = strndup(*p, len);
	if (!len || (**p == '0' && isdigit((unsigned char)(*p)[1])) || **p == '+')
		return false;
	strtod(j->text, &end);
	*p += len;
	return *end == '\0';
}

static inline struct json *json_value(const char **p)
{
	static const char *const words[] = {"true", "false", "null"};
	struct json *j = calloc(1, sizeof(*j));
	bool ok = false;

	json_ws(p);
	j->type = **p;
	if (**p == '{' || **p == '[') {
		ok = json_members(p, j);
	} else if (**p == '"') {
		j->text = json_string(p);
		ok = j->text != NULL;
	} else if (strchr("tfn", **p) && **p) {
		for (size_t i = 0; i < 3 && !ok; i++)
			ok = strncmp(*p, words[i], strlen(words[i])) == 0;
		while (isalpha((unsigned char)**p))
			(*p)++;
	} else {
		ok = json_number(p, j);
	}
	if (ok)
		return j;
	json_free(j);
	return NULL;
}

/* The whole text as one value, or NULL. */
static inline struct json *json_parse(const char *text)
{
	struct json *j = json_value(&text);

	json_ws(&text);
	if (j && *text) {
		json_free(j);
		return NULL;
	}
	return j;
}

/* The value at a path of keys and indices separated by slashes; NULL when absent. */
static inline const struct json *json_at(const struct json *j, const char *path)
{
	while (j && *path) {
		size_t len = strcspn(path, "/");
		size_t index = (size_t)strtoul(path, NULL, 10);

		if (j->type == '[') {
			for (j = j->child; j && index; index--)
				j = j->next;
		} else {
			for (j = j->child; j; j = j->next)
				if (strlen(j->key) == len && strncmp(j->key, path, len) == 0)
					break;
		}
		path += len + (path[len] == '/');
	}
	return j;
}

static inline const char *json_text(const struct json *j, const char *path)
{
	const struct json *hit = json_at(j, path);

	return hit && hit->text ? hit->text : "";
}

#endif
