// SPDX-License-Identifier: Apache-2.0
/* The reckoned length of a span is that of what is sent. */
#include "export/exporters.h"
#include "metric/span_size.h"
#include "span_fixture.h"
#include "wire_reader.h"

/* Each span of the trace, which is of one service. */
static void expect_sizes(struct trace *trace)
{
	const struct clock_base base = {.offset_ns = 1700000000000000000LL};
	struct sv spans;
	struct buf out;

	buf_init(&out);
	encode_otlp_protobuf(&out, &trace, 1, &base);
	spans = wire_sub(wire_sub(buf_sv(&out), 1, 0), 2, 0);
	assert_int_equal(wire_count(spans, 2), trace->n_spans);
	for (size_t i = 0; i < trace->n_spans; i++)
		assert_int_equal(span_size_bytes(trace->spans[i]), wire_sub(spans, 2, i).len);
	buf_release(&out);
}

static char long_text[20000];

static void all_fields(void **state)
{
	struct service *service = fixture_service("shop", 1234);
	const struct span_model models[] = {
	    {.name = "a", .kind = SPAN_KIND_SERVER, .id = 1, .service = service},
	    {.name = "POST /checkout",
		.kind = SPAN_KIND_CLIENT,
		.status = SPAN_STATUS_ERROR,
		.flags = SPAN_FLAG_SAMPLED | SPAN_FLAG_REMOTE_KNOWN,
		.id = 2,
		.parent = 1,
		.end_ns = 2000000001,
		.service = service,
		.trace_state = "a=1",
		.dropped_attrs = 300,
		ATTRS(ATTR_S("text", "\xc3\xa9"), ATTR_S("empty", ""), ATTR_I("zero", 0),
		    ATTR_I("min", INT64_MIN), ATTR_I("status", 200), ATTR_D("real", 0.1),
		    ATTR_B("no", false),
		    {.key = "long", .type = ATTR_STRING, .string = {long_text, sizeof(long_text)}},
		    {.key = "127", .type = ATTR_STRING, .string = {long_text, 127}},
		    {.key = "128", .type = ATTR_STRING, .string = {long_text, 128}})},
	    {.name = "linked",
		.kind = SPAN_KIND_INTERNAL,
		.status = SPAN_STATUS_OK,
		.id = 3,
		.parent = 1,
		.service = service},
	    {.name = "link dropped",
		.kind = SPAN_KIND_SERVER,
		.id = 4,
		.parent = 1,
		.service = service},
	};
	struct trace *trace;

	(void)state;
	memset(long_text, 'x', sizeof(long_text));
	trace = fixture_trace(models, 4);
	for (int i = 2; i < 4; i++)
		trace->spans[i]->culprit = (struct span_link){
		    .trace_id = {{0xc0}}, .span_id = {{0xd0}}, .flags = SPAN_FLAG_SAMPLED};
	trace->spans[3]->dropped_links = 1;
	expect_sizes(trace);
	trace->spans[2]->culprit.flags = 0;
	expect_sizes(trace);
	trace_unref(trace);
	service_unref(service);
}

/* Where its time went counts, too. */
static void times(void **state)
{
	struct service *service = fixture_service("shop", 1234);
	const struct span_model model = {.name = "a",
	    .kind = SPAN_KIND_SERVER,
	    .id = 1,
	    .end_ns = 3000000,
	    .service = service,
	    .ledger = {.ns = {[LEDGER_CPU] = 1000000, [LEDGER_LOCK] = 2000000}},
	    .wait = {.state = LEDGER_LOCK,
		.ns = 1500000,
		.user = "main < start",
		.kernel = "futex_wait"}};
	struct trace *trace = fixture_trace(&model, 1);
	struct attr attrs[SPAN_TIME_ATTRS_MAX];

	(void)state;
	assert_true(span_time_attrs(trace->spans[0], attrs) > 2);
	expect_sizes(trace);
	trace_unref(trace);
	service_unref(service);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_fields),
	    cmocka_unit_test(times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
