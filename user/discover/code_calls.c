// SPDX-License-Identifier: Apache-2.0
/* Calls in machine code; see code_calls.h. Encodings: Intel SDM volume 2; Arm Architecture Reference Manual, chapter C6. */
#include "discover/code_calls.h"

static uint32_t read_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The call or jump whose opcode is at p[at]; its length, 0 for none. */
static size_t x86_call(const struct code_text *text, size_t at, struct code_call *call)
{
	const uint8_t *p = text->bytes + at;
	size_t left = text->len - at, opcode = p[0] == 0xff ? 2 : 1;

	if (left < opcode + 4)
		return 0;
	if (p[0] != 0xe8 && p[0] != 0xe9 && !(p[0] == 0xff && (p[1] == 0x15 || p[1] == 0x25)))
		return 0;
	call->through_word = opcode == 2;
	call->target =
	    text->address + at + opcode + 4 + (uint64_t)(int64_t)(int32_t)read_le32(p + opcode);
	return opcode + 4;
}

/* bl and b. */
static size_t arm64_call(const struct code_text *text, size_t at, struct code_call *call)
{
	uint32_t insn;

	if (at % 4 || text->len - at < 4)
		return 0;
	insn = read_le32(text->bytes + at);
	if ((insn & 0x7c000000) != 0x14000000)
		return 0;
	call->through_word = false;
	call->target = text->address + at + (uint64_t)((int64_t)(int32_t)(insn << 6) >> 4);
	return 4;
}

bool code_next_call(const struct code_text *text, size_t *at, struct code_call *ret_call)
{
	struct code_call call = {0};

	for (size_t i = *at; i < text->len; i++) {
		size_t len = text->machine == ELF_MACHINE_X86_64 ? x86_call(text, i, &call)
		    : text->machine == ELF_MACHINE_AARCH64       ? arm64_call(text, i, &call)
								 : 0;

		if (!len || (!call.through_word && call.target - text->address < text->len))
			continue;
		call.at = i;
		call.next = i + len;
		*ret_call = call;
		*at = i + 1; /* what was taken for a call may hide one */
		return true;
	}
	*at = text->len;
	return false;
}

/* endbr64 and a bnd prefix may stand before the jump. */
static bool x86_plt_word(const struct code_text *entry, uint64_t *ret_word)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	struct code_call call = {0};
	size_t at = 0;

	while (at < sizeof(endbr64) && at < entry->len && entry->bytes[at] == endbr64[at])
		at++;
	if (at % sizeof(endbr64))
		return false;
	if (at < entry->len && entry->bytes[at] == 0xf2)
		at++;
	if (at >= entry->len || entry->bytes[at] != 0xff || !x86_call(entry, at, &call))
		return false;
	*ret_word = call.target;
	return true;
}

/* [bti c;] adrp x16, page; ldr x17, [x16, #offset]; add x16, x16, #offset; br x17 */
static bool arm64_plt_word(const struct code_text *entry, uint64_t *ret_word)
{
	uint64_t at = 0, page;
	uint32_t adrp, ldr;

	if (entry->len >= 4 && read_le32(entry->bytes) == 0xd503245f)
		at = 4;
	if (entry->len < at + 16)
		return false;
	adrp = read_le32(entry->bytes + at);
	ldr = read_le32(entry->bytes + at + 4);
	if ((adrp & 0x9f00001f) != 0x90000010 || (ldr & 0xffc003ff) != 0xf9400211 ||
	    read_le32(entry->bytes + at + 12) != 0xd61f0220)
		return false;
	page = (uint64_t)((adrp >> 5 & 0x7ffff) << 2 | (adrp >> 29 & 3)) << 12;
	if (page & 1ull << 32)
		page -= 1ull << 33;
	*ret_word = ((entry->address + at) & ~0xfffull) + page + (uint64_t)(ldr >> 10 & 0xfff) * 8;
	return true;
}

bool code_plt_word(const struct code_text *entry, uint64_t *ret_word)
{
	if (entry->machine == ELF_MACHINE_X86_64)
		return x86_plt_word(entry, ret_word);
	return entry->machine == ELF_MACHINE_AARCH64 && arm64_plt_word(entry, ret_word);
}

bool code_begins_with_jump(const struct code_text *text, uint64_t *ret_target)
{
	struct code_call call = {0};
	const uint8_t *p = text->bytes;
	bool is = false;

	if (text->machine == ELF_MACHINE_X86_64 && text->len >= 2 && p[0] == 0xeb) {
		call.target = text->address + 2 + (uint64_t)(int64_t)(int8_t)p[1];
		is = true;
	} else if (text->machine == ELF_MACHINE_X86_64) {
		is = text->len && p[0] == 0xe9 && x86_call(text, 0, &call);
	} else if (text->machine == ELF_MACHINE_AARCH64) {
		is = text->len >= 4 && p[3] >> 2 == 0x14 >> 2 && arm64_call(text, 0, &call);
	}
	if (is)
		*ret_target = call.target;
	return is;
}

/* call *r/m: ff /2, the operand a register, or memory with and without displacement and index */
static bool x86_ends_with_indirect_call(const uint8_t *end, size_t len)
{
	for (size_t n = 2; n <= len && n <= CODE_CALL_MAX; n++) {
		const uint8_t *p = end - n;
		unsigned mod = p[1] >> 6, rm = p[1] & 7;
		bool index = mod != 3 && rm == 4;
		bool no_base = mod == 0 && index && n > 2 && (p[2] & 7) == 5;
		size_t displacement = mod == 1 ? 1 : mod == 2 || no_base ? 4 : 0;

		if (mod == 0 && rm == 5) /* the word at a distance from here, which is known */
			continue;
		if (p[0] == 0xff && (p[1] >> 3 & 7) == 2 && n == 2 + index + displacement)
			return true;
	}
	return false;
}

static bool x86_ends_with_call(const struct code_text *text, struct code_return *ret)
{
	const uint8_t *end = text->bytes + text->len;
	struct code_call call = {0};

	if (text->len >= 5 && end[-5] == 0xe8 && x86_call(text, text->len - 5, &call))
		ret->target = call.target;
	if (text->len >= 6 && end[-6] == 0xff && end[-5] == 0x15 &&
	    x86_call(text, text->len - 6, &call))
		ret->word = call.target;
	ret->any = x86_ends_with_indirect_call(end, text->len);
	return ret->target || ret->word || ret->any;
}

/* bl; blr and its forms that check a signature */
static bool arm64_ends_with_call(const struct code_text *text, struct code_return *ret)
{
	struct code_text last = {.machine = text->machine, .len = 4};
	struct code_call call = {0};
	uint32_t insn;

	if (text->len < last.len || (text->address + text->len) % last.len)
		return false;
	last.address = text->address + text->len - last.len;
	last.bytes = text->bytes + text->len - last.len;
	insn = read_le32(last.bytes);
	if ((insn & 0xfc000000) == 0x94000000 && arm64_call(&last, 0, &call))
		ret->target = call.target;
	ret->any = (insn & 0xfefff000) == 0xd63f0000;
	return ret->target || ret->any;
}

bool code_ends_with_call(const struct code_text *text, struct code_return *ret_return)
{
	struct code_return found = {0};
	bool is = text->machine == ELF_MACHINE_X86_64 ? x86_ends_with_call(text, &found)
	    : text->machine == ELF_MACHINE_AARCH64    ? arm64_ends_with_call(text, &found)
						      : false;

	if (is)
		*ret_return = found;
	return is;
}
