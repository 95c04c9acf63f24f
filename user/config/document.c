// SPDX-License-Identifier: Apache-2.0
/* YAML documents by libyaml, and the typed reader; see document.h. */
#include "config/document.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct document {
	const char *path;
	struct buf *message;
	yaml_document_t yaml;
};

/* --- reading ------------------------------------------------------------------------------------- */

static int read_file(const char *path, struct buf *text, struct buf *message)
{
	FILE *file = fopen(path, "re");
	char block[4096];
	size_t n = 1;
	int err = file ? 0 : -errno;

	while (!err && n > 0 && text->len <= DOCUMENT_MAX_BYTES) {
		errno = 0;
		n = fread(block, 1, sizeof(block), file);
		buf_append(text, block, n);
		if (ferror(file))
			err = errno ? -errno : -EIO;
		else if (text->failed)
			err = -ENOMEM;
	}
	if (file)
		fclose(file);
	if (err) {
		buf_printf(message, "cannot read '%s': %s", path, strerror(-err));
		return err;
	}
	if (text->len > DOCUMENT_MAX_BYTES) {
		buf_printf(message, "%s: longer than %d bytes", path, DOCUMENT_MAX_BYTES);
		return -EINVAL;
	}
	return 0;
}

/* Brackets in comments and texts count too; there they are closed as well. */
static int check_brackets(struct sv text, const char *path, struct buf *message)
{
	size_t open = 0, line = 1;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		line += c == '\n';
		if (c == '[' || c == '{')
			open++;
		else if ((c == ']' || c == '}') && open)
			open--;
		if (open > DOCUMENT_MAX_BRACKETS) {
			buf_printf(message, "%s:%zu: more than %d open brackets", path, line,
			    DOCUMENT_MAX_BRACKETS);
			return -EINVAL;
		}
	}
	return 0;
}

/* Say what the parser did not like. */
static int parse_error(const yaml_parser_t *parser, const char *path, struct buf *message)
{
	size_t line = parser->problem_mark.line + 1;
	bool list =
	    parser->context && strcmp(parser->context, "while parsing a flow sequence") == 0;

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (parser->error == YAML_READER_ERROR)
		buf_printf(message, "%s: %s (byte %zu)", path,
		    parser->problem ? parser->problem : "no text", parser->problem_offset);
	else
		buf_printf(message, "%s:%zu: %s%s%s%s", path, line,
		    parser->problem ? parser->problem : "no YAML", parser->context ? " " : "",
		    parser->context ? parser->context : "",
		    list ? "; inside [ ] a text with { } needs quotes" : "");
	return -EINVAL;
}

/* There must be one document, and nothing behind it. */
static int parse(yaml_parser_t *parser, struct document *document)
{
	yaml_document_t next;
	const yaml_node_t *more;
	size_t line;

	if (!yaml_parser_load(parser, &document->yaml))
		return parse_error(parser, document->path, document->message);
	if (!yaml_document_get_root_node(&document->yaml))
		return 0;
	if (!yaml_parser_load(parser, &next)) {
		yaml_document_delete(&document->yaml);
		return parse_error(parser, document->path, document->message);
	}
	more = yaml_document_get_root_node(&next);
	line = next.start_mark.line + 1;
	yaml_document_delete(&next);
	if (!more)
		return 0;
	yaml_document_delete(&document->yaml);
	buf_printf(document->message, "%s:%zu: a second document, only one is allowed",
	    document->path, line);
	return -EINVAL;
}

int document_read(const char *path, struct document **ret_document, struct buf *message)
{
	struct document *document = calloc(1, sizeof(*document));
	yaml_parser_t parser;
	struct buf text;
	int err;

	if (!document)
		return -ENOMEM;
	document->path = path;
	document->message = message;
	buf_init(&text);
	err = read_file(path, &text, message);
	if (!err)
		err = check_brackets(buf_sv(&text), path, message);
	if (!err && !yaml_parser_initialize(&parser))
		err = -ENOMEM;
	else if (!err) {
		yaml_parser_set_input_string(
		    &parser, (const unsigned char *)(text.data ? text.data : ""), text.len);
		err = parse(&parser, document);
		yaml_parser_delete(&parser);
	}
	buf_release(&text);
	if (err)
		free(document);
	else
		*ret_document = document;
	return err;
}

void document_free(struct document *document)
{
	if (!document)
		return;
	yaml_document_delete(&document->yaml);
	free(document);
}

bool document_root(struct document *document, struct value *ret_root)
{
	const yaml_node_t *root = yaml_document_get_root_node(&document->yaml);

	if (!root || (root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0))
		return false;
	*ret_root = (struct value){.document = document, .key = "", .node = 1};
	return true;
}

/* --- values -------------------------------------------------------------------------------------- */

static const yaml_node_t *node_of(struct value value)
{
	return yaml_document_get_node(&value.document->yaml, value.node);
}

int value_wrong(struct value value, const char *format, ...)
{
	struct buf *message = value.document->message;
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buf_printf(message, "%s:%zu: %s%s%s", value.document->path,
	    node_of(value)->start_mark.line + 1, value.key, *value.key ? ": " : "", text);
	return -EINVAL;
}

enum value_kind value_kind(struct value value)
{
	switch (node_of(value)->type) {
	case YAML_SCALAR_NODE:
		return VALUE_TEXT;
	case YAML_SEQUENCE_NODE:
		return VALUE_LIST;
	case YAML_MAPPING_NODE:
		return VALUE_MAPPING;
	default:
		return VALUE_INVALID;
	}
}

static struct sv scalar(const yaml_node_t *node)
{
	return sv_from(node->data.scalar.value, node->data.scalar.length);
}

/* Append `before` and the words that are allowed to the complaint about value. */
static int wrong_word(
    struct value value, struct sv word, const char *what, const char *const *words, size_t n)
{
	struct buf allowed;
	int err;

	buf_init(&allowed);
	for (size_t i = 0; i < n; i++)
		buf_printf(&allowed, "%s%s", i ? ", " : "", words[i]);
	err = value_wrong(value, "%s \"%.*s\", allowed: %s", what, SV_ARG(word),
	    allowed.data ? allowed.data : "");
	buf_release(&allowed);
	return err;
}

static int unknown_key(
    struct value value, struct sv name, const struct value_key *keys, size_t n_keys)
{
	const char *names[16];
	size_t n = 0;

	for (; n < n_keys && n < sizeof(names) / sizeof(names[0]); n++)
		names[n] = keys[n].name;
	return wrong_word(value, name, "unknown key", names, n);
}

int value_mapping(struct value value, const struct value_key *keys, size_t n_keys, void *ctx)
{
	return value_mapping_range(value, keys, n_keys, 0, n_keys, ctx);
}

int value_mapping_range(struct value value, const struct value_key *keys, size_t n_keys,
    size_t begin, size_t end, void *ctx)
{
	const yaml_node_t *node = node_of(value);
	unsigned long long seen = 0;
	int err = 0;

	if (node->type != YAML_MAPPING_NODE)
		return value_wrong(value, "expected a mapping (key: value)");
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     !err && pair < node->data.mapping.pairs.top; pair++) {
		struct value key = {value.document, value.key, pair->key};
		size_t i = 0;

		if (value_kind(key) != VALUE_TEXT)
			return value_wrong(key, "a key must be a word");
		while (i < n_keys && !sv_eq(scalar(node_of(key)), sv_cstr(keys[i].name)))
			i++;
		if (i == n_keys)
			return unknown_key(key, scalar(node_of(key)), keys, n_keys);
		if (seen >> i & 1)
			return value_wrong(key, "key \"%s\" stands twice", keys[i].name);
		seen |= 1ULL << i;
		if (i >= begin && i < end)
			err = keys[i].read(
			    ctx, (struct value){value.document, keys[i].path, pair->value});
	}
	return err;
}

static bool key_stands_before(struct value value, const yaml_node_pair_t *pair, struct sv name)
{
	for (const yaml_node_pair_t *at = node_of(value)->data.mapping.pairs.start; at < pair; at++)
		if (sv_eq(scalar(node_of((struct value){value.document, "", at->key})), name))
			return true;
	return false;
}

int value_pairs(
    struct value value, int (*read)(void *ctx, struct sv key, struct value value), void *ctx)
{
	const yaml_node_t *node = node_of(value);
	int err = 0;

	if (node->type != YAML_MAPPING_NODE)
		return value_wrong(value, "expected a mapping (key: value)");
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     !err && pair < node->data.mapping.pairs.top; pair++) {
		struct value key = {value.document, value.key, pair->key};
		struct sv name;

		if (value_kind(key) != VALUE_TEXT)
			return value_wrong(key, "a key must be a word");
		name = scalar(node_of(key));
		if (key_stands_before(value, pair, name))
			return value_wrong(key, "key \"%.*s\" stands twice", SV_ARG(name));
		err = read(ctx, name, (struct value){value.document, value.key, pair->value});
	}
	return err;
}

int value_list(struct value value, int (*read)(void *ctx, struct value item), void *ctx)
{
	const yaml_node_t *node = node_of(value);
	int err = 0;

	if (node->type != YAML_SEQUENCE_NODE)
		return value_wrong(value, "expected a list");
	for (yaml_node_item_t *item = node->data.sequence.items.start;
	     !err && item < node->data.sequence.items.top; item++)
		err = read(ctx, (struct value){value.document, value.key, *item});
	return err;
}

int value_text(struct value value, struct sv *ret_text)
{
	if (value_kind(value) != VALUE_TEXT)
		return value_wrong(value, "expected a text");
	*ret_text = scalar(node_of(value));
	return 0;
}

int value_word(struct value value, const char *const *words, size_t n, size_t *ret_index)
{
	struct sv word;
	int err = value_text(value, &word);

	if (err)
		return err;
	for (size_t i = 0; i < n; i++) {
		if (sv_eq(word, sv_cstr(words[i]))) {
			*ret_index = i;
			return 0;
		}
	}
	return wrong_word(value, word, "bad value", words, n);
}
