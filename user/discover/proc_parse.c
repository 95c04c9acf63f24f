// SPDX-License-Identifier: Apache-2.0
/* The pure half of proc.h: text of /proc into facts. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "discover/proc.h"

enum {
	TCP_STATE_LISTEN = 0x0a, /* include/net/tcp_states.h */
};

/* PF_KTHREAD of include/linux/sched.h; shown in field 9 of stat since 2.6.27. */
static const uint64_t flag_kernel_thread = 0x00200000;

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

/* Take an unsigned number off the front. False when there is none or it is too large. */
static bool take_number(struct sv *s, unsigned radix, uint64_t *ret_value)
{
	uint64_t value = 0;
	size_t n = 0;

	for (; n < s->len; n++) {
		unsigned digit = (unsigned)digit_value(s->p[n]);

		if (digit >= radix)
			break;
		if (value > (UINT64_MAX - digit) / radix)
			return false;
		value = value * radix + digit;
	}
	*s = sv_skip(*s, n);
	*ret_value = value;
	return n > 0;
}

static bool take_char(struct sv *s, char c)
{
	if (!s->len || s->p[0] != c)
		return false;
	*s = sv_skip(*s, 1);
	return true;
}

/* Take the next field, which blanks end, off the front; empty at the end. */
static struct sv take_field(struct sv *s)
{
	struct sv field;

	while (take_char(s, ' '))
		;
	field = sv_from(s->p, 0);
	while (field.len < s->len && s->p[field.len] != ' ' && s->p[field.len] != '\n')
		field.len++;
	*s = sv_skip(*s, field.len);
	return field;
}

static bool whole_number(struct sv field, unsigned radix, uint64_t *ret_value)
{
	return take_number(&field, radix, ret_value) && field.len == 0;
}

/* The comm stands in parentheses and may itself hold blanks and parentheses: the last one counts.
 */
static bool take_comm(struct sv *s, struct proc_stat *stat)
{
	const char *close = s->len ? memrchr(s->p, ')', s->len) : NULL;
	size_t len;

	if (!take_char(s, ' ') || !take_char(s, '(') || !close || close < s->p)
		return false;
	len = (size_t)(close - s->p);
	if (len >= sizeof(stat->comm))
		return false;
	memcpy(stat->comm, s->p, len);
	stat->comm[len] = '\0';
	*s = sv_skip(*s, len + 1);
	return true;
}

/* Is field number one that is taken? All those are unsigned. */
static bool is_stat_number(int number)
{
	return number == 4 || number == 9 || (number >= 14 && number <= 17) || number == 20 ||
	    number >= 22;
}

static void take_stat_number(struct proc_stat *stat, int number, uint64_t value)
{
	switch (number) {
	case 4:
		stat->ppid = (pid_t)value;
		break;
	case 9:
		stat->kernel_thread = value & flag_kernel_thread;
		break;
	case 14:
		stat->user_ticks = value;
		break;
	case 15:
		stat->system_ticks = value;
		break;
	case 16:
	case 17:
		stat->children_cpu_ticks += value;
		break;
	case 20:
		stat->threads = value;
		break;
	case 22:
		stat->start_ticks = value;
		break;
	case 23:
		stat->virtual_bytes = value;
		break;
	default:
		stat->resident_pages = value;
	}
}

int proc_parse_stat(struct sv text, struct proc_stat *ret_stat)
{
	struct proc_stat stat = {0};
	uint64_t value;
	struct sv field;

	if (!take_number(&text, 10, &value) || value > INT32_MAX)
		return -EBADMSG;
	stat.pid = (pid_t)value;
	if (!take_comm(&text, &stat))
		return -EBADMSG;
	field = take_field(&text);
	if (field.len != 1)
		return -EBADMSG;
	stat.state = field.p[0];
	for (int number = 4; number <= 24; number++) {
		field = take_field(&text);
		if (!is_stat_number(number))
			continue;
		if (!whole_number(field, 10, &value))
			return -EBADMSG;
		take_stat_number(&stat, number, value);
	}
	for (int number = 25; number <= 39; number++)
		field = take_field(&text);
	stat.processor = whole_number(field, 10, &value) && value <= INT32_MAX ? (int)value : -1;
	*ret_stat = stat;
	return 0;
}

static bool take_range(struct sv *line, struct proc_map *map)
{
	return take_number(line, 16, &map->start) && take_char(line, '-') &&
	    take_number(line, 16, &map->end) && map->start < map->end;
}

static bool take_device(struct sv *line, struct proc_map *map)
{
	struct sv field = take_field(line);
	uint64_t major, minor;

	if (!take_number(&field, 16, &major) || !take_char(&field, ':') ||
	    !whole_number(field, 16, &minor) || major > UINT32_MAX || minor > UINT32_MAX)
		return false;
	map->dev_major = (unsigned)major;
	map->dev_minor = (unsigned)minor;
	return true;
}

struct sv proc_strip_deleted(struct sv path)
{
	static const struct sv deleted = {.p = " (deleted)", .len = 10};

	if (path.len >= deleted.len && sv_eq(sv_skip(path, path.len - deleted.len), deleted))
		path.len -= deleted.len;
	return path;
}

int proc_parse_maps_line(struct sv line, struct proc_map *ret_map)
{
	struct proc_map map = {0};
	struct sv permissions;

	if (line.len && line.p[line.len - 1] == '\n')
		line.len--;
	if (!take_range(&line, &map))
		return -EBADMSG;
	permissions = take_field(&line);
	if (permissions.len != 4)
		return -EBADMSG;
	map.executable = permissions.p[2] == 'x';
	if (!whole_number(take_field(&line), 16, &map.offset) || !take_device(&line, &map) ||
	    !whole_number(take_field(&line), 10, &map.inode))
		return -EBADMSG;
	while (take_char(&line, ' '))
		;
	map.path = proc_strip_deleted(line);
	map.deleted = map.path.len < line.len;
	*ret_map = map;
	return 0;
}

int proc_parse_tcp_line(struct sv line, struct proc_tcp *ret_tcp)
{
	struct sv field = take_field(&line), address;
	uint64_t number, port, state, inode;

	/* "  0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1234 ..."
	 */
	if (!take_number(&field, 10, &number) || !take_char(&field, ':') || field.len)
		return -EBADMSG;
	address = take_field(&line);
	address = sv_skip(address, sv_find(address, ':') + 1);
	take_field(&line);
	if (!whole_number(address, 16, &port) || port > UINT16_MAX ||
	    !whole_number(take_field(&line), 16, &state))
		return -EBADMSG;
	for (int skipped = 0; skipped < 5; skipped++)
		take_field(&line);
	if (!whole_number(take_field(&line), 10, &inode))
		return -EBADMSG;
	*ret_tcp = (struct proc_tcp){
	    .port = (uint16_t)port, .listening = state == TCP_STATE_LISTEN, .inode = inode};
	return 0;
}

bool proc_parse_environ(struct sv text, const char *name, struct sv *ret_value)
{
	struct sv wanted = sv_cstr(name);

	while (text.len) {
		struct sv entry = sv_from(text.p, sv_find(text, '\0'));

		if (entry.len > wanted.len && sv_starts(entry, wanted) &&
		    entry.p[wanted.len] == '=') {
			*ret_value = sv_skip(entry, wanted.len + 1);
			return true;
		}
		text = sv_skip(text, entry.len + 1);
	}
	return false;
}

/* "0x" and digits. */
static bool take_address(struct sv *s, uint64_t *ret_value)
{
	struct sv field = take_field(s);

	return take_char(&field, '0') && take_char(&field, 'x') &&
	    whole_number(field, 16, ret_value);
}

int proc_parse_syscall(struct sv text, struct proc_syscall *ret_syscall)
{
	struct proc_syscall call = {0};
	uint64_t number, argument;
	bool negative;

	if (text.len && text.p[text.len - 1] == '\n')
		text.len--;
	if (sv_eq(text, SV("running"))) {
		*ret_syscall = (struct proc_syscall){.running = true};
		return 0;
	}
	negative = take_char(&text, '-');
	if (!take_number(&text, 10, &number) || number > INT64_MAX)
		return -EBADMSG;
	call.number = negative ? -(int64_t)number : (int64_t)number;
	for (int i = 0; i < 6 && call.number >= 0; i++)
		if (!take_address(&text, &argument))
			return -EBADMSG;
	if (!take_address(&text, &call.sp) || !take_address(&text, &call.pc) || text.len)
		return -EBADMSG;
	*ret_syscall = call;
	return 0;
}

static bool is_symbol(struct sv s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			c == '_' || c == '.' || c == '$'))
			return false;
	}
	return s.len && (s.p[0] < '0' || s.p[0] > '9');
}

/* "[<0>] nfs_wait_bit_killable+0x1e/0x90 [nfs]"; before Linux 4.15 with the address. */
static struct sv kernel_function(struct sv line)
{
	struct sv name;

	if (sv_starts(line, SV("[<")))
		line = sv_skip(line, sv_find(line, ']') + 1);
	name = take_field(&line);
	name.len = sv_find(name, '+');
	return is_symbol(name) ? name : sv_from(NULL, 0);
}

size_t proc_parse_kernel_stack(struct sv text, char *ret_lines, size_t size)
{
	size_t n = 0;

	while (text.len) {
		size_t end = sv_find(text, '\n');
		struct sv name = kernel_function(sv_from(text.p, end));

		text = sv_skip(text, end + 1);
		if (!name.len)
			continue;
		if (name.len + (n > 0) > size - n)
			break;
		if (n)
			ret_lines[n++] = '\n';
		memcpy(ret_lines + n, name.p, name.len);
		n += name.len;
	}
	return n;
}
