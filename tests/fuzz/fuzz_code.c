// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as machine code of either instruction set: an instruction's length is within it and does not
 * depend on what follows, and what is said of a function stays inside it.
 */
#include <errno.h>

#include "discover/code_calls.h"
#include "discover/insn_text.h"
#include "discover/sqlite_code.h"
#include "discover/x86_insn.h"
#include "fuzz.h"

static void check_insn(struct sv code)
{
	struct x86_insn insn = {0}, again = {0};
	int written = -2;
	struct sv part;

	if (!x86_insn_decode((const uint8_t *)code.p, code.len, &insn))
		return;
	REQUIRE(insn.len >= 1 && insn.len <= 15 && insn.len <= code.len);
	REQUIRE(!insn.memory || insn.has_modrm);
	if (x86_insn_writes(&insn, &written))
		REQUIRE(written >= X86_NONE && written < 16 && !x86_insn_is_branch(&insn));
	part = fuzz_copy(code.p, insn.len);
	REQUIRE(x86_insn_decode((const uint8_t *)part.p, part.len, &again));
	REQUIRE(memcmp(&insn, &again, sizeof(insn)) == 0);
	fuzz_free(part);
	part = fuzz_copy(code.p, insn.len - 1);
	REQUIRE(!x86_insn_decode((const uint8_t *)part.p, part.len, &again));
	fuzz_free(part);
}

static void check_text(enum elf_machine machine, struct sv code)
{
	char text[INSN_TEXT_MAX];
	size_t len = insn_text(machine, (const uint8_t *)code.p, code.len, text);

	REQUIRE(len <= 15 && len <= code.len && strnlen(text, sizeof(text)) < sizeof(text));
	REQUIRE(len || !*text);
}

static void check_function(enum elf_machine machine, struct sv code)
{
	const uint8_t *p = (const uint8_t *)code.p;
	int64_t target;
	uint32_t offset = 1;
	bool cheap = false;
	size_t probe;
	int err = sqlite_code_field(machine, p, code.len, &offset);

	REQUIRE(err == 0 || (err == -ENOTSUP && offset == 1));
	REQUIRE(err || (offset % 8 == 0 && offset < 4096));
	offset = 1;
	err = sqlite_code_byte(machine, p, code.len, &offset);
	REQUIRE(err == 0 || (err == -ENOTSUP && offset == 1));
	REQUIRE(err || (offset > 0 && offset < 4096));
	offset = 1;
	err = sqlite_code_tested(machine, p, code.len, &offset);
	REQUIRE(err == 0 || (err == -ENOTSUP && offset == 1));
	REQUIRE(err || (offset % 8 == 0 && offset > 0 && offset < 4096));
	offset = 1;
	err = sqlite_code_word(machine, p, code.len, &offset);
	REQUIRE(err == 0 || (err == -ENOTSUP && offset == 1));
	REQUIRE(err || (offset > 0 && offset < 4096 && offset % 4 == 0));
	if (sqlite_code_wraps(machine, p, code.len, &target))
		REQUIRE(machine == ELF_MACHINE_X86_64 && code.len >= 6);
	for (int arguments = 1; arguments <= 3; arguments++) {
		probe = sqlite_code_probe_offset(machine, p, code.len, arguments, &cheap);
		REQUIRE(probe == 0 || (cheap && probe < code.len));
		REQUIRE(probe == 0 || machine == ELF_MACHINE_X86_64 || probe % 4 == 0);
		if (probe == 0)
			REQUIRE(cheap == sqlite_code_entry_is_cheap(machine, p, code.len));
	}
}

/* What ends with a call depends on the last bytes only, what begins with a jump on the first. */
static void check_calls(enum elf_machine machine, struct sv code)
{
	struct code_text text = {machine, 0x10000, (const uint8_t *)code.p, code.len}, part = text;
	struct code_return r = {0}, again = {0};
	uint64_t target = 1, same = 1;
	bool ends = code_ends_with_call(&text, &r), begins = code_begins_with_jump(&text, &target);

	REQUIRE(ends == (r.target || r.word || r.any));
	REQUIRE(begins || target == 1);
	if (code.len > CODE_CALL_MAX) {
		part.bytes += code.len - CODE_CALL_MAX;
		part.address += code.len - CODE_CALL_MAX;
		part.len = CODE_CALL_MAX;
		REQUIRE(code_ends_with_call(&part, &again) == ends);
		REQUIRE(r.target == again.target && r.word == again.word && r.any == again.any);
		text.len = CODE_CALL_MAX;
		REQUIRE(code_begins_with_jump(&text, &same) == begins && same == target);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv code = fuzz_copy(data, size);

	check_insn(code);
	check_text(ELF_MACHINE_X86_64, code);
	check_text(ELF_MACHINE_AARCH64, code);
	check_function(ELF_MACHINE_X86_64, code);
	check_calls(ELF_MACHINE_X86_64, code);
	check_calls(ELF_MACHINE_AARCH64, code);
	check_function(ELF_MACHINE_AARCH64, code);
	check_function(ELF_MACHINE_OTHER, code);
	fuzz_free(code);
	return 0;
}
