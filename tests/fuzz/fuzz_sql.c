// SPDX-License-Identifier: Apache-2.0
/*
 * Any text as SQL. What leaves the host is valid UTF-8, its own sanitised form, and holds no run of letters
 * and digits that stood only in a string, nor a number that stood only as one. Strings are found here by a
 * scanner of its own, from SQLite's rules for quotes and comments (src/tokenize.c).
 */
#include "fuzz.h"
#include "proto/sql.h"

enum {
	SECRET_MIN = 6, /* shorter runs may stand elsewhere by chance */
};

static bool is_alnum(char c)
{
	char lower = ascii_lower(c);

	return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
}

static bool once_in(struct sv run, struct sv text)
{
	const char *first = memmem(text.p, text.len, run.p, run.len);
	struct sv behind = sv_skip(text, (size_t)(first + 1 - text.p));

	return !memmem(behind.p, behind.len, run.p, run.len);
}

/* What a mask is made of tells nothing. */
static bool is_mask(struct sv run)
{
	for (size_t i = 0; i < run.len; i++)
		if (run.p[i] != '0' && run.p[i] != 'x')
			return false;
	return true;
}

/* Runs of letters and digits in secret, a part of in, are not in out. */
static void check_runs(struct sv secret, struct sv in, struct sv out)
{
	for (size_t i = 0; i < secret.len; i++) {
		struct sv run = sv_from(secret.p + i, 0);

		while (i < secret.len && is_alnum(secret.p[i]))
			i++;
		run.len = (size_t)(secret.p + i - run.p);
		if (is_mask(run))
			continue;
		if (run.len >= SECRET_MIN && once_in(run, in))
			REQUIRE(!out.len || !memmem(out.p, out.len, run.p, run.len));
	}
}

/* Length of the quoted thing at s, its quotes included; to the end if it is open. */
static size_t quoted(struct sv s, bool *ret_open)
{
	char close = s.p[0] == '[' ? ']' : s.p[0];

	for (size_t i = 1; i < s.len; i++) {
		if (s.p[i] != close)
			continue;
		if (close == ']' || i + 1 == s.len || s.p[i + 1] != close) {
			*ret_open = false;
			return i + 1;
		}
		i++;
	}
	*ret_open = true;
	return s.len;
}

static size_t comment(struct sv s)
{
	const char *end;

	if (sv_starts(s, SV("--")))
		return sv_find(s, '\n');
	if (!sv_starts(s, SV("/*")))
		return 0;
	end = s.len > 2 ? memmem(s.p + 2, s.len - 2, "*/", 2) : NULL;
	return end ? (size_t)(end + 2 - s.p) : s.len;
}

/* Digits that begin a number: what is before them joins them to nothing. */
static size_t number(struct sv s, char before)
{
	size_t n = 0;

	if (is_alnum(before) || (unsigned char)before >= 0x80 ||
	    (before && strchr("_$?:@#.", before)))
		return 0;
	while (n < s.len && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return n;
}

static void check_secrets(struct sv in, struct sv out)
{
	struct sv rest = in;
	bool open;
	size_t n;

	for (char before = 0; rest.len; before = rest.p[n - 1], rest = sv_skip(rest, n)) {
		if ((n = comment(rest)))
			continue;
		n = 1;
		if (memchr("'\"`[", rest.p[0], 4)) {
			n = quoted(rest, &open);
			if (rest.p[0] == '\'' || open)
				check_runs(sv_from(rest.p + 1, n - 1), in, out);
		} else if (number(rest, before)) {
			n = number(rest, before);
			check_runs(sv_from(rest.p, n), in, out);
		}
	}
}

static void check_sanitised(struct sv in)
{
	struct buf once, twice;

	buf_init(&once);
	buf_init(&twice);
	sql_sanitise(&once, in);
	sql_sanitise(&twice, buf_sv(&once));
	REQUIRE(utf8_valid(buf_sv(&once)));
	REQUIRE(sv_eq(buf_sv(&once), buf_sv(&twice)));
	check_secrets(in, buf_sv(&once));
	buf_release(&once);
	buf_release(&twice);
}

/* A masked text is as long, and sanitised the same; nothing that is secret is left in it. */
static void check_masked(struct sv in)
{
	struct buf once, twice, masked;

	buf_init(&once);
	buf_init(&twice);
	buf_init(&masked);
	buf_append_sv(&masked, in);
	if (in.len)
		sql_mask(masked.data, masked.len);
	sql_sanitise(&once, in);
	sql_sanitise(&twice, buf_sv(&masked));
	REQUIRE(sv_eq(buf_sv(&once), buf_sv(&twice)));
	check_secrets(in, buf_sv(&masked));
	buf_release(&once);
	buf_release(&twice);
	buf_release(&masked);
}

static void check_batch(struct sv in)
{
	struct buf text, summary, single;
	size_t n;

	buf_init(&text);
	buf_init(&summary);
	buf_init(&single);
	n = sql_batch(&text, &summary, in);
	sql_summary(&single, in);
	REQUIRE(utf8_valid(buf_sv(&text)) && utf8_valid(buf_sv(&summary)));
	REQUIRE(summary.len <= SQL_SUMMARY_MAX && single.len <= SQL_SUMMARY_MAX);
	REQUIRE(utf8_valid(buf_sv(&single)));
	REQUIRE(n <= in.len && (n > 0 || text.len == 0));
	check_secrets(in, buf_sv(&text));
	buf_release(&text);
	buf_release(&summary);
	buf_release(&single);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = fuzz_copy(data, size);

	check_sanitised(in);
	check_batch(in);
	check_masked(in);
	fuzz_free(in);
	return 0;
}
