// SPDX-License-Identifier: Apache-2.0
/* Processes as services: names, identities, and the life of the table's entries. */
#include <stdio.h>

#include "base/utf8.h"
#include "span/service.h"
#include "support.h"

static struct service_table *table;

static struct service *put(const struct service_facts *facts)
{
	struct service *service;

	assert_int_equal(service_table_put(table, facts), 0);
	service = service_table_get(table, facts->pid);
	assert_non_null(service);
	assert_int_equal(service->pid, facts->pid);
	return service;
}

static const struct attr *attr_of(const struct service *service, const char *key)
{
	for (size_t i = 0; i < service->n_attrs; i++)
		if (strcmp(service->attrs[i].key, key) == 0)
			return &service->attrs[i];
	return NULL;
}

static void expect_attr(const struct service *service, const char *key, const char *value)
{
	const struct attr *attr = attr_of(service, key);

	if (!value) {
		assert_null(attr);
		return;
	}
	assert_non_null(attr);
	assert_int_equal(attr->type, ATTR_STRING);
	assert_true(sv_eq(attr->string, sv_cstr(value)));
}

static void named(void **state)
{
	struct service *service = put(&(struct service_facts){.pid = 7,
	    .name = "checkout",
	    .exe = "/opt/bin/shop",
	    .command = "shop",
	    .start_id = 1});

	(void)state;
	assert_string_equal(service->name, "checkout");
	assert_string_equal(service->exe, "shop");
	expect_attr(service, "service.name", "checkout");
	expect_attr(service, "service.instance.id", service->instance_id);
	expect_attr(service, "process.executable.name", "shop");
	expect_attr(service, "process.executable.path", "/opt/bin/shop");
	expect_attr(service, "process.command", "shop");
	for (size_t i = 0; i < service->n_attrs; i++)
		assert_int_not_equal(strncmp(service->attrs[i].key, "telemetry.", 10), 0);
}

static void unnamed(void **state)
{
	struct service *service = put(&(struct service_facts){.pid = 7, .exe = "/opt/bin/shop"});

	(void)state;
	assert_string_equal(service->name, "unknown_service:shop");
	service = put(&(struct service_facts){.pid = 7, .name = "", .exe = "shop"});
	assert_string_equal(service->name, "unknown_service:shop");
	service = put(&(struct service_facts){.pid = 7});
	assert_string_equal(service->name, "unknown_service");
	assert_string_equal(service->exe, "unknown_service");
	expect_attr(service, "process.executable.path", NULL);
	expect_attr(service, "process.command", NULL);
	service = put(&(struct service_facts){.pid = 7, .exe = "/opt/bin/"});
	assert_string_equal(service->name, "unknown_service");
	expect_attr(service, "process.executable.name", NULL);
	expect_attr(service, "process.executable.path", "/opt/bin/");
}

/* A UUID of version 8, one per process and stable for its life. */
static void instance_ids(void **state)
{
	const struct service_facts facts = {.pid = 7, .name = "a", .start_id = 5};
	struct service_facts other = facts;
	char first[64];

	(void)state;
	snprintf(first, sizeof(first), "%s", put(&facts)->instance_id);
	assert_int_equal(strlen(first), 36);
	for (size_t i = 0; i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23)
			assert_int_equal(first[i], '-');
		else
			assert_non_null(strchr("0123456789abcdef", first[i]));
	assert_int_equal(first[14], '8');
	assert_non_null(strchr("89ab", first[19]));
	assert_string_equal(put(&facts)->instance_id, first);
	other.name = "b"; /* a name is no identity */
	assert_string_equal(put(&other)->instance_id, first);
	other.start_id = 6;
	assert_string_not_equal(put(&other)->instance_id, first);
	other = facts;
	other.pid = 8;
	assert_string_not_equal(put(&other)->instance_id, first);
	other = facts;
	other.attrs = SV("host.id\0another host\0");
	assert_string_not_equal(put(&other)->instance_id, first);
	snprintf(first, sizeof(first), "%s", put(&other)->instance_id);
	other.attrs = SV("host.name\0renamed\0host.id\0another host\0");
	assert_string_equal(put(&other)->instance_id, first);
}

/* What is found out of the process itself comes first, and what the exporter adds is not there twice. */
static void more_attributes(void **state)
{
	struct service *service = put(&(struct service_facts){.pid = 7,
	    .name = "checkout",
	    .exe = "/opt/bin/shop",
	    .attrs = SV("service.name\0other\0service.instance.id\0same for all\0process.pid\0"
			"7\0process.executable.name\0wrong\0telemetry.sdk.name\0opentelemetry\0"
			"process.command\0of its own\0deployment.environment.name\0a\xff\0")});

	(void)state;
	assert_int_equal(service->n_attrs, 7);
	expect_attr(service, "service.name", "checkout");
	expect_attr(service, "service.instance.id", service->instance_id);
	expect_attr(service, "process.executable.name", "shop");
	expect_attr(service, "telemetry.sdk.name", NULL);
	expect_attr(service, "process.command", "of its own");
	expect_attr(service, "deployment.environment.name", "a\xef\xbf\xbd");
	assert_int_equal(attr_of(service, "process.pid")->type, ATTR_INT);
	assert_int_equal(attr_of(service, "process.pid")->integer, 7);
}

static void odd_bytes(void **state)
{
	char name[600], path[5000];
	struct service *service;

	(void)state;
	memset(name, 0xff, sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memset(path, 0xff, sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	service = put(&(struct service_facts){.pid = 7,
	    .name = name,
	    .exe = path,
	    .command = path,
	    .attrs = SV("a\0\xff\xff\xff\xff\0")});
	for (size_t i = 0; i < service->n_attrs; i++)
		assert_true(utf8_valid(service->attrs[i].string));
	service = put(&(struct service_facts){.pid = 7, .exe = path});
	assert_true(utf8_valid(sv_cstr(service->name)));
	assert_memory_equal(service->name, "unknown_service:", 16);
}

static void replaced_while_in_use(void **state)
{
	struct service *old = service_ref(put(&(struct service_facts){.pid = 7, .name = "old"}));
	struct service *new = put(&(struct service_facts){.pid = 7, .name = "new"});

	(void)state;
	assert_ptr_not_equal(old, new);
	assert_string_equal(old->name, "old");
	assert_string_equal(new->name, "new");
	service_unref(old);
}

static void removed(void **state)
{
	struct service *service, *same = put(&(struct service_facts){.pid = 7, .name = "a"});

	(void)state;
	service_table_remove(table, 7, &service);
	assert_ptr_equal(service, same);
	assert_null(service_table_get(table, 7));
	service_unref(service);
	put(&(struct service_facts){.pid = 8, .name = "b"});
	service_table_remove(table, 8, NULL);
	service_table_remove(table, 8, &service); /* a stranger */
	assert_null(service);
	service_table_remove(table, 8, NULL);
	assert_null(service_table_get(table, 8));
}

static void many(void **state)
{
	char name[32];

	(void)state;
	for (uint32_t pid = 1; pid <= 5000; pid++) {
		snprintf(name, sizeof(name), "s%u", pid);
		put(&(struct service_facts){.pid = pid, .name = name});
	}
	for (uint32_t pid = 1; pid <= 5000; pid++) {
		snprintf(name, sizeof(name), "s%u", pid);
		assert_string_equal(service_table_get(table, pid)->name, name);
	}
	assert_null(service_table_get(table, 5001));
	assert_null(service_table_get(table, 0));
}

static int setup(void **state)
{
	(void)state;
	table = service_table_new();
	return table ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	service_table_free(table);
	service_table_free(NULL);
	service_unref(NULL);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(named, setup, teardown),
	    cmocka_unit_test_setup_teardown(unnamed, setup, teardown),
	    cmocka_unit_test_setup_teardown(instance_ids, setup, teardown),
	    cmocka_unit_test_setup_teardown(more_attributes, setup, teardown),
	    cmocka_unit_test_setup_teardown(odd_bytes, setup, teardown),
	    cmocka_unit_test_setup_teardown(replaced_while_in_use, setup, teardown),
	    cmocka_unit_test_setup_teardown(removed, setup, teardown),
	    cmocka_unit_test_setup_teardown(many, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
