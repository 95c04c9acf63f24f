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
