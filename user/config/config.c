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
 *	sampling: ...                    see sampling_config.h
 *	redaction, rules:                see config/rules_config.h
 */
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/pairs.h"
#include "config/document.h"
#include "config/rules_config.h"
#include "config/sampling_config.h"
#include "config/sampling_env.h"
#include "proto/route_pattern.h"

static const char *const unmatched_words[] = {"infer", "unset"};

void config_init(struct config *config)
{
	*config = (struct config){.methods = http_methods_default, .logs = logs_config_default()};
	config->naming.methods = &config->methods;
	buf_init(&config->resource);
	sampling_config_init(&config->sampling);
}

void config_release(struct config *config)
{
	route_patterns_free(config->patterns);
	rules_unref(config->rules);
	buf_release(&config->resource);
	sampling_config_release(&config->sampling);
	names_free(config->names);
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

static int read_sampling(void *ctx, struct value value)
{
	struct config *config = ctx;

	return sampling_config_read(&config->sampling, value);
}

static int read_logs(void *ctx, struct value value)
{
	struct config *config = ctx;

	return logs_config_read(&config->logs, value);
}

/* --- rules --------------------------------------------------------------------------------------- */

static int need_rules(struct config *config)
{
	if (!config->names)
		config->names = names_new();
	if (config->names && !config->rules)
		config->rules = rules_new(config->names);
	return config->rules ? 0 : -ENOMEM;
}

static int read_redaction(void *ctx, struct value value)
{
	struct config *config = ctx;
	int err = need_rules(config);

	return err ? err : rules_config_read_redaction(config->rules, value);
}

static int read_rules(void *ctx, struct value value)
{
	struct config *config = ctx;
	int err = need_rules(config);

	return err ? err : rules_config_read(config->rules, config->states, value);
}

/* --- the whole ----------------------------------------------------------------------------------- */

int config_read_file(struct config *config, const char *path, struct buf *message)
{
	static const struct value_key keys[] = {
	    {"routes", "routes", read_routes},
	    {"resource", "resource", read_resource},
	    {"logs", "logs", read_logs},
	    {"sampling", "sampling", read_sampling},
	    {"redaction", "redaction", read_redaction},
	    {"rules", "rules", read_rules},
	};
	const size_t n = sizeof(keys) / sizeof(keys[0]),
		     rules = n - 1; /* the last: they rest on redaction */
	struct document *document;
	struct value root;
	int err = document_read(path, &document, message);

	if (err)
		return err;
	if (document_root(document, &root))
		err = value_mapping_range(root, keys, n, 0, rules, config);
	if (!err && document_root(document, &root))
		err = value_mapping_range(root, keys, n, rules, n, config);
	document_free(document);
	return err;
}

int config_reload(struct config *config, const char *path,
    int (*ready)(void *ctx, const struct config *next, struct buf *message), void *ctx,
    struct buf *message)
{
	struct config next;
	int err;

	config_init(&next);
	next.states = config->states;
	next.names = config->names; /* a name is the same in both */
	err = config_read_file(&next, path, message);
	config->names = next.names;
	if (!err && config->sampling_env)
		sampling_from_env(&next.sampling, config->sampling_env);
	if (!err)
		err = ready(ctx, &next, message);
	if (!err) {
		struct config old = *config;

		config->patterns = next.patterns;
		config->naming.patterns = next.patterns;
		config->naming.unmatched_unset = next.naming.unmatched_unset;
		config->resource = next.resource;
		config->rules = next.rules;
		config->sampling = next.sampling;
		next.patterns = old.patterns;
		next.resource = old.resource;
		next.rules = old.rules;
		next.sampling = old.sampling;
	}
	next.names = NULL;
	config_release(&next);
	return err;
}

int config_read_environment(struct config *config, struct buf *message)
{
	const char *list = getenv(CONFIG_KNOWN_METHODS);
	struct buf why;
	int err;

	if (config->sampling_env)
		sampling_from_env(&config->sampling, config->sampling_env);
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

const struct sampling_policy *config_sampling(
    const struct config *config, const struct options *options)
{
	bool wanted = options->command == COMMAND_RUN || options->sampling;

	return wanted && config->sampling.on ? &config->sampling : NULL;
}

static void describe_rules(const struct rules *rules, struct buf *out)
{
	size_t attributes = 0, metrics = 0;

	if (!rules || !rules->n)
		return;
	for (size_t i = 0; i < rules->n; i++) {
		attributes += rules->rules[i]->n_attributes;
		metrics += rules->rules[i]->n_metrics;
	}
	buf_printf(out, ", %zu rule%s with %zu attribute%s and %zu metric%s", rules->n,
	    rules->n == 1 ? "" : "s", attributes, attributes == 1 ? "" : "s", metrics,
	    metrics == 1 ? "" : "s");
}

void config_describe(const struct config *config, struct buf *out)
{
	size_t n = config->patterns ? route_patterns_count(config->patterns) : 0;
	struct sv rest = buf_sv(&config->resource), key, value;

	buf_printf(out, "%zu route%s, other paths %s", n, n == 1 ? "" : "s",
	    config->naming.unmatched_unset ? "have none" : "are inferred");
	while (pairs_next(&rest, &key, &value))
		buf_printf(out, ", %.*s=%.*s", SV_ARG(key), SV_ARG(value));
	sampling_config_describe(&config->sampling, out);
	describe_rules(config->rules, out);
	logs_config_describe(&config->logs, out);
}
