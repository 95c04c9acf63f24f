// SPDX-License-Identifier: Apache-2.0
/*
 * Any text as JSON: tokens lie in it and balance, a cut one gives the same tokens up to the cut; what json_find() gives at
 * a path is what the tokens say; and as a form. The last byte says where to cut.
 */
#include "fuzz.h"
#include "proto/form.h"
#include "proto/json.h"

static bool is_end(enum json_kind kind)
{
	return kind == JSON_END || kind == JSON_CUT || kind == JSON_BAD;
}

static size_t walk(struct sv in, bool whole)
{
	struct json_reader reader;
	struct json_token token;
	size_t n = 0, depth = 0;
	struct buf says;

	buf_init(&says);
	json_reader_init(&reader, in, whole);
	for (;;) {
		token = json_next(&reader);
		if (is_end(token.kind))
			break;
		n++;
		REQUIRE(fuzz_within(token.text, in));
		depth += token.kind == JSON_OBJECT || token.kind == JSON_ARRAY;
		depth -= token.kind == JSON_OBJECT_END || token.kind == JSON_ARRAY_END;
		REQUIRE(depth == reader.depth && depth <= JSON_MAX_DEPTH);
		if (token.kind == JSON_STRING || token.kind == JSON_KEY) {
			buf_clear(&says);
			json_append_string(&says, token.text);
			REQUIRE(says.len <= token.text.len);
		}
	}
	REQUIRE(token.kind != JSON_END || depth == 0);
	REQUIRE(json_next(&reader).kind == token.kind);
	buf_release(&says);
	return n;
}

/* The beginning of a text never tells more than the text. */
static void check_cut(struct sv in, size_t cut)
{
	struct json_reader all, part;
	struct sv begin = fuzz_copy(in.p, cut);

	json_reader_init(&all, in, true);
	json_reader_init(&part, begin, false);
	for (;;) {
		struct json_token a = json_next(&all), b = json_next(&part);

		if (b.kind == JSON_CUT)
			break;
		REQUIRE(a.kind == b.kind && sv_eq(a.text, b.text));
		if (is_end(a.kind))
			break;
	}
	fuzz_free(begin);
}

/* Where the tokens are: the steps down to there, keys as they are written. */
struct place {
	size_t depth;
	struct json_step steps[JSON_MAX_DEPTH + 1];
};

static bool is_at(const struct place *place, const struct json_path *path, size_t n)
{
	bool same = true;

	for (size_t i = 0; i < n && same; i++) {
		const struct json_step *at = &place->steps[i], *step = &path->steps[i];
		struct buf says;

		buf_init(&says);
		json_append_string(&says, at->key);
		same = !at->key.p == !step->key.p &&
		    (step->key.p ? sv_eq(buf_sv(&says), step->key) : at->index == step->index);
		buf_release(&says);
	}
	return same;
}

/* The same as json_find(), as slowly as it can be said. */
static struct json_token find_slowly(struct sv in, const struct json_path *path)
{
	struct json_token found = {.kind = JSON_NONE}, token;
	struct place place = {0};
	struct json_reader reader;

	json_reader_init(&reader, in, true);
	for (;;) {
		struct json_step *last = &place.steps[place.depth ? place.depth - 1 : 0];

		token = json_next(&reader);
		if (is_end(token.kind))
			return found;
		if (token.kind == JSON_KEY) {
			last->key = token.text;
			continue;
		}
		if (token.kind != JSON_OBJECT_END && token.kind != JSON_ARRAY_END) {
			if (place.depth && !last->key.p)
				last->index++;
			if (place.depth <= path->n && is_at(&place, path, place.depth))
				found = place.depth == path->n
				    ? token
				    : (struct json_token){.kind = JSON_NONE};
			if (token.kind == JSON_OBJECT || token.kind == JSON_ARRAY)
				place.steps[place.depth] = (struct json_step){.index = SIZE_MAX};
		}
		place.depth = reader.depth;
	}
}

static void check_paths(struct sv in)
{
	const struct json_path paths[] = {
	    {.n = 1, .steps = {{.key = SV("a")}}},
	    {.n = 2, .steps = {{.key = SV("a")}, {.index = 0}}},
	    {.n = 2, .steps = {{.index = 1}, {.key = SV("b")}}},
	    {.n = 2, .steps = {{.key = SV("a")}, {.key = SV("\xf0\x9f\x98\x80")}}},
	    {.n = 0},
	};
	const struct json_path *const wanted[] = {
	    &paths[0], &paths[1], &paths[2], &paths[3], &paths[4]};
	struct json_token found[5];
	bool whole = json_find(in, true, wanted, 5, found);

	for (size_t i = 0; i < 5; i++) {
		struct json_token slowly = find_slowly(in, &paths[i]);

		REQUIRE(found[i].kind <= JSON_NULL);
		REQUIRE(fuzz_within(found[i].text, in));
		REQUIRE(found[i].kind == slowly.kind && found[i].text.p == slowly.text.p &&
		    found[i].text.len == slowly.text.len);
	}
	REQUIRE(!whole || found[4].kind != JSON_NONE);
}

/* What the beginning of a form says of a key, the form says, too. */
static void check_form(struct sv in, size_t cut)
{
	struct sv begin = sv_from(in.p, cut), value = {0}, early;
	struct buf says;

	buf_init(&says);
	if (form_find(in, true, SV("a"), &value)) {
		REQUIRE(fuzz_within(value, in));
		form_append(&says, value);
		REQUIRE(says.len <= value.len);
		REQUIRE(sv_find(value, '&') == value.len);
	}
	if (form_find(begin, false, SV("a"), &early))
		REQUIRE(early.p == value.p && early.len == value.len);
	buf_release(&says);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = fuzz_copy(data, size ? size - 1 : 0);
	size_t last = size ? data[size - 1] : 0, cut = last < in.len ? last : in.len;

	walk(in, true);
	walk(in, false);
	check_cut(in, cut);
	check_paths(in);
	check_form(in, cut);
	fuzz_free(in);
	return 0;
}
