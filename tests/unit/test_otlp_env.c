// SPDX-License-Identifier: Apache-2.0
/* OTLP settings from the environment. */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "env_fixture.h"
#include "export/otlp_options.h"
#include "support.h"

#define E "OTEL_EXPORTER_OTLP_"

/* The options of traces; those of the other signals are forgotten. */
static int read_env(const char *const *env, struct otlp_options *ret_options)
{
	struct otlp_settings settings;
	int err;

	environment = env;
	err = otlp_settings_from_env(&settings, fake_getenv, NULL);
	if (err)
		return err;
	*ret_options = settings.signals[OTLP_TRACES];
	settings.signals[OTLP_TRACES] = (struct otlp_options){0};
	otlp_settings_release(&settings);
	return 0;
}

#define ENV(...) ((const char *const[]){__VA_ARGS__, NULL})

static void expect_url(const char *const *env, const char *want)
{
	struct otlp_options options;

	assert_int_equal(read_env(env, &options), 0);
	if (want)
		assert_string_equal(options.url, want);
	else
		assert_null(options.url);
	otlp_options_release(&options);
}

static void test_endpoint(void **state)
{
	(void)state;
	expect_url(ENV("X", ""), NULL);
	expect_url(ENV(E "ENDPOINT", ""), NULL);
	expect_url(ENV(E "ENDPOINT", "http://c:4318"), "http://c:4318/v1/traces");
	expect_url(ENV(E "ENDPOINT", "http://c:4318/"), "http://c:4318/v1/traces");
	expect_url(ENV(E "ENDPOINT", "http://c:4318/my"), "http://c:4318/my/v1/traces");
	expect_url(ENV(E "ENDPOINT", "https://c/my/"), "https://c/my/v1/traces");
	expect_url(ENV(E "TRACES_ENDPOINT", "http://c:4318"), "http://c:4318/");
	expect_url(ENV(E "TRACES_ENDPOINT", "https://x/v1/traces/"), "https://x/v1/traces/");
	expect_url(ENV(E "ENDPOINT", "http://a", E "TRACES_ENDPOINT", "http://b/t"), "http://b/t");
	expect_url(ENV(E "ENDPOINT", "http://a", E "TRACES_ENDPOINT", ""), "http://a/v1/traces");
	expect_url(ENV(E "ENDPOINT", "http://[::1]:4318"), "http://[::1]:4318/v1/traces");
}

static void expect_shown(const char *url, const char *want)
{
	struct buf out;

	buf_init(&out);
	otlp_endpoint_show(&out, url);
	assert_string_equal(out.data, want);
	buf_release(&out);
}

/* A password is for the server, and so is a key in a query; the log goes to others, too. */
static void test_endpoint_shown(void **state)
{
	(void)state;
	expect_shown("http://c:4318/v1/traces", "http://c:4318/v1/traces");
	expect_shown("https://[::1]:4318/a@b", "https://[::1]:4318/a@b");
	expect_shown("https://user:s3cret@c/v1/traces", "https://c/v1/traces");
	expect_shown("http://token@c:1/", "http://c:1/");
	expect_shown("http://user:p%40ss@c:1/", "http://c:1/");
	expect_shown("https://c/v1/traces?api_key=s3cret&x=1", "https://c/v1/traces?...");
	expect_shown("https://u:p@c/?s3cret#s3cret", "https://c/?...");
	expect_shown("https://c/#s3cret", "https://c/");
}

static void expect_ca_file(const char *const *env, const char *want)
{
	struct otlp_options options;

	assert_int_equal(read_env(env, &options), 0);
	if (want)
		assert_string_equal(options.ca_file, want);
	else
		assert_null(options.ca_file);
	otlp_options_release(&options);
}

static void test_certificate(void **state)
{
	(void)state;
	expect_ca_file(ENV(E "ENDPOINT", "https://a"), NULL);
	expect_ca_file(ENV(E "CERTIFICATE", "/dev/null"), "/dev/null");
	expect_ca_file(ENV(E "CERTIFICATE", "", "SSL_CERT_FILE", "/dev/null"), "/dev/null");
	expect_ca_file(
	    ENV(E "CERTIFICATE", "/dev/null", E "TRACES_CERTIFICATE", "/dev/zero"), "/dev/zero");
	expect_ca_file(
	    ENV(E "CERTIFICATE", "/dev/zero", "SSL_CERT_FILE", "/dev/null"), "/dev/zero");
	/* A general hint that leads nowhere is passed over; a wrong setting is told when it is used. */
	expect_ca_file(ENV("SSL_CERT_FILE", "/no/such/file"), NULL);
	expect_ca_file(ENV(E "TRACES_CERTIFICATE", "/no/such/file"), "/no/such/file");
}

static void test_switches(void **state)
{
	(void)state;
	expect_url(ENV(E "ENDPOINT", "http://a", "OTEL_SDK_DISABLED", "TRUE"), NULL);
	expect_url(ENV(E "ENDPOINT", "http://a", "OTEL_SDK_DISABLED", "1"), "http://a/v1/traces");
	expect_url(ENV(E "ENDPOINT", "http://a", "OTEL_TRACES_EXPORTER", "none"), NULL);
	expect_url(ENV("OTEL_TRACES_EXPORTER", "otlp"), "http://localhost:4318/v1/traces");
	expect_url(ENV("OTEL_TRACES_EXPORTER", "zipkin"), NULL);
	expect_url(
	    ENV(E "ENDPOINT", "http://a", E "PROTOCOL", "HTTP/protobuf", E "COMPRESSION", "gzip"),
	    "http://a/v1/traces");
}

static void expect_urls(const char *const *env, const char *endpoint, const char *const want[3])
{
	struct otlp_settings settings;

	environment = env;
	assert_int_equal(otlp_settings_from_env(&settings, fake_getenv, endpoint), 0);
	for (int i = 0; i < OTLP_SIGNALS; i++) {
		if (want[i])
			assert_string_equal(settings.signals[i].url, want[i]);
		else
			assert_null(settings.signals[i].url);
	}
	otlp_settings_release(&settings);
}

#define URLS(...) ((const char *const[]){__VA_ARGS__})

static void test_signals(void **state)
{
	(void)state;
	expect_urls(ENV(E "ENDPOINT", "http://c:4318"), NULL,
	    URLS("http://c:4318/v1/traces", "http://c:4318/v1/metrics", "http://c:4318/v1/logs"));
	expect_urls(ENV(E "ENDPOINT", "http://c", "OTEL_LOGS_EXPORTER", "none",
			E "METRICS_ENDPOINT", "https://x/v1/metrics/"),
	    NULL, URLS("http://c/v1/traces", "https://x/v1/metrics/", NULL));
	expect_urls(ENV(E "LOGS_ENDPOINT", "http://l/"), NULL, URLS(NULL, NULL, "http://l/"));
	expect_urls(ENV("OTEL_METRICS_EXPORTER", "prometheus, otlp", "OTEL_LOGS_EXPORTER",
			"console", E "ENDPOINT", "http://c", E "PROTOCOL", "grpc"),
	    NULL, URLS("http://c/", "http://c/", NULL));
	expect_urls(ENV("OTEL_TRACES_EXPORTER", "otlp", E "TRACES_PROTOCOL", "grpc"), NULL,
	    URLS("http://localhost:4317/", NULL, NULL));
	/* a flag beats all of them, but what is not wanted stays at home */
	expect_urls(ENV(E "ENDPOINT", "http://c", E "TRACES_ENDPOINT", "http://t/",
			"OTEL_METRICS_EXPORTER", "none"),
	    "http://f:1/x", URLS("http://f:1/x/v1/traces", NULL, "http://f:1/x/v1/logs"));
	expect_urls(ENV("OTEL_SDK_DISABLED", "true"), "http://f", URLS(NULL, NULL, NULL));
}

static void test_protocols(void **state)
{
	struct otlp_options options;

	(void)state;
	assert_int_equal(read_env(ENV(E "ENDPOINT", "http://a"), &options), 0);
	assert_int_equal(options.protocol, OTLP_HTTP_PROTOBUF);
	assert_false(options.gzip);
	otlp_options_release(&options);
	assert_int_equal(read_env(ENV(E "ENDPOINT", "a.example:4317", E "PROTOCOL", "grpc",
				      E "TRACES_PROTOCOL", "GRPC", E "COMPRESSION", "gzip"),
			     &options),
	    0);
	assert_int_equal(options.protocol, OTLP_GRPC);
	assert_string_equal(options.url, "https://a.example:4317/");
	assert_true(options.gzip);
	otlp_options_release(&options);
	assert_int_equal(read_env(ENV(E "ENDPOINT", "a:4317", E "PROTOCOL", "grpc", E "INSECURE",
				      "true", E "COMPRESSION", "brotli", E "CLIENT_KEY", "k",
				      E "TRACES_CLIENT_CERTIFICATE", "c"),
			     &options),
	    0);
	assert_string_equal(options.url, "http://a:4317/");
	assert_false(options.gzip);
	assert_string_equal(options.client_key_file, "k");
	assert_string_equal(options.client_certificate_file, "c");
	otlp_options_release(&options);
}

static void test_queues(void **state)
{
	struct otlp_settings settings;

	(void)state;
	environment = ENV(E "ENDPOINT", "http://a", "OTEL_BSP_MAX_QUEUE_SIZE", "100",
	    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "200", "OTEL_BSP_SCHEDULE_DELAY", "250",
	    "OTEL_BSP_EXPORT_TIMEOUT", "0", "OTEL_BLRP_MAX_QUEUE_SIZE", "7");
	assert_int_equal(otlp_settings_from_env(&settings, fake_getenv, NULL), 0);
	assert_int_equal(settings.signals[OTLP_TRACES].queue.max_queue_items, 100);
	assert_int_equal(settings.signals[OTLP_TRACES].queue.max_batch_items, 100);
	assert_int_equal(settings.signals[OTLP_TRACES].queue.linger_ns, 250 * NS_PER_MS);
	assert_int_equal(settings.signals[OTLP_TRACES].retry_elapsed_ms, 0); /* its default */
	assert_int_equal(settings.signals[OTLP_METRICS].queue.max_queue_items, 0);
	assert_int_equal(settings.signals[OTLP_LOGS].queue.max_queue_items, 7);
	otlp_settings_release(&settings);
}

/* What was logged since begin_told(): "warning: " or "error: " and the text. */
static char told[8][320];
static size_t n_told;

static void keep_told(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	assert_true(n_told < 8);
	snprintf(told[n_told++], sizeof(told[0]), "%s: %s",
	    level == LOG_LEVEL_ERROR ? "error" : "warning", text);
}

static void begin_told(void)
{
	n_told = 0;
	log_set_observer(keep_told, NULL);
}

static void expect_told(const char *const *want, size_t n)
{
	log_set_observer(NULL, NULL);
	for (size_t i = 0; i < n && i < n_told; i++)
		assert_string_equal(told[i], want[i]);
	assert_int_equal(n_told, n);
}

/* One line, and these signals go out and no others. */
static void expect_left_out(const char *const *env, const char *line, const char *const urls[3])
{
	begin_told();
	expect_urls(env, NULL, urls);
	expect_told(&line, 1);
}

#define NO_URL "no URL that starts with http:// or https://, for example \"http://localhost:4318\""

/* Where no default could be meant: the signals that need it stay at home, which is said once; the others go out. */
static void test_left_out(void **state)
{
	static const char *const bad_endpoints[] = {
	    "localhost:4318", "ftp://a", "http://", "http://a b/"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad_endpoints) / sizeof(bad_endpoints[0]); i++)
		expect_left_out(ENV(E "ENDPOINT", bad_endpoints[i]),
		    "error: no traces, metrics, logs go out over OTLP: " E "ENDPOINT: " NO_URL,
		    URLS(NULL, NULL, NULL));
	expect_left_out(ENV(E "ENDPOINT", "http://a", E "TRACES_ENDPOINT", "ftp://a"),
	    "error: no traces go out over OTLP: " E "TRACES_ENDPOINT: " NO_URL,
	    URLS(NULL, "http://a/v1/metrics", "http://a/v1/logs"));
	expect_left_out(ENV(E "ENDPOINT", "ftp://a", E "METRICS_ENDPOINT", "http://m/"),
	    "error: no traces, logs go out over OTLP: " E "ENDPOINT: " NO_URL,
	    URLS(NULL, "http://m/", NULL));
	expect_left_out(ENV(E "ENDPOINT", "http://a", E "LOGS_HEADERS", "novalue"),
	    "error: no logs go out over OTLP: " E
	    "LOGS_HEADERS: entry 1 is not name=value with a header name before the \"=\"",
	    URLS("http://a/v1/traces", "http://a/v1/metrics", NULL));
	expect_left_out(ENV(E "ENDPOINT", "ftp://a", E "HEADERS", "novalue"),
	    "error: no traces, metrics, logs go out over OTLP: " E "ENDPOINT: " NO_URL "; " E
	    "HEADERS: entry 1 is not name=value with a header name before the \"=\"",
	    URLS(NULL, NULL, NULL));
	expect_left_out(ENV(E "PROTOCOL", "grpc", E "ENDPOINT", "ftp://a"),
	    "error: no traces, metrics, logs go out over OTLP: " E
	    "ENDPOINT: no URL that starts with http:// or https://, for example \"http://localhost:4317\"",
	    URLS(NULL, NULL, NULL));
}

/* A header that cannot be meant is no header to leave out: it may be what lets the data in. */
static void test_bad_headers(void **state)
{
	static const char *const bad[] = {
	    "novalue", "a=1,=2", "a b=1", "a=%0d%0aEvil: 1", "a=%zz", "a=%4", "te"};
	struct otlp_settings settings;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		environment = ENV(E "HEADERS", bad[i]);
		begin_told();
		assert_int_equal(otlp_settings_from_env(&settings, fake_getenv, "http://a"), 0);
		log_set_observer(NULL, NULL);
		assert_int_equal(n_told, 1);
		assert_non_null(
		    strstr(told[0], "no traces, metrics, logs go out over OTLP: " E "HEADERS: "));
		for (int j = 0; j < OTLP_SIGNALS; j++) {
			assert_null(settings.signals[j].url);
			assert_null(settings.signals[j].headers);
		}
		otlp_settings_release(&settings);
	}
}

/* What is none of the words is as if it were not set, and told once although three signals read it. */
static void test_unknown_words(void **state)
{
	static const char *const want[] = {
	    "warning: " E "PROTOCOL='http/json' is ignored: expected http/protobuf or grpc",
	    "warning: " E "COMPRESSION='brotli' is ignored: expected none or gzip",
	    "warning: " E "INSECURE='1' is taken as false: expected true or false",
	    "warning: " E "TIMEOUT='10s' is ignored: expected a number from 0 to 2147483647",
	    "warning: OTEL_TRACES_EXPORTER='zipkin' is ignored: expected otlp, console or none",
	    "warning: OTEL_METRICS_EXPORTER='statsd' is ignored: expected otlp, console, prometheus or none",
	    "warning: " E
	    "METRICS_PROTOCOL='carrier-pigeon' is ignored: expected http/protobuf or grpc",
	    "warning: " E "METRICS_COMPRESSION='zstd' is ignored: expected none or gzip",
	};
	struct otlp_settings settings;

	(void)state;
	environment = ENV(E "ENDPOINT", "http://a", E "PROTOCOL", "http/json", E "COMPRESSION",
	    "brotli", E "INSECURE", "1", E "TIMEOUT", "10s", "OTEL_TRACES_EXPORTER", "zipkin",
	    "OTEL_METRICS_EXPORTER", "statsd", E "METRICS_PROTOCOL", "carrier-pigeon",
	    E "METRICS_COMPRESSION", "zstd", E "LOGS_PROTOCOL", "gRPC");
	begin_told();
	assert_int_equal(otlp_settings_from_env(&settings, fake_getenv, NULL), 0);
	expect_told(want, sizeof(want) / sizeof(want[0]));
	for (int i = 0; i < OTLP_SIGNALS; i++) {
		assert_int_equal(
		    settings.signals[i].protocol, i == OTLP_LOGS ? OTLP_GRPC : OTLP_HTTP_PROTOBUF);
		assert_non_null(settings.signals[i].url);
		assert_false(settings.signals[i].gzip);
		assert_int_equal(settings.signals[i].timeout_ms, 10000);
	}
	otlp_settings_release(&settings);
}

/* What is wrong for one signal is as if that were not set, too: the general variable says it. */
static void test_unknown_words_for_one_signal(void **state)
{
	static const char *const want[] = {
	    "warning: " E "TRACES_PROTOCOL='http/json' is ignored: expected http/protobuf or grpc",
	    "warning: " E "TRACES_COMPRESSION='zstd' is ignored: expected none or gzip",
	    "warning: " E "TRACES_TIMEOUT='60s' is ignored: expected a number from 0 to 2147483647",
	};
	struct otlp_settings settings;

	(void)state;
	environment = ENV(E "ENDPOINT", "http://a", E "PROTOCOL", "grpc", E "COMPRESSION", "gzip",
	    E "TIMEOUT", "60000", E "INSECURE", "true", E "TRACES_PROTOCOL", "http/json",
	    E "TRACES_COMPRESSION", "zstd", E "TRACES_TIMEOUT", "60s", E "LOGS_PROTOCOL",
	    "http/protobuf", E "LOGS_COMPRESSION", "none", E "LOGS_TIMEOUT", "7", E "LOGS_INSECURE",
	    "false");
	begin_told();
	assert_int_equal(otlp_settings_from_env(&settings, fake_getenv, NULL), 0);
	expect_told(want, sizeof(want) / sizeof(want[0]));
	for (int i = 0; i < OTLP_SIGNALS; i++) {
		const struct otlp_options *options = &settings.signals[i];
		bool own = i == OTLP_LOGS;

		assert_int_equal(options->protocol, own ? OTLP_HTTP_PROTOBUF : OTLP_GRPC);
		assert_int_equal(options->gzip, !own);
		assert_int_equal(options->timeout_ms, own ? 7 : 60000);
		assert_int_equal(options->insecure, !own);
	}
	otlp_settings_release(&settings);
}

/* The command line is another thing: what is wrong there is an error. */
static void test_flags(void **state)
{
	struct otlp_settings settings = {.signals[0].timeout_ms = 77};

	(void)state;
	environment =
	    ENV("OTEL_LOGS_EXPORTER", "none", E "TRACES_PROTOCOL", "grpc", E "INSECURE", "true");
	assert_int_equal(otlp_settings_from_env(&settings, fake_getenv, "ftp://a"), -EINVAL);
	assert_int_equal(settings.signals[0].timeout_ms, 77); /* untouched on failure */
	assert_int_equal(otlp_settings_from_env(&settings, fake_getenv, "http://a"), 0);
	assert_int_equal(otlp_settings_aim(&settings, "ftp://a"), -EINVAL);
	assert_int_equal(otlp_settings_aim(&settings, "http://b:1/c"), 0);
	assert_string_equal(settings.signals[OTLP_TRACES].url, "http://b:1/c");
	assert_string_equal(settings.signals[OTLP_METRICS].url, "http://b:1/c/v1/metrics");
	assert_null(settings.signals[OTLP_LOGS].url);
	otlp_settings_release(&settings);
}

static void test_headers_and_timeout(void **state)
{
	struct otlp_options options;

	(void)state;
	assert_int_equal(
	    read_env(ENV(E "ENDPOINT", "http://a", E "HEADERS",
			 " api-key = a%20b%3D%2c , x=y=z,,empty=, sp=a b ", E "TIMEOUT", "250"),
		&options),
	    0);
	assert_int_equal(options.n_headers, 4);
	assert_string_equal(options.headers[0], "api-key: a b=,");
	assert_string_equal(options.headers[1], "x: y=z");
	assert_string_equal(options.headers[2], "empty: ");
	assert_string_equal(options.headers[3], "sp: a b");
	assert_int_equal(options.timeout_ms, 250);
	otlp_options_release(&options);
	assert_int_equal(read_env(ENV(E "HEADERS", "a=1", E "TRACES_HEADERS", "b=2", E "TIMEOUT",
				      "0", E "TRACES_TIMEOUT", "-5"),
			     &options),
	    0);
	assert_int_equal(options.n_headers, 1);
	assert_string_equal(options.headers[0], "b: 2");
	assert_int_equal(options.timeout_ms, 0);
	otlp_options_release(&options);
	assert_int_equal(read_env(ENV(E "TIMEOUT", "0"), &options), 0);
	assert_int_equal(options.timeout_ms, 0);
	otlp_options_release(&options);
	assert_int_equal(read_env(ENV(E "TIMEOUT", "10s"), &options), 0);
	assert_int_equal(options.timeout_ms, 10000);
	otlp_options_release(&options);
}

/* What requests say themselves wins, in whatever case it is written; that is told once for each variable, without values. */
static void test_own_headers(void **state)
{
	static const char *const env[] = {E "ENDPOINT", "http://a", E "HEADERS",
	    "Content-Type=text/plain,x=1,host=secret,TE=gzip,hosts=2,Accept-Encoding=gzip",
	    E "METRICS_HEADERS", "grpc-timeout=1S,GRPC-Trace-Bin=AA,grpcx=3", E "LOGS_HEADERS",
	    "y=4", NULL};
	static const char *const want[] = {
	    "warning: " E
	    "HEADERS: left out, because requests say it themselves: \"Content-Type\", \"host\", \"TE\", \"Accept-Encoding\"",
	    "warning: " E
	    "METRICS_HEADERS: left out, because requests say it themselves: \"grpc-timeout\", \"GRPC-Trace-Bin\"",
	};
	struct otlp_settings settings;
	const struct otlp_options *signals = settings.signals;

	(void)state;
	environment = env;
	begin_told();
	assert_int_equal(otlp_settings_from_env(&settings, fake_getenv, NULL), 0);
	assert_int_equal(n_told, 0);
	otlp_headers_warn(fake_getenv);
	expect_told(want, 2);
	assert_int_equal(signals[OTLP_TRACES].n_headers, 2);
	assert_string_equal(signals[OTLP_TRACES].headers[0], "x: 1");
	assert_string_equal(signals[OTLP_TRACES].headers[1], "hosts: 2");
	assert_int_equal(signals[OTLP_METRICS].n_headers, 1);
	assert_string_equal(signals[OTLP_METRICS].headers[0], "grpcx: 3");
	assert_int_equal(signals[OTLP_LOGS].n_headers, 1);
	otlp_settings_release(&settings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_endpoint),
	    cmocka_unit_test(test_endpoint_shown),
	    cmocka_unit_test(test_certificate),
	    cmocka_unit_test(test_switches),
	    cmocka_unit_test(test_signals),
	    cmocka_unit_test(test_protocols),
	    cmocka_unit_test(test_queues),
	    cmocka_unit_test(test_left_out),
	    cmocka_unit_test(test_bad_headers),
	    cmocka_unit_test(test_unknown_words),
	    cmocka_unit_test(test_unknown_words_for_one_signal),
	    cmocka_unit_test(test_flags),
	    cmocka_unit_test(test_headers_and_timeout),
	    cmocka_unit_test(test_own_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
