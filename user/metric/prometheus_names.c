// SPDX-License-Identifier: Apache-2.0
/* Name translation for Prometheus; see prometheus_names.h. */
#include "metric/prometheus_names.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word_char(char c)
{
	char lower = ascii_lower(c);

	return is_digit(c) || (lower >= 'a' && lower <= 'z');
}

/* Append the words of s, each after an underscore unless it is the first in the buffer. */
static void append_words(struct buf *out, size_t start, struct sv s, bool colons)
{
	bool gap = out->len > start;

	for (size_t i = 0; i < s.len; i++) {
		if (!is_word_char(s.p[i]) && !(colons && s.p[i] == ':')) {
			gap = out->len > start;
			continue;
		}
		if (gap)
			buf_append_char(out, '_');
		gap = false;
		buf_append_char(out, s.p[i]);
	}
}

/* The plural and the singular ("per") word of a UCUM unit; the unit itself when unknown. */
static struct sv unit_word(struct sv unit, bool singular)
{
	static const struct {
		struct sv ucum, plural, singular;
	} words[] = {
	    {{"s", 1}, {"seconds", 7}, {"second", 6}},
	    {{"ms", 2}, {"milliseconds", 12}, {"millisecond", 11}},
	    {{"us", 2}, {"microseconds", 12}, {"microsecond", 11}},
	    {{"ns", 2}, {"nanoseconds", 11}, {"nanosecond", 10}},
	    {{"min", 3}, {"minutes", 7}, {"minute", 6}},
	    {{"h", 1}, {"hours", 5}, {"hour", 4}},
	    {{"d", 1}, {"days", 4}, {"day", 3}},
	    {{"By", 2}, {"bytes", 5}, {"byte", 4}},
	    {{"KiBy", 4}, {"kibibytes", 9}, {"kibibyte", 8}},
	    {{"MiBy", 4}, {"mebibytes", 9}, {"mebibyte", 8}},
	    {{"GiBy", 4}, {"gibibytes", 9}, {"gibibyte", 8}},
	    {{"kBy", 3}, {"kilobytes", 9}, {"kilobyte", 8}},
	    {{"MBy", 3}, {"megabytes", 9}, {"megabyte", 8}},
	    {{"GBy", 3}, {"gigabytes", 9}, {"gigabyte", 8}},
	    {{"TiBy", 4}, {"tebibytes", 9}, {"tebibyte", 8}},
	    {{"TBy", 3}, {"terabytes", 9}, {"terabyte", 8}},
	    {{"m", 1}, {"meters", 6}, {"meter", 5}},
	    {{"V", 1}, {"volts", 5}, {"volt", 4}},
	    {{"A", 1}, {"amperes", 7}, {"ampere", 6}},
	    {{"J", 1}, {"joules", 6}, {"joule", 5}},
	    {{"W", 1}, {"watts", 5}, {"watt", 4}},
	    {{"g", 1}, {"grams", 5}, {"gram", 4}},
	    {{"Cel", 3}, {"celsius", 7}, {"celsius", 7}},
	    {{"Hz", 2}, {"hertz", 5}, {"hertz", 5}},
	    {{"%", 1}, {"percent", 7}, {"percent", 7}},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (sv_eq(unit, words[i].ucum))
			return singular ? words[i].singular : words[i].plural;
	return unit;
}

/* True when the name since start already holds this word. */
static bool has_word(const struct buf *out, size_t start, struct sv word)
{
	struct sv name = sv_skip(buf_sv(out), start);

	while (name.len) {
		size_t len = sv_find(name, '_');

		if (sv_eq(sv_from(name.p, len), word))
			return true;
		name = sv_skip(name, len + 1);
	}
	return false;
}

static void append_suffix(struct buf *out, size_t start, struct sv word)
{
	if (word.len && !has_word(out, start, word))
		append_words(out, start, word, false);
}

/* "{request}" says what is counted and is no suffix; "By/s" is two words. */
static void append_unit(struct buf *out, size_t start, const struct metric_desc *desc)
{
	struct sv unit = sv_cstr(desc->unit);
	size_t slash = sv_find(unit, '/');
	struct sv per = sv_skip(unit, slash + 1);

	if (desc->plain_name)
		return;
	if (desc->type == METRIC_GAUGE && sv_eq(unit, SV("1")))
		append_suffix(out, start, SV("ratio"));
	unit.len = slash;
	if (unit.len && unit.p[0] != '{' && !sv_eq(unit, SV("1")))
		append_suffix(out, start, unit_word(unit, false));
	if (per.len && per.p[0] != '{') {
		append_suffix(out, start, SV("per"));
		append_suffix(out, start, unit_word(per, true));
	}
}

void prometheus_append_name(struct buf *out, const struct metric_desc *desc)
{
	struct sv name = sv_cstr(desc->name);
	static const struct sv total = {"total", 5};
	size_t start = out->len;
	size_t last;

	append_words(out, start, name, true);
	if (out->len == start || out->failed)
		return;
	if (is_digit(out->data[start])) {
		buf_append_char(out, '_');
		memmove(out->data + start + 1, out->data + start, out->len - start - 1);
		out->data[start] = '_';
	}
	/* "total" goes to the end, behind the unit. */
	last = out->len - start;
	if (desc->type == METRIC_COUNTER && last > total.len + 1 &&
	    memcmp(out->data + out->len - total.len - 1, "_total", total.len + 1) == 0) {
		out->len -= total.len + 1;
		out->data[out->len] = '\0';
	}
	append_unit(out, start, desc);
	if (desc->type == METRIC_COUNTER)
		append_words(out, start, total, false);
}

void prometheus_append_unit(struct buf *out, const struct metric_desc *desc)
{
	append_unit(out, out->len, desc);
}

struct sv prometheus_bare_name(struct sv name, enum metric_type type)
{
	if (type == METRIC_COUNTER)
		name.len -= sizeof("_total") - 1;
	return name;
}

/* Is name that of a family of this type (without _total), or what the family's samples are called in either format? */
static bool is_of_family(struct sv name, struct sv family, enum metric_type type)
{
	static const char *const endings[][5] = {
	    [METRIC_COUNTER] = {"_total", "_created"},
	    [METRIC_GAUGE] = {NULL},
	    [METRIC_HISTOGRAM] = {"_bucket", "_sum", "_count", "_created"},
	    [METRIC_UPDOWN] = {NULL},
	};
	struct sv ending = sv_skip(name, family.len);

	if (!sv_starts(name, family))
		return false;
	for (size_t i = 0; endings[type][i]; i++)
		if (sv_eq(ending, sv_cstr(endings[type][i])))
			return true;
	return ending.len == 0;
}

bool prometheus_names_clash(
    struct sv a, enum metric_type a_type, struct sv b, enum metric_type b_type)
{
	a = prometheus_bare_name(a, a_type);
	b = prometheus_bare_name(b, b_type);
	return is_of_family(a, b, b_type) || is_of_family(b, a, a_type);
}

bool prometheus_name_is_reserved(struct sv name, enum metric_type type)
{
	struct sv bare = prometheus_bare_name(name, type);

	return sv_eq(bare, SV("target_info")) || sv_eq(bare, SV("target"));
}

void prometheus_append_label(struct buf *out, struct sv key)
{
	size_t i = 0, start = out->len;

	while (i < key.len && !is_word_char(key.p[i]))
		i++;
	if (i < key.len && is_digit(key.p[i])) {
		buf_append_cstr(out, "key");
		key = sv_skip(key, i);
	}
	append_words(out, start, key, false);
}
