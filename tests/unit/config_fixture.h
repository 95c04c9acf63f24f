/* SPDX-License-Identifier: Apache-2.0 */
/* Texts as configuration files: what is taken of them, and in which words they are refused. */
#ifndef ZS_TESTS_CONFIG_FIXTURE_H
#define ZS_TESTS_CONFIG_FIXTURE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"
#include "support.h"

/* Of the group's tests; config_setup() makes it. */
static char path[] = "/tmp/zerospan-config-XXXXXX";

static inline int config_setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 || close(fd) ? -1 : 0;
}

static inline int config_teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static inline void write_file(const char *text, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

/* The file is taken; what it says, in config_describe()'s words (NULL: whatever). */
static inline void take(struct config *config, const char *text, const char *words)
{
	struct buf message, said;

	buf_init(&message);
	buf_init(&said);
	config_init(config);
	write_file(text, strlen(text));
	if (config_read_file(config, path, &message))
		fail_msg("'%s' is refused: %s", text, message.len ? message.data : "");
	assert_int_equal(message.len, 0);
	config_describe(config, &said);
	if (words)
		assert_string_equal(said.data, words);
	buf_release(&said);
	buf_release(&message);
}

static inline void took(const char *text, const char *words)
{
	struct config config;

	take(&config, text, words);
	config_release(&config);
}

/* The file is refused in these words, which the file's name comes before. */
static inline void refuse_bytes(const char *text, size_t len, const char *words)
{
	struct config config;
	struct buf message;
	int err;

	buf_init(&message);
	config_init(&config);
	write_file(text, len);
	err = config_read_file(&config, path, &message);
	if (err != -EINVAL)
		fail_msg("'%s' gives %d", text, err);
	assert_int_equal(strncmp(message.data, path, strlen(path)), 0);
	if (strcmp(message.data + strlen(path), words) != 0)
		fail_msg("'%s': says '%s'", text, message.data);
	config_release(&config);
	buf_release(&message);
}

static inline void refuse(const char *text, const char *words)
{
	refuse_bytes(text, strlen(text), words);
}

#endif
