/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines as text, parsed, and what is said of those that are refused. */
#ifndef ZS_TESTS_OPTIONS_FIXTURE_H
#define ZS_TESTS_OPTIONS_FIXTURE_H

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "config/options.h"
#include "support.h"

enum {
	ARGS_MAX = 80,
};

/* Parse the words of line (separated by single blanks), "zerospan" before them. */
struct parsed {
	char text[4096];
	char *argv[ARGS_MAX];
	int argc;
	struct options options;
	struct buf message;
	int err;
};

static inline void parse(struct parsed *p, const char *line)
{
	memset(p, 0, sizeof(*p));
	buf_init(&p->message);
	snprintf(p->text, sizeof(p->text), "zerospan%s%s", *line ? " " : "", line);
	for (char *word = p->text; word;) {
		char *next = strchr(word, ' ');

		if (next)
			*next++ = '\0';
		assert_true(p->argc < ARGS_MAX - 1);
		p->argv[p->argc++] = word;
		word = next;
	}
	p->err = options_parse(p->argc, p->argv, &p->options, &p->message);
	if (p->err == 0 && p->message.len)
		fail_msg("'%s': %s", line, p->message.data);
}

static inline void parsed_release(struct parsed *p)
{
	buf_release(&p->message);
}

static inline void take(struct parsed *p, const char *line)
{
	parse(p, line);
	if (p->err)
		fail_msg("'%s' is refused: %s", line, p->message.data);
}

/* Refused, in these words; part of them is enough. */
static inline void refuse(const char *line, const char *words)
{
	struct parsed p;

	parse(&p, line);
	if (p.err != -EINVAL)
		fail_msg("'%s' is taken", line);
	if (p.message.len == 0 || !strstr(p.message.data, words))
		fail_msg("'%s': says '%s', not '%s'", line, p.message.data, words);
	/* One sentence, lower case, without a full stop. */
	assert_null(strchr(p.message.data, '\n'));
	assert_true(p.message.data[p.message.len - 1] != '.');
	parsed_release(&p);
}

#endif
