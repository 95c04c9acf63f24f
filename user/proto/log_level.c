// SPDX-License-Identifier: Apache-2.0
/*
 * Levels in lines; see log_level.h. In this order: a JSON object's own keys; the beginning of the line, word by word, as long as the words are
 * what stands before a level (times, numbers, brackets); a logfmt pair.
 */
#include "proto/log_level.h"

#include <string.h>

enum {
	HEAD_BYTES = 256, /* of a line that is no JSON, what is looked at */
	HEAD_WORDS = 9,   /* a level stands among the first so many, if at all */
};

static const struct {
	const char *word; /* lower case */
	int number;
} levels[] = {
    {"trace", 1},
    {"trce", 1},
    {"trc", 1},
    {"verbose", 1},
    {"finest", 1},
    {"finer", 2},
    {"debug", 5},
    {"dbug", 5},
    {"dbg", 5},
    {"fine", 5},
    {"info", 9},
    {"information", 9},
    {"informational", 9},
    {"inf", 9},
    {"notice", 10},
    {"warn", 13},
    {"warning", 13},
    {"wrn", 13},
    {"error", 17},
    {"err", 17},
    {"fail", 17},
    {"severe", 17},
    {"crit", 18},
    {"alert", 19},
    {"critical", 21},
    {"fatal", 21},
    {"ftl", 21},
    {"panic", 21},
    {"dpanic", 21},
    {"emerg", 21},
    {"emergency", 21},
};

/* Of syslog's priorities 0 to 7 (RFC 5424 section 6.2.1; log data model, appendix B). */
static const int priorities[] = {21, 19, 18, 17, 13, 10, 9, 5};

static int number_of(struct sv word)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (sv_eq_nocase(word, sv_cstr(levels[i].word)))
			return levels[i].number;
	return 0;
}

static struct log_level_found found(int number, struct sv text)
{
	struct log_level_found level = {.number = number};

	if (!number || text.len > sizeof(level.text))
		return (struct log_level_found){0};
	level.text_len = text.len;
	memcpy(level.text, text.p, text.len);
	return level;
}

static struct log_level_found found_word(struct sv word)
{
	return found(number_of(word), word);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct sv skip_blanks(struct sv s)
{
	while (s.len && (is_blank(s.p[0]) || s.p[0] == '\r' || s.p[0] == '\n'))
		s = sv_skip(s, 1);
	return s;
}

/* --- JSON ---------------------------------------------------------------------------------------- */

/* Keys that have the level as their value; the first of them in the object counts. */
static const char *const level_keys[] = {"level", "severity", "lvl", "log.level", "severity_text",
    "severityText", "loglevel", "log_level", "levelname", "@l", "Level"};

/* Bytes of the string that begins with '"', both quotes included; 0: it does not end. */
static size_t string_bytes(struct sv s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i + 1;
	}
	return 0;
}

/* Bytes of any value: up to the comma or bracket that ends it; 0: it does not end. */
static size_t value_bytes(struct sv s)
{
	size_t depth = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == '"') {
			size_t n = string_bytes(sv_skip(s, i));

			if (n == 0)
				return 0;
			i += n - 1;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if (depth == 0 && (c == ',' || c == '}' || c == ']')) {
			return i;
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	return 0;
}

/* Pino and Bunyan: 10 trace, 20 debug, 30 info, 40 warn, 50 error, 60 fatal. */
static struct log_level_found level_of_number(struct sv value)
{
	static const int tens[] = {1, 5, 9, 13, 17, 21};
	struct sv digits = value;

	while (digits.len && is_blank(digits.p[digits.len - 1]))
		digits.len--;
	if (digits.len != 2 || digits.p[1] != '0' || digits.p[0] < '1' || digits.p[0] > '6')
		return (struct log_level_found){0};
	return found(tens[digits.p[0] - '1'], digits);
}

static struct log_level_found level_of_value(struct sv value)
{
	size_t n;

	if (!value.len || value.p[0] != '"')
		return level_of_number(value);
	n = string_bytes(value);
	return n < 2 ? (struct log_level_found){0} : found_word(sv_from(value.p + 1, n - 2));
}

static bool is_level_key(struct sv key)
{
	for (size_t i = 0; i < sizeof(level_keys) / sizeof(level_keys[0]); i++)
		if (sv_eq(key, sv_cstr(level_keys[i])))
			return true;
	return false;
}

/* Take the next pair of an object whose rest this is, behind '{' or ','. False: there is none that can be read. */
static bool next_pair(struct sv *rest, struct sv *ret_key, struct sv *ret_value)
{
	struct sv s = skip_blanks(*rest);
	size_t n = s.len && s.p[0] == '"' ? string_bytes(s) : 0;

	if (n < 2)
		return false;
	*ret_key = sv_from(s.p + 1, n - 2);
	s = skip_blanks(sv_skip(s, n));
	if (!s.len || s.p[0] != ':')
		return false;
	s = skip_blanks(sv_skip(s, 1));
	n = value_bytes(s);
	*ret_value = sv_from(s.p, n);
	*rest = sv_skip(s, n + 1);
	return n > 0;
}

/* object: behind its '{'. The Elastic Common Schema nests: {"log":{"level":...}}. */
static struct log_level_found level_in_object(struct sv object)
{
	struct sv key, value, inner, inner_key, inner_value;

	while (next_pair(&object, &key, &value)) {
		if (is_level_key(key))
			return level_of_value(value);
		if (!sv_eq(key, SV("log")) || value.p[0] != '{')
			continue;
		inner = sv_skip(value, 1);
		while (next_pair(&inner, &inner_key, &inner_value))
			if (sv_eq(inner_key, SV("level")))
				return level_of_value(inner_value);
	}
	return (struct log_level_found){0};
}

/* --- the beginning of a line ------------------------------------------------------------------------ */

/* Copy what is looked at, without the sequences that colour it: ESC [ parameters letter. */
static struct sv copy_plain(struct sv line, char *ret_head)
{
	size_t n = 0;

	for (size_t i = 0; i < line.len && n < HEAD_BYTES; i++) {
		if (line.p[i] == '\x1b' && i + 1 < line.len && line.p[i + 1] == '[') {
			i += 2;
			while (i < line.len && (unsigned char)line.p[i] < 0x40)
				i++;
		} else {
			ret_head[n++] = line.p[i];
		}
	}
	return sv_from(ret_head, n);
}

/* "<3>" of what is meant for the journal, or of syslog. */
static struct log_level_found level_of_priority(struct sv line)
{
	size_t digits = 0;
	unsigned int value = 0;

	if (!line.len || line.p[0] != '<')
		return (struct log_level_found){0};
	while (digits < 3 && 1 + digits < line.len && is_digit(line.p[1 + digits]))
		value = value * 10 + (unsigned int)(line.p[1 + digits++] - '0');
	if (!digits || 1 + digits >= line.len || line.p[1 + digits] != '>' || value > 191)
		return (struct log_level_found){0};
	return found(priorities[value & 7], sv_from(line.p + 1, digits));
}

/* "W0102 15:04:05": glog and klog. */
static struct log_level_found level_of_glog(struct sv line)
{
	static const char letters[] = "IWEF";
	static const int numbers[] = {9, 13, 17, 21};
	const char *letter = line.len > 8 && line.p[0] ? strchr(letters, line.p[0]) : NULL;

	if (!letter || line.p[5] != ' ' || !is_digit(line.p[6]) || !is_digit(line.p[7]) ||
	    line.p[8] != ':')
		return (struct log_level_found){0};
	for (size_t i = 1; i <= 4; i++)
		if (!is_digit(line.p[i]))
			return (struct log_level_found){0};
	return found(numbers[letter - letters], sv_from(line.p, 1));
}

static size_t letters_of(struct sv s)
{
	size_t n = 0;

	while (n < s.len && ascii_lower(s.p[n]) >= 'a' && ascii_lower(s.p[n]) <= 'z')
		n++;
	return n;
}

static bool all_upper(struct sv word)
{
	for (size_t i = 0; i < word.len; i++)
		if (!is_upper(word.p[i]))
			return false;
	return true;
}

/* In brackets stands the level alone, behind a module's name ("core:error"), or, in capitals, among other words. */
static struct log_level_found level_in_brackets(struct sv content)
{
	struct log_level_found level = found_word(sv_trim_ows(content));
	size_t at = 0;

	if (level.number)
		return level;
	while (at < content.len) {
		struct sv word = sv_skip(content, at);

		word.len = letters_of(word);
		if (word.len && at + word.len == content.len && at && content.p[at - 1] == ':')
			return found_word(word);
		if (word.len && all_upper(word) && (at == 0 || is_blank(content.p[at - 1])) &&
		    (at + word.len == content.len || is_blank(content.p[at + word.len])))
			level = found_word(word);
		if (level.number)
			return level;
		at += word.len + 1;
	}
	return level;
}

/* Bytes of what is in brackets from here on, they included; 0: there is no such thing. */
static size_t bracket_bytes(struct sv s)
{
	static const char opening[] = "[<(|", closing[] = "]>)|";
	const char *kind = s.p[0] ? strchr(opening, s.p[0]) : NULL;
	size_t end;

	if (!kind)
		return 0;
	end = sv_find(sv_skip(s, 1), closing[kind - opening]);
	return end + 1 < s.len ? end + 2 : 0;
}

/* A level that stands by itself: "word:" in any case, or in capitals. */
static struct log_level_found level_of_word(struct sv s)
{
	struct sv word = sv_from(s.p, letters_of(s));
	char next = word.len < s.len ? s.p[word.len] : ' ';

	if (next == ':' || (all_upper(word) && strchr(" \t[|!,", next) && next))
		return found_word(word);
	return (struct log_level_found){0};
}

/* Is it a time, a number, a time zone or a mark, as they stand before a level? */
static bool is_passed_over(struct sv word)
{
	static const char *const others[] = {
	    "UTC", "GMT", "CET", "CEST", "Z", "-", "--", "---", "|", "::"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (sv_eq(word, sv_cstr(others[i])))
			return true;
	if (word.len == 2 && is_upper(word.p[0]) && word.p[1] == ',') /* Ruby's "E, [time]" */
		return true;
	if (!word.len || (!is_digit(word.p[0]) && word.p[0] != '+'))
		return false;
	for (size_t i = 0; i < word.len; i++)
		if (!is_digit(word.p[i]) && !strchr(":.,/-+#TZ", word.p[i]))
			return false;
	return true;
}

static struct sv word_of(struct sv s)
{
	size_t n = 0;

	while (n < s.len && !is_blank(s.p[n]))
		n++;
	return sv_from(s.p, n);
}

/* "name - " or "name | " between the time and the level. */
static bool is_name(struct sv s, struct sv word)
{
	struct sv next = word_of(skip_blanks(sv_skip(s, word.len)));

	return sv_eq(next, SV("-")) || sv_eq(next, SV("|"));
}

static struct log_level_found level_at_start(struct sv line)
{
	struct log_level_found level = {0};
	struct sv rest = line, word;

	for (size_t i = 0; i < HEAD_WORDS; i++) {
		size_t bracket;

		rest = skip_blanks(rest);
		if (!rest.len)
			break;
		bracket = bracket_bytes(rest);
		if (bracket)
			level = level_in_brackets(sv_from(rest.p + 1, bracket - 2));
		else
			level = level_of_word(rest);
		if (level.number)
			break;
		word = bracket ? sv_from(rest.p, bracket) : word_of(rest);
		if (!bracket && !is_passed_over(word) && (i == 0 || !is_name(rest, word)))
			break;
		rest = sv_skip(rest, word.len);
	}
	return level;
}

/* --- logfmt -------------------------------------------------------------------------------------- */

static struct log_level_found level_of_pair(struct sv line)
{
	static const char *const keys[] = {"level=", "lvl=", "severity="};

	for (size_t at = 0; at < line.len; at++) {
		struct sv rest = sv_skip(line, at);

		if (at && !is_blank(line.p[at - 1]))
			continue;
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			struct sv value = sv_skip(rest, strlen(keys[i]));

			if (!sv_starts(rest, sv_cstr(keys[i])))
				continue;
			if (value.len && value.p[0] == '"')
				value = sv_skip(value, 1);
			value.len = letters_of(value);
			return found_word(value);
		}
	}
	return (struct log_level_found){0};
}

struct log_level_found log_level_find(struct sv line)
{
	char head[HEAD_BYTES];
	struct log_level_found level;
	struct sv plain = copy_plain(line, head), json = skip_blanks(line);

	if (json.len && json.p[0] == '{')
		return level_in_object(sv_skip(json, 1));
	level = level_of_priority(plain);
	if (!level.number)
		level = level_of_glog(plain);
	if (!level.number)
		level = level_at_start(plain);
	if (!level.number)
		level = level_of_pair(plain);
	return level;
}
