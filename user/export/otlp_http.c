// SPDX-License-Identifier: Apache-2.0
/*
 * OTLP over HTTP/protobuf (OTLP specification 1.11.0, "OTLP/HTTP") by libcurl: one connection that
 * is kept alive, one request at a time, retries as otlp_retry.h says.
 *
 * The transfer runs on a multi handle although there is only one, since curl_multi_poll() can be
 * woken by another thread: a collector that hangs cannot hold up the end of the program. Redirects
 * are not followed, so the spans go to the configured server or nowhere. Proxies are taken from
 * the environment, as curl does.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "export/exporters.h"
#include "export/otlp_retry.h"
#include "otlp_common.pb-c.h"

enum {
	MAX_REQUEST_BYTES = 64 << 20, /* OTLP: a larger request must not be sent */
	MAX_RESPONSE_BYTES = 4 << 20,
	POLL_MS = 1000,
	QUEUE_SPANS = 16384,
	BATCH_SPANS = 512,
	LINGER_MS = 1000,
	FLUSH_MS = 5000,
	RETRY_INITIAL_MS = 5000,
	RETRY_MAX_MS = 30000,
	RETRY_ELAPSED_MS = 300000,
	MESSAGE_MAX = 200, /* characters of a server's own words in a log line */
};

struct otlp {
	CURL *easy;
	CURLM *multi;
	struct curl_slist *headers;
	struct clock_base clock;
	struct otlp_retry_options retry_options;
	struct rng rng;
	struct log_limit limit;
	struct buf request, response;
	bool response_too_large;
	int64_t retry_after_ms; /* of the current response; -1: none */
};

/* What one attempt came to. */
enum outcome {
	OUTCOME_INVALID = 0,
	OUTCOME_ACCEPTED = 1, /* at least in part */
	OUTCOME_RETRY = 2,
	OUTCOME_REFUSED = 3,
	OUTCOME_STOPPED = 4,
};

/* --- messages -------------------------------------------------------------------------------- */

static void log_failure(struct otlp *otlp, const char *what, const char *why, size_t n_spans)
{
	uint64_t suppressed;

	if (log_limit_pass(&otlp->limit, clock_monotonic_ns(), &suppressed))
		log_warn("sending %zu spans over OTLP: %s%s%.*s (%llu earlier messages not shown)",
		    n_spans, what, why && *why ? ": " : "", MESSAGE_MAX, why ? why : "",
		    (unsigned long long)suppressed);
}

/* Text of a server for our log: no control characters. */
static void clean_text(char *text)
{
	for (; text && *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
}

/* --- the answer ------------------------------------------------------------------------------ */

/* Spans that the server says it did not take. */
static size_t read_partial_success(struct otlp *otlp, size_t n_spans)
{
	Opentelemetry__Proto__ExportResponse *response =
	    opentelemetry__proto__export_response__unpack(
		NULL, otlp->response.len, (const uint8_t *)otlp->response.data);
	Opentelemetry__Proto__ExportPartialSuccess *partial =
	    response ? response->partial_success : NULL;
	size_t rejected = 0;

	if (partial && partial->rejected > 0)
		rejected =
		    (uint64_t)partial->rejected < n_spans ? (size_t)partial->rejected : n_spans;
	if (partial && (rejected || *partial->error_message)) {
		clean_text(partial->error_message);
		log_failure(otlp, rejected ? "the server rejected some" : "the server warns",
		    partial->error_message, rejected ? rejected : n_spans);
	}
	if (response)
		opentelemetry__proto__export_response__free_unpacked(response, NULL);
	return rejected;
}

static void log_refusal(struct otlp *otlp, long status, size_t n_spans)
{
	Opentelemetry__Proto__RpcStatus *body = opentelemetry__proto__rpc_status__unpack(
	    NULL, otlp->response.len, (const uint8_t *)otlp->response.data);
	char what[48];

	snprintf(what, sizeof(what), "the server answered %ld", status);
	if (body)
		clean_text(body->message);
	log_failure(otlp, what, body ? body->message : NULL, n_spans);
	if (body)
		opentelemetry__proto__rpc_status__free_unpacked(body, NULL);
}

static enum outcome judge_status(struct otlp *otlp, size_t n_spans)
{
	long status = 0;

	curl_easy_getinfo(otlp->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200 && status < 300)
		return OUTCOME_ACCEPTED;
	log_refusal(otlp, status, n_spans);
	return otlp_http_status_retryable(status) ? OUTCOME_RETRY : OUTCOME_REFUSED;
}

/* Failures that may pass: no connection, no answer, a broken one. Not: bad certificates, bad URL.
 */
static bool curl_code_retryable(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return true;
	default:
		return false;
	}
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct otlp *otlp = ctx;

	if (size * n > MAX_RESPONSE_BYTES - otlp->response.len) {
		otlp->response_too_large = true;
		return 0;
	}
	buf_append(&otlp->response, p, size * n);
	return size * n;
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	static const struct sv name = {"retry-after:", 12};
	struct sv line = sv_from(p, size * n);
	struct otlp *otlp = ctx;

	while (line.len && (line.p[line.len - 1] == '\r' || line.p[line.len - 1] == '\n'))
		line.len--;
	if (line.len > name.len && sv_eq_nocase(sv_from(line.p, name.len), name))
		otlp->retry_after_ms = otlp_retry_after_parse(sv_skip(line, name.len), time(NULL));
	return size * n;
}

/* --- one attempt ----------------------------------------------------------------------------- */

/* Run the transfer. False when the sink must stop first. */
static bool transfer(struct otlp *otlp, struct sink *sink, CURLcode *ret_code)
{
	CURLMcode multi_code = curl_multi_add_handle(otlp->multi, otlp->easy);
	CURLcode code = CURLE_OUT_OF_MEMORY;
	int running = multi_code == CURLM_OK;
	int left;

	while (running && multi_code == CURLM_OK && !sink_stopping(sink)) {
		multi_code = curl_multi_perform(otlp->multi, &running);
		if (running && multi_code == CURLM_OK)
			multi_code = curl_multi_poll(otlp->multi, NULL, 0, POLL_MS, NULL);
	}
	for (CURLMsg *msg; (msg = curl_multi_info_read(otlp->multi, &left));)
		if (msg->msg == CURLMSG_DONE)
			code = msg->data.result;
	curl_multi_remove_handle(otlp->multi, otlp->easy);
	*ret_code = code;
	return !running;
}

static enum outcome attempt(struct otlp *otlp, struct sink *sink, size_t n_spans)
{
	CURLcode code;

	buf_clear(&otlp->response);
	otlp->response_too_large = false;
	otlp->retry_after_ms = -1;
	if (!transfer(otlp, sink, &code) && sink_stopping(sink))
		return OUTCOME_STOPPED;
	if (code == CURLE_OK)
		return judge_status(otlp, n_spans);
	if (otlp->response_too_large) {
		log_failure(otlp, "the answer is longer than 4 MiB", NULL, n_spans);
		return OUTCOME_REFUSED;
	}
	log_failure(otlp, curl_easy_strerror(code), NULL, n_spans);
	return curl_code_retryable(code) ? OUTCOME_RETRY : OUTCOME_REFUSED;
}

static size_t count_spans(struct trace *const *traces, size_t n)
{
	size_t n_spans = 0;

	for (size_t i = 0; i < n; i++)
		n_spans += traces[i]->n_spans;
	return n_spans;
}

/* Make the request. False when it cannot be sent. */
static bool prepare(struct otlp *otlp, struct trace *const *traces, size_t n, size_t n_spans)
{
	buf_clear(&otlp->request);
	encode_otlp_protobuf(&otlp->request, traces, n, &otlp->clock);
	if (otlp->request.failed) {
		log_failure(otlp, "out of memory", NULL, n_spans);
		return false;
	}
	if (otlp->request.len > MAX_REQUEST_BYTES) {
		log_failure(otlp, "the request is longer than 64 MiB", NULL, n_spans);
		return false;
	}
	curl_easy_setopt(otlp->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)otlp->request.len);
	curl_easy_setopt(otlp->easy, CURLOPT_POSTFIELDS, otlp->request.data);
	return true;
}

static size_t otlp_deliver(
    void *driver, struct sink *sink, struct trace *const *traces, size_t n, size_t *ret_failed)
{
	struct otlp *otlp = driver;
	size_t n_spans = count_spans(traces, n);
	enum outcome outcome = OUTCOME_REFUSED;
	struct otlp_retry retry;
	uint64_t wait_ns;

	otlp_retry_init(&retry, &otlp->retry_options, clock_monotonic_ns());
	if (prepare(otlp, traces, n, n_spans))
		outcome = attempt(otlp, sink, n_spans);
	while (outcome == OUTCOME_RETRY) {
		if (!otlp_retry_next(
			&retry, &otlp->rng, clock_monotonic_ns(), otlp->retry_after_ms, &wait_ns) ||
		    !sink_sleep(sink, wait_ns))
			break;
		outcome = attempt(otlp, sink, n_spans);
	}
	*ret_failed = outcome == OUTCOME_ACCEPTED ? read_partial_success(otlp, n_spans) : n_spans;
	return n_spans - *ret_failed;
}

static void otlp_interrupt(void *driver)
{
	struct otlp *otlp = driver;

	curl_multi_wakeup(otlp->multi);
}

/* --- life cycle ------------------------------------------------------------------------------ */

static void otlp_free(void *driver)
{
	struct otlp *otlp = driver;

	if (!otlp)
		return;
	curl_easy_cleanup(otlp->easy);
	curl_multi_cleanup(otlp->multi);
	curl_slist_free_all(otlp->headers);
	buf_release(&otlp->request);
	buf_release(&otlp->response);
	free(otlp);
	curl_global_cleanup();
}

/* Returns 0 or -ENOMEM. */
static int add_header(struct otlp *otlp, const char *line)
{
	struct curl_slist *grown = curl_slist_append(otlp->headers, line);

	if (!grown)
		return -ENOMEM;
	otlp->headers = grown;
	return 0;
}

/* As add_header(); libcurl writes an empty value as "Name;", and "Name:" would remove a header. */
static int add_user_header(struct otlp *otlp, const char *line)
{
	size_t len = strcspn(line, ":");
	char *empty;
	int err;

	if (line[len] == '\0' || line[len + 1 + strspn(line + len + 1, " \t")] != '\0')
		return add_header(otlp, line);
	empty = strndup(line, len + 1);
	if (!empty)
		return -ENOMEM;
	empty[len] = ';';
	err = add_header(otlp, empty);
	free(empty);
	return err;
}

static int set_headers(struct otlp *otlp, const struct otlp_options *options)
{
	int err = add_header(otlp, "Content-Type: application/x-protobuf");

	/* No "100-continue" dance: it costs a round trip, and a second where nobody answers it. */
	if (!err)
		err = add_header(otlp, "Expect:");
	for (size_t i = 0; i < options->n_headers && !err; i++)
		err = add_user_header(otlp, options->headers[i]);
	return err;
}

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

static int set_up_curl(struct otlp *otlp, const struct otlp_options *options)
{
	CURL *easy = otlp->easy = curl_easy_init();

	otlp->multi = curl_multi_init();
	if (!easy || !otlp->multi || set_headers(otlp, options))
		return -ENOMEM;
	if (curl_easy_setopt(easy, CURLOPT_URL, options->traces_url))
		return -ENOMEM;
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_USERAGENT,
	    "zerospan/" ZEROSPAN_VERSION " OTel-OTLP-Exporter-C/" ZEROSPAN_VERSION);
	set_trust(easy, options->ca_file);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, otlp->headers);
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)options->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, otlp);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, otlp);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Do not wait for a name server at the end. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	return 0;
}

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
	return value ? value : fallback;
}

static const struct sink_driver otlp_driver = {
    .name = "otlp_http", .deliver = otlp_deliver, .interrupt = otlp_interrupt, .free = otlp_free};

struct sink *export_otlp_new(const struct otlp_options *options, const struct clock_base *clock)
{
	const struct sink_options *want = &options->queue;
	const struct sink_options queue = {
	    .max_queue_items = or_default(want->max_queue_items, QUEUE_SPANS),
	    .max_batch_items = or_default(want->max_batch_items, BATCH_SPANS),
	    .linger_ns = or_default(want->linger_ns, LINGER_MS * NS_PER_MS),
	    .flush_timeout_ns = or_default(want->flush_timeout_ns, FLUSH_MS * NS_PER_MS)};
	struct otlp *otlp;
	int err;

	if (curl_global_init(CURL_GLOBAL_DEFAULT)) {
		errno = ENOMEM;
		return NULL;
	}
	otlp = calloc(1, sizeof(*otlp));
	if (!otlp) {
		curl_global_cleanup();
		errno = ENOMEM;
		return NULL;
	}
	otlp->clock = *clock;
	otlp->retry_options = (struct otlp_retry_options){
	    .initial_ms = or_default(options->retry_initial_ms, RETRY_INITIAL_MS),
	    .max_ms = or_default(options->retry_max_ms, RETRY_MAX_MS),
	    .elapsed_ms = or_default(options->retry_elapsed_ms, RETRY_ELAPSED_MS)};
	rng_seed_random(&otlp->rng);
	err = set_up_curl(otlp, options);
	if (err) {
		otlp_free(otlp);
		errno = -err;
		return NULL;
	}
	return sink_new(&otlp_driver, otlp, &queue);
}
