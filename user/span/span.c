// SPDX-License-Identifier: Apache-2.0
/* Life cycle of finished spans, traces and services; see span.h. */
#include "span/span.h"

#include <stdlib.h>
#include <string.h>

#include "span/log_record.h"
#include "span/semconv.h"

const char *parent_basis_name(enum parent_basis basis)
{
	static const char *const names[] = {
	    [PARENT_BASIS_NONE] = NULL,
	    [PARENT_BASIS_HEADER] = "header",
	    [PARENT_BASIS_SOCKET] = "socket",
	    [PARENT_BASIS_THREAD] = "thread",
	};

	return names[basis];
}

struct service *service_ref(struct service *service)
{
	atomic_fetch_add(&service->refs, 1);
	return service;
}

void service_unref(struct service *service)
{
	if (service && atomic_fetch_sub(&service->refs, 1) == 1)
		free(service);
}

const struct span_link *span_link(const struct span *span)
{
	return span->dropped_links || span_id_is_zero(&span->culprit.span_id) ? NULL
									      : &span->culprit;
}

const struct attr *span_attr(const struct span *span, const char *key)
{
	for (size_t i = 0; i < span->n_attrs; i++)
		if (strcmp(span->attrs[i].key, key) == 0)
			return &span->attrs[i];
	return NULL;
}

static struct attr milliseconds(const char *key, uint64_t ns)
{
	return (struct attr){.key = key, .type = ATTR_DOUBLE, .real = (double)ns / 1e6};
}

static struct attr text(const char *key, struct sv value)
{
	return (struct attr){.key = key, .type = ATTR_STRING, .string = value};
}

static struct attr integer(const char *key, int64_t value)
{
	return (struct attr){.key = key, .type = ATTR_INT, .integer = value};
}

static size_t wait_attrs(const struct span_wait *wait, struct attr *to)
{
	size_t n = 0;

	if (!wait->place)
		return 0;
	to[n++] = text(semconv_zerospan_stack_state, sv_cstr(ledger_state_name(wait->state)));
	to[n++] = milliseconds(semconv_zerospan_stack_wait_ms, wait->ns);
	if (wait->place->user.len)
		to[n++] = text(semconv_zerospan_stack_user, wait->place->user);
	if (wait->place->kernel.len)
		to[n++] = text(semconv_zerospan_stack_kernel, wait->place->kernel);
	return n;
}

/* Who had the lock; a statement may have told of SQLite's already. */
static size_t culprit_attrs(const struct span *span, struct attr *to)
{
	const struct wait_place *place = span->wait.place;
	const struct wait_culprit *culprit = place ? &place->culprit : NULL;
	size_t n = 0;

	if (!culprit || !culprit->evidence || span->wait.state != LEDGER_LOCK ||
	    span->behind_call || span->contention || span_attr(span, semconv_zerospan_culprit_kind))
		return 0;
	to[n++] = text(semconv_zerospan_culprit_kind, SV("lock"));
	to[n++] =
	    text(semconv_zerospan_culprit_evidence, sv_cstr(wait_evidence_name(culprit->evidence)));
	to[n++] = integer(semconv_zerospan_culprit_process_pid, culprit->pid);
	to[n++] = integer(semconv_zerospan_culprit_thread_id, culprit->tid);
	if (*culprit->name)
		to[n++] = text(semconv_zerospan_culprit_process_name, sv_cstr(culprit->name));
	if (culprit->user.len)
		to[n++] = text(semconv_zerospan_culprit_stack_user, culprit->user);
	if (culprit->request.len)
		to[n++] = text(semconv_zerospan_culprit_request, culprit->request);
	return n;
}

/* The call that its request waited for the most. */
static size_t call_attrs(const struct span *span, struct attr *to)
{
	size_t n = 0;

	if (!span->behind_call)
		return 0;
	to[n++] = text(semconv_zerospan_culprit_kind, SV("downstream"));
	to[n++] =
	    text(semconv_zerospan_culprit_evidence, span->peer ? SV("peer_span") : SV("call_span"));
	if (!span->peer)
		return n;
	to[n++] = integer(semconv_zerospan_culprit_process_pid, span->peer->pid);
	to[n++] = text(semconv_zerospan_culprit_service_name, sv_cstr(span->peer->name));
	return n;
}

/* Who had its CPU. */
static size_t contention_attrs(const struct span *span, struct attr *to)
{
	const struct contender *top;
	size_t n = 0;

	if (!span->contention)
		return 0;
	top = contention_top(span->contention);
	to[n++] = text(semconv_zerospan_culprit_kind, SV("runqueue"));
	to[n++] = text(semconv_zerospan_culprit_evidence, SV("seen_running"));
	to[n++] = integer(semconv_zerospan_culprit_thread_id, top->tid);
	to[n++] = text(semconv_zerospan_culprit_process_name, sv_cstr(top->name));
	if (top->request.name_len)
		to[n++] = text(semconv_zerospan_culprit_request, contender_request_name(top));
	to[n++] = (struct attr){.key = semconv_zerospan_culprit_share,
	    .type = ATTR_DOUBLE,
	    .real = (double)top->seen / (double)span->contention->looks};
	return n;
}

static size_t neighbours_attrs(const struct neighbours *neighbours, struct attr *to)
{
	if (!neighbours)
		return 0;
	to[0] = integer(semconv_zerospan_neighbours_count, neighbours->count);
	to[1] =
	    text(semconv_zerospan_neighbours_top, sv_from(neighbours->text, neighbours->text_len));
	return 2;
}

size_t span_time_attrs(const struct span *span, struct attr ret_attrs[SPAN_TIME_ATTRS_MAX])
{
	size_t n = 0;

	for (int i = 0; i < LEDGER_STATES; i++) {
		if (span->ledger.ns[i])
			ret_attrs[n++] = milliseconds(ledger_attr_key(i), span->ledger.ns[i]);
	}
	n += wait_attrs(&span->wait, ret_attrs + n);
	n += call_attrs(span, ret_attrs + n);
	n += contention_attrs(span, ret_attrs + n);
	n += neighbours_attrs(span->neighbours, ret_attrs + n);
	return n + culprit_attrs(span, ret_attrs + n);
}

size_t span_time_text_max(const struct span *span)
{
	const struct wait_place *place = span->wait.place;

	/* Names are shorter than keys. */
	return 2 * SPAN_TIME_ATTRS_MAX * LEDGER_KEY_MAX +
	    (span->peer ? strlen(span->peer->name) : 0) +
	    (span->neighbours ? span->neighbours->text_len : 0) +
	    (span->contention ? NEIGHBOUR_NAME_MAX : 0) +
	    (place ? place->user.len + place->kernel.len + place->culprit.user.len +
			place->culprit.request.len
		   : 0);
}

void span_set_basis(struct span *span, enum parent_basis basis)
{
	const char *name = parent_basis_name(basis);

	span->basis = basis;
	if (!name)
		return;
	span->attrs[span->n_attrs++] = (struct attr){
	    .key = semconv_zerospan_parent_basis,
	    .type = ATTR_STRING,
	    .string = sv_cstr(name),
	};
}

void span_append_attrs(struct span *span, const struct attr *attrs, size_t n)
{
	size_t bytes = 0, kept = span->n_attrs;
	struct attr *all;
	char *text;

	for (size_t i = 0; i < n; i++)
		bytes += attrs[i].type == ATTR_STRING ? attrs[i].string.len : 0;
	/* One more, for span_set_basis(). */
	all = span->more ? NULL : malloc((kept + n + 1) * sizeof(all[0]) + bytes);
	if (!all) {
		span->dropped_attrs += (uint32_t)n;
		return;
	}
	memcpy(all, span->attrs, kept * sizeof(all[0]));
	text = (char *)(all + kept + n + 1);
	for (size_t i = 0; i < n; i++) {
		if (span_attr(span, attrs[i].key)) {
			span->dropped_attrs++;
			continue;
		}
		all[kept] = attrs[i];
		if (attrs[i].type == ATTR_STRING && attrs[i].string.len) {
			memcpy(text, attrs[i].string.p, attrs[i].string.len);
			all[kept].string.p = text;
			text += attrs[i].string.len;
		}
		kept++;
	}
	span->attrs = span->more = all;
	span->n_attrs = kept;
}

void span_free(struct span *span)
{
	if (!span)
		return;
	service_unref(span->service);
	service_unref(span->peer);
	free(span->more);
	free(span->contention);
	free(span->neighbours);
	wait_place_unref(span->wait.place);
	free(span);
}

struct trace *trace_new(size_t n)
{
	struct trace *trace = malloc(sizeof(*trace) + n * sizeof(trace->spans[0]));

	if (!trace)
		return NULL;
	atomic_init(&trace->refs, 1);
	trace->number = 0;
	trace->given = trace->more = false;
	trace->opened_with = (struct ot_state){OT_UNKNOWN, OT_UNKNOWN};
	trace->text = NULL;
	trace->n_spans = 0;
	trace->logs = NULL;
	return trace;
}

struct trace *trace_ref(struct trace *trace)
{
	atomic_fetch_add(&trace->refs, 1);
	return trace;
}

void trace_unref(struct trace *trace)
{
	if (!trace || atomic_fetch_sub(&trace->refs, 1) != 1)
		return;
	for (size_t i = 0; i < trace->n_spans; i++)
		span_free(trace->spans[i]);
	free(trace->text);
	log_batch_unref(trace->logs);
	free(trace);
}
