// SPDX-License-Identifier: Apache-2.0
/*
 * zerospan's own lines on their way to a backend: as records, to OTLP requests, and never in a circle.
 * The backend is a target that keeps the last request.
 */
#include <unistd.h>

#include "base/log.h"
#include "diagnostics.h"
#include "export/exporters.h"
#include "json_reader.h"
#include "span_fixture.h"
#include "watch/resource.h"
#include "wire_reader.h"

struct backend {
	struct buf request;
	size_t sends, records, take; /* take: of each request at most */
	bool complain;               /* log what cannot be delivered, as a transport does */
	int frees;
};

static size_t backend_send(
    void *ctx, const struct buf *request, size_t n, const struct otlp_waiter *waiter)
{
	struct backend *backend = ctx;

	(void)waiter;
	buf_clear(&backend->request);
	buf_append_sv(&backend->request, buf_sv(request));
	backend->sends++;
	backend->records += n;
	if (backend->complain)
		log_warn("the backend does not answer");
	return n < backend->take ? n : backend->take;
}

static void backend_free(void *ctx)
{
	((struct backend *)ctx)->frees++;
}

static struct sink *sink_to(struct backend *backend, size_t queue)
{
	const struct otlp_target target = {
	    .name = "fake", .send = backend_send, .free = backend_free, .ctx = backend};
	const struct sink_options options = {.max_queue_items = queue,
	    .linger_ns = 3600 * NS_PER_S,
	    .flush_timeout_ns = 10 * NS_PER_S};
	const struct clock_base clock = {.offset_ns = 1000};
	struct sink *sink = export_otlp_to(&target, OTLP_LOGS, &options, &clock);

	assert_non_null(sink);
	assert_string_equal(sink_name(sink), "fake");
	return sink;
}

static void check_record(struct sv record, uint64_t severity, const char *text, const char *body)
{
	assert_int_equal(wire_get(record, 2, 0).value, severity);
	assert_true(sv_eq(wire_sub(record, 3, 0), sv_cstr(text)));
	assert_true(sv_eq(wire_sub(wire_sub(record, 5, 0), 1, 0), sv_cstr(body)));
	assert_true(wire_get(record, 11, 0).value > 1000);
	assert_int_equal(wire_get(record, 1, 0).value, wire_get(record, 11, 0).value);
}

/* Has the resource a text attribute of this value? */
static bool has_attr(struct sv resource, const char *key, const char *value)
{
	for (size_t i = 0; i < wire_count(resource, 1); i++) {
		struct sv pair = wire_sub(resource, 1, i);

		if (sv_eq(wire_sub(pair, 1, 0), sv_cstr(key)))
			return sv_eq(wire_sub(wire_sub(pair, 2, 0), 1, 0), sv_cstr(value));
	}
	return false;
}

static void test_lines_become_records(void **state)
{
	struct backend backend = {.take = 100};
	struct sink *sink = sink_to(&backend, 100);
	struct service *self = service_self();
	struct diagnostics *diagnostics = diagnostics_new(self, &sink, 1);
	struct sink_stats stats;
	struct sv logs, resource, scope_logs;

	(void)state;
	service_unref(self); /* it has its own */
	log_debug("not said at this level");
	log_warn("the disk is %s", "full");
	log_error("gone");
	log_info("started");
	assert_int_equal(diagnostics_lost(diagnostics), 0);
	assert_int_equal(diagnostics_lost(NULL), 0);
	diagnostics_free(diagnostics);
	log_info("nobody observes any more");
	sink_close(sink, &stats);
	assert_int_equal(stats.delivered, 3);
	assert_int_equal(backend.sends, 1);
	assert_int_equal(backend.frees, 1);
	logs = wire_sub(buf_sv(&backend.request), 1, 0);
	resource = wire_sub(logs, 1, 0);
	assert_sv(wire_attr(resource, 1, 0, "service.name").bytes, "zerospan");
	assert_int_equal(wire_attr(resource, 1, 1, "service.instance.id").bytes.len, 36);
	assert_true(has_attr(resource, "service.version", ZEROSPAN_VERSION));
	scope_logs = wire_sub(logs, 2, 0);
	assert_sv(wire_sub(wire_sub(scope_logs, 1, 0), 1, 0), "zerospan");
	assert_int_equal(wire_count(scope_logs, 2), 3);
	check_record(wire_sub(scope_logs, 2, 0), 13, "WARN", "the disk is full");
	check_record(wire_sub(scope_logs, 2, 1), 17, "ERROR", "gone");
	check_record(wire_sub(scope_logs, 2, 2), 9, "INFO", "started");
	buf_release(&backend.request);
}

/* What the thread that delivers says is written and not delivered: else it would never end. */
static void test_no_circle(void **state)
{
	struct backend backend = {.complain = true};
	struct sink *sink = sink_to(&backend, 100);
	struct service *self = service_self();
	struct diagnostics *diagnostics = diagnostics_new(self, &sink, 1);
	struct sink_stats stats;

	(void)state;
	for (int i = 0; i < 5; i++)
		log_warn("line %d", i);
	sink_close(sink, &stats); /* still observed, while it fails and says so */
	diagnostics_free(diagnostics);
	assert_int_equal(stats.failed, 5);
	assert_int_equal(stats.dropped, 0);
	assert_int_equal(backend.records, 5);
	service_unref(self);
	buf_release(&backend.request);
}

/* An observer that logs is not called for that. */
static void talkative(void *ctx, enum log_level level, const char *text)
{
	++*(int *)ctx;
	assert_int_equal(level, LOG_LEVEL_WARN);
	assert_string_equal(text, "once");
	log_warn("again");
}

static void test_observer_may_log(void **state)
{
	int calls = 0;

	(void)state;
	log_set_observer(talkative, &calls);
	log_warn("once");
	log_warn("once");
	log_set_observer(NULL, NULL);
	log_warn("unobserved");
	assert_int_equal(calls, 2);
}

/* A flood costs what the queue holds and never waits. */
static void test_flood_is_counted(void **state)
{
	struct backend backend = {.take = 1000};
	struct sink *sink = sink_to(&backend, 10);
	struct service *self = service_self();
	struct diagnostics *diagnostics = diagnostics_new(self, &sink, 1);
	struct sink_stats stats;

	(void)state;
	for (int i = 0; i < 50; i++)
		log_info("flood");
	diagnostics_free(diagnostics);
	sink_close(sink, &stats);
	assert_true(stats.delivered >= 10); /* more when the queue was emptied meanwhile */
	assert_int_equal(stats.delivered + stats.dropped, 50);
	assert_int_equal(backend.records, stats.delivered);
	service_unref(self);
	buf_release(&backend.request);
}

static void test_text_for_people(void **state)
{
	const struct attr attrs[] = {ATTR_S("log.iostream", "stderr"), ATTR_I("n", -1),
	    ATTR_D("ratio", 0.5), ATTR_B("yes", true)};
	struct service *service = fixture_service("shop", 7);
	const struct log_record models[] = {
	    {.time_ns = 1,
		.observed_ns = 2,
		.severity = LOG_SEVERITY_WARN + 1,
		.body = SV("a\x1b[2Jb"),
		.attrs = attrs,
		.n_attrs = 4,
		.trace_id = {{0xab}},
		.span_id = {{0xcd}},
		.service = service},
	    {.observed_ns = 1500000000, .body = SV("x\xff")},
	};
	const struct clock_base clock = {.offset_ns = 1700000000000000000LL};
	struct log_batch *batch = log_batch_new(2);
	struct buf out;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		batch->records[batch->n_records++] = log_record_new(&models[i]);
	buf_init(&out);
	encode_logs_text(&out, batch, &clock);
	assert_string_equal(out.data,
	    "2023-11-14T22:13:20.000Z WARN  [shop 7] a?[2Jb  log.iostream=stderr  n=-1  ratio=0.5  "
	    "yes=true  trace ab000000000000000000000000000000 span cd00000000000000\n"
	    "2023-11-14T22:13:21.500Z -     x\xef\xbf\xbd\n");
	buf_release(&out);
	log_batch_unref(batch);
	service_unref(service);
}

/* The same record through the sinks of lines, which share a file. */
static void test_line_sinks(void **state)
{
	const struct log_record model = {.observed_ns = 1, .body = SV("hello")};
	const struct clock_base clock = {0};
	struct log_batch *batch = log_batch_new(1);
	struct output_file *file;
	struct sink *text, *json;
	char read_back[4096];
	struct json *j;
	ssize_t len;
	int fds[2];

	(void)state;
	batch->records[batch->n_records++] = log_record_new(&model);
	assert_int_equal(pipe(fds), 0);
	file = output_file_of_fd(fds[1]);
	text = export_console_logs_new(file, &clock);
	json = export_json_logs_new(file, &clock);
	output_file_unref(file);
	sink_publish_logs(text, batch);
	sink_free(text);
	len = read(fds[0], read_back, sizeof(read_back) - 1);
	assert_true(len > 0);
	read_back[len] = '\0';
	assert_string_equal(read_back, "1970-01-01T00:00:00.000Z -     hello\n");
	sink_publish_logs(json, batch);
	sink_free(json);
	len = read(fds[0], read_back, sizeof(read_back) - 1);
	assert_true(len > 0 && read_back[len - 1] == '\n');
	read_back[len - 1] = '\0';
	j = json_parse(read_back);
	assert_non_null(j);
	assert_string_equal(
	    json_text(j, "resourceLogs/0/scopeLogs/0/logRecords/0/body/stringValue"), "hello");
	json_free(j);
	log_batch_unref(batch);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines_become_records),
	    cmocka_unit_test(test_no_circle),
	    cmocka_unit_test(test_observer_may_log),
	    cmocka_unit_test(test_flood_is_counted),
	    cmocka_unit_test(test_text_for_people),
	    cmocka_unit_test(test_line_sinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
