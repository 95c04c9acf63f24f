/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes as OTLP writes them, for every signal: packed KeyValue messages (protobuf) and a list of
 * {"key":...,"value":...} objects (JSON). Pure writers without bound checks: the caller has room for the bound.
 */
#ifndef ZS_EXPORT_OTLP_ATTRS_H
#define ZS_EXPORT_OTLP_ATTRS_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "export/put.h"
#include "span/span.h"

/* --- protobuf --- */

/* What a packed attribute has beside its key and its text: at most five lengths and tags and one ten-byte varint. */
#define OTLP_ATTR_FIXED_MAX 40

/* Bytes that n attributes take when packed, at most. */
size_t otlp_attrs_bound(const struct attr *attrs, size_t n);

/* Pack n attributes at p; ret_list (n cells) gets a view of each. Returns the end. */
uint8_t *otlp_pack_attrs(
    uint8_t *p, const struct attr *attrs, size_t n, ProtobufCBinaryData *ret_list);

/* --- JSON --- */

#define OTLP_JSON_ATTR_FIXED_MAX (64 + PUT_DOUBLE_MAX)

size_t otlp_json_attrs_bound(const struct attr *attrs, size_t n);

/* n attributes with commas between them, without the brackets. Returns the end. */
char *otlp_put_json_attrs(char *p, const struct attr *attrs, size_t n);

/* A double; what is no number is a string ("NaN", "Infinity", "-Infinity"). At most PUT_DOUBLE_MAX bytes. */
char *otlp_put_json_double(char *p, double value);

#endif
