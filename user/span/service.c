// SPDX-License-Identifier: Apache-2.0
/* The table of observed services; see service.h. A service is one allocation. */
#include "span/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hmap.h"
#include "base/list.h"
#include "base/pairs.h"
#include "base/utf8.h"

enum {
	SERVICE_ATTRS = 5,
	UUID_TEXT = 37,
};

#define UNKNOWN_SERVICE "unknown_service"

struct service_entry {
	struct hnode node; /* by pid */
	struct service *service;
};

struct service_table {
	struct hmap by_pid;
};

/* The host's identity, as far as the facts tell it. */
static uint64_t host_of(const struct service_facts *facts)
{
	struct sv id = {0};

	if (!pairs_find(facts->attrs, SV("host.id"), &id))
		pairs_find(facts->attrs, SV("host.name"), &id);
	return id.len ? hash_bytes(id.p, id.len) : 0;
}

/*
 * service.instance.id must be unique per process and stable for its life: a UUID of version 8 (RFC
 * 9562 section 5.8, custom) from host, pid and start time.
 */
static void instance_id(const struct service_facts *facts, char text[UUID_TEXT])
{
	uint64_t high = hash_combine(host_of(facts), facts->pid);
	uint64_t low = hash_combine(high, facts->start_id);

	high = hash_combine(high, low);
	high = (high & ~0xf000ULL) | 0x8000ULL;
	low = (low & ~(3ULL << 62)) | (2ULL << 62);
	snprintf(text, UUID_TEXT, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
	    (unsigned)(high >> 16) & 0xffff, (unsigned)high & 0xffff, (unsigned)(low >> 48),
	    (unsigned long long)low & 0xffffffffffffULL);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A resource that is being written: its text stands right behind its attributes. */
struct draft {
	struct service *service;
	char *base; /* of the text, once it is in its place */
	struct buf text;
};

static struct sv put_text(struct draft *d, struct sv value)
{
	size_t at = d->text.len;

	utf8_append_repaired(&d->text, value);
	buf_append_char(&d->text, '\0');
	return sv_from(d->base + at, d->text.len - at - 1);
}

static void put_string(struct draft *d, const char *key, struct sv value)
{
	if (value.len)
		d->service->attrs[d->service->n_attrs++] =
		    (struct attr){.key = key, .type = ATTR_STRING, .string = put_text(d, value)};
}

/* One of the first n attributes, or one that the exporter adds. */
static bool is_taken(const struct service *service, size_t n, struct sv key)
{
	for (size_t i = 0; i < n; i++)
		if (sv_eq(sv_cstr(service->attrs[i].key), key))
			return true;
	return sv_starts(key, SV("telemetry."));
}

/* All values are texts but process.pid, as with OpenTelemetry. */
static void put_pairs(struct draft *d, const struct service_facts *facts)
{
	struct sv rest = facts->attrs, key, value;
	size_t n = d->service->n_attrs;

	while (pairs_next(&rest, &key, &value)) {
		struct attr *attr = &d->service->attrs[d->service->n_attrs];

		if (is_taken(d->service, n, key))
			continue;
		attr->key = put_text(d, key).p;
		if (sv_eq(key, SV("process.pid"))) {
			attr->type = ATTR_INT;
			attr->integer = facts->pid;
		} else {
			attr->type = ATTR_STRING;
			attr->string = put_text(d, value);
		}
		d->service->n_attrs++;
	}
}

static size_t count_pairs(struct sv pairs)
{
	struct sv key, value;
	size_t n = 0;

	while (pairs_next(&pairs, &key, &value))
		n++;
	return n;
}

/* Room for n attributes and their text; the names of the service are not set yet. */
static struct service *service_alloc(uint32_t pid, size_t n, size_t text_max)
{
	struct service *service = calloc(1, sizeof(*service) + n * sizeof(struct attr) + text_max);

	if (!service)
		return NULL;
	atomic_init(&service->refs, 1);
	service->attrs = (struct attr *)(service + 1);
	service->pid = (int)pid;
	return service;
}

static void put_all(struct draft *d, const struct service_facts *facts, const char *exe)
{
	char unknown[320], id[UUID_TEXT];

	if (*exe)
		snprintf(unknown, sizeof(unknown), UNKNOWN_SERVICE ":%.255s", exe);
	else
		snprintf(unknown, sizeof(unknown), UNKNOWN_SERVICE);
	instance_id(facts, id);
	put_string(d, "service.name", sv_cstr(facts->name && *facts->name ? facts->name : unknown));
	put_string(d, "service.instance.id", sv_cstr(id));
	put_string(d, "process.executable.name", sv_cstr(exe));
	put_string(d, "process.executable.path", sv_cstr(facts->exe));
	put_string(d, "process.command", sv_cstr(facts->command));
	put_pairs(d, facts);
}

static size_t text_bytes(const struct service_facts *facts, const char *exe)
{
	size_t name = sv_cstr(facts->name).len + sizeof(UNKNOWN_SERVICE) + strlen(exe);
	size_t texts = name + sv_cstr(facts->exe).len + strlen(exe) + sv_cstr(facts->command).len;

	/* Repair turns one bad byte into three. */
	return 3 * (texts + facts->attrs.len) + UUID_TEXT + SERVICE_ATTRS + 1;
}

static struct service *service_new(const struct service_facts *facts)
{
	const char *exe = base_name(facts->exe ? facts->exe : "");
	size_t n = SERVICE_ATTRS + count_pairs(facts->attrs), text_max = text_bytes(facts, exe);
	struct service *service = service_alloc(facts->pid, n, text_max);
	struct draft d = {.service = service};

	if (!service)
		return NULL;
	d.base = (char *)(service->attrs + n);
	buf_init(&d.text);
	put_all(&d, facts, exe);
	if (d.text.failed || d.text.len > text_max) {
		buf_release(&d.text);
		free(service);
		return NULL;
	}
	memcpy(d.base, d.text.data, d.text.len);
	buf_release(&d.text);
	service->name = service->attrs[0].string.p;
	service->instance_id = service->attrs[1].string.p;
	service->exe = *exe ? service->attrs[2].string.p : service->name;
	return service;
}

struct service_table *service_table_new(void)
{
	struct service_table *table = calloc(1, sizeof(*table));

	if (table)
		hmap_init(&table->by_pid);
	return table;
}

static struct service_entry *entry_find(const struct service_table *table, uint32_t pid)
{
	struct hnode *node = hmap_first(&table->by_pid, pid); /* the pid is its own hash */

	return node ? container_of(node, struct service_entry, node) : NULL;
}

static void entry_free(struct service_table *table, struct service_entry *entry)
{
	hmap_remove(&table->by_pid, &entry->node);
	free(entry);
}

void service_table_free(struct service_table *table)
{
	struct hnode *node;
	size_t slot = 0;

	if (!table)
		return;
	while ((node = hmap_pop(&table->by_pid, &slot))) {
		struct service_entry *entry = container_of(node, struct service_entry, node);

		service_unref(entry->service);
		free(entry);
	}
	hmap_release(&table->by_pid);
	free(table);
}

int service_table_put(struct service_table *table, const struct service_facts *facts)
{
	struct service_entry *entry = entry_find(table, facts->pid);
	struct service *service = service_new(facts);

	if (!service)
		return -ENOMEM;
	if (entry) {
		service_unref(entry->service);
		entry->service = service;
		return 0;
	}
	entry = calloc(1, sizeof(*entry));
	if (!entry || hmap_add(&table->by_pid, facts->pid, &entry->node)) {
		free(entry);
		service_unref(service);
		return -ENOMEM;
	}
	entry->service = service;
	return 0;
}

struct service *service_table_get(const struct service_table *table, uint32_t pid)
{
	struct service_entry *entry = entry_find(table, pid);

	return entry ? entry->service : NULL;
}

void service_table_remove(struct service_table *table, uint32_t pid, struct service **ret_service)
{
	struct service_entry *entry = entry_find(table, pid);
	struct service *service = entry ? entry->service : NULL;

	if (entry)
		entry_free(table, entry);
	if (ret_service)
		*ret_service = service;
	else
		service_unref(service);
}
