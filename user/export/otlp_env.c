// SPDX-License-Identifier: Apache-2.0
/*
 * OTLP settings from the environment, by the rules of the OpenTelemetry specification v1.60.0
 * (protocol/exporter.md, configuration/sdk-environment-variables.md): an empty value is unset, a
 * variable for one signal beats the general one, what is no number or none of the choices is ignored with a
 * warning. Stricter than the specification where a typo would silently send data elsewhere or not at
 * all: a bad endpoint, protocol or header is an error.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sv.h"
#include "export/otlp_options.h"

enum {
	DEFAULT_TIMEOUT_MS = 10000,
	QUEUE_MAX_ITEMS = 1 << 24, /* more would not be a queue */
};

/* What is being read. */
struct reading {
	env_fn *get;
	enum otlp_signal signal;
	const char *endpoint; /* from a flag, or NULL */
	struct otlp_options *options;
};

/* A variable with its value: the one for the signal, else the general one, else unset (NULL). */
struct setting {
	char name[64];
	const char *value;
	bool own; /* it is for the signal alone */
};

static const char *const upper_names[OTLP_SIGNALS] = {"TRACES", "METRICS", "LOGS"};

const char *otlp_signal_name(enum otlp_signal signal)
{
	static const char *const names[OTLP_SIGNALS] = {"traces", "metrics", "logs"};

	return names[signal];
}

static struct setting get_setting(const struct reading *r, const char *suffix)
{
	struct setting setting = {.own = true};

	snprintf(setting.name, sizeof(setting.name), "OTEL_EXPORTER_OTLP_%s_%s",
	    upper_names[r->signal], suffix);
	setting.value = env_text(r->get, setting.name);
	if (setting.value)
		return setting;
	snprintf(setting.name, sizeof(setting.name), "OTEL_EXPORTER_OTLP_%s", suffix);
	setting.value = env_text(r->get, setting.name);
	setting.own = false;
	return setting;
}

/* --- transport --- */

static int read_protocol(const struct reading *r)
{
	struct setting setting = get_setting(r, "PROTOCOL");

	r->options->protocol = OTLP_HTTP_PROTOBUF;
	if (!setting.value || strcasecmp(setting.value, "http/protobuf") == 0)
		return 0;
	if (strcasecmp(setting.value, "grpc") == 0) {
		r->options->protocol = OTLP_GRPC;
		return 0;
	}
	log_error("%s: \"%s\" is not supported, use \"grpc\" or \"http/protobuf\"", setting.name,
	    setting.value);
	return -EINVAL;
}

static void read_compression(const struct reading *r)
{
	struct setting setting = get_setting(r, "COMPRESSION");

	r->options->gzip = setting.value && strcasecmp(setting.value, "gzip") == 0;
	if (setting.value && !r->options->gzip && strcasecmp(setting.value, "none") != 0)
		log_warn("%s: \"%s\" is not supported, sending uncompressed", setting.name,
		    setting.value);
}

/* An endpoint of gRPC may come without a scheme; whether it is to be secure, a variable says. */
static int set_schemeless(const struct reading *r, const char *text)
{
	struct setting insecure = get_setting(r, "INSECURE");
	char url[512];
	int n = snprintf(
	    url, sizeof(url), "%s://%s", env_true(r->get, insecure.name) ? "http" : "https", text);

	return n < (int)sizeof(url) ? otlp_endpoint_set(r->options, url, NULL) : -EINVAL;
}

static int read_endpoint(const struct reading *r, bool wanted)
{
	bool grpc = r->options->protocol == OTLP_GRPC;
	const char *fallback = grpc ? "http://localhost:4317" : "http://localhost:4318";
	struct setting setting = get_setting(r, "ENDPOINT");
	const char *text = r->endpoint ? r->endpoint : setting.value;
	bool whole = grpc || (!r->endpoint && setting.own);
	int err;

	if (!text && !wanted)
		return 0;
	if (!text)
		text = fallback;
	err = grpc && !strstr(text, "://")
	    ? set_schemeless(r, text)
	    : otlp_endpoint_set(r->options, text, whole ? NULL : otlp_signal_name(r->signal));
	if (err == -EINVAL)
		log_error("%s: no URL that starts with http:// or https://, for example \"%s\"",
		    r->endpoint ? "--otlp-endpoint" : setting.name, fallback);
	return err;
}

static int read_headers(const struct reading *r)
{
	struct setting setting = get_setting(r, "HEADERS");

	return setting.value ? otlp_headers_add(r->options, setting.name, setting.value) : 0;
}

static void read_timeout(const struct reading *r)
{
	struct setting setting = get_setting(r, "TIMEOUT");

	r->options->timeout_ms = env_number(r->get, setting.name, 0, INT32_MAX, DEFAULT_TIMEOUT_MS);
}

/* --- files --- */

static int read_path(const struct reading *r, const char *suffix, char **ret_path)
{
	struct setting setting = get_setting(r, suffix);

	if (!setting.value)
		return 0;
	*ret_path = strdup(setting.value);
	return *ret_path ? 0 : -ENOMEM;
}

/* SSL_CERT_FILE is for everybody, and so is ignored where it cannot be read. */
static int read_files(const struct reading *r)
{
	struct otlp_options *options = r->options;
	const char *common = env_text(r->get, "SSL_CERT_FILE");
	int err = read_path(r, "CERTIFICATE", &options->ca_file);

	if (!err)
		err = read_path(r, "CLIENT_CERTIFICATE", &options->client_certificate_file);
	if (!err)
		err = read_path(r, "CLIENT_KEY", &options->client_key_file);
	if (!err && !options->ca_file && common && access(common, R_OK) == 0) {
		options->ca_file = strdup(common);
		err = options->ca_file ? 0 : -ENOMEM;
	}
	return err;
}

/* --- queues --- */

static uint64_t read_queue_number(const struct reading *r, const char *suffix, uint64_t max)
{
	char name[48];

	snprintf(name, sizeof(name), "OTEL_%s_%s", r->signal == OTLP_LOGS ? "BLRP" : "BSP", suffix);
	return env_number(r->get, name, 1, max, 0);
}

static void read_queue(const struct reading *r)
{
	struct sink_options *queue = &r->options->queue;

	queue->max_queue_items = read_queue_number(r, "MAX_QUEUE_SIZE", QUEUE_MAX_ITEMS);
	queue->max_batch_items = read_queue_number(r, "MAX_EXPORT_BATCH_SIZE", QUEUE_MAX_ITEMS);
	queue->linger_ns = read_queue_number(r, "SCHEDULE_DELAY", INT32_MAX) * NS_PER_MS;
	r->options->retry_elapsed_ms = read_queue_number(r, "EXPORT_TIMEOUT", INT32_MAX);
	if (queue->max_queue_items && queue->max_batch_items > queue->max_queue_items) {
		log_warn("batches of %zu do not fit into a queue of %zu, they are as long as it",
		    queue->max_batch_items, queue->max_queue_items);
		queue->max_batch_items = queue->max_queue_items;
	}
}

/* --- which exporters --- */

struct exporters {
	bool none, otlp, console; /* named */
};

/* OTEL_<SIGNAL>_EXPORTER is a list; without it, OTLP goes out if it has an endpoint. */
static struct exporters read_exporters(const struct reading *r)
{
	struct exporters exporters = {0};
	char name[32];
	struct sv rest;

	snprintf(name, sizeof(name), "OTEL_%s_EXPORTER", upper_names[r->signal]);
	rest = sv_cstr(env_text(r->get, name));
	while (rest.len) {
		size_t comma = sv_find(rest, ',');
		struct sv word = sv_trim_ows(sv_from(rest.p, comma));

		rest = sv_skip(rest, comma + 1);
		if (sv_eq_nocase(word, SV("otlp")))
			exporters.otlp = true;
		else if (sv_eq_nocase(word, SV("console")))
			exporters.console = true;
		else if (sv_eq_nocase(word, SV("none")) ||
		    (r->signal == OTLP_METRICS && sv_eq_nocase(word, SV("prometheus"))))
			exporters.none = true; /* /metrics is there in any case */
		else
			log_warn("%s: \"%.*s\" is not supported, use otlp, console or none", name,
			    SV_ARG(word));
	}
	return exporters;
}

static int read_signal(const struct reading *r, bool *ret_console)
{
	struct exporters exporters = read_exporters(r);
	int err;

	*ret_console = exporters.console;
	if ((exporters.none || exporters.console) && !exporters.otlp)
		return 0;
	err = read_protocol(r);
	if (!err)
		err = read_endpoint(r, exporters.otlp);
	if (!err)
		err = read_headers(r);
	if (!err)
		err = read_files(r);
	if (err)
		return err;
	read_compression(r);
	read_timeout(r);
	if (r->signal != OTLP_METRICS) /* a reader of metrics has no queue */
		read_queue(r);
	return 0;
}

int otlp_settings_from_env(struct otlp_settings *ret_settings, env_fn *get, const char *endpoint)
{
	struct otlp_settings settings = {0};
	int err = 0;

	if (!env_true(get, "OTEL_SDK_DISABLED")) {
		for (int i = 0; i < OTLP_SIGNALS && !err; i++) {
			struct reading reading = {.get = get,
			    .signal = (enum otlp_signal)i,
			    .endpoint = endpoint,
			    .options = &settings.signals[i]};

			err = read_signal(&reading, &settings.console[i]);
		}
	}
	if (err) {
		otlp_settings_release(&settings);
		return err;
	}
	*ret_settings = settings;
	return 0;
}

void otlp_options_release(struct otlp_options *options)
{
	if (!options)
		return;
	for (size_t i = 0; i < options->n_headers; i++)
		free(options->headers[i]);
	free(options->headers);
	free(options->url);
	free(options->ca_file);
	free(options->client_certificate_file);
	free(options->client_key_file);
	*options = (struct otlp_options){0};
}

void otlp_settings_release(struct otlp_settings *settings)
{
	for (int i = 0; i < OTLP_SIGNALS; i++)
		otlp_options_release(&settings->signals[i]);
}
