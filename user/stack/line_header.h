/* SPDX-License-Identifier: Apache-2.0 */
/* Part of line_table: the head of a table, up to its lists of directories and files. */
#ifndef ZS_STACK_LINE_HEADER_H
#define ZS_STACK_LINE_HEADER_H

#include <stdbool.h>

#include "stack/cursor.h"
#include "stack/line_table.h"

struct line_header {
	uint16_t version;    /* 2 to 5 */
	uint8_t width;       /* bytes of an offset: 4 or 8 */
	uint8_t instruction; /* shortest, in bytes */
	uint8_t operations;  /* per instruction, at least 1 */
	int8_t line_base;
	uint8_t line_range;      /* at least 1 */
	uint8_t opcode_base;     /* at least 1 */
	const uint8_t *operands; /* of standard opcodes; opcode_base - 1 numbers */
	struct cursor files;     /* directories and files */
	struct cursor program;
};

int line_header_read(struct sv line, uint64_t offset, struct line_header *ret_header);

#endif
