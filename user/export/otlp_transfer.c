// SPDX-License-Identifier: Apache-2.0
/*
 * Requests by libcurl; see otlp_transfer.h.
 *
 * The transfer runs on a multi handle although there is only one, since curl_multi_poll() can be
 * woken by another thread: a collector that hangs cannot hold up the end of the program. Redirects
 * are not followed, so what is sent goes to the configured server or nowhere. Proxies are taken from
 * the environment, as curl does.
 */
#include "export/otlp_transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	POLL_MS = 1000,
	FIELD_MAX_BYTES = 8192, /* of one that is kept; the rest of a longer one is not looked at */
};

struct otlp_transfer {
	CURL *easy;
	CURLM *multi;
	struct curl_slist *lines;
	struct otlp_answer answer;
};

/* --- the answer --- */

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct otlp_answer *answer = ctx;

	if (size * n > OTLP_MAX_RESPONSE_BYTES - answer->body.len) {
		answer->too_long = true;
		return 0;
	}
	buf_append(&answer->body, p, size * n);
	return size * n;
}

static void forget_fields(struct otlp_answer *answer)
{
	for (int i = 0; i < OTLP_FIELDS; i++) {
		buf_clear(&answer->fields[i]);
		answer->has[i] = false;
	}
}

/* Each line of a head, and of trailers. A status line begins a head anew: what came before was a 1xx. */
static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	static const struct sv names[OTLP_FIELDS] = {
	    [OTLP_FIELD_RETRY_AFTER] = SV("retry-after"),
	    [OTLP_FIELD_GRPC_STATUS] = SV("grpc-status"),
	    [OTLP_FIELD_GRPC_MESSAGE] = SV("grpc-message"),
	    [OTLP_FIELD_GRPC_DETAILS] = SV("grpc-status-details-bin"),
	    [OTLP_FIELD_GRPC_ENCODING] = SV("grpc-encoding"),
	};
	struct otlp_answer *answer = ctx;
	struct sv line = sv_from(p, size * n), name, value;
	size_t colon = sv_find(line, ':');

	if (line.len >= 5 && memcmp(line.p, "HTTP/", 5) == 0)
		forget_fields(answer);
	if (colon == line.len)
		return size * n;
	while (line.len && (line.p[line.len - 1] == '\r' || line.p[line.len - 1] == '\n'))
		line.len--;
	name = sv_from(line.p, colon);
	value = sv_trim_ows(sv_skip(line, colon + 1));
	value.len = value.len < FIELD_MAX_BYTES ? value.len : FIELD_MAX_BYTES;
	for (int i = 0; i < OTLP_FIELDS; i++) {
		if (answer->has[i] || !sv_eq_nocase(name, names[i]))
			continue;
		buf_append_sv(&answer->fields[i], value);
		answer->has[i] = true;
	}
	return size * n;
}

static void forget_answer(struct otlp_answer *answer)
{
	buf_clear(&answer->body);
	forget_fields(answer);
	answer->error[0] = '\0';
	answer->status = 0;
	answer->too_long = answer->http2 = false;
}

/* --- running --- */

/* Run the transfer. False when the waiter must stop first. */
static bool perform(struct otlp_transfer *t, const struct otlp_waiter *waiter, CURLcode *ret_code)
{
	CURLMcode multi_code = curl_multi_add_handle(t->multi, t->easy);
	CURLcode code = CURLE_OUT_OF_MEMORY;
	int running = multi_code == CURLM_OK;
	int left;

	while (running && multi_code == CURLM_OK && !waiter->stopping(waiter->ctx)) {
		multi_code = curl_multi_perform(t->multi, &running);
		if (running && multi_code == CURLM_OK)
			multi_code = curl_multi_poll(t->multi, NULL, 0, POLL_MS, NULL);
	}
	for (CURLMsg *msg; (msg = curl_multi_info_read(t->multi, &left));)
		if (msg->msg == CURLMSG_DONE)
			code = msg->data.result;
	curl_multi_remove_handle(t->multi, t->easy);
	*ret_code = code;
	return !running || !waiter->stopping(waiter->ctx);
}

const struct otlp_answer *otlp_transfer_run(
    struct otlp_transfer *t, struct sv body, const struct otlp_waiter *waiter)
{
	struct otlp_answer *answer = &t->answer;
	long version = 0;

	forget_answer(answer);
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, body.p ? body.p : "");
	if (!perform(t, waiter, &answer->code))
		return NULL;
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &answer->status);
	curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version);
	answer->http2 = version == CURL_HTTP_VERSION_2_0;
	return answer;
}

void otlp_transfer_wake(struct otlp_transfer *t)
{
	curl_multi_wakeup(t->multi);
}

/* --- life cycle --- */

/* Where systems keep the authorities they trust. libcurl knows the place of the system that it was
 * built for; a bundle also runs on others. */
static const char *const ca_files[] = {
    "/etc/ssl/certs/ca-certificates.crt", /* Debian, Ubuntu, Arch, Alpine, Gentoo */
    "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
    "/etc/ssl/ca-bundle.pem",             /* openSUSE */
    "/etc/ssl/cert.pem",                  /* Alpine, OpenWrt */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
};

static void set_trust(CURL *easy, const char *ca_file)
{
	if (ca_file) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		return;
	}
	for (size_t i = 0; i < sizeof(ca_files) / sizeof(ca_files[0]); i++) {
		if (access(ca_files[i], R_OK) == 0) {
			curl_easy_setopt(easy, CURLOPT_CAINFO, ca_files[i]);
			return;
		}
	}
}

/* Files are looked at now: what cannot work is to be said at the start, not with every request. */
static int set_certificates(CURL *easy, const struct otlp_options *options)
{
	const char *const files[] = {
	    options->ca_file, options->client_certificate_file, options->client_key_file};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (files[i] && access(files[i], R_OK))
			return -errno;
	set_trust(easy, options->ca_file);
	curl_easy_setopt(easy, CURLOPT_SSLCERT, options->client_certificate_file);
	curl_easy_setopt(easy, CURLOPT_SSLKEY, options->client_key_file);
	return 0;
}

/*
 * libcurl 7.88 begins HTTP/2 again on a connection without TLS that speaks it already, and fails with CURLE_HTTP2; mended in 8.0.0
 * ("http2: fix for http2-prior-knowledge when reusing connections").
 */
static bool reuse_fails(void)
{
	unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;

	return version >= 0x075800 && version < 0x080000;
}

/* gRPC needs HTTP/2: over TLS it is agreed upon, else both sides just know. */
static void set_version(CURL *easy, const struct otlp_options *options)
{
	bool tls = strncmp(options->url, "https:", 6) == 0;

	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (options->protocol != OTLP_GRPC)
		return;
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
	    tls ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, (long)(!tls && reuse_fails()));
}

static int set_up(struct otlp_transfer *t, const char *url, const struct otlp_options *options)
{
	CURL *easy = t->easy = curl_easy_init();

	t->multi = curl_multi_init();
	if (!easy || !t->multi || curl_easy_setopt(easy, CURLOPT_URL, url))
		return -ENOMEM;
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	set_version(easy, options);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->lines);
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)options->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->answer.error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, &t->answer);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, &t->answer);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Do not wait for a name server at the end. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	return set_certificates(easy, options);
}

struct otlp_transfer *otlp_transfer_new(
    const char *url, const struct otlp_options *options, struct curl_slist *lines)
{
	struct otlp_transfer *t = NULL;
	int err = -ENOMEM;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) == 0) {
		t = calloc(1, sizeof(*t));
		if (!t)
			curl_global_cleanup();
	}
	if (!t) {
		curl_slist_free_all(lines);
		errno = ENOMEM;
		return NULL;
	}
	t->lines = lines;
	err = set_up(t, url, options);
	if (err) {
		otlp_transfer_free(t);
		errno = -err;
		return NULL;
	}
	return t;
}

void otlp_transfer_free(struct otlp_transfer *t)
{
	if (!t)
		return;
	curl_easy_cleanup(t->easy);
	curl_multi_cleanup(t->multi);
	curl_slist_free_all(t->lines);
	buf_release(&t->answer.body);
	for (int i = 0; i < OTLP_FIELDS; i++)
		buf_release(&t->answer.fields[i]);
	free(t);
	curl_global_cleanup();
}
