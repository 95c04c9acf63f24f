// SPDX-License-Identifier: Apache-2.0
/*
 * One table describes every setting: flag, environment variable, check and target.
 */
#include "settings.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct setting {
	const char *flag;
	const char *environment;
	const char *value; /* for the help text */
	const char *help;
	bool (*set)(struct settings *settings, const char *text);
};

static bool read_number(const char *text, int min, int max, int *ret_number)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (errno || end == text || *end || number < min || number > max)
		return false;
	*ret_number = (int)number;
	return true;
}

static bool copy_text(const char *text, char *target, size_t size)
{
	if (*text == '\0' || strlen(text) >= size)
		return false;
	memcpy(target, text, strlen(text) + 1);
	return true;
}

static bool set_port(struct settings *settings, const char *text)
{
	return read_number(text, 0, 65535, &settings->port);
}

static bool set_workers(struct settings *settings, const char *text)
{
	return read_number(text, 2, 1024, &settings->workers);
}

static bool set_bind(struct settings *settings, const char *text)
{
	return copy_text(text, settings->bind, sizeof(settings->bind));
}

static bool set_database(struct settings *settings, const char *text)
{
	return copy_text(text, settings->database, sizeof(settings->database));
}

static bool set_inventory_url(struct settings *settings, const char *text)
{
	size_t len;

	if (strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
		return false;
	if (!copy_text(text, settings->inventory_url, sizeof(settings->inventory_url)))
		return false;
	len = strlen(settings->inventory_url);
	while (len > 0 && settings->inventory_url[len - 1] == '/')
		settings->inventory_url[--len] = '\0';
	return true;
}

static bool set_model(struct settings *settings, const char *text)
{
	if (strcmp(text, "thread-per-connection") != 0 && strcmp(text, "pool") != 0 &&
	    strcmp(text, "event-loop") != 0)
		return false;
	return copy_text(text, settings->model, sizeof(settings->model));
}

static bool set_journal(struct settings *settings, const char *text)
{
	settings->wal = strcmp(text, "wal") == 0;
	return settings->wal || strcmp(text, "delete") == 0;
}

static const struct setting table[] = {
    {"--port", "PORT", "N", "port to listen on, 0 for any free one (default 8000)", set_port},
    {"--bind", "BIND", "ADDRESS", "numeric address to listen on (default 127.0.0.1)", set_bind},
    {"--database", "DATABASE", "FILE", "SQLite database (default shop.db)", set_database},
    {"--inventory-url", "INVENTORY_URL", "URL",
	"where POST /inventory/deduct is served (default: this shop itself)", set_inventory_url},
    {"--model", "MODEL", "MODEL",
	"thread-per-connection, pool or event-loop (default thread-per-connection)", set_model},
    {"--workers", "WORKERS", "N", "threads of the pool, at least 2 (default 32)", set_workers},
    {"--journal", "JOURNAL", "MODE", "SQLite journal: delete or wal (default delete)", set_journal},
};

#define SETTINGS (sizeof(table) / sizeof(table[0]))

static void print_help(void)
{
	puts("usage: shop [options]\n\nA small web shop.\n");
	for (size_t i = 0; i < SETTINGS; i++)
		printf("  %-15s %-8s %s\n  %-24s also from the environment: %s\n", table[i].flag,
		    table[i].value, table[i].help, "", table[i].environment);
	puts("  --help                   this text");
}

static int apply(
    struct settings *settings, const struct setting *setting, const char *name, const char *text)
{
	if (setting->set(settings, text))
		return 0;
	fprintf(stderr, "shop: setting '%s' to '%s': not valid: %s\n", name, text, setting->help);
	return -EINVAL;
}

/* Applies argv[*index] and its value, given as "--flag value" or "--flag=value". */
static int apply_argument(struct settings *settings, int argc, char **argv, int *index)
{
	const char *argument = argv[*index];
	size_t len = strcspn(argument, "=");

	for (size_t i = 0; i < SETTINGS; i++) {
		if (strlen(table[i].flag) != len || strncmp(table[i].flag, argument, len) != 0)
			continue;
		if (argument[len] == '=')
			return apply(settings, &table[i], table[i].flag, argument + len + 1);
		if (*index + 1 < argc)
			return apply(settings, &table[i], table[i].flag, argv[++*index]);
		fprintf(stderr, "shop: option '%s' needs a value\n", argument);
		return -EINVAL;
	}
	fprintf(stderr, "shop: unknown option '%s', try --help\n", argument);
	return -EINVAL;
}

int settings_read(int argc, char **argv, struct settings *ret_settings)
{
	struct settings settings = {.port = 8000,
	    .workers = 32,
	    .bind = "127.0.0.1",
	    .database = "shop.db",
	    .model = "thread-per-connection"};
	int err = 0;

	for (size_t i = 0; i < SETTINGS && err == 0; i++) {
		const char *text = getenv(table[i].environment);

		if (text && *text)
			err = apply(&settings, &table[i], table[i].environment, text);
	}
	for (int i = 1; i < argc && err == 0; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help();
			return 1;
		}
		err = apply_argument(&settings, argc, argv, &i);
	}
	if (err == 0)
		*ret_settings = settings;
	return err;
}
