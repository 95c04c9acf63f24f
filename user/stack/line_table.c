// SPDX-License-Identifier: Apache-2.0
/* Runs line number programs; see line_table.h. Paths: line_file.c. */
#include "stack/line_table.h"

#include <dwarf.h>
#include <errno.h>

#include "stack/line_header.h"

/* The fields behind header_length; c ends with the header. */
static bool read_fields(struct cursor *c, struct line_header *h)
{
	h->instruction = (uint8_t)cursor_number(c, 1);
	h->operations = h->version >= 4 ? (uint8_t)cursor_number(c, 1) : 1;
	cursor_number(c, 1); /* whether a row is a statement by default */
	h->line_base = (int8_t)cursor_number(c, 1);
	h->line_range = (uint8_t)cursor_number(c, 1);
	h->opcode_base = (uint8_t)cursor_number(c, 1);
	if (c->bad || !h->operations || !h->line_range || !h->opcode_base)
		return false;
	h->operands = cursor_take(c, h->opcode_base - 1U);
	h->files = *c;
	return !c->bad;
}

int line_header_read(struct sv line, uint64_t offset, struct line_header *ret_header)
{
	struct line_header h = {.width = 4};
	struct cursor c;
	uint64_t length;
	const uint8_t *start;

	if (offset >= line.len)
		return -ENOENT;
	c = cursor_from(line.p + offset, line.len - (size_t)offset);
	length = cursor_number(&c, 4);
	if (length == 0xffffffff) {
		h.width = 8;
		length = cursor_number(&c, 8);
	}
	if (length > LINE_TABLE_MAX)
		return -EFBIG;
	start = cursor_take(&c, length);
	if (!start)
		return -EBADMSG;
	c = cursor_from(start, (size_t)length);
	h.version = (uint16_t)cursor_number(&c, 2);
	if (h.version < 2 || h.version > 5)
		return -EBADMSG;
	if (h.version == 5 && (cursor_number(&c, 1) != 8 || cursor_number(&c, 1) != 0))
		return -EBADMSG; /* sizes of an address and of a segment selector */
	length = cursor_number(&c, h.width);
	start = cursor_take(&c, length);
	if (!start)
		return -EBADMSG;
	h.program = c;
	c = cursor_from(start, (size_t)length);
	if (!read_fields(&c, &h))
		return -EBADMSG;
	*ret_header = h;
	return 0;
}

/* The registers of the machine that makes rows. */
struct state {
	uint64_t address, operation, file, line;
};

struct run {
	const struct line_header *header;
	struct cursor code;
	uint64_t wanted;
	struct state now, before; /* before: the last row of this sequence */
	bool has_before, found;
};

static void start_sequence(struct run *run)
{
	run->now = (struct state){.file = 1, .line = 1};
	run->has_before = false;
}

/* A row ends what the one before it holds for. */
static void add_row(struct run *run)
{
	if (run->has_before && run->before.address <= run->wanted &&
	    run->wanted < run->now.address) {
		run->found = true;
		return;
	}
	run->before = run->now;
	run->has_before = true;
}

static void advance(struct run *run, uint64_t operations)
{
	const struct line_header *h = run->header;
	uint64_t total = run->now.operation + operations;

	run->now.address += h->instruction * (total / h->operations);
	run->now.operation = total % h->operations;
}

static void run_special(struct run *run, uint8_t opcode)
{
	const struct line_header *h = run->header;
	unsigned adjusted = opcode - h->opcode_base;

	advance(run, adjusted / h->line_range);
	run->now.line += (uint64_t)(int64_t)(h->line_base + (int)(adjusted % h->line_range));
	add_row(run);
}

static void run_extended(struct run *run)
{
	uint64_t len = cursor_uleb(&run->code);
	const uint8_t *bytes = cursor_take(&run->code, len);
	struct cursor c = cursor_from(bytes, bytes ? (size_t)len : 0);

	switch (cursor_number(&c, 1)) {
	case DW_LNE_end_sequence:
		add_row(run);
		if (!run->found)
			start_sequence(run);
		break;
	case DW_LNE_set_address:
		run->now.address = cursor_number(&c, 8);
		run->now.operation = 0;
		run->code.bad = run->code.bad || c.bad;
		break;
	default: /* nothing that an address or a line depends on */
		break;
	}
}

static void run_standard(struct run *run, uint8_t opcode)
{
	const struct line_header *h = run->header;
	struct cursor *c = &run->code;

	switch (opcode) {
	case DW_LNS_copy:
		add_row(run);
		break;
	case DW_LNS_advance_pc:
		advance(run, cursor_uleb(c));
		break;
	case DW_LNS_advance_line:
		run->now.line += (uint64_t)cursor_sleb(c);
		break;
	case DW_LNS_set_file:
		run->now.file = cursor_uleb(c);
		break;
	case DW_LNS_const_add_pc:
		advance(run, (255U - h->opcode_base) / h->line_range);
		break;
	case DW_LNS_fixed_advance_pc:
		run->now.address += cursor_number(c, 2);
		run->now.operation = 0;
		break;
	default: /* of no interest, or unknown: its operands are skipped */
		for (uint8_t i = 0; i < h->operands[opcode - 1]; i++)
			cursor_uleb(c);
	}
}

int line_table_find(const struct line_sections *sections, uint64_t offset, uint64_t address,
    struct line_row *ret_row)
{
	struct line_header header;
	struct run run = {.header = &header, .wanted = address};
	int err = line_header_read(sections->line, offset, &header);

	if (err)
		return err;
	run.code = header.program;
	start_sequence(&run);
	while (cursor_left(&run.code) && !run.code.bad && !run.found) {
		uint8_t opcode = (uint8_t)cursor_number(&run.code, 1);

		if (opcode >= header.opcode_base)
			run_special(&run, opcode);
		else if (opcode == 0)
			run_extended(&run);
		else
			run_standard(&run, opcode);
	}
	if (!run.found)
		return run.code.bad ? -EBADMSG : -ENOENT;
	*ret_row = (struct line_row){.file = run.before.file, .line = run.before.line};
	return 0;
}
