/* SPDX-License-Identifier: Apache-2.0 */
/* Where secrets stand: by the names of headers, fields and parameters, and in the bytes of a message's head. Pure. */
#ifndef ZS_PROTO_SECRET_H
#define ZS_PROTO_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sv.h"

#define SECRET_NAME_MAX_BYTES 128

/*
 * Does a secret usually stand under this name of a header, a field or a parameter? Letters of either case, and "-" or "_" or nothing
 * between words, make no difference: "Authorization", "api-key", "apiKey", "user_password".
 */
bool secret_is_name(struct sv name);

/* Where in a head its bytes, which come in any pieces, are. All 0: at its beginning. */
struct secret_head {
	int at; /* private */
	bool hidden;
	size_t len;
	char name[SECRET_NAME_MAX_BYTES];
};

/*
 * The next bytes of a head: tell each run of bytes, a view into them, that may be a secret: the values of all headers but those that this
 * program itself goes by, and of parameters that url.query has REDACTED (proto/url.h). A line that begins with a blank goes on with the
 * value before. CR, LF and NUL are never told: they say where a value ends, or that it is none.
 */
void secret_head_feed(struct secret_head *head, struct sv bytes,
    void (*secret)(void *ctx, struct sv bytes), void *ctx);

#endif
