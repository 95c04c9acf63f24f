/* SPDX-License-Identifier: Apache-2.0 */
/* The shop's requests as traces with known times, collected and reported on. */
#ifndef ZS_TESTS_WHY_FIXTURE_H
#define ZS_TESTS_WHY_FIXTURE_H

#include "base/clock.h"
#include "json_reader.h"
#include "span_fixture.h"
#include "why/write.h"

#define MS NS_PER_MS

struct why_case {
	struct why_collector *collector;
	struct service *shop;
	struct why_options options;
	struct why_coverage coverage;
	struct why_report report; /* once it is made */
	uint64_t now_ns;
};

static inline void case_init(struct why_case *c)
{
	*c = (struct why_case){
	    .collector = why_collector_new(),
	    .shop = fixture_service("shop", 1234),
	    .coverage = {.who = "shop (pid 1234)",
		.observed_ns = 10 * NS_PER_S,
		.events = 1000,
		.lost_causes = "",
		.seen_share = 1},
	    .now_ns = NS_PER_S,
	};
	assert_non_null(c->collector);
}

static inline void case_release(struct why_case *c)
{
	why_report_release(&c->report);
	why_collector_free(c->collector);
	service_unref(c->shop);
}

/* A test's own, as its state. */
static inline int case_begin(void **state)
{
	struct why_case *c = malloc(sizeof(*c));

	assert_non_null(c);
	case_init(c);
	*state = c;
	return 0;
}

static inline int case_end(void **state)
{
	case_release(*state);
	free(*state);
	return 0;
}

/* Spans of one trace, whose times are from 0 on; those without a service are the shop's. */
static inline void case_add(struct why_case *c, const struct span_model *models, size_t n)
{
	struct trace *trace = trace_new(n);

	for (size_t i = 0; i < n; i++) {
		struct span_model model = models[i];

		model.start_ns += c->now_ns;
		model.end_ns += c->now_ns;
		if (!model.service)
			model.service = c->shop;
		trace->spans[trace->n_spans++] = fixture_span(&model);
	}
	c->now_ns += NS_PER_MS;
	why_collector_trace(c->collector, trace);
	trace_unref(trace);
}

#define CASE_ADD(c, ...)                                  \
	case_add((c), (struct span_model[]){__VA_ARGS__}, \
	    sizeof((struct span_model[]){__VA_ARGS__}) / sizeof(struct span_model))

static inline void case_make(struct why_case *c)
{
	c->options.end_ns = c->now_ns + NS_PER_S;
	why_report_release(&c->report);
	assert_int_equal(why_report_make(c->collector, &c->options, &c->coverage, &c->report), 0);
}

/* --- spans ------------------------------------------------------------------------------------- */

#define LEDGER(...)    .ledger = {.ns = {__VA_ARGS__}}
#define HTTP_STATUS(n) ATTR_I("http.response.status_code", (n))
#define SQLITE         ATTR_S("db.system.name", "sqlite"), ATTR_S("db.namespace", "/srv/shop.db")

/* A server's span that lasted so long; more fields may follow. */
#define SERVER(span_name, span_id, parent_id, lasted_ns, ...)                   \
	{                                                                       \
		.name = (span_name), .kind = SPAN_KIND_SERVER, .id = (span_id), \
		.parent = (parent_id), .end_ns = (lasted_ns), __VA_ARGS__       \
	}
#define CLIENT(span_name, span_id, parent_id, lasted_ns, ...)                   \
	{                                                                       \
		.name = (span_name), .kind = SPAN_KIND_CLIENT, .id = (span_id), \
		.parent = (parent_id), .end_ns = (lasted_ns), __VA_ARGS__       \
	}

/* A checkout: a statement that waits for the disk, and a deduction that sleeps, called over HTTP. */
static inline void case_checkout(struct why_case *c, uint64_t disk_ns, uint64_t sleep_ns)
{
	uint64_t deduct_ns = sleep_ns + MS / 2, call_ns = deduct_ns + MS / 4;

	CASE_ADD(c,
	    SERVER("POST /checkout", 1, 0, disk_ns + call_ns + MS,
		LEDGER([LEDGER_CPU] = MS, [LEDGER_DISK] = disk_ns, [LEDGER_DOWNSTREAM] = call_ns),
		ATTRS(HTTP_STATUS(200))),
	    CLIENT("INSERT orders", 2, 1, disk_ns + MS / 10,
		LEDGER([LEDGER_CPU] = MS / 10, [LEDGER_DISK] = disk_ns), ATTRS(SQLITE)),
	    CLIENT("POST", 3, 1, call_ns, LEDGER([LEDGER_DOWNSTREAM] = call_ns),
		ATTRS(ATTR_S("server.address", "127.0.0.1"), ATTR_I("server.port", 8000))),
	    SERVER("POST /inventory/deduct", 4, 3, deduct_ns,
		LEDGER([LEDGER_CPU] = MS / 2, [LEDGER_SLEEP] = sleep_ns), ATTRS(HTTP_STATUS(200))));
}

/* A deduction that met the write lock of another transaction, and the checkout that fails with it. */
static inline void case_conflict(struct why_case *c, int64_t transaction, double held_ms)
{
	CASE_ADD(c,
	    SERVER("POST /checkout", 1, 0, 20 * MS, .status = SPAN_STATUS_ERROR,
		LEDGER([LEDGER_CPU] = MS, [LEDGER_DOWNSTREAM] = 19 * MS),
		ATTRS(HTTP_STATUS(500), ATTR_S("error.type", "500"))),
	    CLIENT("POST", 3, 1, 19 * MS, .status = SPAN_STATUS_ERROR,
		LEDGER([LEDGER_DOWNSTREAM] = 19 * MS), ATTRS(ATTR_S("error.type", "500"))),
	    SERVER("POST /inventory/deduct", 4, 3, 18 * MS, .status = SPAN_STATUS_ERROR,
		LEDGER([LEDGER_CPU] = 3 * MS, [LEDGER_SQLITE_BUSY] = 15 * MS),
		ATTRS(HTTP_STATUS(500), ATTR_S("error.type", "500"))),
	    CLIENT("UPDATE inventory", 5, 4, 16 * MS, .status = SPAN_STATUS_ERROR,
		LEDGER([LEDGER_CPU] = MS, [LEDGER_SQLITE_BUSY] = 15 * MS),
		ATTRS(SQLITE, ATTR_S("db.response.status_code", "5"), ATTR_S("error.type", "5"),
		    ATTR_S("zerospan.culprit.kind", "sqlite_write_lock"),
		    ATTR_S("zerospan.culprit.evidence", "process"),
		    ATTR_I("zerospan.culprit.process.pid", 1234),
		    ATTR_S("zerospan.culprit.process.name", "stock-audit"),
		    ATTR_I("zerospan.culprit.thread.id", 4242),
		    ATTR_D("zerospan.culprit.held_ms", held_ms),
		    ATTR_S("zerospan.culprit.db.query.summary", "BEGIN IMMEDIATE"),
		    ATTR_I("zerospan.culprit.sqlite.transaction.id", transaction))));
}

/* --- reading ----------------------------------------------------------------------------------- */

static inline bool case_is_named(const struct why_case *c, uint32_t name, const char *text)
{
	return sv_eq(why_name_part(c->report.names, name, 1), sv_cstr(text));
}

/* The route of this name; fails the test when there is none. */
static inline const struct why_route *case_route(const struct why_case *c, const char *text)
{
	for (size_t i = 0; i < c->report.n_routes; i++)
		if (case_is_named(c, c->report.routes[i].name, text))
			return &c->report.routes[i];
	fail_msg("there is no route '%s'", text);
	return NULL;
}

/* The text in place of *out, which the caller releases. */
static inline void case_text(const struct why_case *c, struct buf *out, size_t width, bool colour)
{
	const struct why_style style = {.width = width, .colour = colour};

	buf_clear(out);
	why_write_text(out, &c->report, &style);
	assert_false(out->failed);
}

/* Whether the text says so, wherever its lines end. */
static inline bool case_says(const struct why_case *c, const char *part)
{
	struct buf text, flat;
	bool found;

	buf_init(&text);
	buf_init(&flat);
	case_text(c, &text, 100, false);
	for (size_t i = 0; i < text.len; i++) {
		char at = text.data[i] == '\n' ? ' ' : text.data[i];

		if (at != ' ' || flat.len == 0 || flat.data[flat.len - 1] != ' ')
			buf_append_char(&flat, at);
	}
	found = strstr(flat.data, part) != NULL;
	buf_release(&text);
	buf_release(&flat);
	return found;
}

/* The report as JSON; the caller frees it. */
static inline struct json *case_json(const struct why_case *c)
{
	struct buf text;
	struct json *json;

	buf_init(&text);
	why_write_json(&text, &c->report);
	json = json_parse(text.data);
	assert_non_null(json);
	buf_release(&text);
	return json;
}

#endif
