// SPDX-License-Identifier: Apache-2.0
/*
 * The Prometheus text exposition, format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/), and
 * OpenMetrics 1.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/): one writer, and a struct of what differs. Pure.
 *
 * Several services are exposed by one process, so each sample of a service carries job and instance
 * and each service has a target_info; the scrape configuration needs honor_labels. The labels of a
 * point are made once and copied into each of its lines.
 */
#include <stdio.h>
#include <stdlib.h>

#include "export/exporters.h"
#include "export/prometheus_labels.h"
#include "export/put.h"
#include "metric/prometheus_names.h"

/* Where the formats differ. */
struct dialect {
	struct sv info_family; /* how the family of target_info is called */
	const char *info_type;
	const char *end;
	bool bare_counters;   /* the families of counters are named without _total */
	bool units;           /* has UNIT lines */
	bool help_has_quotes; /* and escapes them */
	bool exemplars;
};

static const struct dialect text_dialect = {
    .info_family = {"target_info", 11},
    .info_type = "gauge",
    .end = "",
};

static const struct dialect openmetrics_dialect = {
    .info_family = {"target", 6},
    .info_type = "info",
    .end = "# EOF\n",
    .bare_counters = true,
    .units = true,
    .help_has_quotes = true,
    .exemplars = true,
};

/* Working memory of one exposition. */
struct exposition {
	const struct dialect *dialect;
	const struct clock_base *clock; /* only for exemplars */
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

/* Bytes of an exemplar: its fixed text, two ids in hex, a value and a time. */
#define EXEMPLAR_MAX (64 + 48 + PUT_DOUBLE_MAX + PUT_INT_MAX)

/* What a sample line has but the labels of its point. */
struct sample {
	struct sv suffix; /* of the name */
	const char *le;   /* NULL: none */
	double value;
	const struct metric_exemplar *exemplar; /* NULL: none */
};

/* Append # {trace_id="...",span_id="..."} value seconds; the time in full, since exponents are not allowed there. */
static char *put_exemplar(char *p, const struct exposition *x, const struct metric_exemplar *e)
{
	uint64_t ms = clock_wall_ns(x->clock, e->time_ns) / NS_PER_MS;

	p = PUT_LIT(p, " # {trace_id=\"");
	p = put_hex(p, e->trace_id.b, sizeof(e->trace_id.b));
	p = PUT_LIT(p, "\",span_id=\"");
	p = put_hex(p, e->span_id.b, sizeof(e->span_id.b));
	p = PUT_LIT(p, "\"} ");
	p = put_double(p, e->value);
	*p++ = ' ';
	p = put_u64(p, ms / 1000);
	*p++ = '.';
	for (uint64_t digit = 100; digit; digit /= 10)
		*p++ = (char)('0' + ms / digit % 10);
	return p;
}

/* {labels,le="bound"}; nothing when there is neither. */
static char *put_labels(char *p, struct sv labels, const char *le)
{
	if (labels.len == 0 && !le)
		return p;
	*p++ = '{';
	p = put_bytes(p, labels.p, labels.len);
	if (labels.len && le)
		*p++ = ',';
	if (le) {
		p = PUT_LIT(p, "le=\"");
		p = put_bytes(p, le, strlen(le));
		*p++ = '"';
	}
	*p++ = '}';
	return p;
}

/* One line: family, suffix, labels and perhaps le, value, perhaps an exemplar. */
static void append_sample(struct exposition *x, const struct sample *s)
{
	struct sv family = buf_sv(&x->family), labels = buf_sv(&x->labels);
	size_t fixed = (s->le ? strlen(s->le) : 0) + PUT_DOUBLE_MAX + 16 + EXEMPLAR_MAX;
	char *p;

	if (buf_reserve(x->out, family.len + s->suffix.len + labels.len + fixed))
		return;
	p = put_bytes(x->out->data + x->out->len, family.p, family.len);
	p = put_bytes(p, s->suffix.p, s->suffix.len);
	p = put_labels(p, labels, s->le);
	*p++ = ' ';
	p = put_double(p, s->value);
	if (s->exemplar)
		p = put_exemplar(p, x, s->exemplar);
	*p++ = '\n';
	x->out->len = (size_t)(p - x->out->data);
	x->out->data[x->out->len] = '\0';
}

static void set_bounds(struct exposition *x, const struct metric_desc *desc)
{
	buf_clear(&x->le);
	for (size_t i = 0; i < desc->n_bounds; i++) {
		prometheus_append_bound(&x->le, desc->bounds[i]);
		buf_append_char(&x->le, '\0');
	}
	buf_append(&x->le, "+Inf", sizeof("+Inf"));
}

static void append_histogram(
    struct exposition *x, const struct metric_desc *desc, const struct metric_point *point)
{
	struct sample sample = {.suffix = SV("_bucket"), .le = x->le.data};

	for (size_t i = 0; i <= desc->n_bounds && !x->le.failed; i++) {
		const struct metric_exemplar *exemplar = &point->exemplars[i];

		sample.value += (double)point->buckets[i];
		sample.exemplar = x->dialect->exemplars && exemplar->present ? exemplar : NULL;
		append_sample(x, &sample);
		sample.le += strlen(sample.le) + 1;
	}
	append_sample(x, &(struct sample){.suffix = SV("_sum"), .value = point->value});
	append_sample(x, &(struct sample){.suffix = SV("_count"), .value = (double)point->count});
}

/* --- families --- */

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

/* HELP escapes backslash and line feed, and quotes where the dialect wants it. */
static void append_escaped(struct exposition *x, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || (*text == '"' && x->dialect->help_has_quotes))
			buf_append_char(x->out, '\\');
		if (*text == '\n')
			buf_append_cstr(x->out, "\\n");
		else
			buf_append_char(x->out, *text);
	}
}

static void append_comment(struct exposition *x, const char *keyword, struct sv name)
{
	buf_append_cstr(x->out, keyword);
	buf_append_sv(x->out, name);
	buf_append_char(x->out, ' ');
}

/* In the order that OpenMetrics asks for; the text format has none. */
static void append_head(
    struct exposition *x, struct sv name, const char *type, struct sv unit, const char *help)
{
	append_comment(x, "# TYPE ", name);
	buf_append_cstr(x->out, type);
	buf_append_char(x->out, '\n');
	if (unit.len) {
		append_comment(x, "# UNIT ", name);
		buf_append_sv(x->out, unit);
		buf_append_char(x->out, '\n');
	}
	if (help && *help) {
		append_comment(x, "# HELP ", name);
		append_escaped(x, help);
		buf_append_char(x->out, '\n');
	}
}

static bool ends_with_word(struct sv name, struct sv word)
{
	return word.len && name.len > word.len && name.p[name.len - word.len - 1] == '_' &&
	    sv_eq(sv_skip(name, name.len - word.len), word);
}

/* A unit is told only where it is the end of the family's name: scrapers refuse others. */
static void append_metric_head(struct exposition *x, const struct metric_desc *desc)
{
	struct sv name = buf_sv(&x->family), unit = {0};
	struct sv bare = prometheus_bare_name(name, desc->type);

	buf_clear(&x->names);
	if (x->dialect->units)
		prometheus_append_unit(&x->names, desc);
	if (ends_with_word(bare, buf_sv(&x->names)))
		unit = buf_sv(&x->names);
	append_head(x, x->dialect->bare_counters ? bare : name, type_name(desc->type), unit,
	    desc->description);
}

/* True when the name cannot stand beside that of an earlier metric. */
static bool name_taken(struct exposition *x, const struct metric_snapshot *snapshot, size_t index)
{
	enum metric_type type = snapshot->families[index].desc.type;
	struct sv name = buf_sv(&x->family);

	for (size_t i = 0; i < index; i++) {
		const struct metric_desc *desc = &snapshot->families[i].desc;

		if (snapshot->families[i].n_points == 0)
			continue;
		buf_clear(&x->names);
		prometheus_append_name(&x->names, desc);
		if (x->names.len &&
		    prometheus_names_clash(name, type, buf_sv(&x->names), desc->type))
			return true;
	}
	return prometheus_name_is_reserved(name, type);
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
	append_metric_head(x, desc);
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
			append_sample(x, &(struct sample){.value = point->value});
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
		append_head(x, x->dialect->info_family, x->dialect->info_type, (struct sv){0},
		    "Resource attributes of the observed services.");
	for (size_t i = 0; i < n; i++) {
		if (i && compare_services(&services[i - 1], &services[i]) == 0)
			continue;
		set_labels(x, services[i], services[i]->attrs, services[i]->n_attrs);
		append_sample(x, &(struct sample){.value = 1});
	}
	free(services);
}

static void encode(struct exposition *x, const struct metric_snapshot *snapshot)
{
	append_services(x, snapshot);
	for (size_t i = 0; i < snapshot->n_families; i++)
		append_family(x, snapshot, i);
	buf_append_cstr(x->out, x->dialect->end);
	x->out->failed |= x->labels.failed || x->names.failed || x->family.failed || x->le.failed;
	buf_release(&x->labels);
	buf_release(&x->names);
	buf_release(&x->family);
	buf_release(&x->le);
}

void encode_prometheus_text(struct buf *out, const struct metric_snapshot *snapshot)
{
	struct exposition x = {.dialect = &text_dialect, .out = out};

	encode(&x, snapshot);
}

void encode_openmetrics(
    struct buf *out, const struct metric_snapshot *snapshot, const struct clock_base *clock)
{
	struct exposition x = {.dialect = &openmetrics_dialect, .clock = clock, .out = out};

	encode(&x, snapshot);
}
