/* SPDX-License-Identifier: Apache-2.0 */
/* A finished HTTP exchange as a span: names, attributes and status by the semantic conventions for
 * HTTP. */
#ifndef ZS_SPAN_HTTP_SPAN_H
#define ZS_SPAN_HTTP_SPAN_H

#include "proto/http_naming.h"
#include "proto/route.h"
#include "span/builder.h"
#include "span/exchange.h"
#include "span/route_table.h"

/*
 * The span without ids, flags and parent; NULL without memory. exchange has a head. builder is
 * clear before and after.
 */
struct span *http_span_build(struct span_builder *builder, struct route_table *routes,
    const struct http_methods *methods, const struct exchange *exchange, struct service *service);

/* As long as method and route can be. */
#define HTTP_SPAN_NAME_MAX (HTTP_METHOD_MAX_BYTES + 1 + ROUTE_MAX_BYTES)

/* The name that the span will have, not repaired yet: in text, or a constant. exchange has a head. */
struct sv http_span_name(char text[HTTP_SPAN_NAME_MAX], struct route_table *routes,
    const struct http_methods *methods, const struct exchange *exchange, struct service *service);

/* url.scheme of a request: "http" or "https", a constant. exchange has a head. */
struct sv http_span_scheme(const struct exchange *exchange);

#endif
