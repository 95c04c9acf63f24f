// SPDX-License-Identifier: Apache-2.0
/* What spans and their attributes tell of one request; see span_facts.h. */
#include "why/span_facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "span/frames.h"
#include "span/semconv.h"

/* Time in a place that is less than this, and less than this part of the request, is told with its own code. */
#define PLACE_MIN_NS   (10 * NS_PER_US)
#define PLACE_MIN_PART 200

/* Decimal of any 64-bit integer, and an address with its port. */
enum {
	NUMBER_MAX = 24,
	PEER_MAX = 300,
};

int span_facts_init(struct span_facts *f, struct why_names *names)
{
	f->names = names;
	f->request = calloc(1, sizeof(*f->request) + WHY_FACTS_MAX * sizeof(f->request->facts[0]));
	return f->request ? 0 : -ENOMEM;
}

void span_facts_release(struct span_facts *f)
{
	free(f->request);
	f->request = NULL;
}

/* --- attributes -------------------------------------------------------------------------------- */

static struct sv attr_string(const struct span *span, const char *key)
{
	const struct attr *attr = span_attr(span, key);

	return attr && attr->type == ATTR_STRING ? attr->string : (struct sv){0};
}

/* 0 when the attribute is missing or no integer. */
static int64_t attr_int(const struct span *span, const char *key)
{
	const struct attr *attr = span_attr(span, key);

	return attr && attr->type == ATTR_INT ? attr->integer : 0;
}

/* Milliseconds as nanoseconds; 0 when the attribute is missing or nothing sensible. */
static uint64_t attr_ms(const struct span *span, const char *key)
{
	const struct attr *attr = span_attr(span, key);

	if (!attr || attr->type != ATTR_DOUBLE || !(attr->real > 0 && attr->real < 1e12))
		return 0;
	return (uint64_t)(attr->real * (double)NS_PER_MS);
}

bool span_is_statement(const struct span *span)
{
	return attr_string(span, semconv_db_system_name).len > 0;
}

static struct sv base_name(struct sv path)
{
	size_t i = path.len;

	while (i && path.p[i - 1] != '/')
		i--;
	return i < path.len ? sv_skip(path, i) : path;
}

static struct sv database_of(const struct span *span)
{
	return base_name(attr_string(span, semconv_db_namespace));
}

/* The service's name if it was given one, else its program's. */
static struct sv service_of(const struct span *span)
{
	const struct sv unknown = SV("unknown_service:");
	struct sv name = sv_cstr(span->service ? span->service->name : NULL);

	return sv_starts(name, unknown) ? sv_skip(name, unknown.len) : name;
}

/* A state by its name, or the one that fits a kind of culprit. */
static enum ledger_state state_by_name(struct sv name)
{
	if (sv_eq(name, SV("sqlite_write_lock")))
		return LEDGER_SQLITE_BUSY;
	for (int state = 0; state < LEDGER_STATES; state++)
		if (sv_eq(name, sv_cstr(ledger_state_name((enum ledger_state)state))))
			return (enum ledger_state)state;
	return LEDGER_OTHER;
}

/* Where a call went. */
static struct sv peer_of(const struct span *span, char text[PEER_MAX])
{
	struct sv host = attr_string(span, semconv_server_address);
	int64_t port = attr_int(span, semconv_server_port);
	bool ipv6;

	if (!host.len)
		host = attr_string(span, semconv_network_peer_address);
	if (!host.len)
		return span->name;
	ipv6 = sv_find(host, ':') < host.len;
	if (host.len > WHY_TEXT_MAX)
		host.len = WHY_TEXT_MAX; /* an address is ASCII */
	if (port)
		snprintf(text, PEER_MAX, ipv6 ? "[%.*s]:%lld" : "%.*s:%lld", SV_ARG(host),
		    (long long)port);
	else
		snprintf(text, PEER_MAX, "%.*s", SV_ARG(host));
	return sv_cstr(text);
}

/* --- names ------------------------------------------------------------------------------------- */

#define NAME(facts, kind, ...)                                     \
	why_name((facts)->names, kind, (struct sv[]){__VA_ARGS__}, \
	    sizeof((struct sv[]){__VA_ARGS__}) / sizeof(struct sv))

static uint32_t route_of(struct span_facts *f, const struct span *span)
{
	if (span->kind == SPAN_KIND_SERVER)
		return NAME(f, WHY_NAME_REQUEST, service_of(span), span->name);
	if (span_is_statement(span))
		return NAME(
		    f, WHY_NAME_LONE_STATEMENT, service_of(span), span->name, database_of(span));
	return NAME(f, WHY_NAME_LONE_CALL, service_of(span), span->name);
}

/* --- facts ------------------------------------------------------------------------------------- */

/* The fact of this kind, state and place, made if there is room; else NULL. The request's own time always finds room. */
static struct why_fact *fact_at(
    struct span_facts *f, enum why_fact_kind kind, enum ledger_state state, uint32_t place)
{
	uint32_t max = place == WHY_NAME_NONE ? WHY_FACTS_MAX : WHY_FACTS_MAX - LEDGER_STATES;
	struct why_request *request = f->request;
	struct why_fact *fact;

	for (uint32_t i = 0; i < request->n_facts; i++) {
		fact = &request->facts[i];
		if (fact->kind == kind && fact->state == state && fact->place == place)
			return fact;
	}
	if (request->n_facts >= max)
		return NULL;
	fact = &request->facts[request->n_facts++];
	*fact = (struct why_fact){.kind = kind, .state = state, .place = place};
	return fact;
}

/* Take so much of the request's time in a state, as far as it is left, to a place; what was taken. */
static uint64_t take(struct span_facts *f, enum why_fact_kind kind, enum ledger_state state,
    uint32_t place, uint64_t ns)
{
	uint64_t part = ns < f->left.ns[state] ? ns : f->left.ns[state];
	struct why_fact *fact = part ? fact_at(f, kind, state, place) : NULL;

	if (!fact)
		return 0;
	fact->ns += part;
	f->left.ns[state] -= part;
	return part;
}

static void note_failure(struct span_facts *f, const struct span *span, uint32_t failure)
{
	struct why_fact *fact = fact_at(f, WHY_FACT_FAILURE, LEDGER_CPU, failure);

	if (fact)
		fact->count++;
	if (span->end_ns < f->failed_ns)
		return;
	f->failed_ns = span->end_ns;
	f->request->failure = failure;
}

static void note_culprit(struct span_facts *f, const struct span *span)
{
	struct sv kind = attr_string(span, semconv_zerospan_culprit_kind);
	int64_t pid = attr_int(span, semconv_zerospan_culprit_process_pid);
	bool same = span->service && pid == span->service->pid;
	char number[NUMBER_MAX];
	struct why_fact *fact;
	uint64_t held_ns;
	uint32_t name;

	if (!kind.len)
		return;
	snprintf(number, sizeof(number), "%lld", (long long)pid);
	name = NAME(f, WHY_NAME_CULPRIT, kind, attr_string(span, semconv_zerospan_culprit_evidence),
	    sv_cstr(pid ? number : ""), attr_string(span, semconv_zerospan_culprit_process_name),
	    attr_string(span, semconv_zerospan_culprit_query_summary), sv_cstr(same ? "1" : ""),
	    attr_string(span, semconv_zerospan_culprit_request));
	fact = fact_at(f, WHY_FACT_CULPRIT, state_by_name(kind), name);
	held_ns = attr_ms(span, semconv_zerospan_culprit_held_ms);
	if (!fact)
		return;
	fact->count++;
	if (fact->count > 1 && held_ns <= fact->ns)
		return;
	fact->ns = held_ns;
	fact->transaction =
	    (uint64_t)attr_int(span, semconv_zerospan_culprit_sqlite_transaction_id);
	fact->thread = (uint32_t)attr_int(span, semconv_zerospan_culprit_thread_id);
}

/* Who had the lock that it waited for the longest; of SQLite's, statements tell. */
static void note_lock_culprit(struct span_facts *f, const struct span *span)
{
	const struct wait_place *place = span->wait.place;
	const struct wait_culprit *culprit = place ? &place->culprit : NULL;
	bool same = span->service && culprit && culprit->pid == (uint32_t)span->service->pid;
	char number[NUMBER_MAX];
	struct why_fact *fact;

	if (!culprit || !culprit->evidence || span->wait.state != LEDGER_LOCK)
		return;
	snprintf(number, sizeof(number), "%u", culprit->pid);
	fact = fact_at(f, WHY_FACT_CULPRIT, LEDGER_LOCK,
	    NAME(f, WHY_NAME_CULPRIT, SV("lock"), sv_cstr(wait_evidence_name(culprit->evidence)),
		sv_cstr(number), sv_cstr(culprit->name), frames_own(culprit->user),
		sv_cstr(same ? "1" : ""), culprit->request));
	if (!fact)
		return;
	fact->count++;
	fact->thread = culprit->tid;
}

/* Who had its CPU. */
static void note_contender(struct span_facts *f, const struct span *span)
{
	const struct contender *top = span->contention ? contention_top(span->contention) : NULL;
	struct why_fact *fact;

	if (!top)
		return;
	fact = fact_at(f, WHY_FACT_CULPRIT, LEDGER_RUNQUEUE,
	    NAME(f, WHY_NAME_CULPRIT, SV("runqueue"), SV("seen_running"), SV(""),
		sv_cstr(top->name), SV(""), SV(""), contender_request_name(top)));
	if (!fact)
		return;
	fact->count++;
	fact->thread = top->tid;
}

static void note_stack(struct span_facts *f, const struct span *span)
{
	const struct span_wait *wait = &span->wait;
	const struct wait_place *place = wait->place;
	struct why_fact *fact;

	if (!place || (!place->user.len && !place->kernel.len))
		return;
	fact = fact_at(
	    f, WHY_FACT_STACK, wait->state, NAME(f, WHY_NAME_STACK, place->user, place->kernel));
	if (!fact)
		return;
	fact->count++;
	fact->ns = wait->ns > fact->ns ? wait->ns : fact->ns;
}

/* In what it waited the longest, and who was in the way. */
static void note_wait(struct span_facts *f, const struct span *span)
{
	note_culprit(f, span);
	note_stack(f, span);
	note_lock_culprit(f, span);
	note_contender(f, span);
}

/* What else its process did. */
static void note_neighbours(struct span_facts *f, const struct span *span)
{
	const struct neighbours *neighbours = span->neighbours;

	for (uint32_t i = 0; neighbours && i < neighbours->n_top; i++) {
		const struct neighbour *neighbour = &neighbours->top[i];
		struct why_fact *fact = fact_at(f, WHY_FACT_BESIDE, LEDGER_CPU,
		    NAME(f, WHY_NAME_NEIGHBOUR, neighbour_name_of(neighbour)));

		if (!fact)
			return;
		fact->count = neighbour->number;
		fact->ns = neighbour->longest_ns;
	}
}

/* --- spans ------------------------------------------------------------------------------------- */

void span_facts_begin(struct span_facts *f, const struct span *span)
{
	struct why_request *request = f->request;
	struct sv error = attr_string(span, semconv_error_type);

	*request = (struct why_request){
	    .route = route_of(f, span),
	    .error = error.len ? NAME(f, WHY_NAME_ERROR, error) : WHY_NAME_NONE,
	    .status = (int)attr_int(span, semconv_http_response_status_code),
	    .failed = span->status == SPAN_STATUS_ERROR && !span->cut,
	    .open = span->cut,
	    .end_ns = span->end_ns,
	    .duration_ns = span->end_ns - span->start_ns,
	};
	f->span = span;
	f->left = span->ledger;
	f->failed_ns = 0;
	ledger_fit(&f->left, request->duration_ns);
	request->known = f->left.ns[LEDGER_UNATTRIBUTED] <= request->duration_ns / 2;
	note_neighbours(f, span);
	if (span->kind != SPAN_KIND_SERVER)
		return; /* it is its own part */
	note_wait(f, span);
}

static void take_statement(struct span_facts *f, const struct span *span, uint32_t place)
{
	struct why_fact *fact = fact_at(f, WHY_FACT_STATEMENT, LEDGER_CPU, place);

	if (fact) {
		fact->count++;
		fact->ns += span->end_ns - span->start_ns;
	}
	for (int state = 0; state < LEDGER_STATES; state++)
		take(f, WHY_FACT_TIME, (enum ledger_state)state, place, span->ledger.ns[state]);
}

void span_facts_statement(struct span_facts *f, const struct span *span)
{
	struct sv database = database_of(span), code;

	if (span != f->span)
		take_statement(f, span, NAME(f, WHY_NAME_STATEMENT, span->name, database));
	note_wait(f, span);
	if (span->status != SPAN_STATUS_ERROR)
		return;
	code = attr_string(span, semconv_db_response_status_code);
	if (!code.len)
		code = attr_string(span, semconv_error_type);
	note_failure(f, span, NAME(f, WHY_NAME_FAILED_STATEMENT, span->name, database, code));
}

/* An observed request has answered it: that one's time is not ours, the rest of the wait was on the way. */
static void share_call(struct span_facts *f, const struct span *span, const struct span *answer)
{
	uint64_t waited_ns = span->ledger.ns[LEDGER_DOWNSTREAM];
	uint64_t answer_ns = answer->end_ns - answer->start_ns;
	uint64_t passed_ns = answer_ns < waited_ns ? answer_ns : waited_ns;

	take(f, WHY_FACT_PASSED_ON, LEDGER_DOWNSTREAM, route_of(f, answer), passed_ns);
	take(f, WHY_FACT_TIME, LEDGER_DOWNSTREAM, NAME(f, WHY_NAME_WAY, answer->name),
	    waited_ns - passed_ns);
}

void span_facts_call(struct span_facts *f, const struct span *span, const struct span *answered_by)
{
	char text[PEER_MAX];
	struct sv peer = peer_of(span, text), error = attr_string(span, semconv_error_type);

	note_wait(f, span);
	if (answered_by)
		share_call(f, span, answered_by);
	else
		take(f, WHY_FACT_TIME, LEDGER_DOWNSTREAM, NAME(f, WHY_NAME_PEER, peer),
		    span->ledger.ns[LEDGER_DOWNSTREAM]);
	if (span->status != SPAN_STATUS_ERROR)
		return;
	if (answered_by && answered_by->status == SPAN_STATUS_ERROR)
		note_failure(f, span, route_of(f, answered_by));
	else
		note_failure(f, span,
		    NAME(f, WHY_NAME_FAILED_CALL, answered_by ? answered_by->name : peer, error));
}

/* --- the whole --------------------------------------------------------------------------------- */

/* Small amounts in a place go back to the request's own. */
static void fold(struct span_facts *f)
{
	struct why_request *request = f->request;
	uint32_t n = 0;

	for (uint32_t i = 0; i < request->n_facts; i++) {
		const struct why_fact *fact = &request->facts[i];

		if (fact->kind == WHY_FACT_TIME && fact->ns < PLACE_MIN_NS &&
		    fact->ns < request->duration_ns / PLACE_MIN_PART)
			f->left.ns[fact->state] += fact->ns;
		else
			request->facts[n++] = *fact;
	}
	request->n_facts = n;
}

const struct why_request *span_facts_end(struct span_facts *f)
{
	fold(f);
	for (int state = 0; state < LEDGER_STATES; state++)
		take(f, WHY_FACT_TIME, (enum ledger_state)state, WHY_NAME_NONE, f->left.ns[state]);
	return f->request;
}
