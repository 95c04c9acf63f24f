// SPDX-License-Identifier: Apache-2.0
/* Who a process is: the parsers of what tells it, and which of them wins. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pairs.h"
#include "discover/container.h"
#include "discover/host.h"
#include "discover/proc.h"
#include "discover/resource_env.h"
#include "support.h"
#include "watch/resource.h"

/* "key=value key=value" of pairs. */
static void expect_pairs(struct sv pairs, const char *text)
{
	struct sv key, value;
	struct buf have;

	buf_init(&have);
	while (pairs_next(&pairs, &key, &value))
		buf_printf(&have, "%s%.*s=%.*s", have.len ? " " : "", SV_ARG(key), SV_ARG(value));
	assert_int_equal(pairs.len, 0);
	assert_string_equal(have.data ? have.data : "", text);
	buf_release(&have);
}

/* --- pairs --------------------------------------------------------------------------------------- */

static void pairs_keep_the_first(void **state)
{
	struct buf pairs;
	struct sv value;

	(void)state;
	buf_init(&pairs);
	pairs_add(&pairs, SV("a"), SV("1"));
	pairs_add(&pairs, SV("ab"), SV("2"));
	pairs_add(&pairs, SV("a"), SV("3"));
	pairs_add(&pairs, SV(""), SV("4"));
	pairs_add(&pairs, SV("none"), SV(""));
	pairs_add_all(&pairs, SV("ab\0x\0c\0y\0"));
	expect_pairs(buf_sv(&pairs), "a=1 ab=2 c=y");
	assert_true(pairs_find(buf_sv(&pairs), SV("c"), &value));
	assert_string_equal(value.p, "y");
	assert_false(pairs_find(buf_sv(&pairs), SV("y"), &value));
	assert_true(pairs_valid(buf_sv(&pairs)));
	buf_release(&pairs);
}

static void pairs_of_any_text(void **state)
{
	static const struct sv wrong[] = {
	    {"", 1},
	    {"a", 1},
	    {"a\0", 2},
	    {"a\0b", 3},
	    {"\0b\0", 3},
	    {"a\0b\0c", 5},
	    {"a\0b\0a\0c\0", 8},
	    {"\xff\0b\0", 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(pairs_valid(wrong[i]));
	assert_true(pairs_valid(SV("")));
	assert_true(pairs_valid(SV("a\0\0")));
	assert_true(pairs_valid(SV("a\0\xff\0")));
}

/* --- OTEL_RESOURCE_ATTRIBUTES ---------------------------------------------------------------------- */

static void env_takes(struct sv text, const char *expected)
{
	struct buf pairs;
	const char *why;

	buf_init(&pairs);
	assert_int_equal(resource_env_parse(text, &pairs, &why), 0);
	expect_pairs(buf_sv(&pairs), expected);
	buf_release(&pairs);
}

static void env_refuses(struct sv text, int err, const char *reason)
{
	struct buf pairs;
	const char *why = NULL;

	buf_init(&pairs);
	pairs_add(&pairs, SV("before"), SV("1"));
	assert_int_equal(resource_env_parse(text, &pairs, &why), err);
	assert_string_equal(why, reason);
	expect_pairs(buf_sv(&pairs), "before=1");
	buf_release(&pairs);
}

static void environment(void **state)
{
	(void)state;
	env_takes(SV(""), "");
	env_takes(SV("service.name=shop"), "service.name=shop");
	env_takes(SV(" b = 2 ,\ta=1"), "a=1 b=2");
	env_takes(SV("a=1,a=2"), "a=2");
	env_takes(SV("k=a%2Cb%3dc%20d"), "k=a,b=c d");
	env_takes(SV("k%2ex=%c3%A9"), "k.x=\xc3\xa9");
	env_takes(SV("url=http://a/?b=c"), "url=http://a/?b=c");
	env_takes(SV("a=1,,b=2,"), "b=2 a=1");
	env_takes(SV("a=,b=2"), "b=2");
	env_refuses(SV("a=1,b"), -EBADMSG, "a member without =");
	env_refuses(SV("a=1,=b"), -EBADMSG, "an empty key");
	env_refuses(SV("a=1,b=%"), -EBADMSG, "a % that two hexadecimal digits do not follow");
	env_refuses(SV("a=1,b=%4"), -EBADMSG, "a % that two hexadecimal digits do not follow");
	env_refuses(SV("b=%4g,a=1"), -EBADMSG, "a % that two hexadecimal digits do not follow");
	env_refuses(SV("a=%00"), -EBADMSG, "a NUL");
	env_refuses(SV("%ff=1"), -EBADMSG, "bytes that are no UTF-8");
	env_refuses(SV("a=%ff"), -EBADMSG, "bytes that are no UTF-8");
	env_refuses(SV("a=\xc3"), -EBADMSG, "bytes that are no UTF-8");
}

static void environment_limits(void **state)
{
	char text[RESOURCE_ENV_MAX_BYTES + 1];
	struct buf many, pairs;
	const char *why;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[1] = '=';
	buf_init(&pairs);
	assert_int_equal(
	    resource_env_parse(sv_from(text, RESOURCE_ENV_MAX_BYTES), &pairs, &why), 0);
	assert_int_equal(pairs.len, RESOURCE_ENV_MAX_BYTES + 1);
	buf_release(&pairs);
	env_refuses(sv_from(text, sizeof(text)), -E2BIG, "more than 4096 bytes");
	buf_init(&many);
	for (int i = 0; i < RESOURCE_ENV_MAX_ATTRS; i++)
		buf_printf(&many, "k%d=v,", i);
	buf_init(&pairs);
	assert_int_equal(resource_env_parse(buf_sv(&many), &pairs, &why), 0);
	buf_release(&pairs);
	buf_append_cstr(&many, "k=v");
	env_refuses(buf_sv(&many), -E2BIG, "more than 64 attributes");
	buf_release(&many);
}

/* --- containers ------------------------------------------------------------------------------------ */

#define ID    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static void containers(void **state)
{
	static const char *const with_id[] = {
	    "0::/system.slice/docker-" ID ".scope\n",
	    "12:pids:/docker/" ID "\n11:memory:/docker/" ID "\n1:name=systemd:/docker/" ID
	    "\n0::/\n",
	    "0::/\n5:cpuacct,cpu:/docker/" ID "\n",
	    "0::/docker/" ID "/init.scope\n",
	    "0::/docker/" OTHER "/docker/" ID "\n",
	    "0::/../../docker-" ID ".scope\n",
	    "0::/../" ID "\n",
	    "0::/kubepods.slice/kubepods-burstable.slice/"
	    "kubepods-burstable-pod1c2d3e4f_aaaa_bbbb_cccc_0123456789ab.slice/cri-containerd-" ID
	    ".scope\n",
	    "0::/kubepods.slice/kubepods-pod1.slice/crio-" ID ".scope\n",
	    "4:memory:/kubepods/besteffort/pod1c2d3e4f-aaaa-bbbb-cccc-0123456789ab/" ID "\n",
	    "0::/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:" ID "\n",
	    "0::/machine.slice/libpod-" ID ".scope/container\n",
	    "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope",
	    "0::/system.slice/web.service/libpod-payload-" ID "\n",
	    "0::/default/" ID "\n",
	};
	static const char *const without[] = {
	    "",
	    "\n",
	    "0::/",
	    "0::/user.slice/user-0.slice/session-1.scope\n",
	    "0::/machine.slice/libpod-conmon-" ID ".scope\n",
	    "0::/kubepods.slice/crio-conmon-" ID ".scope\n",
	    "0::/docker/" ID "0\n",
	    "0::/docker/x" ID "\n",
	    "0::/docker/0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\n",
	    "1:name=docker-" ID "\n",
	    ID,
	};
	struct sv id;

	(void)state;
	for (size_t i = 0; i < sizeof(with_id) / sizeof(with_id[0]); i++) {
		if (!container_parse_cgroup(sv_cstr(with_id[i]), &id) || !sv_eq(id, SV(ID)))
			fail_msg("'%s'", with_id[i]);
		for (size_t n = 0; n < strlen(with_id[i]); n++)
			container_parse_cgroup(sv_from(with_id[i], n), &id);
	}
	for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
		if (container_parse_cgroup(sv_cstr(without[i]), &id))
			fail_msg("'%s'", without[i]);
}

/* --- host ------------------------------------------------------------------------------------------ */

static void expect_os(const char *text, const char *name, const char *expected)
{
	char value[64];
	size_t n = host_parse_os_release(sv_cstr(text), name, value, sizeof(value));

	if (!sv_eq(sv_from(value, n), sv_cstr(expected)))
		fail_msg("%s of '%s' is '%.*s'", name, text, (int)n, value);
}

static void os_release(void **state)
{
	char four[4];

	(void)state;
	expect_os("NAME=Fedora\nVERSION_ID=39\n", "NAME", "Fedora");
	expect_os("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=x", "PRETTY_NAME",
	    "Debian GNU/Linux 12 (bookworm)");
	expect_os("# NAME=no\nNAME='a b'", "NAME", "a b");
	expect_os("PRETTY_NAME=x\n", "NAME", "");
	expect_os("NAME=\"a \\\"b\\\" \\$c \\\\\"\n", "NAME", "a \"b\" $c \\");
	expect_os("NAME='a \\b'\n", "NAME", "a \\b");
	expect_os("NAME=a\nNAME=b\n", "NAME", "b");
	expect_os("NAME=\"open\nVERSION_ID=1", "NAME", "");
	expect_os("NAME=\"a\"b\n", "NAME", "");
	expect_os("NAME=", "NAME", "");
	expect_os("NAME=\"", "NAME", "");
	expect_os("NAME=a\\", "NAME", "a\\"); /* nothing to take it away from */
	expect_os("", "NAME", "");
	assert_int_equal(host_parse_os_release(SV("NAME=abcdef"), "NAME", four, 4), 4);
	assert_memory_equal(four, "abcd", 4);
}

static void ids_and_names(void **state)
{
	static const char passwd[] =
	    "root:x:0:0:root:/root:/bin/sh\n# a comment\n"
	    "www-data:x:33:33::/var/www:/bin/false\nshort:x\n:x:7:7:::\nlast:x:8";
	struct sv found;

	(void)state;
	assert_true(host_parse_machine_id(SV("0123456789abcdef0123456789abcdef\n"), &found));
	assert_int_equal(found.len, 32);
	assert_false(host_parse_machine_id(SV("uninitialized\n"), &found));
	assert_false(host_parse_machine_id(SV("0123456789abcdef0123456789abcde"), &found));
	assert_false(host_parse_machine_id(SV("0123456789ABCDEF0123456789abcdef"), &found));
	assert_false(host_parse_machine_id(SV(""), &found));
	assert_string_equal(host_arch("x86_64"), "amd64");
	assert_string_equal(host_arch("aarch64"), "arm64");
	assert_string_equal(host_arch("riscv64"), "riscv64");
	assert_true(host_parse_passwd(sv_cstr(passwd), 0, &found) && sv_eq(found, SV("root")));
	assert_true(host_parse_passwd(sv_cstr(passwd), 33, &found) && sv_eq(found, SV("www-data")));
	assert_true(host_parse_passwd(sv_cstr(passwd), 8, &found) && sv_eq(found, SV("last")));
	assert_false(host_parse_passwd(sv_cstr(passwd), 7, &found));
	assert_false(host_parse_passwd(sv_cstr(passwd), 3, &found));
}

/* --- all of it ------------------------------------------------------------------------------------- */

static pid_t start_sleep(char *const env[])
{
	static char name[] = "sleep", time[] = "600";
	char *const argv[] = {name, time, NULL};
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		execve("/bin/sleep", argv, env);
		_exit(127);
	}
	for (int i = 0; i < 5000; i++) { /* the environment is what exec puts in place last */
		struct buf text;
		struct sv value;
		bool started;

		buf_init(&text);
		started = proc_read_environ(pid, &text) == 0 &&
		    proc_parse_environ(buf_sv(&text), "STARTED", &value);
		buf_release(&text);
		if (started)
			return pid;
		usleep(1000);
	}
	fail_msg("sleep has not started");
	return -1;
}

struct told {
	struct resources *resources;
	struct process_facts room;
	struct service_facts facts;
	pid_t pid;
};

static struct told tell(struct sv configured, char *const env[])
{
	struct told t = {.resources = resources_new(configured), .pid = start_sleep(env)};

	assert_non_null(t.resources);
	process_facts_init(&t.room);
	t.facts = resources_of(t.resources, t.pid, &t.room);
	kill(t.pid, SIGKILL);
	waitpid(t.pid, NULL, 0);
	return t;
}

static void told_free(struct told *t)
{
	process_facts_release(&t->room);
	resources_free(t->resources);
}

/* NULL: it is not there. */
static void expect(const struct told *t, const char *key, const char *value)
{
	struct sv found;

	if (!pairs_find(t->facts.attrs, sv_cstr(key), &found))
		found = sv_cstr(NULL);
	if (!sv_eq(found, sv_cstr(value)) || (value && !found.p))
		fail_msg("%s is '%.*s'", key, SV_ARG(found));
}

static void who_wins(void **state)
{
	static char started[] = "STARTED=1", named[] = "OTEL_SERVICE_NAME=by name",
		    attrs[] = "OTEL_RESOURCE_ATTRIBUTES=service.name=by attribute,process.pid=1,"
			      "host.name=node,service.version=7,process.runtime.name=cpython";
	char *const both[] = {named, attrs, started, NULL}, *const one[] = {attrs, started, NULL},
		    *const none[] = {started, NULL};
	struct told t = tell(SV("service.name\0by file\0service.version\0008\0"), both);
	char pid[16];

	(void)state;
	snprintf(pid, sizeof(pid), "%d", t.pid);
	assert_string_equal(t.facts.name, "by file");
	expect(&t, "service.version", "8");
	expect(&t, "process.pid", pid);
	expect(&t, "host.name", "node");
	expect(&t, "process.runtime.name", "cpython");
	told_free(&t);
	t = tell(SV(""), both);
	assert_string_equal(t.facts.name, "by name");
	expect(&t, "service.version", "7");
	told_free(&t);
	t = tell(SV(""), one);
	assert_string_equal(t.facts.name, "by attribute");
	told_free(&t);
	t = tell(SV(""), none);
	assert_null(t.facts.name);
	assert_string_equal(t.facts.command, "sleep");
	assert_true(t.facts.start_id > 0);
	expect(&t, "service.version", NULL);
	told_free(&t);
}

/* Not a part of a variable that is wrong, and everything else. */
static void wrong_variable(void **state)
{
	static char started[] = "STARTED=1", named[] = "OTEL_SERVICE_NAME=shop",
		    attrs[] = "OTEL_RESOURCE_ATTRIBUTES=service.version=7,b=%";
	char *const env[] = {named, attrs, started, NULL};
	struct told t = tell(SV(""), env);

	(void)state;
	assert_string_equal(t.facts.name, "shop");
	expect(&t, "service.version", NULL);
	expect(&t, "os.type", "linux");
	told_free(&t);
}

/* A large environment is no reason to miss what stands behind it. */
static void large_environment(void **state)
{
	static char started[] = "STARTED=1", named[] = "OTEL_SERVICE_NAME=shop", large[100000];
	char *const env[] = {large, large, large, named, started, NULL};
	struct told t;

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	large[1] = '=';
	t = tell(SV(""), env);
	assert_string_equal(t.facts.name, "shop");
	told_free(&t);
}

static void gone(void **state)
{
	struct resources *resources = resources_new(SV("a\0b\0"));
	struct process_facts room;
	struct service_facts facts;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	process_facts_init(&room);
	facts = resources_of(resources, pid, &room);
	assert_int_equal(facts.pid, pid);
	assert_null(facts.name);
	assert_null(facts.command);
	assert_true(pairs_valid(facts.attrs));
	process_facts_release(&room);
	resources_free(resources);
}

static const struct attr *attr_of(const struct service *service, const char *key)
{
	for (size_t i = 0; i < service->n_attrs; i++)
		if (strcmp(service->attrs[i].key, key) == 0)
			return &service->attrs[i];
	return NULL;
}

static void itself(void **state)
{
	struct service *self;

	(void)state;
	setenv("OTEL_SERVICE_NAME", "wrong", 1);
	setenv("OTEL_RESOURCE_ATTRIBUTES", "service.version=wrong", 1);
	self = service_self();
	assert_non_null(self);
	assert_string_equal(self->name, "zerospan");
	assert_true(sv_eq(attr_of(self, "service.version")->string, SV(ZEROSPAN_VERSION)));
	assert_int_equal(attr_of(self, "process.pid")->integer, getpid());
	assert_true(sv_eq(attr_of(self, "os.type")->string, SV("linux")));
	assert_int_equal(
	    attr_of(self, "process.creation.time")->string.len, strlen("2024-01-01T00:00:00.00Z"));
	assert_non_null(attr_of(self, "host.name"));
	assert_null(attr_of(self, "process.command_args"));
	service_unref(self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pairs_keep_the_first),
	    cmocka_unit_test(pairs_of_any_text),
	    cmocka_unit_test(environment),
	    cmocka_unit_test(environment_limits),
	    cmocka_unit_test(containers),
	    cmocka_unit_test(os_release),
	    cmocka_unit_test(ids_and_names),
	    cmocka_unit_test(who_wins),
	    cmocka_unit_test(wrong_variable),
	    cmocka_unit_test(large_environment),
	    cmocka_unit_test(gone),
	    cmocka_unit_test(itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
