// SPDX-License-Identifier: Apache-2.0
/* Attributes in protobuf and in JSON, the bulk of what OTLP carries; see otlp_attrs.h. */
#include "export/otlp_attrs.h"

#include <math.h>
#include <string.h>

#include "export/put.h"

enum {
	VARINT_MAX = 10,
};

/* --- attributes: KeyValue{key=1, value=2}, AnyValue{string=1, bool=2, int=3, double=4} ------- */

size_t otlp_attrs_bound(const struct attr *attrs, size_t n)
{
	size_t bound = n * OTLP_ATTR_FIXED_MAX;

	for (size_t i = 0; i < n; i++) {
		bound += strlen(attrs[i].key);
		if (attrs[i].type == ATTR_STRING)
			bound += attrs[i].string.len;
	}
	return bound;
}

static uint8_t *put_varint(uint8_t *p, uint64_t value)
{
	while (value >= 0x80) {
		*p++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*p++ = (uint8_t)value;
	return p;
}

static size_t varint_len(uint64_t value)
{
	size_t len = 1;

	while (value >>= 7)
		len++;
	return len;
}

/* A length-delimited field: tag, length, bytes. Field numbers here are below 16. */
static uint8_t *put_field(uint8_t *p, unsigned field, const void *bytes, size_t len)
{
	*p++ = (uint8_t)(field << 3 | 2);
	p = put_varint(p, len);
	if (len)
		memcpy(p, bytes, len);
	return p + len;
}

static uint8_t *put_any_value(uint8_t *p, const struct attr *attr)
{
	uint8_t number[1 + VARINT_MAX], *end = number;
	uint64_t bits;

	switch (attr->type) {
	case ATTR_STRING:
		*p++ = 2 << 3 | 2;
		p = put_varint(p, 1 + varint_len(attr->string.len) + attr->string.len);
		return put_field(p, 1, attr->string.p, attr->string.len);
	case ATTR_BOOL:
		*end++ = 2 << 3 | 0;
		*end++ = attr->boolean;
		break;
	case ATTR_INT:
		*end++ = 3 << 3 | 0;
		end = put_varint(end, (uint64_t)attr->integer);
		break;
	case ATTR_DOUBLE:
		*end++ = 4 << 3 | 1;
		memcpy(&bits, &attr->real, sizeof(bits));
		for (unsigned shift = 0; shift < 64; shift += 8)
			*end++ = (uint8_t)(bits >> shift); /* little-endian */
		break;
	case ATTR_INVALID:
		break;
	}
	return put_field(p, 2, number, (size_t)(end - number));
}

uint8_t *otlp_pack_attrs(
    uint8_t *p, const struct attr *attrs, size_t n, ProtobufCBinaryData *ret_list)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t *begin = p;

		p = put_field(p, 1, attrs[i].key, strlen(attrs[i].key));
		p = put_any_value(p, &attrs[i]);
		ret_list[i] = (ProtobufCBinaryData){.len = (size_t)(p - begin), .data = begin};
	}
	return p;
}

/* --- JSON --- */

size_t otlp_json_attrs_bound(const struct attr *attrs, size_t n)
{
	size_t bound = 0;

	for (size_t i = 0; i < n; i++) {
		bound += OTLP_JSON_ATTR_FIXED_MAX + PUT_JSON_FACTOR * strlen(attrs[i].key);
		if (attrs[i].type == ATTR_STRING)
			bound += PUT_JSON_FACTOR * attrs[i].string.len;
	}
	return bound;
}

char *otlp_put_json_double(char *p, double value)
{
	if (isnan(value))
		return PUT_LIT(p, "\"NaN\"");
	if (isinf(value))
		return value > 0 ? PUT_LIT(p, "\"Infinity\"") : PUT_LIT(p, "\"-Infinity\"");
	return put_double(p, value);
}

static char *put_attr(char *p, const struct attr *attr)
{
	p = PUT_LIT(p, "{\"key\":\"");
	p = put_json_escaped(p, sv_cstr(attr->key));
	switch (attr->type) {
	case ATTR_STRING:
		p = PUT_LIT(p, "\",\"value\":{\"stringValue\":\"");
		p = put_json_escaped(p, attr->string);
		return PUT_LIT(p, "\"}}");
	case ATTR_INT:
		p = PUT_LIT(p, "\",\"value\":{\"intValue\":\"");
		p = put_i64(p, attr->integer);
		return PUT_LIT(p, "\"}}");
	case ATTR_DOUBLE:
		p = PUT_LIT(p, "\",\"value\":{\"doubleValue\":");
		p = otlp_put_json_double(p, attr->real);
		return PUT_LIT(p, "}}");
	case ATTR_BOOL:
		p = PUT_LIT(p, "\",\"value\":{\"boolValue\":");
		p = attr->boolean ? PUT_LIT(p, "true") : PUT_LIT(p, "false");
		return PUT_LIT(p, "}}");
	case ATTR_INVALID:
		break;
	}
	return PUT_LIT(p, "\",\"value\":{}}");
}

char *otlp_put_json_attrs(char *p, const struct attr *attrs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i)
			*p++ = ',';
		p = put_attr(p, &attrs[i]);
	}
	return p;
}
