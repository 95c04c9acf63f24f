// SPDX-License-Identifier: Apache-2.0
/* Where secrets stand; see secret.h. */
#include "proto/secret.h"

#include <string.h>

#include "proto/url.h"

/* In lower case, without signs between the words. A name that ends in one of these, too, is one. */
static const char *const endings[] = {"password", "passwd", "passphrase", "secret", "token",
    "apikey", "accesskey", "privatekey", "secretkey", "credential", "credentials", "signature",
    "sessionid", "cardnumber", "authorization", "cookie"};
/* These as a whole. */
static const char *const wholes[] = {"pwd", "pass", "auth", "sid", "session", "jwt", "bearer",
    "otp", "pin", "cvv", "cvc", "cvv2", "cvc2", "ccnumber", "pan", "iban", "ssn",
    "socialsecuritynumber", "sig", "xauthkey", "xamzsecuritytoken"};

bool secret_is_name(struct sv name)
{
	char plain[SECRET_NAME_MAX_BYTES];
	size_t n = 0;

	for (size_t i = 0; i < name.len && n < sizeof(plain); i++)
		if (name.p[i] != '-' && name.p[i] != '_' && name.p[i] != '.' && name.p[i] != ' ')
			plain[n++] = ascii_lower(name.p[i]);
	for (size_t i = 0; i < sizeof(wholes) / sizeof(wholes[0]); i++)
		if (sv_eq(sv_from(plain, n), sv_cstr(wholes[i])))
			return true;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		size_t length = strlen(endings[i]);

		if (n >= length && memcmp(plain + n - length, endings[i], length) == 0)
			return true;
	}
	return false;
}

/* --- heads --------------------------------------------------------------------------------------- */

/* Framing, names of spans, parents. */
static bool is_needed(struct sv name)
{
	static const struct sv needed[] = {SV("Host"), SV("Expect"), SV("Connection"),
	    SV("User-Agent"), SV("traceparent"), SV("tracestate"), SV("Content-Length"),
	    SV("Transfer-Encoding"), SV("Forwarded"), SV("X-Forwarded-For"), SV("X-Forwarded-Host"),
	    SV("X-Forwarded-Proto"), SV("Upgrade")};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (sv_eq_nocase(name, needed[i]))
			return true;
	return false;
}

enum {
	AT_START_LINE = 0,
	AT_PARAMETER, /* the name of one */
	AT_PARAMETER_VALUE,
	AT_REST_OF_LINE,
	AT_LINE, /* its first byte */
	AT_NAME,
	AT_VALUE,
};

static void add_to_name(struct secret_head *h, char c)
{
	if (h->len < sizeof(h->name))
		h->name[h->len++] = c;
}

static void begin_name(struct secret_head *h, int at)
{
	h->at = at;
	h->len = 0;
	h->hidden = false;
}

static void in_start_line(struct secret_head *h, char c)
{
	if (c == ' ' && h->at != AT_START_LINE)
		begin_name(h, AT_REST_OF_LINE);
	else if (c == '?' && h->at == AT_START_LINE)
		begin_name(h, AT_PARAMETER);
	else if (c == '&' && h->at != AT_START_LINE)
		begin_name(h, AT_PARAMETER);
	else if (c == '=' && h->at == AT_PARAMETER) {
		h->hidden = url_is_secret_key(sv_from(h->name, h->len));
		h->at = AT_PARAMETER_VALUE;
	} else if (h->at == AT_PARAMETER)
		add_to_name(h, c);
}

/* The state behind byte c. Whether c itself is a secret is told by hidden before and after: both. */
static void pass(struct secret_head *h, char c)
{
	if (c == '\n') {
		h->at = AT_LINE;
	} else if (h->at < AT_REST_OF_LINE) {
		in_start_line(h, c);
	} else if (h->at == AT_LINE) {
		if (c == ' ' || c == '\t') {
			h->at = AT_VALUE;
		} else {
			begin_name(h, AT_NAME);
			add_to_name(h, c);
		}
	} else if (h->at == AT_NAME && c == ':') {
		h->at = AT_VALUE;
		h->hidden = !is_needed(sv_from(h->name, h->len));
	} else if (h->at == AT_NAME) {
		add_to_name(h, c);
	}
}

void secret_head_feed(
    struct secret_head *h, struct sv bytes, void (*secret)(void *ctx, struct sv bytes), void *ctx)
{
	size_t begin = 0;

	for (size_t i = 0; i < bytes.len; i++) {
		bool before = h->hidden && h->at != AT_LINE;
		char c = bytes.p[i];

		pass(h, c);
		/* The ends of lines stay where they are, and what makes a value none. */
		if (before && h->hidden && h->at != AT_LINE && c != '\r' && c != '\0')
			continue;
		if (i > begin)
			secret(ctx, sv_from(bytes.p + begin, i - begin));
		begin = i + 1;
	}
	if (bytes.len > begin)
		secret(ctx, sv_from(bytes.p + begin, bytes.len - begin));
}
