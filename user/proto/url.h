/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request targets and authorities taken apart (RFC 9112 section 3.2, RFC 3986 section 3.2), and the
 * redaction of secrets in queries that OpenTelemetry's conventions ask for. Pure; views into the
 * input.
 */
#ifndef ZS_PROTO_URL_H
#define ZS_PROTO_URL_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/sv.h"

struct url_authority {
	struct sv host; /* IPv6 without brackets; may be empty */
	int port;       /* 0: none given or not a port number */
};

struct url_target {
	struct sv scheme;    /* absolute form only, as sent */
	struct sv authority; /* absolute and authority form; userinfo removed */
	struct sv path;      /* "*" for the asterisk form; "/" for an absolute form without path */
	struct sv query;     /* without '?' */
	bool has_query;
	bool has_userinfo; /* it was removed from the authority of an absolute form */
};

/* Take a request target apart; is_connect selects the authority form. Never fails: odd bytes stay
 * in path. */
struct url_target url_target_parse(struct sv target, bool is_connect);

/*
 * "host", "host:port", "[::1]:8080", "h:"; anything odd gives the host as it stands and port 0.
 * Userinfo, which a Host field must not have, is removed: it may hold a password.
 */
struct url_authority url_authority_parse(struct sv authority);

/* Is this one of the secret keys below, perhaps written with percent-encoding? */
bool url_is_secret_key(struct sv key);

/*
 * Append query with the values of secret keys (X-Amz-Signature, X-Amz-Credential,
 * X-Amz-Security-Token, sig, X-Goog-Signature; case-sensitive) replaced by REDACTED; bytes that are
 * no UTF-8 are repaired.
 */
void url_query_append_redacted(struct buf *out, struct sv query);

#endif
