// SPDX-License-Identifier: Apache-2.0
/* Types of a kernel that was never built: what is selected of them, and what becomes of it. */
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe/kernel_types.h"
#include "support.h"

/* Numbers of the kernel's types that tests ask for. */
struct kernel {
	struct kernel_types types;
	int thing, other_thing, inner;
};

/*
 *	struct inner { int a; const int b[3]; };
 *	typedef struct inner inner_t;
 *	struct thing { inner_t inner; struct far *far; struct { unsigned int low:4, high:28; }; enum colour colour; };
 *	struct thing { int differs; };
 *	struct far { struct thing *back; };
 */
static void build(struct kernel *k)
{
	struct btf *btf = btf__new_empty();
	int integer = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	int word = btf__add_int(btf, "unsigned int", 4, 0);
	int array = btf__add_array(btf, word, btf__add_const(btf, integer), 3);
	int inner, bits, colour, far;

	inner = btf__add_struct(btf, "inner", 16);
	btf__add_field(btf, "a", integer, 0, 0);
	btf__add_field(btf, "b", array, 32, 0);
	bits = btf__add_struct(btf, NULL, 4);
	btf__add_field(btf, "low", word, 0, 4);
	btf__add_field(btf, "high", word, 4, 28);
	colour = btf__add_enum(btf, "colour", 4);
	btf__add_enum_value(btf, "RED", 7);
	k->thing = btf__add_struct(btf, "thing", 40);
	far = k->thing + 4;
	btf__add_field(btf, "inner", k->thing + 1, 0, 0);
	btf__add_field(btf, "far", k->thing + 2, 128, 0);
	btf__add_field(btf, NULL, bits, 192, 0);
	btf__add_field(btf, "colour", colour, 224, 0);
	assert_int_equal(btf__add_typedef(btf, "inner_t", inner), k->thing + 1);
	assert_int_equal(btf__add_ptr(btf, far), k->thing + 2);
	k->other_thing = btf__add_struct(btf, "thing", 4);
	btf__add_field(btf, "differs", integer, 0, 0);
	assert_int_equal(btf__add_struct(btf, "far", 8), far);
	btf__add_field(btf, "back", btf__add_ptr(btf, k->thing), 0, 0);
	k->inner = inner;
	k->types = (struct kernel_types){.all = btf, .fd = memfd_create("test", MFD_CLOEXEC)};
	snprintf(k->types.path, sizeof(k->types.path), "/proc/self/fd/%d", k->types.fd);
}

/* Select what has the names of these structs. */
static void select_structs(struct kernel *k, const char *first, const char *second)
{
	struct btf *ours = btf__new_empty();

	build(k);
	btf__add_int(ours, "far", 4, 0); /* a name of another kind */
	btf__add_struct(ours, first, 0);
	btf__add_struct(ours, second, 0);
	btf__add_struct(ours, NULL, 0);
	assert_int_equal(kernel_types_select(&k->types, ours), 0);
	btf__free(ours);
}

static const struct btf_type *type_of(const struct btf *btf, const char *name, __u32 kind)
{
	__s32 number = btf__find_by_name_kind(btf, name, kind);

	return number > 0 ? btf__type_by_id(btf, (__u32)number) : NULL;
}

static const struct btf_type *member_type(
    const struct btf *btf, const struct btf_type *type, unsigned i)
{
	return btf__type_by_id(btf, btf_members(type)[i].type);
}

static void with_what_is_embedded(void **state)
{
	const struct btf_type *thing, *inner, *bits, *array;
	const struct btf *some;
	struct kernel k;

	(void)state;
	select_structs(&k, "thing", "nowhere");
	some = k.types.some;
	thing = type_of(some, "thing", BTF_KIND_STRUCT);
	assert_non_null(thing);
	assert_int_equal(thing->size, 40);
	assert_int_equal(btf_vlen(thing), 4);
	assert_string_equal(btf__name_by_offset(some, btf_members(thing)[1].name_off), "far");
	assert_int_equal(btf_member_bit_offset(thing, 1), 128);
	assert_true(btf_is_ptr(member_type(some, thing, 1)));
	assert_int_equal(member_type(some, thing, 1)->type, 0);
	inner = member_type(some, thing, 0);
	assert_string_equal(btf__name_by_offset(some, inner->name_off), "inner");
	array = member_type(some, inner, 1);
	assert_int_equal(btf_array(array)->nelems, 3);
	assert_true(btf_is_int(btf__type_by_id(some, btf_array(array)->type)));
	assert_true(btf_is_int(btf__type_by_id(some, btf_array(array)->index_type)));
	bits = member_type(some, thing, 2);
	assert_int_equal(btf_member_bitfield_size(bits, 1), 28);
	assert_int_equal(btf_member_bit_offset(bits, 1), 4);
	assert_int_equal(btf_enum(member_type(some, thing, 3))->val, 7);
	assert_null(type_of(some, "far", BTF_KIND_STRUCT));
	kernel_types_close(&k.types);
}

static void all_of_a_name(void **state)
{
	struct kernel k;
	unsigned n = 0;

	(void)state;
	select_structs(&k, "thing___as_it_was", "nowhere");
	for (__u32 i = 1; i < btf__type_cnt(k.types.some); i++)
		n += strcmp(btf__name_by_offset(
				k.types.some, btf__type_by_id(k.types.some, i)->name_off),
			 "thing") == 0;
	assert_int_equal(n, 2);
	assert_true(k.types.numbers[k.thing] && k.types.numbers[k.other_thing]);
	kernel_types_close(&k.types);
}

static void numbers_of_the_kernel(void **state)
{
	struct kernel k;

	(void)state;
	select_structs(&k, "inner", "far");
	assert_int_equal(kernel_types_number(&k.types, "inner"), k.inner);
	assert_int_equal(kernel_types_number(&k.types, "far"), k.thing + 4);
	assert_int_equal(kernel_types_number(&k.types, "thing"), 0);
	assert_int_equal(kernel_types_number(&k.types, "nowhere"), 0);
	kernel_types_close(&k.types);
}

static void as_a_file(void **state)
{
	struct kernel k;
	struct btf *read;
	__u32 n;

	(void)state;
	select_structs(&k, "thing", "far___x");
	n = btf__type_cnt(k.types.some);
	assert_int_equal(kernel_types_write(&k.types), 0);
	assert_null(k.types.some);
	read = btf__parse(k.types.path, NULL);
	assert_non_null(read);
	assert_int_equal(btf__type_cnt(read), n);
	assert_int_equal(type_of(read, "far", BTF_KIND_STRUCT)->size, 8);
	btf__free(read);
	kernel_types_close(&k.types);
}

static void cannot_be_written(void **state)
{
	struct kernel k;

	(void)state;
	select_structs(&k, "thing", "far");
	close(k.types.fd);
	assert_int_equal(kernel_types_write(&k.types), -EBADF);
	k.types.fd = -1;
	kernel_types_close(&k.types);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(with_what_is_embedded),
	    cmocka_unit_test(all_of_a_name),
	    cmocka_unit_test(numbers_of_the_kernel),
	    cmocka_unit_test(as_a_file),
	    cmocka_unit_test(cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
