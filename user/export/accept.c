// SPDX-License-Identifier: Apache-2.0
/* Content negotiation of scrapes; see accept.h. */
#include "export/accept.h"

#define Q_MAX     1000 /* weights in thousandths: RFC 9110 has three digits */
#define Q_INVALID 0

/* Take the part before the separator that is outside of quotes, without blanks around it. */
static struct sv take_part(struct sv *left, char separator)
{
	bool quoted = false;
	struct sv part;
	size_t i;

	for (i = 0; i < left->len; i++) {
		if (quoted && left->p[i] == '\\' && i + 1 < left->len)
			i++;
		else if (left->p[i] == '"')
			quoted = !quoted;
		else if (left->p[i] == separator && !quoted)
			break;
	}
	part = sv_from(left->p, i);
	*left = sv_skip(*left, i + 1);
	return sv_trim_ows(part);
}

/* "0" to "1" with up to three decimals, in thousandths; Q_INVALID for anything else. */
static unsigned parse_q(struct sv s)
{
	unsigned q, scale = Q_MAX / 10;

	if (s.len == 0 || s.len > 5 || (s.p[0] != '0' && s.p[0] != '1'))
		return Q_INVALID;
	q = s.p[0] == '1' ? Q_MAX : 0;
	if (s.len > 1 && s.p[1] != '.')
		return Q_INVALID;
	for (size_t i = 2; i < s.len; i++, scale /= 10) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return Q_INVALID;
		q += (unsigned)(s.p[i] - '0') * scale;
	}
	return q <= Q_MAX ? q : Q_INVALID;
}

static struct sv unquote(struct sv s)
{
	if (s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"')
		return sv_from(s.p + 1, s.len - 2);
	return s;
}

/* One element of a list with the parameters that matter. */
struct item {
	struct sv name;
	struct sv version; /* empty: none */
	bool escaping;
	unsigned q; /* thousandths */
};

static struct item take_item(struct sv *field)
{
	struct sv left = take_part(field, ',');
	struct item item = {.name = take_part(&left, ';'), .q = Q_MAX};

	while (left.len) {
		struct sv value = take_part(&left, ';');
		struct sv key = take_part(&value, '=');

		value = sv_trim_ows(value);
		if (sv_eq_nocase(key, SV("q")))
			item.q = parse_q(value);
		else if (sv_eq_nocase(key, SV("version")))
			item.version = unquote(value);
		else if (sv_eq_nocase(key, SV("escaping")))
			item.escaping = true;
	}
	return item;
}

static bool has_version(const struct item *item, struct sv ours)
{
	return item->version.len == 0 || sv_eq(item->version, ours);
}

static bool is_openmetrics(const struct item *item)
{
	return sv_eq_nocase(item->name, SV("application/openmetrics-text")) &&
	    has_version(item, SV("1.0.0"));
}

static bool is_text(const struct item *item)
{
	return sv_eq_nocase(item->name, SV("*/*")) || sv_eq_nocase(item->name, SV("text/*")) ||
	    (sv_eq_nocase(item->name, SV("text/plain")) && has_version(item, SV("0.0.4")));
}

struct accepted accept_format(struct sv field)
{
	struct accepted best = {0};
	unsigned best_q = 0;

	while (field.len) {
		struct item item = take_item(&field);
		bool openmetrics = is_openmetrics(&item);

		if (item.q <= best_q || (!openmetrics && !is_text(&item)))
			continue;
		best_q = item.q;
		best.openmetrics = openmetrics;
		best.escaping = openmetrics && item.escaping;
	}
	return best;
}

bool accept_gzip(struct sv field)
{
	unsigned gzip = 0, any = 0, identity = 0;
	bool named = false;

	while (field.len) {
		struct item item = take_item(&field);

		if (sv_eq_nocase(item.name, SV("gzip")) || sv_eq_nocase(item.name, SV("x-gzip"))) {
			gzip = item.q;
			named = true;
		} else if (sv_eq(item.name, SV("*"))) {
			any = item.q;
		} else if (sv_eq_nocase(item.name, SV("identity"))) {
			identity = item.q;
		}
	}
	if (!named)
		gzip = any;
	return gzip > 0 && gzip >= identity;
}
