// SPDX-License-Identifier: Apache-2.0
/*
 * OTLP settings from the environment, by the rules of the OpenTelemetry specification v1.60.0
 * (protocol/exporter.md, configuration/sdk-environment-variables.md): an empty value is unset, a
 * variable for one signal beats the general one, what is no number or none of the words is ignored with a
 * warning. Where there is no default that could be meant, in endpoints and headers, the signals that need them do
 * not go out, which is said once, and the others do.
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

/* The general variables that are words or numbers: read once, so that what is wrong with them is said once. */
struct general {
	int protocol, gzip;
	bool insecure;
	uint64_t timeout_ms;
};

/* What is being read. */
struct reading {
	env_fn *get;
	enum otlp_signal signal;
	const char *endpoint; /* from a flag, or NULL */
	const struct general *general;
	struct otlp_options *options;
	struct buf *wrong; /* why the signal cannot go out; empty: it can */
};

struct name {
	char text[64];
};

/* A variable with its value: the one for the signal, else the general one, else unset (NULL). */
struct setting {
	struct name name;
	const char *value;
	bool own; /* it is for the signal alone */
};

static const char *const upper_names[OTLP_SIGNALS] = {"TRACES", "METRICS", "LOGS"};

const char *otlp_signal_name(enum otlp_signal signal)
{
	static const char *const names[OTLP_SIGNALS] = {"traces", "metrics", "logs"};

	return names[signal];
}

/* Of the variable for the signal alone. */
static struct name own_name(const struct reading *r, const char *suffix)
{
	struct name name;

	snprintf(name.text, sizeof(name.text), "OTEL_EXPORTER_OTLP_%s_%s", upper_names[r->signal],
	    suffix);
	return name;
}

static struct setting get_setting(const struct reading *r, const char *suffix)
{
	struct setting setting = {.name = own_name(r, suffix), .own = true};

	setting.value = env_text(r->get, setting.name.text);
	if (setting.value)
		return setting;
	snprintf(setting.name.text, sizeof(setting.name.text), "OTEL_EXPORTER_OTLP_%s", suffix);
	setting.value = env_text(r->get, setting.name.text);
	setting.own = false;
	return setting;
}

/* --- transport --- */

static const struct env_choice protocols[] = {
    {"http/protobuf", OTLP_HTTP_PROTOBUF}, {"grpc", OTLP_GRPC}};
static const struct env_choice compressions[] = {{"none", false}, {"gzip", true}};

static struct general read_general(env_fn *get)
{
	return (struct general){
	    .protocol = env_choice(get, "OTEL_EXPORTER_OTLP_PROTOCOL", protocols, 2),
	    .gzip = env_choice(get, "OTEL_EXPORTER_OTLP_COMPRESSION", compressions, 2),
	    .insecure = env_true(get, "OTEL_EXPORTER_OTLP_INSECURE"),
	    .timeout_ms =
		env_number(get, "OTEL_EXPORTER_OTLP_TIMEOUT", 0, INT32_MAX, DEFAULT_TIMEOUT_MS),
	};
}

/* For one signal what its own variables say; where they are unset or wrong, the general ones. */
static void read_transport(const struct reading *r)
{
	const struct general *general = r->general;
	struct name protocol = own_name(r, "PROTOCOL");
	struct name compression = own_name(r, "COMPRESSION");
	struct name insecure = own_name(r, "INSECURE");
	struct name timeout = own_name(r, "TIMEOUT");

	r->options->protocol = (enum otlp_protocol)env_choice_or(
	    r->get, protocol.text, protocols, 2, general->protocol);
	r->options->gzip = env_choice_or(r->get, compression.text, compressions, 2, general->gzip);
	r->options->insecure =
	    env_text(r->get, insecure.text) ? env_true(r->get, insecure.text) : general->insecure;
	r->options->timeout_ms =
	    env_number(r->get, timeout.text, 0, INT32_MAX, general->timeout_ms);
}

static const char *usual_endpoint(const struct otlp_options *options)
{
	return options->protocol == OTLP_GRPC ? "http://localhost:4317" : "http://localhost:4318";
}

/* Set the URL; as_it_is: not below a base. An endpoint of gRPC may come without a scheme, and none has a path. */
static int set_url(
    struct otlp_options *options, enum otlp_signal signal, const char *text, bool as_it_is)
{
	char url[512];

	if (options->protocol != OTLP_GRPC)
		return otlp_endpoint_set(options, text, as_it_is ? NULL : otlp_signal_name(signal));
	if (!strstr(text, "://")) {
		int n = snprintf(
		    url, sizeof(url), "%s://%s", options->insecure ? "http" : "https", text);

		if (n >= (int)sizeof(url))
			return -EINVAL;
		text = url;
	}
	return otlp_endpoint_set(options, text, NULL);
}

/* What a flag says must be right; what is wrong with a variable is left in r->wrong. */
static int read_endpoint(const struct reading *r, bool wanted)
{
	struct setting setting = get_setting(r, "ENDPOINT");
	const char *usual = usual_endpoint(r->options);
	int err;

	if (r->endpoint)
		return set_url(r->options, r->signal, r->endpoint, false);
	if (!setting.value && !wanted)
		return 0;
	err = set_url(r->options, r->signal, setting.value ? setting.value : usual, setting.own);
	if (err != -EINVAL)
		return err;
	buf_printf(r->wrong, "%s: no URL that starts with http:// or https://, for example \"%s\"",
	    setting.name.text, usual);
	return 0;
}

/* Why the signal cannot go out; it may have two reasons. */
static void add_wrong(const struct reading *r, const struct buf *why)
{
	buf_append_cstr(r->wrong, r->wrong->len ? "; " : "");
	buf_append_sv(r->wrong, buf_sv(why));
	r->wrong->failed |= why->failed;
}

static int read_headers(const struct reading *r)
{
	struct setting setting = get_setting(r, "HEADERS");
	struct buf why;
	int err;

	if (!setting.value)
		return 0;
	buf_init(&why);
	err = otlp_headers_add(r->options, setting.name.text, setting.value, &why);
	if (err == -EINVAL) {
		add_wrong(r, &why);
		err = 0;
	}
	buf_release(&why);
	return err;
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
			log_warn("%s='%.*s' is ignored: expected otlp, console%s or none", name,
			    SV_ARG(word), r->signal == OTLP_METRICS ? ", prometheus" : "");
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
	read_transport(r);
	err = read_endpoint(r, exporters.otlp);
	if (!err)
		err = read_headers(r);
	if (!err)
		err = read_files(r);
	if (!err && r->signal != OTLP_METRICS) /* a reader of metrics has no queue */
		read_queue(r);
	return err;
}

/* Say once for each reason which signals do not go out for it. */
static void tell_wrong(const struct buf wrong[OTLP_SIGNALS])
{
	for (int i = 0; i < OTLP_SIGNALS; i++) {
		char names[32] = "";
		bool told = false;

		for (int j = 0; j < OTLP_SIGNALS; j++) {
			size_t len = strlen(names);

			if (!wrong[i].len || !sv_eq(buf_sv(&wrong[j]), buf_sv(&wrong[i])))
				continue;
			told |= j < i;
			snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "",
			    otlp_signal_name((enum otlp_signal)j));
		}
		if (*names && !told)
			log_error("no %s go out over OTLP: %s", names, wrong[i].data);
	}
}

static int read_signals(struct otlp_settings *settings, env_fn *get, const char *endpoint)
{
	const struct general general = read_general(get);
	struct buf wrong[OTLP_SIGNALS];
	int err = 0;

	for (int i = 0; i < OTLP_SIGNALS; i++)
		buf_init(&wrong[i]);
	for (int i = 0; i < OTLP_SIGNALS && !err; i++) {
		struct otlp_options *options = &settings->signals[i];
		struct reading reading = {.get = get,
		    .signal = (enum otlp_signal)i,
		    .endpoint = endpoint,
		    .general = &general,
		    .options = options,
		    .wrong = &wrong[i]};

		err = read_signal(&reading, &settings->console[i]);
		if (!err && wrong[i].failed)
			err = -ENOMEM;
		if (wrong[i].len)
			otlp_options_release(options);
	}
	if (!err)
		tell_wrong(wrong);
	for (int i = 0; i < OTLP_SIGNALS; i++)
		buf_release(&wrong[i]);
	return err;
}

int otlp_settings_from_env(struct otlp_settings *ret_settings, env_fn *get, const char *endpoint)
{
	struct otlp_settings settings = {0};
	int err = env_true(get, "OTEL_SDK_DISABLED") ? 0 : read_signals(&settings, get, endpoint);

	if (err) {
		otlp_settings_release(&settings);
		return err;
	}
	*ret_settings = settings;
	return 0;
}

int otlp_settings_aim(struct otlp_settings *settings, const char *endpoint)
{
	int err = 0;

	for (int i = 0; i < OTLP_SIGNALS && !err; i++)
		if (settings->signals[i].url)
			err = set_url(&settings->signals[i], (enum otlp_signal)i, endpoint, false);
	return err;
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
