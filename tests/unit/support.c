// SPDX-License-Identifier: Apache-2.0
/* Helpers of the unit tests; see support.h. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct edge edge_copy(const void *p, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t body = (len + page - 1) / page * page;
	struct edge edge = {.len = len, .map_len = body + page};

	edge.map =
	    mmap(NULL, edge.map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(edge.map, MAP_FAILED);
	assert_int_equal(mprotect((char *)edge.map + body, page, PROT_NONE), 0);
	edge.p = (char *)edge.map + body - len;
	if (len)
		memcpy(edge.p, p, len);
	return edge;
}

void edge_free(struct edge *edge)
{
	munmap(edge->map, edge->map_len);
}

char *test_data(const char *name)
{
	char path[4096];
	char *text;
	long size;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", TEST_DATA, name);
	f = fopen(path, "rb");
	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	size = ftell(f);
	assert_true(size >= 0);
	rewind(f);
	text = malloc((size_t)size + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)size, f), (size_t)size);
	text[size] = '\0';
	fclose(f);
	return text;
}
