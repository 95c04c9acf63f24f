// SPDX-License-Identifier: Apache-2.0
/*
 * The keys of the configuration file:
 *
 *	routes: [/, "/users/{id}"]       patterns (proto/route_pattern.h); other paths are inferred
 *	routes:
 *	  patterns: [/, "/users/{id}"]
 *	  unmatched: infer | unset       what has no pattern: an inferred route, or none
 *	resource:
 *	  service.name: shop             or any other attribute that all observed processes shall have
 *	logs: on | off                   lines of stdout and stderr, as --logs
 *	logs: {rate: 1000, burst: 1000}  on, and so many per second and process, so many at once
 */
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/pairs.h"
#include "config/document.h"
#include "proto/route_pattern.h"

static const char *const unmatched_words[] = {"infer", "unset"};

void config_init(struct config *config)
{
	*config = (struct config){.methods = http_methods_default, .logs = logs_config_default()};
	config->naming.methods = &config->methods;
	buf_init(&config->resource);
}

void config_release(struct config *config)
{
	route_patterns_free(config->patterns);
	buf_release(&config->resource);
	config_init(config);
}

static int read_pattern(void *ctx, struct value value)
{
	struct config *config = ctx;
	struct sv pattern;
	struct buf why;
	int err = value_text(value, &pattern);

	if (err)
		return err;
	buf_init(&why);
	err = route_patterns_add(config->patterns, pattern, &why);
	if (err && err != -ENOMEM)
		err = value_wrong(
		    value, "\"%.*s\" %s", SV_ARG(pattern), why.data ? why.data : "is no pattern");
	buf_release(&why);
	return err;
}

static int read_patterns(void *ctx, struct value value)
{
	struct config *config = ctx;

	if (value_kind(value) != VALUE_LIST)
		return value_wrong(
		    value, "expected a list of patterns, such as [/, \"/users/{id}\"]");
	if (!config->patterns)
		config->patterns = route_patterns_new();
	config->naming.patterns = config->patterns;
	return config->patterns ? value_list(value, read_pattern, config) : -ENOMEM;
}

static int read_unmatched(void *ctx, struct value value)
{
	struct config *config = ctx;
	size_t word = 0;
	int err = value_word(value, unmatched_words, 2, &word);

	if (!err)
		config->naming.unmatched_unset = word == 1;
	return err;
}

static int read_routes(void *ctx, struct value value)
{
	static const struct value_key keys[] = {
	    {"patterns", "routes.patterns", read_patterns},
	    {"unmatched", "routes.unmatched", read_unmatched},
	};

	if (value_kind(value) == VALUE_LIST)
		return read_patterns(ctx, value);
	if (value_kind(value) == VALUE_MAPPING)
		return value_mapping(value, keys, sizeof(keys) / sizeof(keys[0]), ctx);
	return value_wrong(value,
	    "expected a list of patterns, or a mapping with the keys patterns and unmatched");
}

/* What tells one process from another is found out, and what tells who exports is the exporter's. */
static bool is_not_configurable(struct sv key)
{
	return sv_starts(key, SV("process.")) || sv_starts(key, SV("telemetry.")) ||
	    sv_eq(key, SV("service.instance.id"));
}

static int read_attribute(void *ctx, struct sv key, struct value value)
{
	struct config *config = ctx;
	struct sv text = {0};
	int err = value_text(value, &text);

	if (err)
		return err;
	if (!key.len || sv_find(key, '\0') < key.len)
		return value_wrong(value, "a key must have a name");
	if (is_not_configurable(key))
		return value_wrong(value, "\"%.*s\" is found out by zerospan itself", SV_ARG(key));
	if (!text.len || sv_find(text, '\0') < text.len)
		return value_wrong(value, "\"%.*s\" must have a value", SV_ARG(key));
	if (key.len + text.len + 2 > CONFIG_RESOURCE_MAX_BYTES - config->resource.len)
		return value_wrong(
		    value, "more than %d bytes of attributes", CONFIG_RESOURCE_MAX_BYTES);
	pairs_add(&config->resource, key, text);
	return config->resource.failed ? -ENOMEM : 0;
}

static int read_resource(void *ctx, struct value value)
{
	return value_pairs(value, read_attribute, ctx);
}

static int read_logs(void *ctx, struct value value)
{
	struct config *config = ctx;

	return logs_config_read(&config->logs, value);
}

int config_read_file(struct config *config, const char *path, struct buf *message)
{
	static const struct value_key keys[] = {
	    {"routes", "routes", read_routes},
	    {"resource", "resource", read_resource},
	    {"logs", "logs", read_logs},
	};
	struct document *document;
	struct value root;
	int err = document_read(path, &document, message);

	if (err)
		return err;
	if (document_root(document, &root))
		err = value_mapping(root, keys, sizeof(keys) / sizeof(keys[0]), config);
	document_free(document);
	return err;
}

int config_read_environment(struct config *config, struct buf *message)
{
	const char *list = getenv(CONFIG_KNOWN_METHODS);
	struct buf why;
	int err;

	if (!list || !*list) /* OpenTelemetry: empty is as if it were not there */
		return 0;
	buf_init(&why);
	err = http_methods_parse(sv_cstr(list), &config->methods, &why);
	if (err)
		buf_printf(message, CONFIG_KNOWN_METHODS ": %s; expected a list such as GET,POST",
		    why.data ? why.data : "bad list");
	buf_release(&why);
	return err ? -EINVAL : 0;
}

void config_describe(const struct config *config, struct buf *out)
{
	size_t n = config->patterns ? route_patterns_count(config->patterns) : 0;
	struct sv rest = buf_sv(&config->resource), key, value;

	buf_printf(out, "%zu route%s, other paths %s", n, n == 1 ? "" : "s",
	    config->naming.unmatched_unset ? "have none" : "are inferred");
	while (pairs_next(&rest, &key, &value))
		buf_printf(out, ", %.*s=%.*s", SV_ARG(key), SV_ARG(value));
	logs_config_describe(&config->logs, out);
}
