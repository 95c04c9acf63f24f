// SPDX-License-Identifier: Apache-2.0
/*
 * The tree of one trace for people: name, kind, duration, facts in columns.
 *
 *	POST /checkout                    SERVER  2.21 s    [shop 1234] 200  trace 4bf92f35
 *	├─ INSERT orders                  CLIENT  0.9 ms    sqlite shop.db rows=0
 *	└─ POST /inventory/deduct         CLIENT  2.20 s    → 127.0.0.1:8000 200
 *	   └─ POST /inventory/deduct      SERVER  2.20 s    200
 *
 * Lines are made by walking nodes in depth-first order without recursion, since a chain of calls
 * may be as long as the trace. A span whose parent is not in the batch is a root; spans that form
 * a cycle (only forged headers can) become roots too, so every span is shown once.
 */
#include "export/tree.h"

#include <stdlib.h>

#include "export/exporters.h"

enum {
	NAME_MIN_WIDTH = 32, /* so that consecutive trees align */
	NAME_MAX_WIDTH = 56, /* longer names are cut */
	MAX_DEPTH = 16,      /* deeper spans are drawn at this depth */
	KIND_WIDTH = 8,
	DURATION_WIDTH = 8,
	NAME_CUT_MIN = 12, /* characters of a name shown at any depth */
};

struct node {
	const struct span *span;
	struct node *parent, *first_child, *last_child, *next;
	size_t depth;
};

struct tree {
	struct node *nodes;  /* by start time */
	struct node **by_id; /* by span id */
	size_t n;
	struct node *first_root, *last_root;
	size_t name_width;
};

static int compare_start(const void *a, const void *b)
{
	const struct span *x = ((const struct node *)a)->span, *y = ((const struct node *)b)->span;

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	/* Of two that start together the longer encloses the other. */
	return x->end_ns > y->end_ns ? -1 : x->end_ns < y->end_ns;
}

static int compare_id(const void *a, const void *b)
{
	const struct node *const *x = a, *const *y = b;

	return memcmp((*x)->span->span_id.b, (*y)->span->span_id.b, sizeof((*x)->span->span_id.b));
}

static struct node *find_node(const struct tree *tree, const struct span_id *id)
{
	const struct span probe_span = {.span_id = *id};
	const struct node probe = {.span = &probe_span};
	const struct node *key = &probe;
	struct node **hit = bsearch(&key, tree->by_id, tree->n, sizeof(*tree->by_id), compare_id);

	return hit ? *hit : NULL;
}

static void add_root(struct tree *tree, struct node *node)
{
	node->parent = NULL;
	node->next = NULL;
	if (tree->last_root)
		tree->last_root->next = node;
	else
		tree->first_root = node;
	tree->last_root = node;
}

static void add_child(struct node *parent, struct node *node)
{
	if (parent->last_child)
		parent->last_child->next = node;
	else
		parent->first_child = node;
	parent->last_child = node;
}

/* True when node is reached from itself by following parents. */
static bool in_cycle(const struct node *node)
{
	const struct node *slow = node, *fast = node;

	do {
		slow = slow->parent;
		fast = fast->parent ? fast->parent->parent : NULL;
		if (fast == node || slow == node)
			return true;
	} while (fast && fast != slow);
	return false;
}

/* Link parents and children; nodes come by start time, so siblings are linked in that order. */
static void link_nodes(struct tree *tree)
{
	for (size_t i = 0; i < tree->n; i++) {
		struct node *node = &tree->nodes[i];

		if (!span_id_is_zero(&node->span->parent_id))
			node->parent = find_node(tree, &node->span->parent_id);
	}
	for (size_t i = 0; i < tree->n; i++) {
		struct node *node = &tree->nodes[i];

		/* In a cycle somebody's parent comes later, so only those need the walk. */
		if (node->parent >= node && in_cycle(node))
			node->parent = NULL;
		if (node->parent)
			add_child(node->parent, node);
		else
			add_root(tree, node);
	}
}

/* The next node in depth-first order, or NULL. */
static struct node *next_node(struct node *node)
{
	if (node->first_child)
		return node->first_child;
	while (node && !node->next)
		node = node->parent;
	return node ? node->next : NULL;
}

static void set_depths(struct tree *tree)
{
	for (struct node *node = tree->first_root; node; node = next_node(node))
		node->depth = node->parent ? node->parent->depth + 1 : 0;
}

/* --- lines ----------------------------------------------------------------------------------- */

/* Columns that the branches take before the name. */
static size_t branch_width(const struct node *node)
{
	return 3 * (node->depth < MAX_DEPTH ? node->depth : MAX_DEPTH);
}

static size_t name_limit(const struct node *node)
{
	size_t branches = branch_width(node);

	return branches + NAME_CUT_MIN < NAME_MAX_WIDTH ? NAME_MAX_WIDTH - branches : NAME_CUT_MIN;
}

static size_t text_width(struct sv s)
{
	size_t width = 0;

	for (size_t i = 0; i < s.len; i++)
		width += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return width;
}

static void measure(struct tree *tree)
{
	tree->name_width = NAME_MIN_WIDTH;
	for (size_t i = 0; i < tree->n; i++) {
		const struct node *node = &tree->nodes[i];
		size_t width = text_width(node->span->name);

		if (width > name_limit(node))
			width = name_limit(node);
		width += branch_width(node);
		if (width > tree->name_width)
			tree->name_width = width;
	}
}

static void append_branches(struct buf *out, const struct node *node)
{
	const struct node *path[MAX_DEPTH];
	size_t n = 0;

	/* The innermost MAX_DEPTH levels; a root draws nothing. */
	for (; node->parent && n < MAX_DEPTH; node = node->parent)
		path[n++] = node;
	while (n-- > 0) {
		if (n == 0)
			buf_append_cstr(out, path[n]->next ? "├─ " : "└─ ");
		else
			buf_append_cstr(out, path[n]->next ? "│  " : "   ");
	}
}

void tree_append_padding(struct buf *out, size_t width, size_t column)
{
	do
		buf_append_char(out, ' ');
	while (++width < column);
}

static void append_styled(struct buf *out, const char *text, const char *style)
{
	if (style)
		buf_append_cstr(out, style);
	buf_append_cstr(out, text);
	if (style)
		buf_append_cstr(out, ANSI_RESET);
}

static const char *kind_name(enum span_kind kind)
{
	switch (kind) {
	case SPAN_KIND_SERVER:
		return "SERVER";
	case SPAN_KIND_CLIENT:
		return "CLIENT";
	default:
		return "INTERNAL";
	}
}

static size_t append_name(struct buf *out, const struct node *node, bool colour)
{
	const char *style = NULL;
	size_t width;

	if (colour && node->span->status == SPAN_STATUS_ERROR)
		style = ANSI_RED;
	else if (colour && !node->parent)
		style = ANSI_BOLD;
	append_branches(out, node);
	if (style)
		buf_append_cstr(out, style);
	width = branch_width(node) + tree_append_text(out, node->span->name, name_limit(node));
	if (style)
		buf_append_cstr(out, ANSI_RESET);
	return width;
}

/* The process, on roots and wherever it differs from the parent's. */
static void append_process(struct buf *out, const struct node *node)
{
	const struct service *service = node->span->service;

	if (!service || (node->parent && node->parent->span->service == service))
		return;
	buf_append_cstr(out, " [");
	tree_append_text(out, sv_cstr(service->exe), NAME_MIN_WIDTH);
	buf_printf(out, " %d]", service->pid);
}

static size_t append_span_duration(struct buf *out, const struct span *span)
{
	if (!span->untimed)
		return tree_append_duration(out, span->end_ns - span->start_ns);
	buf_append_char(out, '?');
	return 1;
}

static void append_line(
    struct buf *out, const struct tree *tree, const struct node *node, bool colour)
{
	const char *dim = colour ? ANSI_DIM : NULL;
	const char *kind = kind_name(node->span->kind);
	char id[33];

	tree_append_padding(out, append_name(out, node, colour), tree->name_width + 2);
	append_styled(out, kind, dim);
	tree_append_padding(out, strlen(kind), KIND_WIDTH);
	tree_append_padding(out, append_span_duration(out, node->span), DURATION_WIDTH);
	append_process(out, node);
	tree_append_facts(out, node->span, colour);
	if (!node->parent) {
		trace_id_hex(&node->span->trace_id, id);
		id[8] = '\0';
		append_styled(out, "  trace ", dim);
		append_styled(out, id, dim);
	}
	buf_append_char(out, '\n');
}

void encode_tree(struct buf *out, const struct trace *trace, bool colour)
{
	struct tree tree = {.n = trace->n_spans};

	tree.nodes = calloc(tree.n + 1, sizeof(*tree.nodes) + sizeof(*tree.by_id));
	if (!tree.nodes) {
		out->failed = true;
		return;
	}
	tree.by_id = (struct node **)(tree.nodes + tree.n);
	for (size_t i = 0; i < tree.n; i++)
		tree.nodes[i].span = trace->spans[i];
	qsort(tree.nodes, tree.n, sizeof(*tree.nodes), compare_start);
	for (size_t i = 0; i < tree.n; i++)
		tree.by_id[i] = &tree.nodes[i];
	qsort(tree.by_id, tree.n, sizeof(*tree.by_id), compare_id);
	link_nodes(&tree);
	set_depths(&tree);
	measure(&tree);
	for (struct node *node = tree.first_root; node; node = next_node(node))
		append_line(out, &tree, node, colour);
	tree_append_logs(out, trace, colour);
	free(tree.nodes);
}
