/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What HTTP spans and metrics are named by, as far as the user decides: which methods are known, and the
 * routes. Everybody who names a request reads the same one of these.
 */
#ifndef ZS_PROTO_HTTP_NAMING_H
#define ZS_PROTO_HTTP_NAMING_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/sv.h"

/* Methods are labels of metrics: IANA's registry has 40. */
#define HTTP_METHODS_MAX      64
#define HTTP_METHOD_MAX_BYTES 64

struct route_patterns;

struct http_methods {
	size_t n;
	struct sv names[HTTP_METHODS_MAX]; /* borrowed for as long as there are spans */
};

struct http_naming {
	const struct http_methods *methods;
	const struct route_patterns *patterns; /* NULL: none configured */
	bool
	    unmatched_unset; /* paths that no pattern matches have no route; false: it is inferred */
};

/* RFC 9110 section 9, PATCH (RFC 5789) and QUERY; routes are inferred. */
extern const struct http_methods http_methods_default;
extern const struct http_naming http_naming_default;

/*
 * Read a comma-separated list of methods, case-sensitive, as in OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS: it
 * replaces the default. Blanks around a method and empty members are passed over. The names point into list.
 * Returns 0; -EINVAL (a member that is no method, none at all) or -E2BIG with why. *ret is then untouched.
 */
int http_methods_parse(struct sv list, struct http_methods *ret, struct buf *why);

/* The known method itself, or "_OTHER"; either lives as long as methods. */
struct sv http_methods_canonical(const struct http_methods *methods, struct sv method);

#endif
