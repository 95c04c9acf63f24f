// SPDX-License-Identifier: Apache-2.0
/* Life cycle of finished spans, traces and services; see span.h. */
#include "span/span.h"

#include <stdlib.h>

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

const struct attr *span_attr(const struct span *span, const char *key)
{
	for (size_t i = 0; i < span->n_attrs; i++)
		if (strcmp(span->attrs[i].key, key) == 0)
			return &span->attrs[i];
	return NULL;
}

size_t span_ledger_attrs(const struct span *span, struct attr ret_attrs[LEDGER_STATES])
{
	size_t n = 0;

	for (int i = 0; i < LEDGER_STATES; i++) {
		if (span->ledger.ns[i])
			ret_attrs[n++] = (struct attr){
			    .key = ledger_attr_key(i),
			    .type = ATTR_DOUBLE,
			    .real = (double)span->ledger.ns[i] / 1e6,
			};
	}
	return n;
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

void span_free(struct span *span)
{
	if (!span)
		return;
	service_unref(span->service);
	free(span);
}

struct trace *trace_new(size_t n)
{
	struct trace *trace = malloc(sizeof(*trace) + n * sizeof(trace->spans[0]));

	if (!trace)
		return NULL;
	atomic_init(&trace->refs, 1);
	trace->n_spans = 0;
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
	free(trace);
}
