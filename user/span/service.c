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
#include "base/utf8.h"

enum {
	SERVICE_ATTRS = 5,
	UUID_TEXT = 37,
};

struct service_entry {
	struct hnode node; /* by pid */
	struct service *service;
};

struct service_table {
	struct hmap by_pid;
	uint64_t host;
};

/*
 * service.instance.id must be unique per process and stable for its life: a UUID of version 8 (RFC
 * 9562 section 5.8, custom) from host, pid and start time.
 */
static void instance_id(uint64_t host, const struct service_facts *facts, char text[UUID_TEXT])
{
	uint64_t high = hash_combine(host, facts->pid);
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

static void put_string(
    struct service *service, struct buf *text, char *base, const char *key, const char *value)
{
	struct attr *attr = &service->attrs[service->n_attrs];
	size_t at = text->len;

	if (!value || !*value)
		return;
	utf8_append_repaired(text, sv_cstr(value));
	buf_append_char(text, '\0');
	attr->key = key;
	attr->type = ATTR_STRING;
	attr->string = sv_from(base + at, text->len - at - 1);
	service->n_attrs++;
}

static struct service *service_new(uint64_t host, const struct service_facts *facts)
{
	const char *path = facts->exe ? facts->exe : "", *exe = base_name(path);
	char unknown[320], id[UUID_TEXT];
	const char *name = facts->name && *facts->name ? facts->name : unknown;
	size_t text_max, attrs_size = SERVICE_ATTRS * sizeof(struct attr);
	struct service *service;
	struct buf text;
	char *base;

	if (*exe)
		snprintf(unknown, sizeof(unknown), "unknown_service:%.255s", exe);
	else
		snprintf(unknown, sizeof(unknown), "unknown_service");
	instance_id(host, facts, id);
	/* Repair turns one bad byte into three. */
	text_max = 3 *
		(strlen(name) + strlen(path) + strlen(exe) +
		    (facts->command ? strlen(facts->command) : 0)) +
	    sizeof(id) + SERVICE_ATTRS + 1;
	service = calloc(1, sizeof(*service) + attrs_size + text_max);
	if (!service)
		return NULL;
	atomic_init(&service->refs, 1);
	service->attrs = (struct attr *)(service + 1);
	service->pid = (int)facts->pid;
	base = (char *)service->attrs + attrs_size;
	buf_init(&text);
	put_string(service, &text, base, "service.name", name);
	put_string(service, &text, base, "service.instance.id", id);
	put_string(service, &text, base, "process.executable.name", exe);
	put_string(service, &text, base, "process.executable.path", path);
	put_string(service, &text, base, "process.command", facts->command);
	if (text.failed || text.len > text_max) {
		buf_release(&text);
		free(service);
		return NULL;
	}
	memcpy(base, text.data, text.len);
	buf_release(&text);
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
	struct service *service = service_new(table->host, facts);

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

void service_table_set_host(struct service_table *table, const char *host_id)
{
	table->host = hash_bytes(host_id, strlen(host_id));
}
