// SPDX-License-Identifier: Apache-2.0
/* The table of routes; see route_memory.h. */
#include "sampling/route_memory.h"

#include <stdlib.h>
#include <string.h>

void route_memory_init(struct route_memory *table, const struct sampling_policy *policy,
    struct rate_window_owner *owner)
{
	*table = (struct route_memory){.policy = policy, .owner = owner};
	hmap_init(&table->routes);
	list_init(&table->used);
	for (size_t i = 0; i < policy->n_slower; i++)
		table->timed |= policy->slower[i].ns == 0;
}

static void forget(struct route_memory *table, struct route_known *route)
{
	rate_window_release(table->owner, &route->window);
	hmap_remove(&table->routes, &route->node);
	list_remove(&route->used);
	free(route);
}

void route_memory_release(struct route_memory *table)
{
	list_for_each (at, &table->used)
		forget(table, container_of(at, struct route_known, used));
	hmap_release(&table->routes);
}

static uint32_t rate_of(const struct sampling_policy *policy, struct sv name)
{
	for (size_t i = 0; i < policy->n_rates; i++)
		if (sv_eq(policy->rates[i].route, name))
			return policy->rates[i].per_s;
	return policy->other_rate;
}

static struct sv keep_text(char **at, struct sv text)
{
	struct sv kept = sv_from(*at, text.len);

	if (text.len)
		memcpy(*at, text.p, text.len);
	*at += text.len;
	return kept;
}

static struct route_known *add(
    struct route_memory *table, uint64_t hash, struct sv service, struct sv name)
{
	size_t latency = table->timed ? sizeof(struct latency) : 0;
	struct route_known *route = calloc(1, sizeof(*route) + latency + service.len + name.len);
	char *text;

	if (!route)
		return NULL;
	if (latency)
		route->latency = (struct latency *)(route + 1);
	text = (char *)(route + 1) + latency;
	route->service = keep_text(&text, service);
	route->name = keep_text(&text, name);
	rate_window_init(&route->window, rate_of(table->policy, name));
	if (hmap_add(&table->routes, hash, &route->node)) {
		free(route);
		return NULL;
	}
	list_init(&route->used);
	list_add_tail(&table->used, &route->used);
	return route;
}

struct route_known *route_memory_get(struct route_memory *table, struct sv service, struct sv name)
{
	uint64_t hash;

	if (!table->timed && !table->policy->n_rates && !table->policy->other_rate)
		return NULL;
	hash = hash_combine(hash_bytes(service.p, service.len), hash_bytes(name.p, name.len));
	hmap_for_each_hash (node, &table->routes, hash) {
		struct route_known *route = container_of(node, struct route_known, node);

		if (!sv_eq(route->name, name) || !sv_eq(route->service, service))
			continue;
		list_remove(&route->used);
		list_add_tail(&table->used, &route->used);
		return route;
	}
	if (table->routes.count == ROUTE_MEMORY_MAX) {
		forget(table, container_of(table->used.next, struct route_known, used));
		table->forgotten++;
	}
	return add(table, hash, service, name);
}
