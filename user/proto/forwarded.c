// SPDX-License-Identifier: Apache-2.0
/* Fields that reverse proxies add; see forwarded.h. */
#include "proto/forwarded.h"

#include <arpa/inet.h>

/* Between the words of a field; a folded value still holds its line breaks. */
static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool ends_value(char c)
{
	return c == ';' || c == ',' || is_blank(c);
}

static struct sv trim(struct sv s)
{
	while (s.len && is_blank(s.p[0]))
		s = sv_skip(s, 1);
	while (s.len && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* Take the run of bytes before any that ends a value, or '=' if this is a name. */
static struct sv take_word(struct sv *rest, bool name)
{
	struct sv word = {.p = rest->p};

	while (word.len < rest->len && !ends_value(rest->p[word.len]) &&
	    !(name && rest->p[word.len] == '='))
		word.len++;
	*rest = sv_skip(*rest, word.len);
	return word;
}

/* Append the quoted string (RFC 9110 section 5.6.4) that rest starts with. False: it does not end. */
static bool take_quoted(struct sv *rest, struct buf *out)
{
	for (size_t i = 1; i < rest->len; i++) {
		if (rest->p[i] == '"') {
			*rest = sv_skip(*rest, i + 1);
			return true;
		}
		if (rest->p[i] == '\\' && ++i == rest->len)
			return false;
		buf_append_char(out, rest->p[i]);
	}
	return false;
}

static void cut(struct buf *out, size_t len)
{
	if (out->len == len)
		return;
	out->len = len;
	out->data[len] = '\0';
}

bool forwarded_parameter(struct sv field, struct sv name, struct buf *out)
{
	const size_t start = out->len;

	while (field.len) {
		struct sv word;

		if (ends_value(field.p[0])) {
			field = sv_skip(field, 1);
			continue;
		}
		word = take_word(&field, true);
		if (field.len == 0 || field.p[0] != '=')
			continue;
		field = sv_skip(field, 1);
		if (field.len == 0 || field.p[0] != '"')
			buf_append_sv(out, take_word(&field, false));
		else if (!take_quoted(&field, out))
			break;
		if (out->len > start && sv_eq_nocase(word, name))
			return true;
		cut(out, start);
	}
	cut(out, start);
	return false;
}

bool forwarded_node(struct sv node, struct buf *out)
{
	char text[INET6_ADDRSTRLEN];
	size_t colon = sv_find(node, ':');
	unsigned char address[16];
	int family;

	if (node.len && node.p[0] == '[') {
		size_t close = sv_find(node, ']');

		if (close == node.len || (close + 1 < node.len && node.p[close + 1] != ':'))
			return false;
		node = sv_from(node.p + 1, close - 1);
	} else if (colon < node.len &&
	    sv_find(sv_skip(node, colon + 1), ':') == node.len - colon - 1) {
		node.len =
		    colon; /* one colon: a port follows; more: an IPv6 address without brackets */
	}
	if (node.len == 0 || node.len >= sizeof(text))
		return false;
	memcpy(text, node.p, node.len);
	text[node.len] = '\0';
	family = sv_find(node, ':') < node.len ? AF_INET6 : AF_INET;
	if (inet_pton(family, text, address) != 1)
		return false;
	buf_append_cstr(out, inet_ntop(family, address, text, sizeof(text)));
	return true;
}

/* The first value of a list. */
static struct sv first_of(struct sv list)
{
	list.len = sv_find(list, ',');
	return trim(list);
}

/*
 * What the proxies say by this parameter of Forwarded, else by the field that was used before there was one.
 * The view is of text, which is cleared before.
 */
static struct sv said(
    const struct http1_head *head, struct sv parameter, enum http1_name instead, struct buf *text)
{
	struct sv value;

	buf_clear(text);
	if (head->known & 1u << HTTP1_NAME_FORWARDED)
		for (size_t i = 0; i < head->n_fields; i++)
			if (head->fields[i].known == HTTP1_NAME_FORWARDED &&
			    forwarded_parameter(head->fields[i].value, parameter, text))
				return buf_sv(text);
	return http1_known_find(head, instead, &value) ? first_of(value) : (struct sv){0};
}

static bool holds_blank(struct sv s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_blank(s.p[i]))
			return true;
	return false;
}

void forwarded_take(const struct http1_head *head, struct buf *out, struct forwarded *ret)
{
	size_t start = out->len;
	struct buf text;
	struct sv value;

	buf_init(&text);
	*ret = (struct forwarded){0};
	forwarded_node(said(head, SV("for"), HTTP1_NAME_X_FORWARDED_FOR, &text), out);
	ret->client.len = out->len - start;
	start = out->len;
	value = said(head, SV("host"), HTTP1_NAME_X_FORWARDED_HOST, &text);
	if (!holds_blank(value))
		buf_append_sv(out, value);
	ret->host.len = out->len - start;
	value = said(head, SV("proto"), HTTP1_NAME_X_FORWARDED_PROTO, &text);
	if (sv_eq_nocase(value, SV("https")))
		ret->scheme = SV("https");
	else if (sv_eq_nocase(value, SV("http")))
		ret->scheme = SV("http");
	buf_release(&text);
}
