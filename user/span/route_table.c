// SPDX-License-Identifier: Apache-2.0
/* Patterns first, then bounded sets of inferred routes per service; see route_table.h. */
#include "span/route_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hmap.h"
#include "base/list.h"
#include "proto/route.h"
#include "proto/route_pattern.h"

enum {
	RECENT_SLOTS = 64, /* a power of two */
	RECENT_PATH_MAX = 88,
};

struct route {
	struct hnode node; /* by service and text */
	const struct service *service;
	size_t len;
	char text[];
};

struct route_count {
	struct hnode node; /* by service */
	const struct service *service;
	size_t routes;
};

/* What a path turned out to be: most requests are for paths that were asked for a moment ago. */
struct recent {
	const struct service *service; /* NULL: empty */
	struct sv route;               /* a pattern's text, one of table.routes, or none */
	size_t path_len;
	char path[RECENT_PATH_MAX];
};

struct route_table {
	const struct http_naming *naming;
	struct hmap routes, counts;
	struct buf scratch;
	bool keep;                          /* see route_table_keep() */
	struct recent recent[RECENT_SLOTS]; /* by hash of service and path; the last one wins */
};

static uint64_t service_hash(const struct service *service)
{
	return hash_u64((uint64_t)(uintptr_t)service);
}

struct route_table *route_table_new(const struct http_naming *naming)
{
	struct route_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->naming = naming;
	hmap_init(&table->routes);
	hmap_init(&table->counts);
	buf_init(&table->scratch);
	return table;
}

/* Remove the entries of service, or all when it is NULL. */
static void table_remove(struct route_table *table, const struct service *service)
{
	struct hnode *node, *next;
	size_t slot = 0;

	memset(table->recent, 0, sizeof(table->recent));
	for (node = hmap_iterate(&table->routes, &slot, NULL); node; node = next) {
		struct route *route = container_of(node, struct route, node);

		next = hmap_iterate(&table->routes, &slot, node);
		if (!service || route->service == service) {
			hmap_remove(&table->routes, node);
			free(route);
		}
	}
	slot = 0;
	for (node = hmap_iterate(&table->counts, &slot, NULL); node; node = next) {
		struct route_count *count = container_of(node, struct route_count, node);

		next = hmap_iterate(&table->counts, &slot, node);
		if (!service || count->service == service) {
			hmap_remove(&table->counts, node);
			free(count);
		}
	}
}

void route_table_free(struct route_table *table)
{
	if (!table)
		return;
	table_remove(table, NULL);
	hmap_release(&table->routes);
	hmap_release(&table->counts);
	buf_release(&table->scratch);
	free(table);
}

void route_table_forget(struct route_table *table, const struct service *service)
{
	table_remove(table, service);
}

static struct route_count *count_get(struct route_table *table, const struct service *service)
{
	struct hnode *node = hmap_first(&table->counts, service_hash(service));
	struct route_count *count;

	if (node)
		return container_of(node, struct route_count, node);
	count = calloc(1, sizeof(*count));
	if (!count)
		return NULL;
	count->service = service;
	if (hmap_add(&table->counts, service_hash(service), &count->node)) {
		free(count);
		return NULL;
	}
	return count;
}

static bool is_full(const struct route_table *table, const struct service *service)
{
	const struct hnode *node = hmap_first(&table->counts, service_hash(service));

	return node && container_of(node, struct route_count, node)->routes >= ROUTE_TABLE_MAX;
}

void route_table_keep(struct route_table *table, bool keep)
{
	table->keep = keep;
}

static struct sv inferred_route(
    struct route_table *table, const struct service *service, struct sv path)
{
	struct route_count *count;
	struct route *route;
	uint64_t hash;

	buf_clear(&table->scratch);
	route_infer(&table->scratch, path);
	hash = hash_combine(
	    service_hash(service), hash_bytes(table->scratch.data, table->scratch.len));
	hmap_for_each_hash (node, &table->routes, hash) {
		route = container_of(node, struct route, node);
		if (route->service == service &&
		    sv_eq(sv_from(route->text, route->len), buf_sv(&table->scratch)))
			return sv_from(route->text, route->len);
	}
	if (table->keep)
		return is_full(table, service) ? SV("/*") : buf_sv(&table->scratch);
	count = count_get(table, service);
	if (!count || count->routes >= ROUTE_TABLE_MAX)
		return SV("/*");
	route = malloc(sizeof(*route) + table->scratch.len);
	if (!route)
		return SV("/*");
	route->service = service;
	route->len = table->scratch.len;
	memcpy(route->text, table->scratch.data, route->len);
	if (hmap_add(&table->routes, hash, &route->node)) {
		free(route);
		return SV("/*");
	}
	count->routes++;
	return sv_from(route->text, route->len);
}

/* The route of a path that was not asked for lately. */
static struct sv route_of(struct route_table *table, const struct service *service, struct sv path)
{
	struct sv route = {0};

	if (table->naming->patterns)
		route = route_patterns_match(table->naming->patterns, path);
	if (route.len || table->naming->unmatched_unset)
		return route;
	return inferred_route(table, service, path);
}

struct sv route_table_route(
    struct route_table *table, const struct service *service, struct sv path)
{
	uint64_t hash = hash_combine(service_hash(service), hash_bytes(path.p, path.len));
	struct recent *recent = &table->recent[hash & (RECENT_SLOTS - 1)];

	if (path.len > sizeof(recent->path))
		return route_of(table, service, path);
	if (recent->service == service && sv_eq(sv_from(recent->path, recent->path_len), path))
		return recent->route;
	if (table->keep)
		return route_of(table, service, path);
	recent->route = route_of(table, service, path);
	recent->service = service;
	recent->path_len = path.len;
	memcpy(recent->path, path.p ? path.p : "", path.len);
	return recent->route;
}
