/* SPDX-License-Identifier: Apache-2.0 */
/* The conversations of tests/data/http1_vectors.txt, whose head says what its lines mean. */
#ifndef ZS_TESTS_EXCHANGE_VECTORS_H
#define ZS_TESTS_EXCHANGE_VECTORS_H

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "support.h"

enum {
	STEPS_MAX = 12,
	VECTORS_MAX = 200,
};

/* q and s: bytes of the client, of the server; Q and S: the end of these; R a reset, C the end. */
struct step {
	char what;
	struct sv bytes;
};

struct vector {
	const char *name;
	struct step steps[STEPS_MAX];
	const char *expect;
	bool unmet, whole;
};

struct vectors {
	char *text;       /* the file, cut into lines; names and expectations point into it */
	struct buf bytes; /* of all steps, one behind the other */
	struct vector all[VECTORS_MAX];
	size_t n;
};

/* The character of an escape ("r", "n", "xHH", "\\") at p; moves p behind it. */
static inline char vector_unescape(const char **p)
{
	char c = *(*p)++, hex[3] = {0};

	if (c == 'x') {
		memcpy(hex, *p, 2);
		*p += 2;
		return (char)strtoul(hex, NULL, 16);
	}
	return c == 'r' ? '\r' : c == 'n' ? '\n' : c;
}

/* Append the bytes that the text up to its end, or the given character, stands for. Returns where it ended. */
static inline const char *vector_append(struct buf *out, const char *p, char end)
{
	while (*p && *p != end) {
		size_t from = out->len, len;
		unsigned long times;

		if (*p != '\\') {
			buf_append_char(out, *p++);
		} else if (*++p != '{') {
			buf_append_char(out, vector_unescape(&p));
		} else {
			times = strtoul(p + 1, (char **)&p, 10);
			p = vector_append(out, p + 1, '}') + 1;
			len = out->len - from;
			while (--times) {
				for (size_t i = 0; i < len; i++)
					buf_append_char(out, out->data[from + i]);
			}
		}
	}
	return p;
}

static inline void vector_step(
    struct vectors *v, struct vector *vector, char what, const char *text)
{
	struct step *step = vector->steps;
	size_t from = v->bytes.len;

	while (step->what)
		step++;
	assert_true(step < vector->steps + STEPS_MAX - 1);
	step->what = what;
	vector_append(&v->bytes, text, '\0');
	step->bytes.len = v->bytes.len - from;
}

/* The bytes move while they are appended: where they are is known at the end. */
static inline void vectors_place(struct vectors *v)
{
	const char *p = v->bytes.data;

	for (size_t i = 0; i < v->n; i++)
		for (struct step *step = v->all[i].steps; step->what; step++) {
			step->bytes.p = p;
			p += step->bytes.len;
		}
}

static inline void vectors_line(struct vectors *v, char *line)
{
	static const struct {
		const char *word;
		char what;
	} words[] = {{"q ", 'q'}, {"s ", 's'}, {"end-q", 'Q'}, {"end-s", 'S'}, {"reset", 'R'},
	    {"close", 'C'}};
	struct vector *vector = v->n ? &v->all[v->n - 1] : NULL;

	if (strncmp(line, "vector ", 7) == 0) {
		assert_true(v->n < VECTORS_MAX);
		v->all[v->n++] = (struct vector){.name = line + 7, .expect = ""};
		return;
	}
	assert_non_null(vector);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strncmp(line, words[i].word, strlen(words[i].word)) == 0) {
			vector_step(v, vector, words[i].what, line + strlen(words[i].word));
			return;
		}
	if (strncmp(line, "expect", 6) == 0)
		vector->expect = line + 6 + (line[6] == ' ');
	else if (strcmp(line, "unmet") == 0)
		vector->unmet = true;
	else if (strcmp(line, "whole") == 0)
		vector->whole = true;
	else
		fail_msg("http1_vectors.txt: '%s'", line);
}

static inline struct vectors *vectors_load(void)
{
	struct vectors *v = calloc(1, sizeof(*v));
	char *rest;

	assert_non_null(v);
	buf_init(&v->bytes);
	rest = v->text = test_data("http1_vectors.txt");
	for (char *line; (line = strsep(&rest, "\n"));)
		if (*line && *line != '#')
			vectors_line(v, line);
	assert_false(v->bytes.failed);
	vectors_place(v);
	return v;
}

static inline void vectors_free(struct vectors *v)
{
	buf_release(&v->bytes);
	free(v->text);
	free(v);
}

#endif
