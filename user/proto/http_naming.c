// SPDX-License-Identifier: Apache-2.0
/* Known methods; see http_naming.h. */
#include "proto/http_naming.h"

#include <errno.h>

#include "proto/http1.h"

/* The common ones first: they are looked for one by one. */
const struct http_methods http_methods_default = {
    .n = 10,
    .names = {SV("GET"), SV("POST"), SV("PUT"), SV("DELETE"), SV("HEAD"), SV("OPTIONS"),
	SV("PATCH"), SV("CONNECT"), SV("TRACE"), SV("QUERY")},
};

const struct http_naming http_naming_default = {.methods = &http_methods_default};

int http_methods_parse(struct sv list, struct http_methods *ret, struct buf *why)
{
	struct http_methods methods = {0};

	for (;;) {
		size_t end = sv_find(list, ',');
		struct sv member = sv_trim_ows(sv_from(list.p, end));

		if (member.len && !http1_is_token(member)) {
			buf_printf(why, "\"%.*s\" is no HTTP method", SV_ARG(member));
			return -EINVAL;
		}
		if (member.len > HTTP_METHOD_MAX_BYTES) {
			buf_printf(why, "\"%.*s\" is longer than %d bytes", SV_ARG(member),
			    HTTP_METHOD_MAX_BYTES);
			return -E2BIG;
		}
		if (member.len && methods.n == HTTP_METHODS_MAX) {
			buf_printf(why, "too many methods: at most %d", HTTP_METHODS_MAX);
			return -E2BIG;
		}
		if (member.len)
			methods.names[methods.n++] = member;
		if (end == list.len)
			break;
		list = sv_skip(list, end + 1);
	}
	if (methods.n == 0) {
		buf_append_cstr(why, "names no method");
		return -EINVAL;
	}
	*ret = methods;
	return 0;
}

struct sv http_methods_canonical(const struct http_methods *methods, struct sv method)
{
	for (size_t i = 0; i < methods->n; i++)
		if (sv_eq(method, methods->names[i]))
			return methods->names[i];
	return SV("_OTHER");
}
