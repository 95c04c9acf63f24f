// SPDX-License-Identifier: Apache-2.0
/* Evidence from traceparent headers; see header_link.h. */
#include "trace/header_link.h"

static uint64_t name_hash(const struct trace_context *context)
{
	return hash_bytes(context->parent_id.b, sizeof(context->parent_id.b));
}

/* Remember that this request names this span. */
static void node_name(struct graph *g, struct node *node, const struct trace_context *context)
{
	node->context = *context;
	node->is_named = hmap_add(&g->names, name_hash(context), &node->named) == 0;
}

/*
 * Who else names the same span: how many nodes of this kind and process (0: any), node's own other end
 * not counted; *ret_one is one of them.
 */
static size_t find_named(const struct graph *g, const struct node *node, enum span_kind kind,
    uint32_t pid, struct node **ret_one)
{
	const struct trace_context *context = &node->exchange->context;
	size_t n = 0;

	hmap_for_each_hash (at, &g->names, name_hash(context)) {
		struct node *other = container_of(at, struct node, named);

		if (other->kind == kind && other != node->other_end &&
		    (!pid || other->pid == pid) &&
		    span_id_eq(&other->context.parent_id, &context->parent_id) &&
		    trace_id_eq(&other->context.trace_id, &context->trace_id)) {
			*ret_one = other;
			n++;
		}
	}
	return n;
}

/* Move a call that is known by other evidence than its thread out of its caller's group. */
static struct group *client_leave_group(struct graph *g, struct node *node)
{
	struct group *group = node->group, *own;

	if (node->basis == PARENT_BASIS_NONE)
		return group;
	own = group_new(g);
	if (!own)
		return NULL;
	node_leave_caller(node);
	list_remove(&node->member);
	group->n_nodes--;
	group->n_open--;
	group_settle(g, group);
	group_add(own, node);
	node->basis = PARENT_BASIS_NONE;
	node->parent_id = (struct span_id){0};
	return own;
}

void client_take_context(struct graph *g, struct node *node)
{
	const struct trace_context *context = &node->exchange->context;
	struct node *source = NULL, *twin = NULL;
	size_t sources = find_named(g, node, SPAN_KIND_SERVER, node->pid, &source);
	bool same_trace =
	    node->group->fixed && trace_id_eq(&node->group->trace_id, &context->trace_id);
	struct group *group;

	if (sources > 0 && !same_trace) {
		group = client_leave_group(g, node);
		if (group && sources == 1) {
			group_merge(g, source->group, group);
			node->parent_id = source->span_id;
			node->basis = PARENT_BASIS_HEADER;
			return;
		}
	}
	if (sources == 0 && find_named(g, node, SPAN_KIND_CLIENT, 0, &twin) == 0) {
		node->span_id = context->parent_id;
		node_name(g, node, context);
	}
	if (same_trace)
		return;
	group = client_leave_group(g, node);
	if (!group)
		return;
	group->fixed = true;
	group->trace_id = context->trace_id;
	group->flags = context->flags;
}

void server_take_context(struct graph *g, struct node *node)
{
	const struct trace_context *context = &node->exchange->context;

	node_name(g, node, context);
	node->basis = PARENT_BASIS_HEADER;
	node->parent_id = context->parent_id;
	node->parent_remote = true;
	node->group->fixed = true;
	node->group->trace_id = context->trace_id;
	node->group->flags = context->flags;
}
