// SPDX-License-Identifier: Apache-2.0
/* Label sets of the Prometheus text exposition; see prometheus_labels.h. */
#include "export/prometheus_labels.h"

#include <stdio.h>
#include <stdlib.h>

#include "export/attr_value.h"
#include "export/put.h"
#include "metric/prometheus_names.h"

/* Label values escape backslash, quote and line feed; nothing else may be escaped. */
static void append_label_value(struct buf *out, struct sv s)
{
	size_t clean = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c != '\\' && c != '"' && c != '\n')
			continue;
		buf_append(out, s.p + clean, i - clean);
		buf_append(out, c == '\n' ? "\\n" : c == '"' ? "\\\"" : "\\\\", 2);
		clean = i + 1;
	}
	buf_append(out, s.p ? s.p + clean : NULL, s.len - clean);
}

static void append_attr_value(struct buf *out, const struct attr *attr)
{
	if (!attr_value_append(out, attr))
		append_label_value(out, attr->string);
}

static void begin_label(struct buf *out, struct sv name)
{
	if (out->len)
		buf_append_char(out, ',');
	buf_append_sv(out, name);
	buf_append_cstr(out, "=\"");
}

static void append_label(struct buf *out, struct sv name, struct sv value)
{
	begin_label(out, name);
	append_label_value(out, value);
	buf_append_char(out, '"');
}

/* The translated name of an attribute; one that an exposition reserves steps aside. */
static void append_name(struct buf *names, const char *key)
{
	static const char *const reserved[] = {"job", "instance", "le"};
	size_t start = names->len;

	prometheus_append_label(names, sv_cstr(key));
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		if (!sv_eq(sv_skip(buf_sv(names), start), sv_cstr(reserved[i])))
			continue;
		names->len = start;
		buf_append_cstr(names, "exported_");
		buf_append_cstr(names, reserved[i]);
		break;
	}
	buf_append_char(names, '\0');
}

static bool is_identity(const char *key)
{
	return strcmp(key, "service.name") == 0 || strcmp(key, "service.namespace") == 0 ||
	    strcmp(key, "service.instance.id") == 0;
}

/* Empty is absent; service.* are job and instance already. */
static bool is_shown(const struct attr *attr)
{
	return !(attr->type == ATTR_STRING && attr->string.len == 0) && !is_identity(attr->key);
}

static const char *next_name(const char *name)
{
	return name + strlen(name) + 1;
}

/* Values of all shown attributes from the i-th on whose keys became the same label name. */
static void append_values(
    struct buf *out, const struct attr *attrs, size_t n, size_t i, const char *name)
{
	const char *other = name;
	bool first = true;

	for (; i < n; i++, other = next_name(other)) {
		if (!is_shown(&attrs[i]) || strcmp(other, name) != 0)
			continue;
		if (!first)
			buf_append_char(out, ';');
		append_attr_value(out, &attrs[i]);
		first = false;
	}
}

/* True when a shown attribute before the i-th has this label name. */
static bool name_seen(const struct buf *names, const struct attr *attrs, size_t i, const char *name)
{
	const char *other = names->data;

	for (size_t k = 0; k < i; k++, other = next_name(other))
		if (is_shown(&attrs[k]) && strcmp(other, name) == 0)
			return true;
	return false;
}

void prometheus_append_attrs(struct buf *out, const struct attr *attrs, size_t n, struct buf *names)
{
	const char *name;

	buf_clear(names);
	for (size_t i = 0; i < n; i++)
		append_name(names, attrs[i].key);
	if (n == 0 || names->failed)
		return;
	name = names->data;
	for (size_t i = 0; i < n; i++, name = next_name(name)) {
		if (*name == '\0' || !is_shown(&attrs[i]) || name_seen(names, attrs, i, name))
			continue;
		begin_label(out, sv_cstr(name));
		append_values(out, attrs, n, i, name);
		buf_append_char(out, '"');
	}
}

static struct sv service_attr(const struct service *service, const char *key)
{
	for (size_t i = 0; i < service->n_attrs; i++)
		if (service->attrs[i].type == ATTR_STRING &&
		    strcmp(service->attrs[i].key, key) == 0)
			return service->attrs[i].string;
	return (struct sv){0};
}

void prometheus_append_identity(struct buf *out, const struct service *service)
{
	struct sv space = service_attr(service, "service.namespace");

	begin_label(out, SV("job"));
	append_label_value(out, space);
	if (space.len)
		buf_append_char(out, '/');
	append_label_value(out, sv_cstr(service->name));
	buf_append_char(out, '"');
	append_label(out, SV("instance"), sv_cstr(service->instance_id));
}

void prometheus_append_bound(struct buf *out, double bound)
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
