// SPDX-License-Identifier: Apache-2.0
/* The lines of any text as a command line: refused with a sentence, or options within their bounds. */
#include <errno.h>

#include "config/options.h"
#include "fuzz.h"

enum {
	ARGS_MAX = 300, /* more than OPTIONS_MAX_FILES */
};

static bool is_from(const char *text, char **argv, int argc)
{
	for (int i = 0; i < argc; i++)
		if (text >= argv[i] && text <= argv[i] + strlen(argv[i]))
			return true;
	return false;
}

static void check_accepted(const struct options *o, char **argv, int argc)
{
	const char *room = o->listen_text;

	REQUIRE(o->help || o->version || o->command);
	REQUIRE((o->command & (o->command - 1)) == 0 && o->command <= COMMAND_WHY);
	REQUIRE(o->n_targets <= OPTIONS_MAX_TARGETS && o->n_files <= OPTIONS_MAX_FILES);
	REQUIRE(o->listen_port >= 0 && o->listen_port <= 65535 && o->listen_address);
	REQUIRE(strcmp(o->listen_address, "127.0.0.1") == 0 ||
	    strcmp(o->listen_address, "0.0.0.0") == 0 ||
	    (o->listen_address >= room && o->listen_address < room + sizeof(o->listen_text)));
	REQUIRE(memchr(o->listen_text, '\0', sizeof(o->listen_text)));
	for (size_t i = 0; i < o->n_targets; i++)
		REQUIRE(o->targets[i].kind && is_from(o->targets[i].text, argv, argc));
	for (size_t i = 0; i < o->n_files; i++)
		REQUIRE(is_from(o->files[i], argv, argc));
	REQUIRE(o->n_routes <= OPTIONS_MAX_ROUTES);
	for (size_t i = 0; i < o->n_routes; i++)
		REQUIRE(is_from(o->routes[i], argv, argc));
	REQUIRE(!o->program || (o->program > argv && o->program < argv + argc && *o->program));
	REQUIRE(o->duration_ns <= (uint64_t)1000000000 * 1000000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_choices c = {data, size};
	char *argv[ARGS_MAX + 1] = {fuzz_string("zerospan", 8)};
	struct options options = {0};
	struct buf message;
	int argc = 1, err;

	while (c.left && argc < ARGS_MAX) {
		struct sv arg = fuzz_part(&c, '\n');

		arg.len = sv_find(arg, '\0');
		argv[argc++] = fuzz_string(arg.p, arg.len);
	}
	buf_init(&message);
	err = options_parse(argc, argv, &options, &message);
	REQUIRE(err == 0 || err == -EINVAL);
	REQUIRE((err != 0) == (message.len != 0));
	if (err == 0)
		check_accepted(&options, argv, argc);
	buf_release(&message);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return 0;
}
