// SPDX-License-Identifier: Apache-2.0
/*
 * OTLP settings from the environment, by the rules of the OpenTelemetry specification v1.60.0
 * (protocol/exporter.md, configuration/sdk-environment-variables.md): an empty value is unset, a
 * variable for traces beats the general one, a bad number is ignored with a warning. Stricter than
 * the specification where a typo would silently send data elsewhere or not at all: a bad endpoint,
 * protocol or header is an error. Values of headers are secrets and never logged.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "export/exporters.h"
#include "proto/http1.h"

#define DEFAULT_BASE       "http://localhost:4318"
#define DEFAULT_TIMEOUT_MS 10000

/* A variable with its value: the one for traces, else the general one, else unset (NULL). */
struct setting {
	char name[64];
	const char *value;
};

typedef const char *getenv_like(const char *name);

static const char *get_nonempty(getenv_like *getenv_fn, const char *name)
{
	const char *value = getenv_fn(name);

	return value && *value ? value : NULL;
}

static struct setting get_setting(getenv_like *getenv_fn, const char *suffix)
{
	struct setting setting;

	snprintf(setting.name, sizeof(setting.name), "OTEL_EXPORTER_OTLP_TRACES_%s", suffix);
	setting.value = get_nonempty(getenv_fn, setting.name);
	if (setting.value)
		return setting;
	snprintf(setting.name, sizeof(setting.name), "OTEL_EXPORTER_OTLP_%s", suffix);
	setting.value = get_nonempty(getenv_fn, setting.name);
	return setting;
}

/* --- endpoint -------------------------------------------------------------------------------- */

static bool scheme_is_http(CURLU *url)
{
	char *scheme = NULL;
	bool ok = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

	curl_free(scheme);
	return ok;
}

/* base path + v1/traces with one slash between. */
static int append_signal_path(CURLU *url)
{
	char *path = NULL;
	struct buf full;
	int err = -ENOMEM;

	buf_init(&full);
	if (curl_url_get(url, CURLUPART_PATH, &path, 0) == CURLUE_OK) {
		buf_append_cstr(&full, path);
		while (full.len && full.data[full.len - 1] == '/')
			full.data[--full.len] = '\0';
		buf_append_cstr(&full, "/v1/traces");
		if (!full.failed && curl_url_set(url, CURLUPART_PATH, full.data, 0) == CURLUE_OK)
			err = 0;
	}
	buf_release(&full);
	curl_free(path);
	return err;
}

/* Returns 0, -EINVAL or -ENOMEM. A URL without a path gets "/". */
static int set_url(struct otlp_options *options, const char *text, bool append)
{
	CURLU *url = curl_url();
	char *normal = NULL;
	int err = url ? -EINVAL : -ENOMEM;

	if (!url || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK || !scheme_is_http(url))
		goto out;
	err = append ? append_signal_path(url) : 0;
	if (err)
		goto out;
	err = -ENOMEM;
	if (curl_url_get(url, CURLUPART_URL, &normal, 0) != CURLUE_OK)
		goto out;
	free(options->traces_url);
	options->traces_url = strdup(normal);
	err = options->traces_url ? 0 : -ENOMEM;
out:
	curl_free(normal);
	curl_url_cleanup(url);
	return err;
}

int otlp_options_set_endpoint(struct otlp_options *options, const char *base)
{
	return set_url(options, base, true);
}

static int read_endpoint(struct otlp_options *options, getenv_like *getenv_fn, bool wanted)
{
	static const char traces_name[] = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
	struct setting setting = get_setting(getenv_fn, "ENDPOINT");
	bool append = strcmp(setting.name, traces_name) != 0;
	int err;

	if (!setting.value && !wanted)
		return 0;
	err = set_url(options, setting.value ? setting.value : DEFAULT_BASE, append);
	if (err == -EINVAL)
		log_error("%s: no URL that starts with http:// or https://, for example "
			  "\"" DEFAULT_BASE "\"",
		    setting.name);
	return err;
}

/* --- headers: k=v,k2=v2, values percent-encoded (W3C Baggage without properties) ------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Append the decoded value. False for a bad escape or a control character, which could end the
 * header line. */
static bool append_decoded(struct buf *out, struct sv value)
{
	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];

		if (c == '%') {
			int high = value.len - i > 2 ? hex_digit(value.p[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(value.p[i + 2]) : -1;

			if (low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7f)
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

static int read_headers(struct otlp_options *options, getenv_like *getenv_fn)
{
	struct setting setting = get_setting(getenv_fn, "HEADERS");
	struct sv rest = sv_cstr(setting.value);
	int err = 0;

	while (rest.len && !err) {
		size_t comma = sv_find(rest, ',');
		struct sv member = sv_trim_ows(sv_from(rest.p, comma));

		rest = sv_skip(rest, comma + 1);
		if (member.len)
			err = add_header(options, setting.name, member);
	}
	return err;
}

/* --- the rest -------------------------------------------------------------------------------- */

static void read_timeout(struct otlp_options *options, getenv_like *getenv_fn)
{
	struct setting setting = get_setting(getenv_fn, "TIMEOUT");
	char *end;
	long value;

	options->timeout_ms = DEFAULT_TIMEOUT_MS;
	if (!setting.value)
		return;
	errno = 0;
	value = strtol(setting.value, &end, 10);
	if (end == setting.value || *end || errno || value < 0)
		log_warn("%s: \"%s\" is no number of milliseconds, using %d", setting.name,
		    setting.value, DEFAULT_TIMEOUT_MS);
	else
		options->timeout_ms = (uint64_t)value;
}

static int check_transport(getenv_like *getenv_fn)
{
	struct setting protocol = get_setting(getenv_fn, "PROTOCOL");
	struct setting compression = get_setting(getenv_fn, "COMPRESSION");

	if (protocol.value && strcasecmp(protocol.value, "http/protobuf") != 0) {
		log_error("%s: \"%s\" is not supported by this build, use \"http/protobuf\"",
		    protocol.name, protocol.value);
		return -EINVAL;
	}
	if (compression.value && strcasecmp(compression.value, "none") != 0)
		log_warn("%s: \"%s\" is not supported by this build, sending uncompressed",
		    compression.name, compression.value);
	return 0;
}

/* Whether traces go out at all. *ret_wanted: OTLP is asked for by name. */
static bool traces_enabled(getenv_like *getenv_fn, bool *ret_wanted)
{
	const char *disabled = get_nonempty(getenv_fn, "OTEL_SDK_DISABLED");
	const char *exporter = get_nonempty(getenv_fn, "OTEL_TRACES_EXPORTER");

	if (disabled && strcasecmp(disabled, "true") == 0)
		return false;
	if (disabled && strcasecmp(disabled, "false") != 0)
		log_warn("OTEL_SDK_DISABLED: \"%s\" is neither true nor false, taken as false",
		    disabled);
	if (exporter && strcasecmp(exporter, "none") == 0)
		return false;
	*ret_wanted = exporter && strcasecmp(exporter, "otlp") == 0;
	if (exporter && !*ret_wanted)
		log_warn("OTEL_TRACES_EXPORTER: \"%s\" is not supported, use \"otlp\" or \"none\"",
		    exporter);
	return true;
}

/* --- certificates ---------------------------------------------------------------------------- */

/* What names a file for this purpose only must be right; SSL_CERT_FILE is for everybody. */
static int read_ca_file(struct otlp_options *options, getenv_like *getenv_fn)
{
	struct setting setting = get_setting(getenv_fn, "CERTIFICATE");
	const char *path = setting.value;

	if (path && access(path, R_OK)) {
		int err = errno;

		log_error("%s: reading \"%s\" failed: %s", setting.name, path, strerror(err));
		return -EINVAL;
	}
	if (!path) {
		path = get_nonempty(getenv_fn, "SSL_CERT_FILE");
		if (!path || access(path, R_OK))
			return 0;
	}
	options->ca_file = strdup(path);
	return options->ca_file ? 0 : -ENOMEM;
}

int otlp_options_from_env(
    struct otlp_options *ret_options, const char *(*getenv_fn)(const char *name))
{
	struct otlp_options options = {0};
	bool wanted = false;
	int err = 0;

	options.timeout_ms = DEFAULT_TIMEOUT_MS;
	if (traces_enabled(getenv_fn, &wanted)) {
		err = check_transport(getenv_fn);
		if (!err)
			err = read_endpoint(&options, getenv_fn, wanted);
		if (!err)
			err = read_headers(&options, getenv_fn);
		if (!err)
			err = read_ca_file(&options, getenv_fn);
		if (!err)
			read_timeout(&options, getenv_fn);
	}
	if (err) {
		otlp_options_release(&options);
		return err;
	}
	*ret_options = options;
	return 0;
}

void otlp_options_release(struct otlp_options *options)
{
	if (!options)
		return;
	for (size_t i = 0; i < options->n_headers; i++)
		free(options->headers[i]);
	free(options->headers);
	free(options->traces_url);
	free(options->ca_file);
	*options = (struct otlp_options){0};
}
