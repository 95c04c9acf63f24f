// SPDX-License-Identifier: Apache-2.0
/* Tests of the base: string views, buffers, lists, hash maps, UTF-8 repair, clocks, random numbers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/hmap.h"
#include "base/list.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/sv.h"
#include "base/utf8.h"
#include "support.h"

/* --- string views ------------------------------------------------------------------------------*/

static void test_sv_equality(void **state)
{
	struct sv empty = {0};

	(void)state;
	assert_true(sv_eq(SV("abc"), sv_cstr("abc")));
	assert_false(sv_eq(SV("abc"), SV("abd")));
	assert_false(sv_eq(SV("abc"), SV("ab")));
	assert_true(sv_eq(empty, SV("")));
	assert_true(sv_eq(sv_cstr(NULL), empty));
	assert_true(sv_eq(SV("a\0b"), SV("a\0b")));
	assert_false(sv_eq(SV("a\0b"), SV("a\0c")));
	assert_true(sv_eq_nocase(SV("TraceParent"), SV("traceparent")));
	assert_true(sv_eq_nocase(empty, SV("")));
	/* only letters fold: '[' is '{' less 0x20, and 0xc9 stays itself in every locale */
	assert_false(sv_eq_nocase(SV("["), SV("{")));
	assert_false(sv_eq_nocase(SV("@"), SV("`")));
	assert_false(sv_eq_nocase(SV("\xc9"), SV("\xe9")));
}

static void test_sv_parts(void **state)
{
	struct sv empty = {0};

	(void)state;
	assert_true(sv_starts(SV("abc"), SV("ab")));
	assert_true(sv_starts(SV("abc"), empty));
	assert_true(sv_starts(empty, empty));
	assert_false(sv_starts(SV("ab"), SV("abc")));
	assert_true(sv_eq(sv_skip(SV("abc"), 2), SV("c")));
	assert_int_equal(sv_skip(SV("abc"), 4).len, 0);
	assert_null(sv_skip(empty, 4).p);
	assert_true(sv_eq(sv_trim_ows(SV(" \t a b\t ")), SV("a b")));
	assert_int_equal(sv_trim_ows(SV(" \t")).len, 0);
	assert_true(sv_eq(sv_trim_ows(SV("\ra\n")), SV("\ra\n")));
	assert_int_equal(sv_find(SV("abcb"), 'b'), 1);
	assert_int_equal(sv_find(SV("abc"), 'x'), 3);
	assert_int_equal(sv_find(empty, 'x'), 0);
}

/* --- buffers -----------------------------------------------------------------------------------*/

static void test_buf_grows_and_stays_terminated(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b);
	assert_null(b.data);
	for (size_t i = 0; i < 10000; i++) {
		buf_append_char(&b, (char)('a' + i % 26));
		assert_int_equal(b.len, i + 1);
		assert_true(b.len < b.cap);
		assert_int_equal(b.data[b.len], '\0');
	}
	for (size_t i = 0; i < 10000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	buf_clear(&b);
	assert_int_equal(b.len, 0);
	assert_string_equal(b.data, "");
	buf_release(&b);
	assert_null(b.data);
	buf_release(&b);
}

static void test_buf_appends(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b);
	buf_append_cstr(&b, "one ");
	buf_append_sv(&b, SV("t\0wo"));
	buf_append_sv(&b, sv_from(NULL, 0));
	buf_append(&b, " x", 1);
	buf_printf(&b, "%d %s", 3, "three");
	assert_true(sv_eq(buf_sv(&b), SV("one t\0wo 3 three")));
	assert_false(b.failed);
	buf_consume(&b, 4);
	assert_true(sv_eq(buf_sv(&b), SV("t\0wo 3 three")));
	buf_consume(&b, 0);
	buf_consume(&b, b.len);
	assert_string_equal(b.data, "");
	buf_release(&b);
}

static void test_buf_printf_of_any_length(void **state)
{
	struct buf b;

	(void)state;
	for (int width = 0; width < 300; width++) {
		buf_init(&b);
		buf_printf(&b, "%*s|", width, "");
		assert_int_equal(b.len, width + 1);
		assert_int_equal(b.data[width], '|');
		buf_release(&b);
	}
}

static void test_buf_remembers_a_failure(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b);
	buf_append_cstr(&b, "kept");
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOMEM);
	assert_true(b.failed);
	buf_append_cstr(&b, "ignored");
	buf_printf(&b, "%d", 1);
	assert_int_equal(buf_reserve(&b, 0), -ENOMEM);
	assert_string_equal(b.data, "kept");
	buf_clear(&b);
	assert_false(b.failed);
	buf_append_cstr(&b, "again");
	assert_string_equal(b.data, "again");
	buf_release(&b);
}

static void test_buf_reserve_keeps_contents(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b);
	assert_int_equal(buf_reserve(&b, 0), 0);
	buf_append_cstr(&b, "abc");
	assert_int_equal(buf_reserve(&b, 100000), 0);
	assert_true(b.cap > 100003);
	assert_string_equal(b.data, "abc");
	buf_release(&b);
}

/* --- lists -------------------------------------------------------------------------------------*/

struct item {
	int value;
	struct list link;
	struct hnode node;
};

static void check_list(struct list *head, const char *expected)
{
	list_for_each (pos, head) {
		assert_int_not_equal(*expected, '\0');
		assert_int_equal(container_of(pos, struct item, link)->value, *expected++ - '0');
		assert_ptr_equal(pos->next->prev, pos);
	}
	assert_int_equal(*expected, '\0');
	assert_int_equal(list_empty(head), head->next == head);
}

static void test_list(void **state)
{
	struct item items[5];
	struct list a, b;

	(void)state;
	list_init(&a);
	list_init(&b);
	check_list(&a, "");
	for (int i = 0; i < 5; i++) {
		items[i].value = i;
		list_add_tail(i < 3 ? &a : &b, &items[i].link);
	}
	check_list(&a, "012");
	list_splice_tail(&a, &b);
	check_list(&a, "01234");
	check_list(&b, "");
	list_splice_tail(&a, &b);
	check_list(&a, "01234");
	list_remove(&items[2].link);
	list_remove(&items[2].link);
	check_list(&a, "0134");
	list_add_tail(&items[1].link, &items[2].link);
	check_list(&a, "02134");
	list_for_each (pos, &a)
		list_remove(pos);
	check_list(&a, "");
	list_splice_tail(&b, &a);
	check_list(&b, "");
}

/* --- hash maps ---------------------------------------------------------------------------------*/

static struct item *find_item(struct hmap *map, uint64_t hash, int value)
{
	hmap_for_each_hash (pos, map, hash) {
		struct item *item = container_of(pos, struct item, node);

		if (item->value == value)
			return item;
	}
	return NULL;
}

static size_t count_items(struct hmap *map)
{
	struct hnode *node = NULL;
	size_t slot = 0, n = 0;

	while ((node = hmap_iterate(map, &slot, node)))
		n++;
	return n;
}

/* Values share a hash in groups of three, so that chains of equal hashes are walked as well. */
static uint64_t item_hash(int value)
{
	return hash_u64((uint64_t)(value / 3));
}

static void test_hmap(void **state)
{
	enum {
		N = 1000
	};
	struct item *items = calloc(N, sizeof(*items));
	struct hmap map;

	(void)state;
	hmap_init(&map);
	assert_null(hmap_first(&map, 1));
	assert_int_equal(count_items(&map), 0);
	for (int i = 0; i < N; i++) {
		items[i].value = i;
		assert_int_equal(hmap_add(&map, item_hash(i), &items[i].node), 0);
	}
	assert_int_equal(map.count, N);
	assert_int_equal(count_items(&map), N);
	assert_true(map.mask + 1 >= N);
	for (int i = 0; i < N; i++)
		assert_ptr_equal(find_item(&map, item_hash(i), i), &items[i]);
	assert_null(find_item(&map, item_hash(0), N));
	for (int i = 0; i < N; i += 2)
		hmap_remove(&map, &items[i].node);
	assert_int_equal(map.count, N / 2);
	assert_int_equal(count_items(&map), N / 2);
	for (int i = 0; i < N; i++)
		assert_ptr_equal(find_item(&map, item_hash(i), i), i % 2 ? &items[i] : NULL);
	hmap_release(&map);
	assert_null(hmap_first(&map, item_hash(1)));
	free(items);
}

static void test_hmap_removes_inside_a_walk(void **state)
{
	struct item items[6];
	struct hmap map;

	(void)state;
	hmap_init(&map);
	for (int i = 0; i < 6; i++)
		assert_int_equal(hmap_add(&map, 7, &items[i].node), 0);
	hmap_for_each_hash (pos, &map, 7)
		hmap_remove(&map, pos);
	assert_int_equal(map.count, 0);
	hmap_release(&map);
}

static void test_hashes_spread(void **state)
{
	unsigned buckets[64] = {0};

	(void)state;
	for (uint64_t i = 0; i < 64000; i++)
		buckets[hash_bytes(&i, sizeof(i)) % 64]++;
	for (size_t i = 0; i < 64; i++)
		assert_in_range(buckets[i], 800, 1200);
	assert_int_equal(hash_bytes("abc", 3), hash_bytes("abcd", 3));
	assert_true(hash_bytes("abc", 3) != hash_bytes("abd", 3));
	assert_true(hash_bytes(NULL, 0) == hash_bytes("", 0));
	assert_true(hash_combine(1, 2) != hash_combine(2, 1));
}

/* --- UTF-8 -------------------------------------------------------------------------------------*/

#define FFFD "\xef\xbf\xbd"

static void test_utf8_repair(void **state)
{
	static const struct {
		struct sv in, out;
	} rows[] = {
	    {SV(""), SV("")},
	    {SV("plain"), SV("plain")},
	    {SV("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
		SV("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")},
	    {SV("\xef\xbf\xbf\xf4\x8f\xbf\xbf\xed\x9f\xbf"),
		SV("\xef\xbf\xbf\xf4\x8f\xbf\xbf\xed\x9f\xbf")},
	    {SV("a\0b"), SV("a\0b")},
	    {SV("a\x80z"), SV("a" FFFD "z")},
	    {SV("\xc3"), SV(FFFD)},
	    {SV("\xc3z"), SV(FFFD "z")},
	    {SV("\xe2\x82"), SV(FFFD)},
	    {SV("\xe2\x82z"), SV(FFFD "z")},
	    {SV("\xf0\x9f\x98z"), SV(FFFD "z")},
	    {SV("\xc0\xaf"), SV(FFFD FFFD)},
	    {SV("\xe0\x80\xaf"), SV(FFFD FFFD FFFD)},
	    {SV("\xed\xa0\x80"), SV(FFFD FFFD FFFD)},
	    {SV("\xf4\x90\x80\x80"), SV(FFFD FFFD FFFD FFFD)},
	    {SV("\xf5\xff\xfe"), SV(FFFD FFFD FFFD)},
	    /* the example of the Unicode standard, table 3-8 and following */
	    {SV("\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64"),
		SV("a" FFFD FFFD FFFD "b" FFFD "c" FFFD FFFD "d")},
	};
	struct buf out;

	(void)state;
	buf_init(&out);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct edge edge = edge_copy(rows[i].in.p, rows[i].in.len);
		struct sv in = sv_from(edge.p, edge.len);

		buf_clear(&out);
		utf8_append_repaired(&out, in);
		if (!sv_eq(buf_sv(&out), rows[i].out))
			fail_msg("row %zu: '%.*s'", i, SV_ARG(buf_sv(&out)));
		assert_int_equal(utf8_valid(in), sv_eq(rows[i].in, rows[i].out));
		assert_true(utf8_valid(buf_sv(&out)));
		edge_free(&edge);
	}
	buf_release(&out);
}

/* Every code point is valid, surrogates are not. */
static void test_utf8_every_code_point(void **state)
{
	(void)state;
	for (unsigned c = 0; c <= 0x10ffff; c++) {
		char b[4];
		size_t n;

		if (c < 0x80) {
			b[0] = (char)c;
			n = 1;
		} else if (c < 0x800) {
			b[0] = (char)(0xc0 | c >> 6);
			b[1] = (char)(0x80 | (c & 0x3f));
			n = 2;
		} else if (c < 0x10000) {
			b[0] = (char)(0xe0 | c >> 12);
			b[1] = (char)(0x80 | (c >> 6 & 0x3f));
			b[2] = (char)(0x80 | (c & 0x3f));
			n = 3;
		} else {
			b[0] = (char)(0xf0 | c >> 18);
			b[1] = (char)(0x80 | (c >> 12 & 0x3f));
			b[2] = (char)(0x80 | (c >> 6 & 0x3f));
			b[3] = (char)(0x80 | (c & 0x3f));
			n = 4;
		}
		if (utf8_valid(sv_from(b, n)) != (c < 0xd800 || c > 0xdfff))
			fail_msg("U+%04X", c);
		if (n > 1 && utf8_valid_prefix(sv_from(b, n - 1)) != 0)
			fail_msg("U+%04X cut", c);
	}
}

/* --- clocks, random numbers, log limit ---------------------------------------------------------*/

static void test_clocks(void **state)
{
	struct clock_base base = clock_base_now(), fixed = {.offset_ns = -5};
	uint64_t before = clock_monotonic_ns(), after = clock_monotonic_ns();
	struct timespec wall;
	int64_t off;

	(void)state;
	assert_true(after >= before);
	clock_gettime(CLOCK_REALTIME, &wall);
	off = (int64_t)(clock_wall_ns(&base, clock_monotonic_ns()) -
	    ((uint64_t)wall.tv_sec * NS_PER_S + (uint64_t)wall.tv_nsec));
	/* Wide: a loaded machine may stop between the two readings. */
	assert_true(llabs(off) < (int64_t)(10 * NS_PER_S));
	assert_int_equal(clock_wall_ns(&fixed, 100), 95);
}

static void test_rng_repeats_by_seed(void **state)
{
	struct rng a, b, c;
	bool differs = false;

	(void)state;
	rng_seed(&a, 42);
	rng_seed(&b, 42);
	rng_seed(&c, 43);
	for (int i = 0; i < 100; i++) {
		uint64_t x = rng_next(&a);

		assert_true(x == rng_next(&b));
		differs |= x != rng_next(&c);
	}
	assert_true(differs);
}

/* The first output for the state 1, 2, 3, 4 follows from the definition: rotl(2 * 5, 7) * 9. */
static void test_rng_is_xoshiro(void **state)
{
	struct rng rng = {{1, 2, 3, 4}};

	(void)state;
	assert_int_equal(rng_next(&rng), 11520);
	assert_int_equal(rng_next(&rng), 0);
	assert_int_equal(rng_next(&rng), 1509978240);
}

static void test_rng_uses_all_bits(void **state)
{
	unsigned ones[64] = {0};
	struct rng rng;

	(void)state;
	rng_seed(&rng, 7);
	for (int i = 0; i < 10000; i++) {
		uint64_t x = rng_next(&rng);

		for (int bit = 0; bit < 64; bit++)
			ones[bit] += x >> bit & 1;
	}
	for (int bit = 0; bit < 64; bit++)
		assert_in_range(ones[bit], 4700, 5300);
	rng_seed_random(&rng);
	assert_true(rng.s[0] | rng.s[1] | rng.s[2] | rng.s[3]);
}

/* What an observer was told last; "": nothing. */
struct heard {
	enum log_level level;
	char text[32];
};

static void hear(void *ctx, enum log_level level, const char *text)
{
	struct heard *heard = ctx;

	heard->level = level;
	snprintf(heard->text, sizeof(heard->text), "%s", text);
}

static void test_log_announces_at_each_level(void **state)
{
	struct heard heard = {0};

	(void)state;
	log_set_observer(hear, &heard);
	log_set_level(LOG_LEVEL_ERROR);
	log_info("information %d", 1);
	log_warn("warning %d", 2);
	assert_string_equal(heard.text, "");
	log_announce("observing %d", 3);
	assert_string_equal(heard.text, "observing 3");
	assert_int_equal(heard.level, LOG_LEVEL_INFO);
	log_set_level(LOG_LEVEL_INFO);
	log_set_observer(NULL, NULL);
}

static void test_log_limit_counts_what_it_swallows(void **state)
{
	struct log_limit limit = {0};
	uint64_t swallowed = 99, now = 1000 * NS_PER_S;

	(void)state;
	assert_true(log_limit_pass(&limit, now, &swallowed));
	assert_int_equal(swallowed, 0);
	for (int i = 1; i <= 5; i++)
		assert_false(log_limit_pass(&limit, now + (uint64_t)i * NS_PER_S, &swallowed));
	assert_true(log_limit_pass(&limit, now + 60 * NS_PER_S, &swallowed));
	assert_int_equal(swallowed, 5);
	assert_true(log_limit_pass(&limit, now + 120 * NS_PER_S, &swallowed));
	assert_int_equal(swallowed, 0);
}

/* Every pair of bytes at every place of short and long texts, against the rule for one byte. */
static void test_nocase_everywhere(void **state)
{
	static const size_t lengths[] = {7, 8, 9, 16, 17};

	(void)state;
	for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
		char a[17], b[17];

		memset(a, 'm', sizeof(a));
		memset(b, 'M', sizeof(b));
		for (size_t at = 0; at < lengths[l]; at++) {
			for (int pair = 0; pair < 65536; pair++) {
				a[at] = (char)(pair & 0xff);
				b[at] = (char)(pair >> 8);
				assert_int_equal(
				    sv_eq_nocase(sv_from(a, lengths[l]), sv_from(b, lengths[l])),
				    ascii_lower(a[at]) == ascii_lower(b[at]));
			}
			a[at] = 'm';
			b[at] = 'M';
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nocase_everywhere),
	    cmocka_unit_test(test_sv_equality),
	    cmocka_unit_test(test_sv_parts),
	    cmocka_unit_test(test_buf_grows_and_stays_terminated),
	    cmocka_unit_test(test_buf_appends),
	    cmocka_unit_test(test_buf_printf_of_any_length),
	    cmocka_unit_test(test_buf_remembers_a_failure),
	    cmocka_unit_test(test_buf_reserve_keeps_contents),
	    cmocka_unit_test(test_list),
	    cmocka_unit_test(test_hmap),
	    cmocka_unit_test(test_hmap_removes_inside_a_walk),
	    cmocka_unit_test(test_hashes_spread),
	    cmocka_unit_test(test_utf8_repair),
	    cmocka_unit_test(test_utf8_every_code_point),
	    cmocka_unit_test(test_clocks),
	    cmocka_unit_test(test_rng_repeats_by_seed),
	    cmocka_unit_test(test_rng_is_xoshiro),
	    cmocka_unit_test(test_rng_uses_all_bits),
	    cmocka_unit_test(test_log_announces_at_each_level),
	    cmocka_unit_test(test_log_limit_counts_what_it_swallows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
