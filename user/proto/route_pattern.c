// SPDX-License-Identifier: Apache-2.0
/* Configured routes as a tree of segments; see route_pattern.h. */
#include "proto/route_pattern.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* What is known behind some segments. A pattern is not empty: that tells an end from a way through. */
struct route_node {
	struct sv segment;        /* in the pattern that brought the node; "*" nodes do not exist */
	struct sv pattern;        /* that ends here; empty: none does */
	struct sv rest;           /* that ends here with "*"; empty: none does */
	struct route_node **text; /* children by text, sorted */
	size_t n_text;
	struct route_node *any; /* the placeholder's child */
};

struct route_patterns {
	struct route_node root;
	size_t n;
	char *texts[ROUTE_PATTERNS_MAX]; /* what the nodes' views point into */
};

struct route_patterns *route_patterns_new(void)
{
	return calloc(1, sizeof(struct route_patterns));
}

static void node_release(struct route_node *node)
{
	for (size_t i = 0; i < node->n_text; i++) {
		node_release(node->text[i]);
		free(node->text[i]);
	}
	free(node->text);
	if (node->any)
		node_release(node->any);
	free(node->any);
}

void route_patterns_free(struct route_patterns *patterns)
{
	if (!patterns)
		return;
	node_release(&patterns->root);
	for (size_t i = 0; i < patterns->n; i++)
		free(patterns->texts[i]);
	free(patterns);
}

size_t route_patterns_count(const struct route_patterns *patterns)
{
	return patterns->n;
}

/* --- what a pattern may be ----------------------------------------------------------------------- */

static bool holds_any(struct sv s, const char *bytes)
{
	for (size_t i = 0; i < s.len; i++)
		if (strchr(bytes, s.p[i])) /* NUL too */
			return true;
	return false;
}

static bool is_placeholder(struct sv segment)
{
	return segment.len > 2 && segment.p[0] == '{' && segment.p[segment.len - 1] == '}' &&
	    !holds_any(sv_from(segment.p + 1, segment.len - 2), "{}*");
}

static bool is_rest(struct sv segment)
{
	return sv_eq(segment, SV("*"));
}

/* What is wrong with a segment, NULL if nothing is. */
static const char *segment_error(struct sv segment, bool last)
{
	if (is_rest(segment))
		return last ? NULL : "may have '*' only as its last segment";
	if (is_placeholder(segment))
		return NULL;
	if (holds_any(segment, "*"))
		return "may have '*' only as a whole segment, the last one";
	if (holds_any(segment, "{}"))
		return "must have a placeholder as a whole segment: /{name}";
	return NULL;
}

/* Take the next segment off *rest, which begins behind a slash. False: it was the last. */
static bool next_segment(struct sv *rest, struct sv *ret_segment)
{
	size_t end = sv_find(*rest, '/');
	bool more = end < rest->len;

	*ret_segment = sv_from(rest->p, end);
	*rest = sv_skip(*rest, end + 1);
	return more;
}

static int check_pattern(struct sv pattern, struct buf *why)
{
	struct sv rest = sv_skip(pattern, 1), segment;
	const char *error = NULL;
	size_t segments = 0;
	bool more = true;

	if (pattern.len == 0 || pattern.p[0] != '/')
		error = "must begin with '/'";
	else if (pattern.len > ROUTE_PATTERN_MAX_BYTES)
		error = "is longer than 256 bytes";
	for (size_t i = 0; !error && i < pattern.len; i++)
		if ((unsigned char)pattern.p[i] <= ' ' || strchr("?#\x7f", pattern.p[i]))
			error = "may have no blank, control character, '?' or '#'";
	while (!error && more) {
		more = next_segment(&rest, &segment);
		error = segment_error(segment, !more);
		if (!error && ++segments > ROUTE_PATTERN_MAX_SEGMENTS)
			error = "has more than 32 segments";
	}
	if (!error)
		return 0;
	buf_append_cstr(why, error);
	return -EINVAL;
}

/* --- the tree ------------------------------------------------------------------------------------ */

static int segment_order(struct sv a, struct sv b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return a.len ? memcmp(a.p, b.p, a.len) : 0;
}

/* Place of the child with this text, or where it would be; the children before it are smaller. */
static size_t text_place(const struct route_node *node, struct sv segment)
{
	size_t low = 0, high = node->n_text;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (segment_order(node->text[middle]->segment, segment) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct route_node *text_child(const struct route_node *node, struct sv segment)
{
	size_t at = text_place(node, segment);

	return at < node->n_text && sv_eq(node->text[at]->segment, segment) ? node->text[at] : NULL;
}

static struct route_node *add_text_child(struct route_node *node, struct sv segment)
{
	size_t at = text_place(node, segment);
	struct route_node *child = calloc(1, sizeof(*child));
	struct route_node **text = realloc(node->text, (node->n_text + 1) * sizeof(text[0]));

	if (text)
		node->text = text;
	if (!child || !text) {
		free(child);
		return NULL;
	}
	child->segment = segment;
	memmove(text + at + 1, text + at, (node->n_text - at) * sizeof(text[0]));
	text[at] = child;
	node->n_text++;
	return child;
}

/* The child for a segment of a pattern, made if it is not there; NULL without memory. */
static struct route_node *child_for(struct route_node *node, struct sv segment)
{
	struct route_node *child;

	if (is_placeholder(segment)) {
		if (!node->any)
			node->any = calloc(1, sizeof(*node->any));
		return node->any;
	}
	child = text_child(node, segment);
	return child ? child : add_text_child(node, segment);
}

/* Enter a checked pattern. Nodes that were made before memory ran out match nothing. */
static int tree_add(struct route_node *node, struct sv pattern, struct buf *why)
{
	struct sv rest = sv_skip(pattern, 1), segment, *end = NULL;
	bool more = true;

	while (more) {
		more = next_segment(&rest, &segment);
		if (is_rest(segment)) {
			end = &node->rest;
			break;
		}
		node = child_for(node, segment);
		if (!node)
			return -ENOMEM;
		end = &node->pattern;
	}
	if (end->len) {
		buf_printf(why, "matches the same paths as \"%.*s\"", SV_ARG(*end));
		return -EEXIST;
	}
	*end = pattern;
	return 0;
}

int route_patterns_add(struct route_patterns *patterns, struct sv pattern, struct buf *why)
{
	char *text;
	int err = check_pattern(pattern, why);

	if (err)
		return err;
	if (patterns->n == ROUTE_PATTERNS_MAX) {
		buf_printf(why, "is one too many: at most %d", ROUTE_PATTERNS_MAX);
		return -E2BIG;
	}
	text = malloc(pattern.len);
	if (!text)
		return -ENOMEM;
	memcpy(text, pattern.p, pattern.len);
	patterns->texts[patterns->n++] =
	    text; /* nodes may point into it even without memory for all of them */
	err = tree_add(&patterns->root, sv_from(text, pattern.len), why);
	if (err == -EEXIST) /* every node was there */
		free(patterns->texts[--patterns->n]);
	return err;
}

/*
 * The pattern below node that the rest of a path, from behind a slash on, matches. As deep as the deepest pattern;
 * each node has one way to it, so it is visited once at most.
 */
static struct sv tree_match(const struct route_node *node, struct sv rest)
{
	struct sv after = rest, segment, found = {0};
	bool more = next_segment(&after, &segment);
	const struct route_node *child = text_child(node, segment);

	if (child)
		found = more ? tree_match(child, after) : child->pattern;
	if (found.len == 0 && node->any && segment.len)
		found = more ? tree_match(node->any, after) : node->any->pattern;
	return found.len ? found : node->rest;
}

struct sv route_patterns_match(const struct route_patterns *patterns, struct sv path)
{
	if (path.len == 0 || path.p[0] != '/')
		return (struct sv){0};
	return tree_match(&patterns->root, sv_skip(path, 1));
}
