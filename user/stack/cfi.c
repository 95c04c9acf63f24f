// SPDX-License-Identifier: Apache-2.0
/* Entries of unwind tables; see cfi.h. The programs in them are run in cfi_row.c. */
#include "stack/cfi.h"

#include <dwarf.h>
#include <errno.h>

#include "stack/cursor.h"

int cfi_entry(struct sv bytes, enum cfi_kind kind, struct cfi_entry *ret_entry)
{
	struct cursor c = cursor_from(bytes.p, bytes.len);
	uint64_t length = cursor_number(&c, 4), id, id_place;
	unsigned width = 4;

	if (length == 0xffffffff) {
		length = cursor_number(&c, 8);
		width = kind == CFI_KIND_EH_FRAME ? 4 : 8;
	}
	if (length == 0 && kind == CFI_KIND_EH_FRAME && !c.bad)
		return -ENOENT;
	id_place = (uint64_t)((const char *)c.p - bytes.p);
	id = cursor_number(&c, width);
	if (c.bad || length < width || length > UINT64_MAX - id_place)
		return -EBADMSG;
	*ret_entry = (struct cfi_entry){
	    .size = id_place + length,
	    .body = id_place + width,
	};
	if (kind == CFI_KIND_EH_FRAME) {
		ret_entry->is_common = id == 0;
		ret_entry->common = id - id_place;
	} else {
		ret_entry->is_common = id == (width == 8 ? UINT64_MAX : 0xffffffff);
		ret_entry->common = id;
	}
	return 0;
}

/* A pointer as DW_EH_PE_* says; address: of the first byte that the cursor had. */
static uint64_t encoded(
    struct cursor *c, const void *first, uint64_t address, uint8_t encoding, bool relative)
{
	uint64_t here = address + (uint64_t)(c->p - (const uint8_t *)first), value = 0;

	switch (encoding & 0x0f) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		value = cursor_number(c, 8);
		break;
	case DW_EH_PE_udata4:
		value = cursor_number(c, 4);
		break;
	case DW_EH_PE_sdata4:
		value = (uint64_t)cursor_signed(c, 4);
		break;
	case DW_EH_PE_udata2:
		value = cursor_number(c, 2);
		break;
	case DW_EH_PE_sdata2:
		value = (uint64_t)cursor_signed(c, 2);
		break;
	case DW_EH_PE_uleb128:
		value = cursor_uleb(c);
		break;
	case DW_EH_PE_sleb128:
		value = (uint64_t)cursor_sleb(c);
		break;
	default:
		c->bad = true;
	}
	if (!relative || (encoding & 0x70) == DW_EH_PE_absptr)
		return value;
	if ((encoding & 0x70) != DW_EH_PE_pcrel || (encoding & DW_EH_PE_indirect))
		c->bad = true;
	return here + value;
}

/* What the letters of an augmentation string announce. */
static void take_augmentation(struct cursor *c, const char *letters, struct cfi_common *common)
{
	for (; *letters && !c->bad; letters++) {
		uint8_t encoding;

		switch (*letters) {
		case 'L':
			cursor_number(c, 1);
			break;
		case 'R':
			common->pointers = (uint8_t)cursor_number(c, 1);
			break;
		case 'P': /* the personality routine; where it is does not matter */
			encoding = (uint8_t)cursor_number(c, 1);
			if ((encoding & 0x70) == DW_EH_PE_aligned)
				c->bad = true;
			encoded(c, c->p, 0, encoding, false);
			break;
		case 'S':
			common->signal = true;
			break;
		case 'B': /* arm64: return addresses are signed with key B */
		case 'G': /* arm64: memory tags */
			break;
		default: /* its size says where it ends, what it says is not known */
			return;
		}
	}
}

int cfi_common(struct sv bytes, enum cfi_kind kind, struct cfi_common *ret_common)
{
	struct cfi_common common = {.kind = kind, .pointers = DW_EH_PE_absptr};
	struct cfi_entry entry;
	struct cursor c;
	const char *letters;
	uint8_t version;

	if (cfi_entry(bytes, kind, &entry) || !entry.is_common || entry.size > bytes.len)
		return -EBADMSG;
	c = cursor_from(bytes.p + entry.body, entry.size - entry.body);
	version = (uint8_t)cursor_number(&c, 1);
	letters = cursor_string(&c);
	if (!letters || (version != 1 && version != 3 && version != 4))
		return -EBADMSG;
	if (version == 4 && (cursor_number(&c, 1) != 8 || cursor_number(&c, 1) != 0))
		return -EBADMSG; /* sizes of an address and of a segment selector */
	common.code_factor = cursor_uleb(&c);
	common.data_factor = cursor_sleb(&c);
	common.return_register = version == 1 ? cursor_number(&c, 1) : cursor_uleb(&c);
	if (letters[0] == 'z') {
		uint64_t size = cursor_uleb(&c);
		const uint8_t *data = cursor_take(&c, size);
		struct cursor inner = cursor_from(data, data ? (size_t)size : 0);

		common.sized = true;
		take_augmentation(&inner, letters + 1, &common);
		c.bad = c.bad || inner.bad;
	} else if (letters[0]) {
		return -EBADMSG; /* where the program begins is not known */
	}
	if (c.bad)
		return -EBADMSG;
	common.program = sv_from(c.p, cursor_left(&c));
	*ret_common = common;
	return 0;
}

int cfi_function(struct sv bytes, uint64_t address, const struct cfi_common *common,
    struct cfi_function *ret_function)
{
	struct cfi_entry entry;
	struct cursor c;
	uint64_t start, size;

	if (cfi_entry(bytes, common->kind, &entry) || entry.is_common || entry.size > bytes.len)
		return -EBADMSG;
	c = cursor_from(bytes.p + entry.body, entry.size - entry.body);
	start = encoded(&c, bytes.p, address, common->pointers, true);
	size = encoded(&c, bytes.p, address, common->pointers, false);
	if (common->sized)
		cursor_take(&c, cursor_uleb(&c));
	if (c.bad || !size || size > UINT64_MAX - start)
		return -EBADMSG;
	*ret_function = (struct cfi_function){
	    .start = start,
	    .end = start + size,
	    .program = sv_from(c.p, cursor_left(&c)),
	};
	return 0;
}
