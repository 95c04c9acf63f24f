// SPDX-License-Identifier: Apache-2.0
/* Where a span's time went, as attributes behind its own, in both OTLP encodings: the ledger and the longest wait. */
#include <stdio.h>

#include "export/exporters.h"
#include "json_reader.h"
#include "span_fixture.h"
#include "wire_reader.h"

#define SPAN_ATTRIBUTES "resourceSpans/0/scopeSpans/0/spans/0/attributes/"

static const struct clock_base base = {.offset_ns = 1};

/* One attribute in either encoding. */
struct expected {
	const char *key;
	double ms;
	const char *text; /* NULL: it is ms */
};

static void expect_json(
    struct trace *trace, size_t first, const struct expected *expected, size_t n)
{
	struct json *j;
	struct buf out;
	char path[128];

	buf_init(&out);
	encode_otlp_json(&out, &trace, 1, &base);
	assert_false(out.failed);
	assert_null(strchr(out.data, '\n'));
	j = json_parse(out.data);
	assert_non_null(j);
	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), SPAN_ATTRIBUTES "%zu/key", first + i);
		assert_string_equal(json_text(j, path), expected[i].key);
		snprintf(path, sizeof(path), SPAN_ATTRIBUTES "%zu/value/%s", first + i,
		    expected[i].text ? "stringValue" : "doubleValue");
		if (expected[i].text)
			assert_string_equal(json_text(j, path), expected[i].text);
		else
			assert_true(strtod(json_text(j, path), NULL) == expected[i].ms);
	}
	snprintf(path, sizeof(path), SPAN_ATTRIBUTES "%zu", first + n);
	assert_null(json_at(j, path));
	json_free(j);
	buf_release(&out);
}

static void expect_protobuf(
    struct trace *trace, size_t first, const struct expected *expected, size_t n)
{
	struct buf out;
	struct sv span;

	buf_init(&out);
	assert_int_equal(encode_otlp_protobuf(&out, &trace, 1, &base), 1);
	assert_false(out.failed);
	span = wire_sub(wire_sub(wire_sub(buf_sv(&out), 1, 0), 2, 0), 2, 0);
	assert_int_equal(wire_count(span, 9), first + n);
	for (size_t i = 0; i < n; i++) {
		struct field value = wire_attr(span, 9, first + i, expected[i].key);
		double ms;

		assert_int_equal(value.number, expected[i].text ? 1 : 4);
		memcpy(&ms, &value.value, sizeof(ms));
		if (expected[i].text)
			assert_true(sv_eq(value.bytes, sv_cstr(expected[i].text)));
		else
			assert_true(ms == expected[i].ms);
	}
	buf_release(&out);
}

static void expect(const struct span_model *model, const struct expected *expected, size_t n)
{
	struct trace *trace = fixture_trace(model, 1);
	struct attr attrs[SPAN_TIME_ATTRS_MAX];
	size_t bytes = 0;

	assert_int_equal(span_time_attrs(trace->spans[0], attrs), n);
	for (size_t i = 0; i < n; i++)
		bytes +=
		    strlen(attrs[i].key) + (attrs[i].type == ATTR_STRING ? attrs[i].string.len : 0);
	assert_true(bytes <= span_time_text_max(trace->spans[0]));
	expect_json(trace, model->n_attrs, expected, n);
	expect_protobuf(trace, model->n_attrs, expected, n);
	trace_unref(trace);
}

static void nothing_known(void **state)
{
	const struct span_model model = {
	    .name = "GET /", .kind = SPAN_KIND_SERVER, .id = 1, ATTRS(ATTR_I("own", 1))};

	(void)state;
	expect(&model, NULL, 0);
}

/* A wait without a place is not told. */
static void only_a_ledger(void **state)
{
	const struct span_model model = {.name = "GET /",
	    .kind = SPAN_KIND_SERVER,
	    .id = 1,
	    .ledger = {.ns = {[LEDGER_CPU] = 1500000, [LEDGER_LOCK] = 250000}},
	    .wait = {.state = LEDGER_LOCK, .ns = 250000},
	    ATTRS(ATTR_I("own", 1))};
	const struct expected expected[] = {
	    {.key = "zerospan.time.cpu_ms", .ms = 1.5},
	    {.key = "zerospan.time.lock_ms", .ms = 0.25},
	};

	(void)state;
	expect(&model, expected, 2);
}

static void a_wait(void **state)
{
	struct span_model model = {.name = "GET /",
	    .kind = SPAN_KIND_SERVER,
	    .id = 1,
	    .ledger = {.ns = {[LEDGER_LOCK] = 250000000}},
	    .wait = {LEDGER_LOCK, 200500000, "pthread_mutex_lock\nmain", "futex_wait"},
	    ATTRS(ATTR_I("own", 1))};
	struct expected expected[] = {
	    {.key = "zerospan.time.lock_ms", .ms = 250},
	    {.key = "zerospan.stack.state", .text = "lock"},
	    {.key = "zerospan.stack.wait_ms", .ms = 200.5},
	    {.key = "zerospan.stack.user", .text = "pthread_mutex_lock\nmain"},
	    {.key = "zerospan.stack.kernel", .text = "futex_wait"},
	};

	(void)state;
	expect(&model, expected, 5);
	model.wait.kernel = NULL;
	expect(&model, expected, 4);
	model.wait.user = NULL;
	model.wait.kernel = "futex_wait";
	expected[3] = expected[4];
	expect(&model, expected, 4);
	model.wait.kernel = ""; /* it could not be told where */
	expect(&model, expected, 3);
}

/* Names of functions and files are the target's. */
static void hostile_texts(void **state)
{
	const struct span_model model = {.name = "GET /",
	    .kind = SPAN_KIND_SERVER,
	    .id = 1,
	    .wait = {LEDGER_DISK, 1000000, "\"}],\"a\\b\x01\x1f\x7f\r\n\xc3\xa9\t</script>", "\\"},
	    ATTRS(ATTR_I("own", 1))};
	const struct expected expected[] = {
	    {.key = "zerospan.stack.state", .text = "disk"},
	    {.key = "zerospan.stack.wait_ms", .ms = 1},
	    {.key = "zerospan.stack.user", .text = model.wait.user},
	    {.key = "zerospan.stack.kernel", .text = model.wait.kernel},
	};

	(void)state;
	expect(&model, expected, 4);
}

/* All there can be, each as long as JSON makes it: what the encoders reserve is enough. */
static void everything(void **state)
{
	struct span_model model = {.name = "n",
	    .kind = SPAN_KIND_SERVER,
	    .id = 1,
	    .wait = {LEDGER_LOCK, UINT64_MAX, NULL, NULL}};
	struct trace *trace;
	struct wait_culprit *culprit;
	struct neighbour_tally tally = {
	    .count = UINT32_MAX, .n = 1, .all = {{.name_len = NEIGHBOUR_NAME_MAX}}};
	struct attr attrs[SPAN_TIME_ATTRS_MAX];
	struct buf out;
	struct json *j;
	char *text = malloc(20001);

	(void)state;
	memset(text, '\x01', 20000);
	text[20000] = '\0';
	model.wait.user = model.wait.kernel = text;
	for (int i = 0; i < LEDGER_STATES; i++)
		model.ledger.ns[i] = UINT64_MAX - (uint64_t)i;
	trace = fixture_trace(&model, 1);
	culprit = &trace->spans[0]->wait.place->culprit;
	*culprit = (struct wait_culprit){
	    .evidence = WAIT_EVIDENCE_OWNER, .pid = INT32_MAX, .tid = INT32_MAX};
	memset(culprit->name, '\x01', sizeof(culprit->name) - 1);
	wait_place_tell_culprit(trace->spans[0]->wait.place, WAIT_EVIDENCE_OWNER, sv_cstr(text));
	wait_place_tell_request(trace->spans[0]->wait.place, sv_cstr(text));
	memset(tally.all[0].name, '\x01', sizeof(tally.all[0].name));
	trace->spans[0]->neighbours = neighbours_new(&tally);
	assert_int_equal(span_time_attrs(trace->spans[0], attrs), SPAN_TIME_ATTRS_MAX);
	buf_init(&out);
	assert_int_equal(encode_otlp_protobuf(&out, &trace, 1, &base), 1);
	assert_false(out.failed);
	buf_clear(&out);
	encode_otlp_json(&out, &trace, 1, &base);
	assert_false(out.failed);
	j = json_parse(out.data);
	assert_non_null(j);
	assert_string_equal(json_text(j, SPAN_ATTRIBUTES "15/value/stringValue"), text);
	json_free(j);
	buf_release(&out);
	trace_unref(trace);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_known),
	    cmocka_unit_test(only_a_ledger),
	    cmocka_unit_test(a_wait),
	    cmocka_unit_test(hostile_texts),
	    cmocka_unit_test(everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
