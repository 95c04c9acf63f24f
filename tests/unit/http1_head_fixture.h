/* SPDX-License-Identifier: Apache-2.0 */
/* A head that is parsed, for the tests of proto/http1.h. */
#ifndef ZS_TESTS_HTTP1_HEAD_FIXTURE_H
#define ZS_TESTS_HTTP1_HEAD_FIXTURE_H

#include "proto/http1.h"
#include "support.h"

/* Large enough that it does not belong on a stack next to others; one per program is enough. */
static struct http1_head head;

static inline void parse_ok(enum http1_kind kind, struct sv in)
{
	long n = http1_parse_head(kind, in, &head);

	if (n != (long)in.len)
		fail_msg("%ld of %zu bytes: %.*s", n, in.len, SV_ARG(in));
}

#endif
