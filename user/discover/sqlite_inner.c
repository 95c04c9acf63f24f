// SPDX-License-Identifier: Apache-2.0
/* Who calls whom inside a copy of SQLite; see sqlite_inner.h. */
#include "discover/sqlite_inner.h"

#include "discover/code_calls.h"
#include "discover/sqlite_code.h"

enum {
	CODE_MAX = 8192,   /* the longest looked at, sqlite3_exec of gcc -O3, has 3 KiB */
	TARGETS_MAX = 256, /* of one function */
	PLT_BYTES = 24,    /* the longest entry of a PLT, with its landing pad */
	HELPER_BYTES = 96, /* VDBE finalize has 40 to 80 */
};

/* A function that may be called, also through words that hold its address. */
struct callee {
	uint64_t address;
	struct elf_slots slots;
};

/* The code of a function. */
struct body {
	struct elf_file *file;
	uint64_t offset; /* in the file */
	struct code_text text;
	uint8_t bytes[CODE_MAX];
};

/* Targets of the direct calls of one function. */
struct targets {
	uint64_t items[TARGETS_MAX];
	size_t n;
};

static bool body_read(struct elf_file *file, const struct elf_function *function, struct body *body)
{
	int len = function->offset ? elf_file_read(file, function, body->bytes, CODE_MAX) : 0;

	body->file = file;
	body->offset = function->offset;
	body->text = (struct code_text){
	    .machine = elf_file_machine(file),
	    .address = elf_file_code_address(file, function->offset),
	    .bytes = body->bytes,
	    .len = len > 0 ? (size_t)len : 0,
	};
	return body->text.len > 0;
}

/* An inner function has no symbol that tells its size: what may lie behind it is read with it. */
static bool helper_read(const struct body *caller, uint64_t address, size_t max, struct body *body)
{
	struct elf_function function = {
	    .offset = caller->offset + (address - caller->text.address), .size = max};

	return body_read(caller->file, &function, body);
}

/* The word through which an entry of the PLT jumps; false when the target is none. */
static bool plt_word(const struct body *caller, uint64_t target, uint64_t *ret_word)
{
	struct elf_function function = {
	    .offset = caller->offset + (target - caller->text.address), .size = PLT_BYTES};
	uint8_t bytes[PLT_BYTES];
	int len = elf_file_read(caller->file, &function, bytes, sizeof(bytes));
	struct code_text entry = {caller->text.machine, target, bytes, len > 0 ? (size_t)len : 0};

	return code_plt_word(&entry, ret_word);
}

static bool is_call_to(
    const struct body *caller, const struct code_call *call, const struct callee *callee)
{
	uint64_t word = call->target;

	if (!call->through_word && call->target == callee->address)
		return true;
	if (!callee->slots.address[0] ||
	    (!call->through_word && !plt_word(caller, call->target, &word)))
		return false;
	return word == callee->slots.address[0] || word == callee->slots.address[1];
}

static bool calls(const struct body *caller, const struct callee *callee)
{
	struct code_call call;
	size_t at = 0;

	while (callee->address && code_next_call(&caller->text, &at, &call))
		if (is_call_to(caller, &call, callee))
			return true;
	return false;
}

/* --- what prepares inside sqlite3_exec ----------------------------------------------------------- */

/* The call in exec that both prepare functions make; only one of a kind is beyond doubt. */
static void find_prepare(const struct body *exec, const struct body *v2, const struct body *v3,
    struct sqlite_inner *inner)
{
	struct code_call call, found = {0};
	size_t at = 0, n = 0;
	uint64_t word;

	while (code_next_call(&exec->text, &at, &call)) {
		struct callee callee = {.address = call.target};

		if (call.through_word || !calls(v2, &callee) || !calls(v3, &callee) ||
		    plt_word(exec, call.target, &word))
			continue;
		found = call;
		n++;
	}
	if (n != 1)
		return;
	inner->prepare_call = exec->offset + found.at;
	inner->prepare_next = exec->offset + found.next;
	inner->prepare_next_cheap = sqlite_code_entry_is_cheap(
	    exec->text.machine, exec->bytes + found.next, exec->text.len - found.next);
}

/* --- what prepares everywhere -------------------------------------------------------------------- */

/* Of a function that does nothing but call it; 0: it does more. */
static uint64_t wrapped_by(const struct body *body)
{
	int64_t target;

	if (!sqlite_code_wraps(body->text.machine, body->bytes, body->text.len, &target))
		return 0;
	return body->text.address + (uint64_t)target;
}

static void find_lock_and_prepare(
    struct elf_file *file, const struct sqlite_outer *outer, struct sqlite_inner *inner)
{
	struct body v2, v3;
	uint64_t address, word;

	if (!body_read(file, &outer->prepare_v2, &v2))
		return;
	address = wrapped_by(&v2);
	if (!address || plt_word(&v2, address, &word))
		return;
	if (outer->prepare_v3.offset &&
	    (!body_read(file, &outer->prepare_v3, &v3) || wrapped_by(&v3) != address))
		return;
	inner->prepare = (struct elf_function){
	    .offset = v2.offset + (address - v2.text.address), .size = SQLITE_CODE_BYTES};
}

/* --- what deletes statements --------------------------------------------------------------------- */

static bool targets_have(const struct targets *targets, uint64_t target)
{
	for (size_t i = 0; i < targets->n; i++)
		if (targets->items[i] == target)
			return true;
	return false;
}

static void targets_of(const struct body *caller, struct targets *targets)
{
	struct code_call call;
	size_t at = 0;

	targets->n = 0;
	while (targets->n < TARGETS_MAX && code_next_call(&caller->text, &at, &call))
		if (!call.through_word && !targets_have(targets, call.target))
			targets->items[targets->n++] = call.target;
}

/* Whose calls tell: functions of the interface, and those that exec calls. */
struct family {
	const struct body *exec;
	struct targets exec_calls, finalize_calls, reset_calls;
	struct body scratch;
};

/* Does a function that exec calls, and finalize does not, call it behind a reset? That is VDBE finalize. */
static bool deleted_by_helper(struct family *family, uint64_t candidate)
{
	for (size_t i = 0; i < family->exec_calls.n; i++) {
		uint64_t target = family->exec_calls.items[i];
		struct targets helper_calls;
		bool resets = false;

		if (targets_have(&family->finalize_calls, target) ||
		    !helper_read(family->exec, target, HELPER_BYTES, &family->scratch))
			continue;
		targets_of(&family->scratch, &helper_calls);
		for (size_t k = 0; k < helper_calls.n; k++)
			resets |= targets_have(&family->finalize_calls, helper_calls.items[k]) &&
			    targets_have(&family->reset_calls, helper_calls.items[k]);
		if (resets && targets_have(&helper_calls, candidate))
			return true;
	}
	return false;
}

/* The one that finalize calls and reset does not, that exec comes to, and that looks into a statement. */
static uint64_t find_delete(struct family *family, uint32_t db_offset)
{
	uint64_t found = 0;

	for (size_t i = 0; i < family->finalize_calls.n; i++) {
		uint64_t candidate = family->finalize_calls.items[i];

		if (targets_have(&family->reset_calls, candidate) ||
		    !helper_read(family->exec, candidate, SQLITE_CODE_BYTES, &family->scratch) ||
		    !sqlite_code_reads_field(family->scratch.text.machine, family->scratch.bytes,
			family->scratch.text.len, db_offset))
			continue;
		if (!targets_have(&family->exec_calls, candidate) &&
		    !deleted_by_helper(family, candidate))
			continue;
		if (found)
			return 0;
		found = candidate;
	}
	return found;
}

static void find_nameless_delete(const struct body *exec, const struct body *finalize,
    const struct body *reset, uint32_t db_offset, struct sqlite_inner *inner)
{
	struct family family = {.exec = exec};
	uint64_t address;

	targets_of(exec, &family.exec_calls);
	targets_of(finalize, &family.finalize_calls);
	targets_of(reset, &family.reset_calls);
	address = find_delete(&family, db_offset);
	if (address)
		inner->vdbe_delete =
		    (struct elf_function){.offset = exec->offset + (address - exec->text.address)};
}

/* --- all ----------------------------------------------------------------------------------------- */

enum {
	STEP,
	PREPARE,
	DELETE,
	FINALIZE,
	N_CALLEES
};

static void name_callees(
    struct elf_file *file, const struct sqlite_outer *outer, struct callee *callees)
{
	static const char *const names[N_CALLEES] = {
	    "sqlite3_step", "sqlite3_prepare_v2", "sqlite3VdbeDelete", "sqlite3VdbeFinalize"};
	const struct elf_function *functions[N_CALLEES] = {
	    &outer->step, &outer->prepare_v2, &outer->vdbe_delete, &outer->vdbe_finalize};
	struct elf_slots slots[N_CALLEES];

	for (int i = 0; i < N_CALLEES; i++)
		slots[i].name = names[i];
	elf_file_find_slots(file, slots, N_CALLEES);
	for (int i = 0; i < N_CALLEES; i++) {
		callees[i].address =
		    functions[i]->offset ? elf_file_code_address(file, functions[i]->offset) : 0;
		callees[i].slots = slots[i];
	}
}

void sqlite_inner_find(
    struct elf_file *file, const struct sqlite_outer *outer, struct sqlite_inner *ret_inner)
{
	struct callee callees[N_CALLEES];
	struct body exec, one, other;

	*ret_inner = (struct sqlite_inner){0};
	find_lock_and_prepare(file, outer, ret_inner);
	if (!body_read(file, &outer->exec, &exec))
		return;
	name_callees(file, outer, callees);
	ret_inner->exec_steps = calls(&exec, &callees[STEP]);
	ret_inner->exec_prepares = calls(&exec, &callees[PREPARE]);
	if (!ret_inner->exec_prepares && body_read(file, &outer->prepare_v2, &one) &&
	    body_read(file, &outer->prepare_v3, &other))
		find_prepare(&exec, &one, &other, ret_inner);
	if (!body_read(file, &outer->finalize, &one))
		return;
	if (calls(&one, &callees[DELETE]) &&
	    (calls(&exec, &callees[DELETE]) ||
		(calls(&exec, &callees[FINALIZE]) &&
		    body_read(file, &outer->vdbe_finalize, &other) &&
		    calls(&other, &callees[DELETE]))))
		ret_inner->vdbe_delete = outer->vdbe_delete;
	else if (body_read(file, &outer->reset, &other))
		find_nameless_delete(&exec, &one, &other, outer->db_offset, ret_inner);
}
