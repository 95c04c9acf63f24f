// SPDX-License-Identifier: Apache-2.0
/*
 * The Prometheus text exposition, format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). Pure.
 *
 * Several services are exposed by one process, so each sample of a service carries job and instance
 * and each service has a target_info; the scrape configuration needs honor_labels. The labels of a
 * point are made once and copied into each of its lines.
 */
#include <stdio.h>
#include <stdlib.h>

#include "export/exporters.h"
#include "export/prometheus_names.h"
#include "export/put.h"

/* Working memory of one exposition. */
struct exposition {
	struct buf *out;
	struct buf labels; /* of the current point, without braces */
	struct buf names;  /* scratch */
	struct buf family; /* translated name of the current metric */
	struct buf le;     /* bounds of the current histogram, each with its NUL */
};

/* --- samples --- */

static void set_labels(
    struct exposition *x, const struct service *service, const struct attr *attrs, size_t n_attrs)
{
	buf_clear(&x->labels);
	if (service)
		prometheus_append_identity(&x->labels, service);
	prometheus_append_attrs(&x->labels, attrs, n_attrs, &x->names);
}

/* One line: family, suffix, labels and perhaps le, value. le may be NULL. */
static void append_sample(struct exposition *x, struct sv suffix, const char *le, double value)
{
	struct sv family = buf_sv(&x->family), labels = buf_sv(&x->labels);
	size_t le_len = le ? strlen(le) : 0;
	char *p;

	if (buf_reserve(
		x->out, family.len + suffix.len + labels.len + le_len + PUT_DOUBLE_MAX + 16))
		return;
	p = put_bytes(x->out->data + x->out->len, family.p, family.len);
	p = put_bytes(p, suffix.p, suffix.len);
	if (labels.len || le) {
		*p++ = '{';
		p = put_bytes(p, labels.p, labels.len);
		if (labels.len && le)
			*p++ = ',';
		if (le) {
			p = PUT_LIT(p, "le=\"");
			p = put_bytes(p, le, le_len);
			*p++ = '"';
		}
		*p++ = '}';
	}
	*p++ = ' ';
	p = put_double(p, value);
	*p++ = '\n';
	x->out->len = (size_t)(p - x->out->data);
	x->out->data[x->out->len] = '\0';
}

/*
 * Bounds as OpenMetrics wants them, Go's %g plus ".0" for integers: "0.005" "1.0" "100000.0"
 * "1e+06". Prometheus 3 rewrites others to this form, which would make two series of one.
 */
static void append_bound(struct buf *out, double bound)
{
	char text[PUT_DOUBLE_MAX];

	snprintf(text, sizeof(text), "%.17g", bound);
	for (int digits = 1; digits < 17; digits++) {
		snprintf(text, sizeof(text), "%.*e", digits - 1, bound);
		if (strtod(text, NULL) == bound)
			break;
	}
	if (bound != 0 && (bound >= 1e6 || bound <= -1e6 || (bound < 1e-4 && bound > -1e-4))) {
		buf_append_cstr(out, text);
		return;
	}
	*put_double(text, bound) = '\0';
	buf_append_cstr(out, text);
	if (!strchr(text, '.'))
		buf_append_cstr(out, ".0");
}

static void set_bounds(struct exposition *x, const struct metric_desc *desc)
{
	buf_clear(&x->le);
	for (size_t i = 0; i < desc->n_bounds; i++) {
		append_bound(&x->le, desc->bounds[i]);
		buf_append_char(&x->le, '\0');
	}
	buf_append(&x->le, "+Inf", sizeof("+Inf"));
}

static void append_histogram(
    struct exposition *x, const struct metric_desc *desc, const struct metric_point *point)
{
	const char *le = x->le.data;
	uint64_t sum = 0;

	for (size_t i = 0; i <= desc->n_bounds && !x->le.failed; i++) {
		sum += point->buckets[i];
		append_sample(x, SV("_bucket"), le, (double)sum);
		le += strlen(le) + 1;
	}
	append_sample(x, SV("_sum"), NULL, point->value);
	append_sample(x, SV("_count"), NULL, (double)point->count);
}

/* --- families --- */

/* HELP escapes backslash and line feed only. */
static void append_help(struct exposition *x, const char *text)
{
	buf_append_cstr(x->out, "# HELP ");
	buf_append_sv(x->out, buf_sv(&x->family));
	buf_append_char(x->out, ' ');
	for (; *text; text++) {
		if (*text == '\\')
			buf_append_cstr(x->out, "\\\\");
		else if (*text == '\n')
			buf_append_cstr(x->out, "\\n");
		else
			buf_append_char(x->out, *text);
	}
	buf_append_char(x->out, '\n');
}

static void append_head(struct exposition *x, const char *help, const char *type)
{
	if (help && *help)
		append_help(x, help);
	buf_append_cstr(x->out, "# TYPE ");
	buf_append_sv(x->out, buf_sv(&x->family));
	buf_append_char(x->out, ' ');
	buf_append_cstr(x->out, type);
	buf_append_char(x->out, '\n');
}

static const char *type_name(enum metric_type type)
{
	switch (type) {
	case METRIC_COUNTER:
		return "counter";
	case METRIC_HISTOGRAM:
		return "histogram";
	default:
		return "gauge";
	}
}

/* True when an earlier metric has this name: two families of one name break the whole scrape. */
static bool name_taken(struct exposition *x, const struct metric_snapshot *snapshot, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (snapshot->families[i].n_points == 0)
			continue;
		buf_clear(&x->names);
		prometheus_append_name(&x->names, &snapshot->families[i].desc);
		if (sv_eq(buf_sv(&x->names), buf_sv(&x->family)))
			return true;
	}
	return sv_eq(buf_sv(&x->family), SV("target_info"));
}

static void append_family(
    struct exposition *x, const struct metric_snapshot *snapshot, size_t index)
{
	const struct metric_family *family = &snapshot->families[index];
	const struct metric_desc *desc = &family->desc;

	buf_clear(&x->family);
	prometheus_append_name(&x->family, desc);
	if (family->n_points == 0 || x->family.len == 0 || name_taken(x, snapshot, index))
		return;
	append_head(x, desc->description, type_name(desc->type));
	if (desc->type == METRIC_HISTOGRAM)
		set_bounds(x, desc);
	for (size_t i = 0; i < family->n_points; i++) {
		const struct metric_point *point = &family->points[i];

		set_labels(x, point->service, point->attrs, point->n_attrs);
		if (point->part.key)
			prometheus_append_attrs(&x->labels, &point->part, 1, &x->names);
		if (desc->type == METRIC_HISTOGRAM)
			append_histogram(x, desc, point);
		else
			append_sample(x, (struct sv){0}, NULL, point->value);
	}
}

/* --- services --- */

static int compare_services(const void *a, const void *b)
{
	const struct service *x = *(const struct service *const *)a;
	const struct service *y = *(const struct service *const *)b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->instance_id, y->instance_id);
}

/* The services of all points, neighbours once; returns their number. */
static size_t collect_services(
    const struct metric_snapshot *snapshot, const struct service **services)
{
	size_t n = 0;

	for (size_t f = 0; f < snapshot->n_families; f++) {
		const struct metric_family *family = &snapshot->families[f];

		for (size_t i = 0; i < family->n_points; i++) {
			const struct service *service = family->points[i].service;

			if (service && (n == 0 || services[n - 1] != service))
				services[n++] = service;
		}
	}
	return n;
}

/* One target_info per service that has a point. */
static void append_services(struct exposition *x, const struct metric_snapshot *snapshot)
{
	const struct service **services;
	size_t n = 0;

	for (size_t f = 0; f < snapshot->n_families; f++)
		n += snapshot->families[f].n_points;
	services = malloc((n + 1) * sizeof(struct service *));
	if (!services) {
		x->out->failed = true;
		return;
	}
	n = collect_services(snapshot, services);
	qsort(services, n, sizeof(struct service *), compare_services);
	buf_clear(&x->family);
	buf_append_cstr(&x->family, "target_info");
	if (n)
		append_head(x, "Resource attributes of the observed services.", "gauge");
	for (size_t i = 0; i < n; i++) {
		if (i && compare_services(&services[i - 1], &services[i]) == 0)
			continue;
		set_labels(x, services[i], services[i]->attrs, services[i]->n_attrs);
		append_sample(x, (struct sv){0}, NULL, 1);
	}
	free(services);
}

void encode_prometheus_text(struct buf *out, const struct metric_snapshot *snapshot)
{
	struct exposition x = {.out = out};

	append_services(&x, snapshot);
	for (size_t i = 0; i < snapshot->n_families; i++)
		append_family(&x, snapshot, i);
	out->failed |= x.labels.failed || x.names.failed || x.family.failed || x.le.failed;
	buf_release(&x.labels);
	buf_release(&x.names);
	buf_release(&x.family);
	buf_release(&x.le);
}
