// SPDX-License-Identifier: Apache-2.0
/* Resource attributes of processes; see resource.h. */
#include "resource.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pairs.h"
#include "discover/container.h"
#include "discover/host.h"
#include "discover/proc.h"
#include "discover/resource_env.h"

enum {
	PASSWD_MAX_BYTES = 1 << 20,
	OWNER_MAX = 256, /* LOGIN_NAME_MAX */
	PID_TEXT = 16,
	TIME_TEXT = 64,
};

struct resources {
	struct sv configured;
	struct buf host;
	struct buf scratch; /* a file of /proc */
	struct buf attrs;   /* of a process' environment */
	int64_t boot_ns;    /* wall time at which the machine booted */
	uint64_t mounts;    /* our mount namespace; 0: not known */
	struct log_limit limit;
};

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts = {0};

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * (int64_t)NS_PER_S + ts.tv_nsec;
}

struct resources *resources_new(struct sv configured)
{
	struct resources *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->configured = configured;
	buf_init(&r->host);
	buf_init(&r->scratch);
	buf_init(&r->attrs);
	host_facts(&r->host);
	r->boot_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME);
	proc_namespace(getpid(), "mnt", &r->mounts);
	return r;
}

void resources_set_configured(struct resources *r, struct sv configured)
{
	r->configured = configured;
}

void resources_free(struct resources *r)
{
	if (!r)
		return;
	buf_release(&r->host);
	buf_release(&r->scratch);
	buf_release(&r->attrs);
	free(r);
}

void process_facts_init(struct process_facts *facts)
{
	buf_init(&facts->attrs);
}

void process_facts_release(struct process_facts *facts)
{
	buf_release(&facts->attrs);
}

/* --- environment --------------------------------------------------------------------------------- */

static void complain(struct resources *r, pid_t pid, const char *why)
{
	uint64_t suppressed;
	char more[64] = "";

	if (!log_limit_pass(&r->limit, clock_monotonic_ns(), &suppressed))
		return;
	if (suppressed)
		snprintf(more, sizeof(more), ", nor those of %llu more processes",
		    (unsigned long long)suppressed);
	log_warn("OTEL_RESOURCE_ATTRIBUTES of pid %d is not used%s: it has %s", pid, more, why);
}

/* Into r->attrs: what the process' environment says, service.name included. */
static void read_environment(struct resources *r, pid_t pid)
{
	struct buf text; /* its megabytes, if so, are not kept */
	const char *why;
	struct sv value;

	buf_init(&text);
	buf_clear(&r->attrs);
	if (proc_read_environ(pid, &text) == 0) {
		if (proc_parse_environ(buf_sv(&text), "OTEL_SERVICE_NAME", &value) &&
		    value.len <= RESOURCE_ENV_MAX_BYTES)
			pairs_add(&r->attrs, SV("service.name"), value);
		if (proc_parse_environ(buf_sv(&text), "OTEL_RESOURCE_ATTRIBUTES", &value) &&
		    resource_env_parse(value, &r->attrs, &why))
			complain(r, pid, why);
	}
	buf_release(&text);
}

/* --- what the kernel says ------------------------------------------------------------------------ */

/* process.creation.time, as ISO 8601 has it: in UTC, to the clock tick. */
static void add_creation_time(const struct resources *r, uint64_t start_ticks, struct buf *attrs)
{
	int64_t tick_ns = (int64_t)NS_PER_S / sysconf(_SC_CLK_TCK);
	int64_t ns = r->boot_ns + (int64_t)start_ticks * tick_ns;
	time_t seconds = (time_t)(ns / (int64_t)NS_PER_S);
	char text[TIME_TEXT];
	struct tm tm;
	size_t n;

	if (!gmtime_r(&seconds, &tm))
		return;
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(text + n, sizeof(text) - n, ".%02dZ",
	    (int)(ns % (int64_t)NS_PER_S / (int64_t)(10 * NS_PER_MS)));
	pairs_add(attrs, SV("process.creation.time"), sv_from(text, n));
}

/* The name is told only where our /etc/passwd is the process', too: in a container the number means somebody else. */
static void add_owner(struct resources *r, pid_t pid, struct buf *attrs)
{
	uint64_t mounts = 0;
	struct sv name;
	uid_t uid;

	if (proc_owner(pid, &uid) || proc_namespace(pid, "mnt", &mounts) || mounts != r->mounts)
		return;
	buf_clear(&r->scratch);
	if (proc_read_file("/etc/passwd", PASSWD_MAX_BYTES, &r->scratch) == 0 &&
	    host_parse_passwd(buf_sv(&r->scratch), uid, &name) && name.len <= OWNER_MAX)
		pairs_add(attrs, SV("process.owner"), name);
}

static void add_container(struct resources *r, pid_t pid, struct buf *attrs)
{
	struct sv id;

	buf_clear(&r->scratch);
	if (proc_read_cgroup(pid, &r->scratch) == 0 &&
	    container_parse_cgroup(buf_sv(&r->scratch), &id))
		pairs_add(attrs, SV("container.id"), id);
}

static void add_kernel_facts(
    struct resources *r, pid_t pid, const struct proc_stat *stat, struct buf *attrs)
{
	char text[PID_TEXT];

	snprintf(text, sizeof(text), "%d", pid);
	pairs_add(attrs, SV("process.pid"), sv_cstr(text));
	if (stat->start_ticks)
		add_creation_time(r, stat->start_ticks, attrs);
	add_owner(r, pid, attrs);
}

static struct service_facts gather(
    struct resources *r, pid_t pid, bool environment, struct process_facts *room)
{
	struct service_facts facts = {.pid = (uint32_t)pid};
	struct proc_stat stat = {0};
	struct sv name;

	buf_clear(&room->attrs);
	pairs_add_all(&room->attrs, r->configured);
	proc_read_stat(pid, &stat);
	add_kernel_facts(r, pid, &stat, &room->attrs);
	if (environment) {
		read_environment(r, pid);
		pairs_add_all(&room->attrs, buf_sv(&r->attrs));
	}
	add_container(r, pid, &room->attrs);
	pairs_add_all(&room->attrs, buf_sv(&r->host));
	if (proc_argv0(pid, room->command, sizeof(room->command)) == 0)
		facts.command = room->command;
	facts.start_id = stat.start_ticks;
	facts.attrs = buf_sv(&room->attrs);
	if (pairs_find(facts.attrs, SV("service.name"), &name))
		facts.name = name.p;
	return facts;
}

struct service_facts resources_of(struct resources *r, pid_t pid, struct process_facts *room)
{
	return gather(r, pid, true, room);
}

/* --- ourselves ----------------------------------------------------------------------------------- */

static struct service *service_of(const struct service_facts *facts)
{
	struct service_table *table = service_table_new();
	struct service *service = NULL;

	if (table && service_table_put(table, facts) == 0)
		service_table_remove(table, facts->pid, &service);
	service_table_free(table);
	return service;
}

struct service *service_self(void)
{
	static const char version[] = "service.version\0" ZEROSPAN_VERSION;
	struct resources *r = resources_new(sv_from(version, sizeof(version)));
	struct service *service = NULL;
	struct process_facts room;
	struct service_facts facts;
	char exe[4096];

	if (!r)
		return NULL;
	process_facts_init(&room);
	facts = gather(r, getpid(), false, &room);
	facts.name = "zerospan";
	if (proc_exe(getpid(), exe, sizeof(exe)) == 0)
		facts.exe = exe;
	service = service_of(&facts);
	process_facts_release(&room);
	resources_free(r);
	return service;
}
