/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reverse proxies say of the request as its client sent it: the Forwarded field (RFC 7239) and,
 * for what that does not tell, X-Forwarded-For, -Host and -Proto. Anybody may write these fields: what
 * is no address or none of the two schemes is not taken. Pure.
 */
#ifndef ZS_PROTO_FORWARDED_H
#define ZS_PROTO_FORWARDED_H

#include "proto/http1.h"

/* A head without any of these in its `known` bits needs no further look. */
#define FORWARDED_FIELDS                                                 \
	(1u << HTTP1_NAME_FORWARDED | 1u << HTTP1_NAME_X_FORWARDED_FOR | \
	    1u << HTTP1_NAME_X_FORWARDED_HOST | 1u << HTTP1_NAME_X_FORWARDED_PROTO)

/* All empty where nothing is said. */
struct forwarded {
	struct sv client; /* IP address without brackets and port */
	struct sv host;   /* as in a Host field */
	struct sv scheme; /* "http" or "https", a constant */
};

/*
 * Read the fields of a request. The texts of client and host are appended to out, in this order; their
 * views have a length, and no address: out may move yet. Of several values the first counts, which is the
 * client's own proxy's; a client that is hidden there (unknown, _obfuscated) is not looked for elsewhere.
 */
void forwarded_take(const struct http1_head *head, struct buf *out, struct forwarded *ret);

/*
 * Append the first value that is not empty of a parameter ("for", "host", "proto"; names are
 * case-insensitive) of a Forwarded field, quotes removed. False, and nothing appended: there is none.
 */
bool forwarded_parameter(struct sv field, struct sv name, struct buf *out);

/*
 * Append the IP address of a node ("192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:_port", "2001:db8::1") in its
 * canonical form. False, and nothing appended, when it is none: "unknown", "_hidden", a name.
 */
bool forwarded_node(struct sv node, struct buf *out);

#endif
