// SPDX-License-Identifier: Apache-2.0
/* Log records own what they hold, and batches what they share. */
#include "span/log_record.h"
#include "span_fixture.h"

static void test_copy_owns_its_texts(void **state)
{
	char body[] = "disk full", level[] = "WARN", value[] = "stdout";
	const struct attr attrs[] = {
	    {.key = "log.iostream", .type = ATTR_STRING, .string = sv_cstr(value)},
	    ATTR_I("thread.id", 7),
	};
	struct service *service = fixture_service("shop", 4);
	const struct log_record model = {.time_ns = 5,
	    .observed_ns = 6,
	    .severity = LOG_SEVERITY_WARN,
	    .severity_text = sv_cstr(level),
	    .body = sv_cstr(body),
	    .binary = true, /* what it is, is looked at */
	    .attrs = attrs,
	    .n_attrs = 2,
	    .trace_id = {{1}},
	    .span_id = {{2}},
	    .flags = 1,
	    .service = service};
	struct log_record *record = log_record_new(&model);

	(void)state;
	service_unref(service); /* the record has its own */
	memset(body, '#', sizeof(body) - 1);
	memset(level, '#', sizeof(level) - 1);
	memset(value, '#', sizeof(value) - 1);
	assert_true(sv_eq(record->body, SV("disk full")));
	assert_true(sv_eq(record->severity_text, SV("WARN")));
	assert_true(sv_eq(record->attrs[0].string, SV("stdout")));
	assert_int_equal(record->attrs[1].integer, 7);
	assert_false(record->binary);
	assert_string_equal(record->service->name, "shop");
	assert_int_equal(record->trace_id.b[0], 1);
	assert_int_equal(record->span_id.b[0], 2);
	log_record_free(record);
	log_record_free(NULL);
}

static void test_any_bytes(void **state)
{
	const struct log_record bad = {.observed_ns = 1, .body = SV("a\xff\0b")};
	const struct log_record empty = {.observed_ns = 1};
	struct log_record *record = log_record_new(&bad);

	(void)state;
	assert_true(record->binary);
	assert_int_equal(record->body.len, 4);
	log_record_free(record);
	record = log_record_new(&empty);
	assert_false(record->binary);
	assert_int_equal(record->body.len, 0);
	log_record_free(record);
}

static void test_batch_is_shared(void **state)
{
	const struct log_record model = {.observed_ns = 1, .body = SV("x")};
	struct log_batch *batch = log_batch_new(2);

	(void)state;
	batch->records[batch->n_records++] = log_record_new(&model);
	assert_ptr_equal(log_batch_ref(batch), batch);
	log_batch_unref(batch);
	assert_true(sv_eq(batch->records[0]->body, SV("x")));
	log_batch_unref(batch); /* the sanitizer says whether everything is free */
	log_batch_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_copy_owns_its_texts),
	    cmocka_unit_test(test_any_bytes),
	    cmocka_unit_test(test_batch_is_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
