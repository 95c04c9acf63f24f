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

/* One "name=value" of the list; false at its end. */
static bool next_member(struct sv *rest, struct sv *ret_member)
{
	while (rest->len) {
		size_t comma = sv_find(*rest, ',');

		*ret_member = sv_trim_ows(sv_from(rest->p, comma));
		*rest = sv_skip(*rest, comma + 1);
		if (ret_member->len)
			return true;
	}
	return false;
}

static struct sv name_of(struct sv member)
{
	return sv_trim_ows(sv_from(member.p, sv_find(member, '=')));
}

/*
 * What a request says by itself, over HTTP or gRPC, or what is of a connection and not of a request; and accept-encoding, which would
 * ask for answers that nobody here decompresses.
 */
static bool is_own(struct sv name)
{
	static const char *const names[] = {"accept", "accept-encoding", "connection",
	    "content-encoding", "content-length", "content-type", "expect", "host", "keep-alive",
	    "te", "trailer", "transfer-encoding", "upgrade", "user-agent"};
	const struct sv reserved = SV("grpc-"); /* by gRPC, for what it may say one day */

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (sv_eq_nocase(name, sv_cstr(names[i])))
			return true;
	return name.len >= reserved.len && sv_eq_nocase(sv_from(name.p, reserved.len), reserved);
}

static int add_header(
    struct otlp_options *options, const char *variable, struct sv member, struct buf *message)
{
	size_t eq = sv_find(member, '=');
	struct sv key = name_of(member);
	struct sv value = sv_trim_ows(sv_skip(member, eq + 1));
	char **grown;
	struct buf line;

	if (eq == member.len || !http1_is_token(key)) {
		buf_printf(message,
		    "%s: entry %zu is not name=value with a header name before the \"=\"", variable,
		    options->n_headers + 1);
		return -EINVAL;
	}
	if (is_own(key))
		return 0;
	buf_init(&line);
	buf_append_sv(&line, key);
	buf_append_cstr(&line, ": ");
	if (!append_decoded(&line, value)) {
		buf_printf(message,
		    "%s: the value of \"%.*s\" has a bad %%-escape or a control character",
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

int otlp_headers_add(
    struct otlp_options *options, const char *variable, const char *text, struct buf *message)
{
	struct sv rest = sv_cstr(text), member;
	int err = 0;

	while (!err && next_member(&rest, &member))
		err = add_header(options, variable, member, message);
	return err;
}

static void warn_of(const char *variable, const char *text)
{
	struct sv rest = sv_cstr(text), member;
	struct buf names;

	buf_init(&names);
	while (next_member(&rest, &member)) {
		if (!is_own(name_of(member)))
			continue;
		buf_append_cstr(&names, names.len ? ", \"" : "\"");
		buf_append_sv(&names, name_of(member));
		buf_append_char(&names, '"');
	}
	if (names.len && !names.failed)
		log_warn(
		    "%s: left out, because requests say it themselves: %s", variable, names.data);
	buf_release(&names);
}

void otlp_headers_warn(env_fn *get)
{
	static const char *const variables[] = {"OTEL_EXPORTER_OTLP_HEADERS",
	    "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
	    "OTEL_EXPORTER_OTLP_LOGS_HEADERS"};

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		warn_of(variables[i], env_text(get, variables[i]));
}
