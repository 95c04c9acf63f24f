/* SPDX-License-Identifier: Apache-2.0 */
/* Where OTLP goes and how, for each signal: what the environment says, or a flag instead of its endpoints. */
#ifndef ZS_EXPORT_OTLP_OPTIONS_H
#define ZS_EXPORT_OTLP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/env.h"
#include "export/sink.h"

enum otlp_signal {
	OTLP_TRACES = 0,
	OTLP_METRICS = 1,
	OTLP_LOGS = 2,
};

#define OTLP_SIGNALS 3

/* "traces", "metrics", "logs": the word in paths and messages. */
const char *otlp_signal_name(enum otlp_signal signal);

enum otlp_protocol {
	OTLP_PROTOCOL_INVALID = 0,
	OTLP_HTTP_PROTOBUF = 1,
	OTLP_GRPC = 2,
};

/* One signal to one destination. */
struct otlp_options {
	enum otlp_protocol protocol;
	char *
	    url; /* HTTP: complete; gRPC: only its scheme and authority count. NULL: does not go out */
	char **headers; /* n "Name: value" lines, percent-decoded */
	size_t n_headers;
	uint64_t timeout_ms; /* per request; 0: none */
	bool gzip;
	bool insecure; /* an endpoint of gRPC that has no scheme means http:// */
	char *ca_file; /* PEM file of the authorities to trust, and no others; NULL: the host's */
	char *client_certificate_file, *client_key_file; /* PEM, to be known by; NULL: none */

	/* Queue, batches, the time to drain at the end; a field that is 0 takes its default (16384
	 * spans or 2048 log records, 512 of them, 1 s, 5 s). */
	struct sink_options queue;
	/* Back-off between attempts: first interval, its upper limit, and the age at which a batch
	 * is given up; 0: default (5 s, 30 s, 5 min). */
	uint64_t retry_initial_ms, retry_max_ms, retry_elapsed_ms;
};

void otlp_options_release(struct otlp_options *options);

struct otlp_settings {
	struct otlp_options signals[OTLP_SIGNALS];
	bool console[OTLP_SIGNALS]; /* OTEL_<SIGNAL>_EXPORTER names it */
};

/*
 * Read the OTEL_* variables that say where the signals go:
 * OTEL_SDK_DISABLED, OTEL_{TRACES,METRICS,LOGS}_EXPORTER, OTEL_BSP_* and OTEL_BLRP_*, and OTEL_EXPORTER_OTLP_{ENDPOINT,
 * PROTOCOL, HEADERS, TIMEOUT, COMPRESSION, CERTIFICATE, CLIENT_CERTIFICATE, CLIENT_KEY, INSECURE} with their forms for one
 * signal (opentelemetry-specification v1.60.0, protocol/exporter.md and configuration/sdk-environment-variables.md), and
 * after the last of the certificates SSL_CERT_FILE, as OpenSSL has it. A signal goes out when one of the endpoint variables
 * is set for it or its OTEL_<SIGNAL>_EXPORTER names otlp, which then means localhost, port 4318 or 4317.
 *
 * What is none of a variable's words or no number is warned of and ignored, as if it were unset: then for one signal the general variable
 * says it. Where an endpoint or the headers are wrong, the signals that need them do not go out, and it is logged why.
 *
 * endpoint stands for OTEL_EXPORTER_OTLP_ENDPOINT and those for one signal, for a command-line flag; NULL: none does.
 * Returns 0 (caller releases), -EINVAL when that is no URL, or -ENOMEM.
 */
int otlp_settings_from_env(struct otlp_settings *ret_settings, env_fn *get, const char *endpoint);
void otlp_settings_release(struct otlp_settings *settings);

/* Let what goes out go to another endpoint of the command line. Returns 0, -EINVAL when it is no URL, or -ENOMEM. */
int otlp_settings_aim(struct otlp_settings *settings, const char *endpoint);

/* Warn of the headers that are left out, once for each variable. */
void otlp_headers_warn(env_fn *get);

/* --- parts, shared by its files --- */

/*
 * Set options->url from what an endpoint variable says, normalised. signal: append v1/<signal> to its path; NULL: take it as
 * it is. Returns 0, -EINVAL for a text that is no http:// or https:// URL, or -ENOMEM.
 */
int otlp_endpoint_set(struct otlp_options *options, const char *text, const char *signal);

/*
 * Append a URL as it may be shown: without its user and password, and with "..." for its query, which are or may hold secrets.
 * out->failed tells of a lack of memory.
 */
void otlp_endpoint_show(struct buf *out, const char *url);

/*
 * Add the headers of "name=value,name2=value2", values percent-encoded (W3C Baggage without properties). Those that requests have of
 * their own (content-type, host, te, user-agent, grpc-* and so on) are left out: each is sent once, as the protocol wants it. Returns 0,
 * -ENOMEM, or -EINVAL with what is wrong in *message; variable is for that. Values are secrets and never told.
 */
int otlp_headers_add(
    struct otlp_options *options, const char *variable, const char *text, struct buf *message);

#endif
