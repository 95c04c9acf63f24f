/* SPDX-License-Identifier: Apache-2.0 */
/* Spans, services and traces built by hand, as the span stage would: one allocation each. */
#ifndef ZS_TESTS_SPAN_FIXTURE_H
#define ZS_TESTS_SPAN_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>

#include "span/span.h"
#include "support.h"

#define ATTR_S(k, v) ((struct attr){.key = (k), .type = ATTR_STRING, .string = SV(v)})
#define ATTR_I(k, v) ((struct attr){.key = (k), .type = ATTR_INT, .integer = (v)})
#define ATTR_D(k, v) ((struct attr){.key = (k), .type = ATTR_DOUBLE, .real = (v)})
#define ATTR_B(k, v) ((struct attr){.key = (k), .type = ATTR_BOOL, .boolean = (v)})
#define ATTRS(...)                             \
	.attrs = (struct attr[]){__VA_ARGS__}, \
	.n_attrs = sizeof((struct attr[]){__VA_ARGS__}) / sizeof(struct attr)

/* The template of a span; borrowed strings are copied. id and parent fill the last id byte(s). */
struct span_model {
	const char *name;
	enum span_kind kind;
	enum span_status status;
	uint32_t flags;
	uint64_t id, parent;
	uint64_t start_ns, end_ns;
	struct service *service;
	const char *trace_state;
	uint32_t dropped_attrs;
	bool untimed, cut;
	struct ledger ledger;
	struct {
		enum ledger_state state;
		uint64_t ns;
		const char *user, *kernel; /* NULL: none */
	} wait;
	struct {
		enum wait_evidence evidence; /* NONE: nobody */
		uint32_t pid, tid;
		const char *name, *user, *request; /* NULL: not known */
	} culprit;                                 /* of that wait */
	struct {
		const char *name;
		uint32_t number;
		uint64_t longest_ns;
	} neighbours[4]; /* up to the first without a name */
	struct {
		uint32_t tid;
		const char *name, *request; /* NULL: not known */
	} contender;                        /* who had its CPU */
	const struct attr *attrs;
	size_t n_attrs;
};

static inline void *fixture_copy(char **text, const void *p, size_t len)
{
	char *copy = *text;

	if (len)
		memcpy(copy, p, len);
	*text += len;
	return copy;
}

static inline size_t fixture_text_len(const struct attr *attrs, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		if (attrs[i].type == ATTR_STRING)
			len += attrs[i].string.len;
	return len;
}

static inline void fixture_copy_attrs(
    struct attr *to, const struct attr *from, size_t n, char **text)
{
	for (size_t i = 0; i < n; i++) {
		to[i] = from[i];
		if (to[i].type == ATTR_STRING)
			to[i].string.p = fixture_copy(text, from[i].string.p, from[i].string.len);
	}
}

static inline struct service *fixture_service(const char *name, int pid)
{
	const struct attr attrs[] = {
	    {.key = "service.name", .type = ATTR_STRING, .string = sv_cstr(name)},
	    ATTR_S("service.instance.id", "0b6c-1"),
	    ATTR_I("process.pid", pid),
	    ATTR_S("process.executable.name", "shop"),
	};
	size_t n = sizeof(attrs) / sizeof(attrs[0]);
	struct service *service = calloc(
	    1, sizeof(*service) + sizeof(attrs) + fixture_text_len(attrs, n) + strlen(name) + 1);
	char *text = (char *)(service + 1) + sizeof(attrs);

	atomic_init(&service->refs, 1);
	service->pid = pid;
	service->attrs = (struct attr *)(service + 1);
	service->n_attrs = n;
	fixture_copy_attrs(service->attrs, attrs, n, &text);
	service->name = fixture_copy(&text, name, strlen(name) + 1);
	service->instance_id = "0b6c-1";
	service->exe = "shop";
	return service;
}

static inline struct span_id fixture_id(uint64_t value)
{
	struct span_id id;

	for (int i = 0; i < 8; i++)
		id.b[i] = (uint8_t)(value >> (56 - 8 * i));
	return id;
}

static inline struct span_wait fixture_wait(const struct span_model *m)
{
	struct span_wait wait = {.state = m->wait.state, .ns = m->wait.ns};

	if (!m->wait.user && !m->wait.kernel)
		return wait;
	wait.place = wait_place_new();
	wait_place_tell(wait.place, sv_cstr(m->wait.user ? m->wait.user : ""),
	    sv_cstr(m->wait.kernel ? m->wait.kernel : ""));
	if (m->culprit.evidence && wait_place_begin_culprit(wait.place, m->culprit.evidence)) {
		wait.place->culprit.pid = m->culprit.pid;
		wait.place->culprit.tid = m->culprit.tid;
		snprintf(wait.place->culprit.name, sizeof(wait.place->culprit.name), "%s",
		    m->culprit.name ? m->culprit.name : "");
		wait_place_tell_culprit(wait.place, m->culprit.evidence, sv_cstr(m->culprit.user));
		wait_place_tell_request(wait.place, sv_cstr(m->culprit.request));
	}
	return wait;
}

static inline struct neighbours *fixture_neighbours(const struct span_model *m)
{
	struct neighbour_tally tally = {.count = 0};

	for (size_t i = 0; i < 4 && m->neighbours[i].name; i++)
		for (uint32_t k = 0; k < m->neighbours[i].number; k++)
			neighbour_tally_add(
			    &tally, sv_cstr(m->neighbours[i].name), m->neighbours[i].longest_ns);
	return neighbours_new(&tally);
}

static inline struct contention *fixture_contention(const struct span_model *m)
{
	struct contender_request request = {.name_len = 0};
	struct contention *contention = NULL;

	if (!m->contender.tid)
		return NULL;
	if (m->contender.request)
		request.name_len = (uint32_t)snprintf(
		    request.name, sizeof(request.name), "%s", m->contender.request);
	contention_add(&contention, m->contender.tid, sv_cstr(m->contender.name), &request);
	return contention;
}

static inline struct span *fixture_span(const struct span_model *m)
{
	size_t name_len = strlen(m->name), state_len = m->trace_state ? strlen(m->trace_state) : 0;
	struct span *span = calloc(1,
	    sizeof(*span) + m->n_attrs * sizeof(*m->attrs) + name_len + state_len +
		fixture_text_len(m->attrs, m->n_attrs));
	char *text = (char *)(span + 1) + m->n_attrs * sizeof(*m->attrs);

	for (uint8_t i = 0; i < 16; i++)
		span->trace_id.b[i] = (uint8_t)(0xa0 + i);
	span->span_id = fixture_id(m->id);
	span->parent_id = fixture_id(m->parent);
	span->flags = m->flags;
	span->kind = m->kind;
	span->status = m->status;
	span->start_ns = m->start_ns;
	span->end_ns = m->end_ns;
	span->dropped_attrs = m->dropped_attrs;
	span->untimed = m->untimed;
	span->cut = m->cut;
	span->ledger = m->ledger;
	span->wait = fixture_wait(m);
	span->neighbours = fixture_neighbours(m);
	span->contention = fixture_contention(m);
	span->service = m->service ? service_ref(m->service) : NULL;
	span->name = sv_from(fixture_copy(&text, m->name, name_len), name_len);
	span->trace_state = sv_from(fixture_copy(&text, m->trace_state, state_len), state_len);
	span->attrs = (struct attr *)(span + 1);
	span->n_attrs = m->n_attrs;
	fixture_copy_attrs(span->attrs, m->attrs, m->n_attrs, &text);
	return span;
}

static inline struct trace *fixture_trace(const struct span_model *models, size_t n)
{
	struct trace *trace = trace_new(n);

	for (size_t i = 0; i < n; i++)
		trace->spans[trace->n_spans++] = fixture_span(&models[i]);
	return trace;
}

/* n spans without attributes, for queues and transports. */
static inline struct trace *fixture_plain_trace(size_t n)
{
	const struct span_model model = {
	    .name = "GET /", .kind = SPAN_KIND_SERVER, .id = 1, .start_ns = 1, .end_ns = 2};
	struct trace *trace = trace_new(n);

	while (trace->n_spans < n)
		trace->spans[trace->n_spans++] = fixture_span(&model);
	return trace;
}

#endif
