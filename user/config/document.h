/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A YAML file as a tree of values, and a small typed reader over it: whoever knows a key reads its value by these
 * functions, and every complaint comes out as "FILE:LINE: KEY: what is wrong", one sentence. Knows the form of a file, not
 * what the keys mean. Reading is libyaml's (YAML 1.1); anchors are values like others.
 */
#ifndef ZS_CONFIG_DOCUMENT_H
#define ZS_CONFIG_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/sv.h"

/* Written by hand, and kept whole in memory. */
#define DOCUMENT_MAX_BYTES (1 << 20)
/* Open brackets: libyaml looks at all of them for each word, so a file of brackets alone would take it minutes. */
#define DOCUMENT_MAX_BRACKETS 256

struct document;

/* A place in a document; copied freely, valid as long as that is. */
struct value {
	struct document *document;
	const char *key; /* what complaints name, "routes.patterns"; static */
	int node;        /* libyaml's number */
};

/* One key of a mapping that is understood. */
struct value_key {
	const char *name;
	const char *path; /* from the root, for complaints */
	/* 0; -EINVAL after value_wrong(); other negative errno. ctx is value_mapping()'s. */
	int (*read)(void *ctx, struct value value);
};

/*
 * Read a file. Returns 0; -EINVAL (no YAML, more than one document, too long) or another negative errno, with a
 * message. message is kept until document_free(): complaints go there.
 */
int document_read(const char *path, struct document **ret_document, struct buf *message);

void document_free(struct document *document); /* NULL is fine */

/* The whole document. False: it is empty. */
bool document_root(struct document *document, struct value *ret_root);

/* Complain about value. Returns -EINVAL. */
int value_wrong(struct value value, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum value_kind {
	VALUE_INVALID = 0,
	VALUE_TEXT = 1,
	VALUE_LIST = 2,
	VALUE_MAPPING = 3,
};

enum value_kind value_kind(struct value value);

/*
 * Read a mapping: each key by its entry of keys, in the order of the file. Keys that are not there, or there twice, are
 * complained about. Returns 0, or what a read function or value_wrong() returned.
 */
int value_mapping(struct value value, const struct value_key *keys, size_t n_keys, void *ctx);

/*
 * The same, but of what stands there only the entries of keys from begin to before end are read: for keys that others rest on,
 * wherever both are.
 */
int value_mapping_range(struct value value, const struct value_key *keys, size_t n_keys,
    size_t begin, size_t end, void *ctx);

/*
 * Read a mapping whose keys are free: each pair by read(), key being borrowed from the document. Complaints about value name the
 * mapping. A key that stands twice is complained about. Results as value_mapping().
 */
int value_pairs(
    struct value value, int (*read)(void *ctx, struct sv key, struct value value), void *ctx);

/* Read a list: each item by read(). Results as value_mapping(). */
int value_list(struct value value, int (*read)(void *ctx, struct value item), void *ctx);

/* A text, number or other scalar as it was written, without quotes; borrowed from the document. */
int value_text(struct value value, struct sv *ret_text);

/* One of n words; *ret_index says which. */
int value_word(struct value value, const char *const *words, size_t n, size_t *ret_index);

#endif
