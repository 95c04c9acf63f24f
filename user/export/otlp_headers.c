// SPDX-License-Identifier: Apache-2.0
/* Headers that a user wants to send with OTLP; see otlp_options.h. */
#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/percent.h"
#include "export/otlp_options.h"
#include "proto/http1.h"

/* Append the decoded value. False for a bad escape or a control character, which could end the
 * header line. */
static bool append_decoded(struct buf *out, struct sv value)
{
	while (value.len) {
		char c;

		if (!percent_take(&value, &c) || ((unsigned char)c < 0x20 && c != '\t') ||
		    c == 0x7f)
			return false;
		buf_append_char(out, c);
	}
	return true;
}

static int add_header(struct otlp_options *options, const char *variable, struct sv member)
{
	size_t eq = sv_find(member, '=');
	struct sv key = sv_trim_ows(sv_from(member.p, eq));
	struct sv value = sv_trim_ows(sv_skip(member, eq + 1));
	char **grown;
	struct buf line;

	if (eq == member.len || !http1_is_token(key)) {
		log_error("%s: entry %zu is not name=value with a header name before the \"=\"",
		    variable, options->n_headers + 1);
		return -EINVAL;
	}
	buf_init(&line);
	buf_append_sv(&line, key);
	buf_append_cstr(&line, ": ");
	if (!append_decoded(&line, value)) {
		log_error("%s: the value of \"%.*s\" has a bad %%-escape or a control character",
		    variable, SV_ARG(key));
		buf_release(&line);
		return -EINVAL;
	}
	grown = realloc(options->headers, (options->n_headers + 1) * sizeof(*grown));
	if (grown)
		options->headers = grown;
	if (!grown || line.failed) {
		buf_release(&line);
		return -ENOMEM;
	}
	options->headers[options->n_headers++] = line.data;
	return 0;
}

int otlp_headers_add(struct otlp_options *options, const char *variable, const char *text)
{
	struct sv rest = sv_cstr(text);
	int err = 0;

	while (rest.len && !err) {
		size_t comma = sv_find(rest, ',');
		struct sv member = sv_trim_ows(sv_from(rest.p, comma));

		rest = sv_skip(rest, comma + 1);
		if (member.len)
			err = add_header(options, variable, member);
	}
	return err;
}
