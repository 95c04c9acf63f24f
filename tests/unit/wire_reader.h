/* SPDX-License-Identifier: Apache-2.0 */
/* The protobuf wire format, read-only: a walker over the fields of a message. */
#ifndef ZS_TESTS_WIRE_READER_H
#define ZS_TESTS_WIRE_READER_H

#include "base/sv.h"
#include "support.h"

struct field {
	uint32_t number;
	uint32_t wire;   /* 0 varint, 1 fixed64, 2 bytes, 5 fixed32 */
	uint64_t value;  /* wire 0, 1, 5 */
	struct sv bytes; /* wire 2 */
};

static inline uint64_t wire_varint(struct sv *in)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		assert_true(in->len > 0);
		value |= (uint64_t)((unsigned char)in->p[0] & 0x7f) << shift;
		*in = sv_skip(*in, 1);
		if (!((unsigned char)in->p[-1] & 0x80))
			break;
	}
	return value;
}

static inline uint64_t wire_fixed(struct sv *in, size_t len)
{
	uint64_t value = 0;

	assert_true(in->len >= len);
	for (size_t i = 0; i < len; i++)
		value |= (uint64_t)(unsigned char)in->p[i] << (8 * i);
	*in = sv_skip(*in, len);
	return value;
}

static inline struct field wire_next(struct sv *in)
{
	uint64_t tag = wire_varint(in);
	struct field f = {.number = (uint32_t)(tag >> 3), .wire = (uint32_t)(tag & 7)};
	size_t len;

	switch (f.wire) {
	case 0:
		f.value = wire_varint(in);
		break;
	case 1:
		f.value = wire_fixed(in, 8);
		break;
	case 5:
		f.value = wire_fixed(in, 4);
		break;
	case 2:
		len = (size_t)wire_varint(in);
		assert_true(len <= in->len);
		f.bytes = sv_from(in->p, len);
		*in = sv_skip(*in, len);
		break;
	default:
		fail_msg("wire type %u", f.wire);
	}
	return f;
}

/* The n-th field with this number; number 0 when there is none. */
static inline struct field wire_get(struct sv in, uint32_t number, size_t n)
{
	while (in.len) {
		struct field f = wire_next(&in);

		if (f.number == number && n-- == 0)
			return f;
	}
	return (struct field){0};
}

/* The n-th submessage or text with this number; fails when it is missing. */
static inline struct sv wire_sub(struct sv in, uint32_t number, size_t n)
{
	struct field f = wire_get(in, number, n);

	assert_int_equal(f.number, number);
	assert_int_equal(f.wire, 2);
	return f.bytes;
}

static inline size_t wire_count(struct sv in, uint32_t number)
{
	size_t n = 0;

	while (in.len)
		n += wire_next(&in).number == number;
	return n;
}

#define assert_sv(s, text) assert_true(sv_eq((s), SV(text)))

/* The AnyValue of attribute n in field `list` of a message, after checking its key. */
static inline struct field wire_attr(struct sv message, uint32_t list, size_t n, const char *key)
{
	struct sv kv = wire_sub(message, list, n);
	struct sv value = wire_sub(kv, 2, 0);

	assert_true(sv_eq(wire_sub(kv, 1, 0), sv_cstr(key)));
	assert_int_equal(wire_count(kv, 1) + wire_count(kv, 2), 2);
	return value.len ? wire_next(&value) : (struct field){0};
}

#endif
