// SPDX-License-Identifier: Apache-2.0
/*
 * The lines of any text as patterns, the last one as a path: the pattern that it matches is the one that a look
 * at each of them in turn finds. The text as a list of methods besides.
 */
#include <errno.h>

#include "fuzz.h"
#include "proto/http_naming.h"
#include "proto/route_pattern.h"

enum {
	PATTERNS_MAX = 32, /* of an input */
};

/* Take the next segment off *rest. False: it was the last. */
static bool segment_of(struct sv *rest, struct sv *ret_segment)
{
	size_t end = sv_find(*rest, '/');
	bool more = end < rest->len;

	*ret_segment = sv_from(rest->p, end);
	*rest = sv_skip(*rest, end + 1);
	return more;
}

/* What a pattern's segment is: 0 text, 1 a placeholder, 2 the rest. */
static int rank(struct sv segment)
{
	return sv_eq(segment, SV("*")) ? 2 : segment.len && segment.p[0] == '{';
}

static bool matches(struct sv pattern, struct sv path)
{
	bool more_pattern = true, more_path = true;

	pattern = sv_skip(pattern, 1);
	path = sv_skip(path, 1);
	while (more_pattern && more_path) {
		struct sv want, have;

		more_pattern = segment_of(&pattern, &want);
		more_path = segment_of(&path, &have);
		if (rank(want) == 2)
			return true;
		if (rank(want) == 1 ? have.len == 0 : !sv_eq(want, have))
			return false;
	}
	return more_pattern == more_path;
}

/* Does a come before b? Both match one path. */
static bool before(struct sv a, struct sv b)
{
	struct sv in_a, in_b;
	bool more;

	a = sv_skip(a, 1);
	b = sv_skip(b, 1);
	do {
		more = segment_of(&a, &in_a);
		more = segment_of(&b, &in_b) && more;
		if (rank(in_a) != rank(in_b))
			return rank(in_a) < rank(in_b);
	} while (more);
	return false;
}

static void check_path(
    struct route_patterns *patterns, const struct sv *added, size_t n, struct sv path)
{
	struct sv found = route_patterns_match(patterns, path), best = {0};

	for (size_t i = 0; i < n && path.len && path.p[0] == '/'; i++)
		if (matches(added[i], path) && (!best.len || before(added[i], best)))
			best = added[i];
	REQUIRE(sv_eq(found, best));
}

static void check_methods(struct sv in)
{
	struct http_methods methods;
	struct buf why;
	int err;

	buf_init(&why);
	err = http_methods_parse(in, &methods, &why);
	REQUIRE((err == 0) == (why.len == 0));
	for (size_t i = 0; err == 0 && i < methods.n; i++) {
		struct sv name = methods.names[i];

		REQUIRE(name.len && name.len <= HTTP_METHOD_MAX_BYTES && fuzz_within(name, in));
		REQUIRE(sv_find(name, ',') == name.len && sv_find(name, ' ') == name.len);
		REQUIRE(sv_eq(http_methods_canonical(&methods, name), name));
	}
	buf_release(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = fuzz_copy(data, size), added[PATTERNS_MAX];
	struct fuzz_choices c = {(const uint8_t *)in.p, in.len};
	struct route_patterns *patterns = route_patterns_new();
	size_t n = 0;

	while (c.left && n < PATTERNS_MAX) {
		struct sv line = fuzz_part(&c, '\n');
		struct buf why;
		int err;

		check_path(patterns, added, n, line);
		buf_init(&why);
		err = route_patterns_add(patterns, line, &why);
		REQUIRE(err == 0 || err == -EINVAL || err == -EEXIST);
		REQUIRE((err == 0) == (why.len == 0));
		buf_release(&why);
		if (err == 0)
			added[n++] = line;
		REQUIRE(route_patterns_count(patterns) == n);
		if (err == 0)
			check_path(patterns, added, n, line);
	}
	route_patterns_free(patterns);
	check_methods(in);
	fuzz_free(in);
	return 0;
}
