// SPDX-License-Identifier: Apache-2.0
/* Calls on a stack and in code; see seam_calls.h. */
#include "stack/seam_calls.h"

#include "stack/unwind.h"

enum {
	CHUNK = 4096, /* bytes of code read at a time */
	PLT_ENTRY = 24,
};

bool seam_spend(const struct walk *w, unsigned work)
{
	if (*w->seam_work < work)
		return false;
	*w->seam_work -= work;
	return true;
}

/* --- what was called ------------------------------------------------------------------------------ */

/* Up to CODE_CALL_MAX bytes in front of an address, as the file has them. */
bool seam_call_before(const struct walk *w, uint64_t address, const struct space_place *place,
    struct code_return *ret_return)
{
	uint8_t bytes[CODE_CALL_MAX];
	uint64_t end = place->address + 1;
	struct code_text text = {
	    .machine = elf_machine_host(), .bytes = bytes, .len = sizeof(bytes)};
	bool read;

	if (place->binary)
		read = image_read_address(binary_image(place->binary), end - sizeof(bytes), bytes,
			   sizeof(bytes)) == sizeof(bytes);
	else
		read = space_read(w->space, address - sizeof(bytes), bytes, sizeof(bytes));
	text.address = end - sizeof(bytes);
	return read && code_ends_with_call(&text, ret_return);
}

/* A word of the process as it is now; 0 when it cannot be read. */
static uint64_t read_word(const struct walk *w, uint64_t address)
{
	uint64_t value;

	return space_read(w->space, address, &value, sizeof(value)) ? value : 0;
}

/* Through an entry of the PLT to the function itself; 0 when that cannot be seen. */
static uint64_t follow_plt(const struct walk *w, const struct space_place *from, uint64_t target)
{
	uint8_t bytes[PLT_ENTRY];
	struct code_text entry = {.machine = elf_machine_host(), .address = target, .bytes = bytes};
	uint64_t word;

	entry.len = image_read_address(binary_image(from->binary), target, bytes, sizeof(bytes));
	if (!code_plt_word(&entry, &word))
		return from->load + target;
	return read_word(w, from->load + word);
}

/* What is called, in the process; 0: not known. place: of the call. */
uint64_t seam_callee(
    const struct walk *w, const struct space_place *place, const struct code_return *r)
{
	if (!place->binary)
		return 0;
	if (r->target)
		return follow_plt(w, place, r->target);
	return r->word ? read_word(w, place->load + r->word) : 0;
}

/* --- calls that fit ------------------------------------------------------------------------------- */

/* Whether a function that stopped at a call has its return address in the slot. */
static bool fits(const struct walk *w, const struct seam_slot *slot, const struct cfi_found *found,
    uint64_t address, struct registers *ret_beyond)
{
	const struct register_roles *roles = register_roles_of(elf_machine_host());
	struct registers to = w->registers;
	struct stack_copy copy = w->copy;
	const struct cfi_register *saved;
	struct cfi_row row;
	uint64_t sp;

	if (found->common.return_register >= FRAME_REGISTERS ||
	    cfi_row(&found->common, &found->function, address - 1, &row))
		return false;
	saved = &row.registers[found->common.return_register];
	if (saved->rule != CFI_RULE_OFFSET ||
	    unwind_by_rules(elf_machine_host(), &found->common, &row, &copy, &to) != 1 ||
	    !register_get(&to, roles->sp, &sp) || sp + (uint64_t)saved->value != slot->at)
		return false;
	*ret_beyond = to;
	return true;
}

static void agree(struct registers *all, const struct registers *one)
{
	for (unsigned i = 0; i < FRAME_REGISTERS; i++)
		if (all->value[i] != one->value[i])
			all->valid &= ~(1U << i);
	all->valid &= one->valid;
}

static void count_call(const struct walk *w, const struct space_place *place, uint64_t next,
    const struct code_return *r, struct seam_calls *calls)
{
	uint64_t called = w->called ? seam_callee(w, place, r) : 0;

	if (called && called == w->called) {
		calls->probed++;
		calls->last_probed = place->load + next;
	} else if (!called || r->any) {
		calls->unknown++;
	} else {
		calls->other++;
	}
}

static void take_call(struct walk *w, const struct seam_slot *slot, const struct space_place *place,
    const struct cfi_found *found, const struct code_text *text, struct seam_calls *calls)
{
	struct registers beyond;
	struct code_return r;
	uint64_t next = text->address + text->len;

	if (!code_ends_with_call(text, &r) || !seam_spend(w, 1) ||
	    !fits(w, slot, found, next, &beyond))
		return;
	if (calls->probed + calls->unknown + calls->other)
		agree(&calls->beyond, &beyond);
	else
		calls->beyond = beyond;
	count_call(w, place, next, &r, calls);
}

/* Where a function's code ends, as far as it is looked at. */
static uint64_t code_end(const struct cfi_function *function)
{
	uint64_t size = function->end - function->start;

	return function->start + (size < SEAM_CODE_MAX ? size : SEAM_CODE_MAX);
}

/*
 * Code from an address on, and what is in front of it for the first call. place: of the function's
 * start.
 */
static size_t read_chunk(const struct space_place *place, uint64_t from, uint64_t end,
    uint8_t bytes[CODE_CALL_MAX + CHUNK], uint64_t *ret_first)
{
	uint64_t before = from == place->address ? 0 : CODE_CALL_MAX;
	uint64_t len = (end - from < CHUNK ? end - from : CHUNK) + before;

	*ret_first = from - before;
	return image_read_address(binary_image(place->binary), *ret_first, bytes, (size_t)len);
}

/* A function that begins there and has an unwind table. */
static bool find_function(
    struct walk *w, uint64_t start, struct space_place *ret_place, struct cfi_found *ret_found)
{
	return start && space_find(w->space, start, ret_place) && ret_place->binary &&
	    binary_find_rules(ret_place->binary, &ret_place->user, ret_place->address, w->memory,
		ret_found) == 0 &&
	    ret_found->function.start == ret_place->address;
}

/* The calls in the function that was called. */
struct seam_calls seam_calls_of(struct walk *w, const struct seam_slot *slot)
{
	uint8_t bytes[CODE_CALL_MAX + CHUNK];
	struct code_text text = {.machine = elf_machine_host()};
	struct seam_calls calls = {0};
	struct space_place place;
	struct cfi_found found;
	uint64_t end, first;

	if (!find_function(w, slot->called, &place, &found))
		return calls;
	calls.table = true;
	end = code_end(&found.function);
	for (uint64_t from = place.address; from < end; from += CHUNK) {
		size_t len = read_chunk(&place, from, end, bytes, &first);

		for (size_t n = (size_t)(from - first) + 1; n <= len; n++) {
			size_t before = n < CODE_CALL_MAX ? n : CODE_CALL_MAX;

			text.bytes = bytes + n - before;
			text.address = first + n - before;
			text.len = before;
			take_call(w, slot, &place, &found, &text, &calls);
		}
	}
	return calls;
}

/* Where a function jumps to, in the process. Returns how many there are in targets. */
static size_t find_jumps(struct walk *w, uint64_t called, uint64_t targets[SEAM_JUMPS_MAX])
{
	uint8_t bytes[CODE_CALL_MAX + CHUNK];
	struct space_place place;
	struct cfi_found found;
	uint64_t end, first, target;
	size_t n = 0;

	if (!find_function(w, called, &place, &found))
		return 0;
	end = code_end(&found.function);
	for (uint64_t from = place.address; from < end; from += CHUNK) {
		size_t len = read_chunk(&place, from, end, bytes, &first);

		for (size_t i = 0; i < len && n < SEAM_JUMPS_MAX; i++) {
			struct code_text text = {.machine = elf_machine_host(),
			    .address = first + i,
			    .bytes = bytes + i,
			    .len = len - i};

			if (code_begins_with_jump(&text, &target) &&
			    (target < found.function.start || target >= found.function.end))
				targets[n++] = follow_plt(w, &place, target);
		}
	}
	return n;
}

/*
 * The calls in the function that was called or else in one that it jumps to, which then is the
 * one.
 */
struct seam_calls seam_calls_fitting(struct walk *w, struct seam_slot *slot)
{
	uint64_t targets[SEAM_JUMPS_MAX];
	struct seam_calls calls = seam_calls_of(w, slot);
	size_t n;

	if (!calls.table || calls.probed + calls.unknown + calls.other)
		return calls;
	n = find_jumps(w, slot->called, targets);
	for (size_t i = 0; i < n; i++) {
		struct seam_slot other = *slot;

		other.called = targets[i];
		calls = seam_calls_of(w, &other);
		if (calls.probed + calls.unknown) {
			*slot = other;
			break;
		}
	}
	return calls;
}
