// SPDX-License-Identifier: Apache-2.0
/* The scrape endpoint over a real socket: methods, paths, types, a taken port, several at once. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "export/exporters.h"
#include "span_fixture.h"

static struct metrics *sample_metrics(void)
{
	static const struct metric_desc desc = {
	    .name = "zerospan.events", .unit = "{event}", .type = METRIC_COUNTER};
	struct metrics *metrics = metrics_new();

	metric_set(metrics_add(metrics, &desc), NULL, 0, 7);
	return metrics;
}

static int connect_to(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Send a request that ends the connection and read the whole answer, which may be empty; caller
 * frees. */
static char *exchange(int port, const char *request)
{
	int fd = connect_to(port);
	struct buf answer;
	char chunk[4096];
	ssize_t n;

	assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
	buf_init(&answer);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_append(&answer, chunk, (size_t)n);
	close(fd);
	return answer.data ? answer.data : calloc(1, 1);
}

static void expect_answer(
    int port, const char *request, const char *status, const char *has, const char *hasnt)
{
	char *answer = exchange(port, request);

	if (strncmp(answer, status, strlen(status)) != 0)
		fail_msg("wanted \"%s\", got \"%s\"", status, answer);
	if (has)
		assert_non_null(strstr(answer, has));
	if (hasnt)
		assert_null(strstr(answer, hasnt));
	free(answer);
}

#define END " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void test_answers(void **state)
{
	struct http_listener_options options = {
	    .address = "127.0.0.1", .metrics = sample_metrics()};
	struct http_listener *listener = http_listener_new(&options);
	int port;

	(void)state;
	assert_non_null(listener);
	port = http_listener_port(listener);
	assert_in_range(port, 1, 65535);
	expect_answer(port, "GET /metrics" END, "HTTP/1.1 200", "\r\n\r\n# TYPE zerospan_ev", NULL);
	expect_answer(port, "GET /metrics?x=1" END, "HTTP/1.1 200",
	    "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n", NULL);
	expect_answer(port, "HEAD /metrics" END, "HTTP/1.1 200", "Content-Length: ", "# TYPE");
	expect_answer(port, "GET /" END, "HTTP/1.1 200", "/metrics\n", NULL);
	expect_answer(port, "GET /other" END, "HTTP/1.1 404", NULL, NULL);
	expect_answer(port, "DELETE /metrics" END, "HTTP/1.1 405", "Allow: GET, HEAD\r\n", NULL);
	expect_answer(port,
	    "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
	    "HTTP/1.1 405", NULL, "# TYPE");
	expect_answer(port, "GARBAGE\r\n\r\n", "", NULL, "# TYPE");
	http_listener_free(listener);
	metrics_free(options.metrics);
}

/* What a service counted that has ended is in each scrape of the next minute, whoever asks; gauges of it are in none. */
static void test_ended_service(void **state)
{
	static const struct metric_desc gauge = {
	    .name = "zerospan.level", .unit = "{level}", .type = METRIC_GAUGE};
	struct http_listener_options options = {
	    .address = "127.0.0.1", .metrics = sample_metrics()};
	struct service *service = fixture_service("shop", 7);
	struct instrument *events = metrics_add(options.metrics,
	    &(struct metric_desc){
		.name = "zerospan.events", .unit = "{event}", .type = METRIC_COUNTER});
	struct http_listener *listener = http_listener_new(&options);
	int port = http_listener_port(listener);

	(void)state;
	metric_record(events, service, NULL, 0, 5, NULL);
	metric_record(metrics_add(options.metrics, &gauge), service, NULL, 0, 3, NULL);
	metrics_end_service(options.metrics, service);
	for (int i = 0; i < 3; i++)
		expect_answer(port, "GET /metrics" END, "HTTP/1.1 200",
		    "zerospan_events_total{job=\"shop\",instance=\"0b6c-1\"} 5\n",
		    "zerospan_level{");
	http_listener_free(listener);
	assert_int_equal(atomic_load(&service->refs), 1); /* nobody reads any more */
	metrics_free(options.metrics);
	service_unref(service);
}

#define ASKING(fields) " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" fields "\r\n\r\n"
#define OPENMETRICS    "application/openmetrics-text"

static void test_negotiation(void **state)
{
	struct http_listener_options options = {
	    .address = "127.0.0.1", .metrics = sample_metrics()};
	struct http_listener *listener = http_listener_new(&options);
	int port = http_listener_port(listener);

	(void)state;
	expect_answer(port, "GET /metrics" ASKING("Accept: " OPENMETRICS), "HTTP/1.1 200",
	    "Content-Type: " OPENMETRICS "; version=1.0.0; charset=utf-8\r\n", "escaping");
	expect_answer(port, "GET /metrics" ASKING("Accept: " OPENMETRICS), "HTTP/1.1 200",
	    "zerospan_events_total 7\n# EOF\n", NULL);
	expect_answer(port, "GET /metrics" ASKING("Accept: " OPENMETRICS ";escaping=allow-utf-8"),
	    "HTTP/1.1 200", "; charset=utf-8; escaping=underscores\r\n", NULL);
	/* two lines of a field are one list */
	expect_answer(port,
	    "GET /metrics" ASKING("Accept: text/plain;q=0.1\r\nAccept: " OPENMETRICS),
	    "HTTP/1.1 200", "# EOF\n", NULL);
	expect_answer(port, "GET /metrics" ASKING("Accept: ;;,q=\"\\"), "HTTP/1.1 200",
	    "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n", "# EOF");
	expect_answer(port, "GET /metrics" ASKING("Accept-Encoding: gzip"), "HTTP/1.1 200",
	    "Content-Encoding: gzip\r\n", "zerospan_events");
	expect_answer(port, "GET /metrics" ASKING("Accept-Encoding: gzip;q=0"), "HTTP/1.1 200",
	    "Vary: Accept, Accept-Encoding\r\n", "Content-Encoding");
	http_listener_free(listener);
	metrics_free(options.metrics);
}

static void test_health(void **state)
{
	struct http_listener_options options = {
	    .address = "127.0.0.1", .metrics = sample_metrics()};
	struct http_listener *listener = http_listener_new(&options);
	int port = http_listener_port(listener);

	(void)state;
	expect_answer(port, "GET /healthz" END, "HTTP/1.1 200", "ok\n", NULL);
	expect_answer(port, "GET /readyz" END, "HTTP/1.1 503", NULL, NULL);
	http_listener_set_ready(listener);
	http_listener_set_ready(NULL);
	expect_answer(port, "GET /readyz" END, "HTTP/1.1 200", "ready\n", NULL);
	expect_answer(port, "HEAD /readyz" END, "HTTP/1.1 200", NULL, "ready\n");
	expect_answer(port, "PUT /healthz" END, "HTTP/1.1 405", "Allow: GET, HEAD\r\n", NULL);
	http_listener_free(listener);
	metrics_free(options.metrics);
}

static void test_taken_port(void **state)
{
	struct http_listener_options options = {
	    .address = "127.0.0.1", .metrics = sample_metrics()};
	struct http_listener *listener = http_listener_new(&options);

	(void)state;
	assert_non_null(listener);
	options.port = http_listener_port(listener);
	errno = 0;
	assert_null(http_listener_new(&options));
	assert_int_equal(errno, EADDRINUSE);
	options.address = "192.0.2.1"; /* documentation network, on no host */
	assert_null(http_listener_new(&options));
	assert_int_equal(errno, EADDRNOTAVAIL);
	options.address = "no such address";
	assert_null(http_listener_new(&options));
	assert_int_equal(errno, EADDRNOTAVAIL);
	http_listener_free(listener);
	http_listener_free(NULL);
	metrics_free(options.metrics);
}

static void *scrape_many(void *arg)
{
	for (int i = 0; i < 20; i++) {
		char *answer = exchange(*(int *)arg, "GET /metrics" END);
		bool ok = strstr(answer, "zerospan_events_total 7\n") != NULL;

		free(answer);
		if (!ok)
			return arg;
	}
	return NULL;
}

/* Whoever asks and never reads holds a connection and nothing else: the others are answered. */
static void test_slow_readers(void **state)
{
	struct http_listener_options options = {
	    .address = "127.0.0.1", .metrics = sample_metrics()};
	struct http_listener *listener = http_listener_new(&options);
	int port = http_listener_port(listener), slow[8];
	static const struct metric_desc desc = {.name = "big", .type = METRIC_COUNTER};
	struct instrument *big = metrics_add(options.metrics, &desc);
	static const char request[] = "GET /metrics" END;
	char filler[4096];

	(void)state;
	/* More than the buffers of a socket hold: 2000 sets of 4 KB. */
	memset(filler, 'x', sizeof(filler));
	for (int i = 0; i < METRIC_MAX_SETS; i++) {
		const struct attr attrs[] = {ATTR_I("n", i),
		    {.key = "f", .type = ATTR_STRING, .string = sv_from(filler, sizeof(filler))}};

		metric_set(big, attrs, 2, 1);
	}
	for (size_t i = 0; i < 8; i++) {
		slow[i] = connect_to(port);
		assert_int_equal(write(slow[i], request, sizeof(request) - 1), sizeof(request) - 1);
	}
	expect_answer(port, "GET /healthz" END, "HTTP/1.1 200", "ok\n", NULL);
	expect_answer(port, "GET /metrics" END, "HTTP/1.1 200", "zerospan_events_total 7\n", NULL);
	for (size_t i = 0; i < 8; i++)
		close(slow[i]);
	http_listener_free(listener);
	metrics_free(options.metrics);
}

static void test_concurrent_scrapes(void **state)
{
	struct http_listener_options options = {
	    .address = "127.0.0.1", .metrics = sample_metrics()};
	struct http_listener *listener = http_listener_new(&options);
	int port = http_listener_port(listener);
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, scrape_many, &port), 0);
	for (size_t i = 0; i < 4; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	http_listener_free(listener);
	metrics_free(options.metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_ended_service),
	    cmocka_unit_test(test_negotiation),
	    cmocka_unit_test(test_health),
	    cmocka_unit_test(test_taken_port),
	    cmocka_unit_test(test_slow_readers),
	    cmocka_unit_test(test_concurrent_scrapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
