// SPDX-License-Identifier: Apache-2.0
/* The tree for people: the picture itself, then its edges: forged names, cycles, deep chains. */
#include <stdio.h>

#include "export/exporters.h"
#include "export/tree.h"
#include "span/log_record.h"
#include "span_fixture.h"

#define MS NS_PER_MS

static void expect_tree(const struct span_model *models, size_t n, bool colour, const char *want)
{
	struct trace *trace = fixture_trace(models, n);
	struct buf out;

	buf_init(&out);
	encode_tree(&out, trace, colour);
	assert_false(out.failed);
	assert_string_equal(out.data, want);
	buf_release(&out);
	trace_unref(trace);
}

static void test_checkout(void **state)
{
	struct service *shop = fixture_service("shop", 1234), *stock = fixture_service("stock", 77);
	const struct span_model models[] = {
	    {.name = "POST /checkout",
		.kind = SPAN_KIND_SERVER,
		.id = 1,
		.end_ns = 2212 * MS,
		.service = shop,
		ATTRS(ATTR_S("http.request.method", "POST"), ATTR_S("url.path", "/checkout"),
		    ATTR_I("http.response.status_code", 200), ATTR_S("order.item", "smartphone"),
		    ATTR_I("order.quantity", 3), ATTR_D("order.revenue", 2997.5))},
	    {.name = "UPDATE orders",
		.kind = SPAN_KIND_CLIENT,
		.id = 3,
		.parent = 1,
		.start_ns = 2211 * MS,
		.end_ns = 2211 * MS + 85300,
		.service = shop,
		ATTRS(ATTR_S("db.system.name", "sqlite"),
		    ATTR_S("db.namespace", "/var/lib/shop.db"),
		    ATTR_I("db.response.returned_rows", 0))},
	    {.name = "POST /inventory/deduct",
		.kind = SPAN_KIND_CLIENT,
		.id = 4,
		.parent = 1,
		.start_ns = 3 * MS,
		.end_ns = 2203 * MS,
		.service = shop,
		ATTRS(ATTR_S("server.address", "127.0.0.1"), ATTR_I("server.port", 8000),
		    ATTR_I("http.response.status_code", 200))},
	    {.name = "POST /inventory/deduct",
		.kind = SPAN_KIND_SERVER,
		.id = 5,
		.parent = 4,
		.start_ns = 4 * MS,
		.end_ns = 2202 * MS,
		.service = stock,
		ATTRS(ATTR_S("url.path", "/inventory/deduct"),
		    ATTR_I("http.response.status_code", 200))},
	    {.name = "INSERT orders",
		.kind = SPAN_KIND_CLIENT,
		.id = 2,
		.parent = 1,
		.start_ns = 1 * MS,
		.end_ns = 1 * MS + 900 * NS_PER_US,
		.service = shop,
		ATTRS(ATTR_S("db.system.name", "sqlite"), ATTR_S("db.namespace", "shop.db"),
		    ATTR_I("db.response.returned_rows", 0))},
	    {.name = "SELECT inventory",
		.kind = SPAN_KIND_CLIENT,
		.id = 6,
		.parent = 5,
		.start_ns = 5 * MS,
		.end_ns = 6 * MS,
		.service = stock,
		ATTRS(ATTR_S("db.system.name", "sqlite"), ATTR_S("db.namespace", ":memory:"))},
	    {.name = "SELECT prices",
		.kind = SPAN_KIND_CLIENT,
		.id = 7,
		.parent = 5,
		.start_ns = 7 * MS,
		.end_ns = 7 * MS,
		.untimed = true,
		.service = stock,
		ATTRS(ATTR_S("db.system.name", "sqlite"),
		    ATTR_S("zerospan.sqlite.detail", "statements"))},
	};

	(void)state;
	expect_tree(models, 7, false,
	    "POST /checkout                    SERVER  2.21 s   [shop 1234] 200 "
	    "order.item=smartphone order.quantity=3 order.revenue=2997.5  trace a0a1a2a3\n"
	    "├─ INSERT orders                  CLIENT  0.9 ms   sqlite shop.db rows=0\n"
	    "├─ POST /inventory/deduct         CLIENT  2.20 s   → 127.0.0.1:8000 200\n"
	    "│  └─ POST /inventory/deduct      SERVER  2.20 s   [shop 77] 200\n"
	    "│     ├─ SELECT inventory         CLIENT  1.0 ms   sqlite :memory:\n"
	    "│     └─ SELECT prices            CLIENT  ?        sqlite\n"
	    "└─ UPDATE orders                  CLIENT  85 µs    sqlite shop.db rows=0\n");
	service_unref(shop);
	service_unref(stock);
}

static void test_errors(void **state)
{
	const struct span_model models[] = {
	    {.name = "GET /users/{id}",
		.kind = SPAN_KIND_SERVER,
		.id = 1,
		.end_ns = 12340 * NS_PER_US,
		.status = SPAN_STATUS_ERROR,
		ATTRS(ATTR_S("url.path", "/users/7"), ATTR_I("http.response.status_code", 500),
		    ATTR_S("error.type", "500"))},
	    {.name = "UPDATE inventory",
		.kind = SPAN_KIND_CLIENT,
		.id = 2,
		.parent = 1,
		.end_ns = 1,
		.status = SPAN_STATUS_ERROR,
		ATTRS(ATTR_S("db.system.name", "sqlite"), ATTR_S("db.response.status_code", "517"),
		    ATTR_S("error.type", "517"))},
	    {.name = "GET",
		.kind = SPAN_KIND_CLIENT,
		.id = 3,
		.parent = 1,
		.end_ns = 345 * MS,
		.start_ns = 1,
		.status = SPAN_STATUS_ERROR,
		ATTRS(ATTR_S("server.address", "::1"), ATTR_S("error.type", "timeout"))},
	    {.name = "x",
		.kind = SPAN_KIND_INTERNAL,
		.id = 4,
		.parent = 99, /* not in this batch */
		.start_ns = 2,
		.end_ns = 187 * NS_PER_S,
		.status = SPAN_STATUS_ERROR},
	};

	(void)state;
	expect_tree(models, 4, false,
	    "GET /users/{id}                   SERVER  12.3 ms  /users/7 500  trace a0a1a2a3\n"
	    "├─ UPDATE inventory               CLIENT  0 µs     sqlite error 517 BUSY\n"
	    "└─ GET                            CLIENT  345 ms   → [::1] error timeout\n"
	    "x                                 INTERNAL 3 m 07 s  failed  trace a0a1a2a3\n");
	expect_tree(&models[1], 1, true,
	    "\033[31mUPDATE inventory\033[0m                  \033[2mCLIENT\033[0m  0 µs     "
	    "sqlite\033[31m error 517 BUSY\033[0m\033[2m  trace \033[0m\033[2ma0a1a2a3\033[0m\n");
}

static void test_hostile_text(void **state)
{
	const struct span_model model = {.name = "GET /\033[2J\xc2\x9b\x7fé",
	    .kind = SPAN_KIND_SERVER,
	    .id = 1,
	    ATTRS(ATTR_S("order.note", "a\nb\x07"))};
	const struct span_model wide = {.name = "GET /"
						"0123456789012345678901234567890123456789"
						"01234567890123456789é",
	    .kind = SPAN_KIND_SERVER,
	    .id = 1};

	(void)state;
	expect_tree(&model, 1, false,
	    "GET /?[2J??é                      SERVER  0 µs     order.note=a?b?  trace a0a1a2a3\n");
	expect_tree(&wide, 1, false,
	    "GET /01234567890123456789012345678901234567890123456789…  SERVER  0 µs      "
	    "trace a0a1a2a3\n");
}

static size_t count_lines(struct trace *trace)
{
	size_t lines = 0;
	struct buf out;

	buf_init(&out);
	encode_tree(&out, trace, true);
	assert_false(out.failed);
	for (size_t i = 0; i < out.len; i++)
		lines += out.data[i] == '\n';
	buf_release(&out);
	trace_unref(trace);
	return lines;
}

/* Whatever the ids say, each span is shown once. */
static void test_cycles_and_depth(void **state)
{
	struct span_model cycle[] = {
	    {.name = "self", .kind = SPAN_KIND_SERVER, .id = 1, .parent = 1},
	    {.name = "a",
		.kind = SPAN_KIND_SERVER,
		.id = 2,
		.parent = 4,
		.start_ns = 3,
		.end_ns = 3},
	    {.name = "b",
		.kind = SPAN_KIND_SERVER,
		.id = 3,
		.parent = 2,
		.start_ns = 2,
		.end_ns = 2},
	    {.name = "c",
		.kind = SPAN_KIND_SERVER,
		.id = 4,
		.parent = 3,
		.start_ns = 1,
		.end_ns = 1},
	    {.name = "tail", .kind = SPAN_KIND_SERVER, .id = 5, .parent = 3},
	    {.name = "twin", .kind = SPAN_KIND_SERVER, .id = 5, .parent = 3},
	};
	struct trace *chain = trace_new(5000);

	(void)state;
	assert_int_equal(count_lines(fixture_trace(cycle, 6)), 6);
	for (uint64_t i = 1; i <= 5000; i++) {
		const struct span_model model = {.name = "deep",
		    .kind = SPAN_KIND_INTERNAL,
		    .id = i,
		    .parent = i == 1 ? 0 : i - 1,
		    .start_ns = i * 7 % 5000,
		    .end_ns = 9999};

		chain->spans[chain->n_spans++] = fixture_span(&model);
	}
	assert_int_equal(count_lines(chain), 5000);
	assert_int_equal(count_lines(trace_new(1)), 0);
}

/* The longest wait is told where it matters. */
static void test_waits(void **state)
{
	static const struct {
		uint64_t queued_ns, sleep_ns;
		const char *want;
	} cases[] = {
	    {296 * MS, 3 * MS,
		"GET /                             SERVER  300 ms   waited: queued 296 ms (99 %)  trace a0a1a2a3\n"},
	    {3 * MS, 150 * MS,
		"GET /                             SERVER  300 ms   waited: sleep 150 ms (50 %)  trace a0a1a2a3\n"},
	    {29 * MS, 0, "GET /                             SERVER  300 ms    trace a0a1a2a3\n"},
	    {0, 0, "GET /                             SERVER  300 ms    trace a0a1a2a3\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct span_model model = {.name = "GET /",
		    .kind = SPAN_KIND_SERVER,
		    .id = 1,
		    .end_ns = 300 * MS,
		    .ledger = {{[LEDGER_QUEUED] = cases[i].queued_ns,
			[LEDGER_SLEEP] = cases[i].sleep_ns,
			[LEDGER_CPU] = 299 * MS}}};

		expect_tree(&model, 1, false, cases[i].want);
	}
}

/* Who had the lock, for whom; and what else the process did for a tenth of the time or more. */
static void test_company(void **state)
{
	struct span_model model = {.name = "GET /",
	    .kind = SPAN_KIND_SERVER,
	    .id = 1,
	    .end_ns = 3000 * MS,
	    .ledger = {{[LEDGER_LOCK] = 2900 * MS}},
	    .wait = {.state = LEDGER_LOCK, .ns = 2900 * MS, .user = "lock (a.c:1)"},
	    .culprit = {WAIT_EVIDENCE_OWNER, 10, 17, "worker", "put (b.c:2)", "POST /checkout"},
	    .neighbours = {{"POST /checkout", 3, 2500 * MS}, {"UPDATE orders", 1, 300 * MS},
		{"GET /health", 2, 1 * MS}}};
	const struct span_model parts[] = {
	    {.name = "GET /", .kind = SPAN_KIND_SERVER, .id = 1, .end_ns = 3000 * MS},
	    {.name = "UPDATE t",
		.kind = SPAN_KIND_CLIENT,
		.id = 2,
		.parent = 1,
		.end_ns = 3000 * MS,
		.neighbours = {{"POST /checkout", 3, 2500 * MS}}},
	};

	(void)state;
	expect_tree(&model, 1, false,
	    "GET /                             SERVER  3.00 s   waited: lock 2.90 s (97 %) at lock (a.c:1) behind: worker thread 17, at put (b.c:2), serving POST /checkout"
	    " beside: 3 × POST /checkout (longest 2.50 s), UPDATE orders 300 ms  trace a0a1a2a3\n");
	model.culprit.user = model.culprit.request = NULL;
	model.neighbours[0].name = NULL;
	expect_tree(&model, 1, false,
	    "GET /                             SERVER  3.00 s   waited: lock 2.90 s (97 %) at lock (a.c:1) behind: worker thread 17  trace a0a1a2a3\n");
	expect_tree(parts, 2, false,
	    "GET /                             SERVER  3.00 s    trace a0a1a2a3\n"
	    "└─ UPDATE t                       CLIENT  3.00 s  \n");
}

/* Below the tree, in the order of time, whatever the order in which they came. */
static void test_logs(void **state)
{
	const struct span_model models[] = {
	    {.name = "GET /",
		.kind = SPAN_KIND_SERVER,
		.id = 1,
		.start_ns = 10 * MS,
		.end_ns = 40 * MS},
	    {.name = "GET /b",
		.kind = SPAN_KIND_SERVER,
		.id = 2,
		.parent = 1,
		.start_ns = 12 * MS,
		.end_ns = 30 * MS},
	};
	const struct log_record records[] = {
	    {.time_ns = 30 * MS,
		.observed_ns = 1,
		.severity = LOG_SEVERITY_ERROR,
		.body = SV("last\x1b[2J"),
		.span_id = fixture_id(2)},
	    {.time_ns = 11 * MS, .observed_ns = 1, .body = SV("first"), .span_id = fixture_id(1)},
	    {.time_ns = 11 * MS,
		.observed_ns = 1,
		.severity = LOG_SEVERITY_INFO + 1,
		.body = SV("second"),
		.span_id = fixture_id(1)},
	    {.time_ns = 9 * MS, .observed_ns = 1, .body = SV("before"), .span_id = fixture_id(77)},
	};
	struct trace *trace = fixture_trace(models, 2);
	struct buf out;

	(void)state;
	trace->logs = log_batch_new(4);
	for (size_t i = 0; i < 4; i++)
		trace->logs->records[trace->logs->n_records++] = log_record_new(&records[i]);
	buf_init(&out);
	tree_append_logs(&out, trace, false);
	assert_string_equal(out.data,
	    "  +0 µs     -              before\n"
	    "  +1.0 ms   -      GET /   first\n"
	    "  +1.0 ms   INFO   GET /   second\n"
	    "  +20.0 ms  ERROR  GET /b  last?[2J\n");
	buf_clear(&out);
	encode_tree(&out, trace, true);
	assert_non_null(
	    strstr(out.data, "  +20.0 ms  \033[31mERROR\033[0m  \033[2mGET /b\033[0m  last?[2J\n"));
	buf_release(&out);
	trace_unref(trace);
}

static void test_durations(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
	    {0, "0 µs"},
	    {499, "0 µs"},
	    {500, "1 µs"},
	    {99499, "99 µs"},
	    {99500, "0.1 ms"},
	    {9949999, "9.9 ms"},
	    {99949999, "99.9 ms"},
	    {99950000, "100 ms"},
	    {999499999, "999 ms"},
	    {999500000, "1.00 s"},
	    {59994999999, "59.99 s"},
	    {59995000000, "1 m 00 s"},
	    {3600 * NS_PER_S, "60 m 00 s"},
	};
	struct buf out;

	(void)state;
	buf_init(&out);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&out);
		tree_append_duration(&out, cases[i].ns);
		assert_string_equal(out.data, cases[i].text);
	}
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_checkout),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_hostile_text),
	    cmocka_unit_test(test_cycles_and_depth),
	    cmocka_unit_test(test_waits),
	    cmocka_unit_test(test_company),
	    cmocka_unit_test(test_logs),
	    cmocka_unit_test(test_durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
