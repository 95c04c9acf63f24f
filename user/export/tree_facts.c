// SPDX-License-Identifier: Apache-2.0
/*
 * What the terminal view tells about one span: the peer, the database, the outcome, and whatever
 * attributes a rule has added. It reads attributes by name only and knows nothing of protocols.
 */
#include "export/tree.h"

#include "base/clock.h"
#include "export/attr_value.h"
#include "export/put.h"
#include "span/frames.h"

enum {
	FACT_MAX_WIDTH = 60, /* characters of one value; paths and rule values may be long */
};

/* A wait is worth telling from so much on, and from this part of the span on. */
#define WAIT_SHOWN_NS   NS_PER_MS
#define WAIT_SHOWN_PART 10

size_t tree_append_text(struct buf *out, struct sv s, size_t max_width)
{
	size_t width = 0;

	for (size_t i = 0; i < s.len; width++) {
		unsigned char c = (unsigned char)s.p[i];
		size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		bool c1 = c == 0xc2 && i + 1 < s.len && (unsigned char)s.p[i + 1] < 0xa0;

		if (len > s.len - i)
			len = s.len - i;
		if (width + 1 == max_width && i + len < s.len) {
			buf_append_cstr(out, "…");
			return width + 1;
		}
		if (c < 0x20 || c == 0x7f || c1)
			buf_append_char(out, '?');
		else
			buf_append(out, s.p + i, len);
		i += len;
	}
	return width;
}

size_t tree_append_duration(struct buf *out, uint64_t ns)
{
	size_t before = out->len;
	size_t two_byte = 0; /* the micro sign takes two bytes and one column */

	if (ns < 99500) {
		buf_printf(out, "%llu µs", (unsigned long long)(ns + 500) / 1000);
		two_byte = 1;
	} else if (ns < 99950 * NS_PER_US) {
		buf_printf(out, "%.1f ms", (double)ns / 1e6);
	} else if (ns < 999500 * NS_PER_US) {
		buf_printf(out, "%.0f ms", (double)ns / 1e6);
	} else if (ns < 59995 * NS_PER_MS) {
		buf_printf(out, "%.2f s", (double)ns / 1e9);
	} else {
		uint64_t s = (ns + NS_PER_S / 2) / NS_PER_S;

		buf_printf(
		    out, "%llu m %02llu s", (unsigned long long)s / 60, (unsigned long long)s % 60);
	}
	return out->len - before - two_byte;
}

/* --- values ---------------------------------------------------------------------------------- */

static struct sv attr_string(const struct span *span, const char *key)
{
	const struct attr *attr = span_attr(span, key);

	return attr && attr->type == ATTR_STRING ? attr->string : (struct sv){0};
}

/* False when the attribute is missing or no integer. */
static bool attr_int(const struct span *span, const char *key, int64_t *ret_value)
{
	const struct attr *attr = span_attr(span, key);

	if (!attr || attr->type != ATTR_INT)
		return false;
	*ret_value = attr->integer;
	return true;
}

static void append_value(struct buf *out, const struct attr *attr)
{
	if (!attr_value_append(out, attr))
		tree_append_text(out, attr->string, FACT_MAX_WIDTH);
}

static struct sv base_name(struct sv path)
{
	size_t i = path.len;

	while (i && path.p[i - 1] != '/')
		i--;
	return i < path.len ? sv_skip(path, i) : path;
}

const char *tree_sqlite_code_name(struct sv code)
{
	static const char *const names[] = {[1] = "ERROR",
	    [5] = "BUSY",
	    [6] = "LOCKED",
	    [7] = "NOMEM",
	    [8] = "READONLY",
	    [9] = "INTERRUPT",
	    [10] = "IOERR",
	    [11] = "CORRUPT",
	    [13] = "FULL",
	    [14] = "CANTOPEN",
	    [17] = "SCHEMA",
	    [19] = "CONSTRAINT",
	    [20] = "MISMATCH",
	    [21] = "MISUSE",
	    [26] = "NOTADB"};
	unsigned value = 0;

	for (size_t i = 0; i < code.len && i < 6; i++) {
		if (code.p[i] < '0' || code.p[i] > '9')
			return NULL;
		value = value * 10 + (unsigned)(code.p[i] - '0');
	}
	value &= 0xff; /* an extended code carries its primary code in the low byte */
	return value < sizeof(names) / sizeof(names[0]) ? names[value] : NULL;
}

/* --- facts ----------------------------------------------------------------------------------- */

static void append_peer(struct buf *out, const struct span *span)
{
	struct sv host = attr_string(span, "server.address");
	bool ipv6 = sv_find(host, ':') < host.len;
	int64_t port;

	if (!host.len)
		return;
	buf_append_cstr(out, ipv6 ? " → [" : " → ");
	tree_append_text(out, host, FACT_MAX_WIDTH);
	if (ipv6)
		buf_append_char(out, ']');
	if (attr_int(span, "server.port", &port))
		buf_printf(out, ":%lld", (long long)port);
}

/* The path, where a pattern or a bare method stands in the name. */
static void append_path(struct buf *out, const struct span *span)
{
	struct sv path = attr_string(span, "url.path");

	if (!path.len ||
	    (span->name.len >= path.len &&
		sv_eq(sv_skip(span->name, span->name.len - path.len), path)))
		return;
	buf_append_char(out, ' ');
	tree_append_text(out, path, FACT_MAX_WIDTH);
}

static void append_database(struct buf *out, const struct span *span)
{
	struct sv system = attr_string(span, "db.system.name");
	struct sv name = base_name(attr_string(span, "db.namespace"));
	int64_t rows;

	if (!system.len)
		return;
	buf_append_char(out, ' ');
	tree_append_text(out, system, FACT_MAX_WIDTH);
	if (name.len) {
		buf_append_char(out, ' ');
		tree_append_text(out, name, FACT_MAX_WIDTH);
	}
	if (attr_int(span, "db.response.returned_rows", &rows))
		buf_printf(out, " rows=%lld", (long long)rows);
}

/* " 500", " error timeout", " error 5 BUSY", " failed"; an error is named once. */
static void append_outcome_text(struct buf *out, const struct span *span)
{
	struct sv code = attr_string(span, "db.response.status_code");
	struct sv error = attr_string(span, "error.type");
	const char *name = tree_sqlite_code_name(code);
	char number[PUT_INT_MAX];
	size_t before = out->len;
	int64_t status;

	if (attr_int(span, "http.response.status_code", &status)) {
		struct sv text = sv_from(number, (size_t)(put_i64(number, status) - number));

		buf_append_char(out, ' ');
		buf_append_sv(out, text);
		if (sv_eq(error, text))
			error.len = 0;
	}
	if (error.len) {
		buf_append_cstr(out, " error ");
		tree_append_text(out, error, FACT_MAX_WIDTH);
	}
	if (name)
		buf_printf(out, " %s", name);
	if (out->len == before && span->status == SPAN_STATUS_ERROR)
		buf_append_cstr(out, " failed");
}

static void append_outcome(struct buf *out, const struct span *span, bool colour)
{
	bool red = colour && span->status == SPAN_STATUS_ERROR;

	if (red)
		buf_append_cstr(out, ANSI_RED);
	append_outcome_text(out, span);
	if (red)
		buf_append_cstr(out, ANSI_RESET);
}

/* In which of the program's functions. */
static void append_place(struct buf *out, const struct wait_place *place)
{
	struct sv frame = frames_own(place->user);

	if (!frame.len)
		return;
	buf_append_cstr(out, " at ");
	tree_append_text(out, frame, FACT_MAX_WIDTH);
}

/* The longest of what the span waited for, where it matters. */
static void append_waited(struct buf *out, const struct span *span)
{
	enum ledger_state longest = LEDGER_RUNQUEUE;
	uint64_t all_ns = span->end_ns - span->start_ns, waited_ns;

	for (int i = LEDGER_RUNQUEUE; i < LEDGER_UNATTRIBUTED; i++)
		if (span->ledger.ns[i] > span->ledger.ns[longest])
			longest = i;
	waited_ns = span->ledger.ns[longest];
	if (waited_ns < WAIT_SHOWN_NS || waited_ns < all_ns / WAIT_SHOWN_PART)
		return;
	buf_append_cstr(out, " waited: ");
	buf_append_cstr(out, ledger_state_name(longest));
	buf_append_char(out, ' ');
	tree_append_duration(out, waited_ns);
	buf_printf(out, " (%.0f %%)", 100 * (double)waited_ns / (double)all_ns);
	if (span->wait.place && span->wait.state == longest)
		append_place(out, span->wait.place);
}

/* For whom it had what the span waited for. */
static void append_serving(struct buf *out, struct sv request)
{
	if (!request.len)
		return;
	buf_append_cstr(out, ", serving ");
	tree_append_text(out, request, FACT_MAX_WIDTH);
}

void tree_append_lock_culprit(struct buf *out, const struct wait_culprit *culprit)
{
	struct sv frame = frames_own(culprit->user);

	buf_append_cstr(out, "behind: ");
	tree_append_text(out, sv_cstr(culprit->name), FACT_MAX_WIDTH);
	buf_printf(out, " thread %u", culprit->tid);
	if (frame.len) {
		buf_append_cstr(out, ", at ");
		tree_append_text(out, frame, FACT_MAX_WIDTH);
	}
	append_serving(out, culprit->request);
}

/* Who held it up. */
static void append_culprit(struct buf *out, const struct span *span)
{
	struct sv process = attr_string(span, "zerospan.culprit.process.name");
	struct sv summary = attr_string(span, "zerospan.culprit.db.query.summary");
	const struct attr *held = span_attr(span, "zerospan.culprit.held_ms");
	int64_t number;

	if (!attr_string(span, "zerospan.culprit.kind").len) {
		if (span->wait.state == LEDGER_LOCK && span->wait.place &&
		    span->wait.place->culprit.evidence) {
			buf_append_char(out, ' ');
			tree_append_lock_culprit(out, &span->wait.place->culprit);
		}
		return;
	}
	buf_append_cstr(out, " behind: ");
	tree_append_text(out, process, FACT_MAX_WIDTH);
	if (attr_int(span, "zerospan.culprit.thread.id", &number))
		buf_printf(out, " thread %lld", (long long)number);
	if (summary.len) {
		buf_append_cstr(out, ", ");
		tree_append_text(out, summary, FACT_MAX_WIDTH);
	}
	if (attr_int(span, "zerospan.culprit.sqlite.transaction.id", &number))
		buf_printf(out, ", transaction %lld", (long long)number);
	if (held && held->type == ATTR_DOUBLE) {
		buf_append_cstr(out, ", which had the lock for ");
		tree_append_duration(out, (uint64_t)(held->real * 1e6));
	}
	append_serving(out, attr_string(span, "zerospan.culprit.request"));
}

static void append_neighbour(struct buf *out, const struct neighbour *neighbour)
{
	bool several = neighbour->number > 1;

	if (several)
		buf_printf(out, "%u × ", neighbour->number);
	tree_append_text(out, neighbour_name_of(neighbour), FACT_MAX_WIDTH);
	buf_append_cstr(out, several ? " (longest " : " ");
	tree_append_duration(out, neighbour->longest_ns);
	if (several)
		buf_append_char(out, ')');
}

/* What else the process did for much of its time; told once for a request, not for each of its parts. */
static void append_neighbours(struct buf *out, const struct span *span)
{
	const struct neighbours *neighbours = span->neighbours;
	uint64_t least_ns = (span->end_ns - span->start_ns) / WAIT_SHOWN_PART;
	const char *before = " beside: ";

	if (!neighbours || (span->kind != SPAN_KIND_SERVER && !span_id_is_zero(&span->parent_id)))
		return;
	for (uint32_t i = 0; i < neighbours->n_top; i++) {
		if (neighbours->top[i].total_ns < least_ns)
			continue;
		buf_append_cstr(out, before);
		append_neighbour(out, &neighbours->top[i]);
		before = ", ";
	}
}

/* Attributes outside the namespaces of the conventions come from a rule: show them all. */
static bool is_rule_attr(const char *key)
{
	static const char *const own[] = {"http.", "url.", "network.", "server.", "client.",
	    "user_agent.", "db.", "error.", "zerospan.", "thread.", "process.", "code."};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strncmp(key, own[i], strlen(own[i])) == 0)
			return false;
	return true;
}

void tree_append_facts(struct buf *out, const struct span *span, bool colour)
{
	if (span->kind == SPAN_KIND_CLIENT)
		append_peer(out, span);
	if (span->kind == SPAN_KIND_SERVER)
		append_path(out, span);
	append_database(out, span);
	append_outcome(out, span, colour);
	for (size_t i = 0; i < span->n_attrs; i++) {
		if (!is_rule_attr(span->attrs[i].key))
			continue;
		buf_printf(out, " %s=", span->attrs[i].key);
		append_value(out, &span->attrs[i]);
	}
	append_waited(out, span);
	append_culprit(out, span);
	append_neighbours(out, span);
}
