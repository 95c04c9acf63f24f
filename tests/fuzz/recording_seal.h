/* SPDX-License-Identifier: Apache-2.0 */
/* Puts a recording's checksums right, or a fuzzer would never reach what is behind them. */
#ifndef ZS_TESTS_RECORDING_SEAL_H
#define ZS_TESTS_RECORDING_SEAL_H

#include <string.h>
#include <zlib.h>

#include "ingest/recording.h"

static inline void recording_seal(uint8_t *data, size_t size)
{
	struct recording_head head;
	struct recording_block block;
	size_t at = sizeof(head);

	if (size < sizeof(head))
		return;
	memcpy(&head, data, sizeof(head));
	head.crc = (uint32_t)crc32(0, data, offsetof(struct recording_head, crc));
	memcpy(data, &head, sizeof(head));
	while (size - at >= sizeof(block)) {
		memcpy(&block, data + at, sizeof(block));
		if (block.bytes > size - at - sizeof(block))
			return;
		block.crc = (uint32_t)crc32(0, data + at + offsetof(struct recording_block, bytes),
		    (uInt)(sizeof(block) - offsetof(struct recording_block, bytes) + block.bytes));
		memcpy(data + at, &block, sizeof(block));
		at += sizeof(block) + block.bytes;
	}
}

#endif
