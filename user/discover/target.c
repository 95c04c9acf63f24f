// SPDX-License-Identifier: Apache-2.0
/* Selectors and the processes they mean; see target.h. */
#include "discover/target.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "discover/proc_net.h"

enum {
	SELECTORS_MAX = 256, /* a command line, not a database */
};

void target_set_init(struct target_set *set, pid_t self)
{
	*set = (struct target_set){.self = self};
}

void target_set_release(struct target_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		free(set->items[i].text);
	free(set->items);
	*set = (struct target_set){.self = set->self};
}

/* A decimal number of digits only, in [1, max]. */
static bool parse_number(const char *text, uint32_t max, uint32_t *ret_number)
{
	uint64_t number = 0;

	for (const char *c = text; *c; c++) {
		if (*c < '0' || *c > '9')
			return false;
		number = number * 10 + (uint64_t)(*c - '0');
		if (number > max)
			return false;
	}
	*ret_number = (uint32_t)number;
	return number > 0;
}

static int parse_selector(
    enum target_kind kind, const char *text, struct target_selector *ret_selector)
{
	struct target_selector selector = {.kind = kind};
	bool valid = *text != '\0';

	if (kind == TARGET_PID)
		valid = parse_number(text, INT32_MAX, &selector.number);
	else if (kind == TARGET_PORT)
		valid = parse_number(text, UINT16_MAX, &selector.number);
	else if (kind != TARGET_NAME && kind != TARGET_EXE)
		valid = false;
	if (!valid)
		return -EINVAL;
	selector.text = strdup(text);
	if (!selector.text)
		return -ENOMEM;
	*ret_selector = selector;
	return 0;
}

int target_set_add(struct target_set *set, enum target_kind kind, const char *text)
{
	struct target_selector selector, *items;
	int err;

	if (set->n == SELECTORS_MAX)
		return -E2BIG;
	err = parse_selector(kind, text, &selector);
	if (err)
		return err;
	items = reallocarray(set->items, set->n + 1, sizeof(*items));
	if (!items) {
		free(selector.text);
		return -ENOMEM;
	}
	items[set->n++] = selector;
	set->items = items;
	return 0;
}

bool target_set_has(const struct target_set *set, enum target_kind kind)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->items[i].kind == kind)
			return true;
	return false;
}

int target_facts_read(pid_t pid, bool with_ports, struct target_facts *ret_facts)
{
	struct proc_stat stat;
	int bits, ports, err = proc_read_stat(pid, &stat);

	if (err || stat.state == 'Z' || stat.state == 'X')
		return -ESRCH;
	memset(ret_facts, 0, sizeof(*ret_facts));
	ret_facts->pid = pid;
	ret_facts->start_ticks = stat.start_ticks;
	ret_facts->kernel_thread = stat.kernel_thread;
	memcpy(ret_facts->comm, stat.comm, sizeof(stat.comm));
	if (stat.kernel_thread)
		return 0;
	if (proc_exe(pid, ret_facts->exe, sizeof(ret_facts->exe)) != 0)
		ret_facts->exe[0] = '\0';
	bits = proc_elf_bits(pid);
	ret_facts->elf_bits = bits > 0 ? bits : 0;
	ports = with_ports ? proc_net_ports(pid, ret_facts->ports, TARGET_PORTS_MAX) : 0;
	ret_facts->n_ports = ports > 0 ? (size_t)ports : 0;
	return 0;
}

static bool is_named(const struct target_facts *facts, const char *name)
{
	const char *slash = strrchr(facts->exe, '/');

	return strcmp(facts->comm, name) == 0 || (slash && strcmp(slash + 1, name) == 0);
}

bool target_selects(const struct target_selector *selector, const struct target_facts *facts)
{
	switch (selector->kind) {
	case TARGET_PID:
		return (uint32_t)facts->pid == selector->number &&
		    (!selector->start_ticks || selector->start_ticks == facts->start_ticks);
	case TARGET_NAME:
		return is_named(facts, selector->text);
	case TARGET_EXE:
		return facts->exe[0] && fnmatch(selector->text, facts->exe, 0) == 0;
	case TARGET_PORT:
		for (size_t i = 0; i < facts->n_ports; i++)
			if (facts->ports[i] == selector->number)
				return true;
		return false;
	case TARGET_INVALID:
		break;
	}
	return false;
}

enum target_refusal target_refuses(const struct target_set *set, const struct target_facts *facts)
{
	if (facts->pid == set->self)
		return TARGET_REFUSAL_SELF;
	if (facts->kernel_thread)
		return TARGET_REFUSAL_KERNEL_THREAD;
	return facts->elf_bits == 32 ? TARGET_REFUSAL_32BIT : TARGET_REFUSAL_NONE;
}

bool target_match(const struct target_set *set, const struct target_facts *facts,
    const struct target_selector **ret_why)
{
	if (target_refuses(set, facts) != TARGET_REFUSAL_NONE)
		return false;
	for (size_t i = 0; i < set->n; i++) {
		if (target_selects(&set->items[i], facts)) {
			*ret_why = &set->items[i];
			return true;
		}
	}
	return false;
}
