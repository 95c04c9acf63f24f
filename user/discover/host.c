// SPDX-License-Identifier: Apache-2.0
/* Facts of this host; see host.h. */
#include "discover/host.h"

#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "discover/proc.h"

enum {
	HOST_FILE_MAX = 65536, /* of the small files below; no real one has a tenth */
	HOST_VALUE_MAX = 256,  /* bytes of a value of os-release that is told */
	MACHINE_ID_LEN = 32,
};

/* --- parsers ------------------------------------------------------------------------------------- */

/* Take a value's quotes and backslashes away. 0 when a quote is not closed or something stands behind it. */
static size_t unquote(struct sv text, char *ret_value, size_t len)
{
	char quote = text.len && (text.p[0] == '"' || text.p[0] == '\'') ? text.p[0] : '\0';
	size_t n = 0, i = quote ? 1 : 0;

	for (; i < text.len && !(quote && text.p[i] == quote); i++) {
		char c = text.p[i];

		if (c == '\\' && quote != '\'' && ++i < text.len)
			c = text.p[i];
		if (n < len)
			ret_value[n++] = c;
	}
	return quote && i + 1 != text.len ? 0 : n;
}

size_t host_parse_os_release(struct sv text, const char *name, char *ret_value, size_t len)
{
	struct sv wanted = sv_cstr(name);
	size_t n = 0;

	while (text.len) {
		struct sv line = sv_from(text.p, sv_find(text, '\n'));

		text = sv_skip(text, line.len + 1);
		line = sv_trim_ows(line);
		if (line.len > wanted.len && sv_starts(line, wanted) && line.p[wanted.len] == '=')
			n = unquote(sv_skip(line, wanted.len + 1), ret_value, len);
	}
	return n;
}

bool host_parse_machine_id(struct sv text, struct sv *ret_id)
{
	struct sv id = sv_from(text.p, sv_find(text, '\n'));

	for (size_t i = 0; i < id.len; i++)
		if (!((id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'f')))
			return false;
	if (id.len != MACHINE_ID_LEN)
		return false;
	*ret_id = id;
	return true;
}

const char *host_arch(const char *machine)
{
	static const char *const names[][2] = {
	    {"x86_64", "amd64"},
	    {"aarch64", "arm64"},
	    {"i686", "x86"},
	    {"armv7l", "arm32"},
	    {"ppc64le", "ppc64"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(machine, names[i][0]) == 0)
			return names[i][1];
	return machine;
}

bool host_parse_passwd(struct sv text, uid_t uid, struct sv *ret_name)
{
	char wanted[16];
	int n = snprintf(wanted, sizeof(wanted), "%u", uid);

	while (text.len) {
		struct sv line = sv_from(text.p, sv_find(text, '\n')), field = line;
		struct sv name = sv_from(line.p, sv_find(line, ':'));

		text = sv_skip(text, line.len + 1);
		for (int skipped = 0; skipped < 2; skipped++) /* name:password:uid:... */
			field = sv_skip(field, sv_find(field, ':') + 1);
		field.len = sv_find(field, ':');
		if (name.len && sv_eq(field, sv_from(wanted, (size_t)n))) {
			*ret_name = name;
			return true;
		}
	}
	return false;
}

/* --- readers ------------------------------------------------------------------------------------- */

static bool read_small(const char *path, struct buf *text)
{
	buf_clear(text);
	return proc_read_file(path, HOST_FILE_MAX, text) == 0;
}

static void add_id(struct buf *pairs, struct buf *text)
{
	static const char *const paths[] = {"/etc/machine-id", "/var/lib/dbus/machine-id"};
	struct sv id;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (read_small(paths[i], text) && host_parse_machine_id(buf_sv(text), &id))
			pairs_add(pairs, SV("host.id"), id);
}

static void add_os(struct buf *pairs, struct buf *text)
{
	static const char *const names[][2] = {
	    {"os.name", "NAME"},
	    {"os.version", "VERSION_ID"},
	    {"os.description", "PRETTY_NAME"},
	};
	char value[HOST_VALUE_MAX];

	pairs_add(pairs, SV("os.type"), SV("linux"));
	if (!read_small("/etc/os-release", text) && !read_small("/usr/lib/os-release", text))
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t n = host_parse_os_release(buf_sv(text), names[i][1], value, sizeof(value));

		pairs_add(pairs, sv_cstr(names[i][0]), sv_from(value, n));
	}
}

void host_facts(struct buf *pairs)
{
	struct utsname host;
	struct buf text;

	buf_init(&text);
	if (uname(&host) == 0) {
		pairs_add(pairs, SV("host.name"), sv_cstr(host.nodename));
		pairs_add(pairs, SV("host.arch"), sv_cstr(host_arch(host.machine)));
	}
	add_id(pairs, &text);
	add_os(pairs, &text);
	buf_release(&text);
}
