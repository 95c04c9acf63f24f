// SPDX-License-Identifier: Apache-2.0
/* Search for SQLite's source id; see sqlite_source_id.h. */
#include "discover/sqlite_source_id.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#define SOURCE_ID_DATE "20dd-dd-dd dd:dd:dd " /* d: a digit */

enum {
	CHUNK_BYTES = 1 << 18,
	OVERLAP_BYTES = 128,        /* longer than a source id */
	FILE_BYTES_MAX = 256 << 20, /* larger than any program with SQLite linked in */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool sqlite_source_id_at(struct sv s)
{
	static const char date[] = SOURCE_ID_DATE;
	size_t date_len = sizeof(date) - 1, hex = 0;

	if (s.len < date_len)
		return false;
	for (size_t i = 0; i < date_len; i++)
		if (date[i] == 'd' ? !is_digit(s.p[i]) : s.p[i] != date[i])
			return false;
	s = sv_skip(s, date_len);
	while (hex < s.len && (is_digit(s.p[hex]) || (s.p[hex] >= 'a' && s.p[hex] <= 'f')))
		hex++;
	/* An edited tree ends its hash in "alt1" or "alt2" instead of the last four digits. */
	return hex == 64 || hex == 40 || hex == 61 || hex == 37;
}

static bool has_source_id(struct sv s)
{
	while (s.len) {
		s = sv_skip(s, sv_find(s, '2'));
		if (sqlite_source_id_at(s))
			return true;
		s = sv_skip(s, 1);
	}
	return false;
}

static bool has_file_head(struct sv s)
{
	static const char head[] = "SQLite format 3"; /* with its NUL */

	return s.len && memmem(s.p, s.len, head, sizeof(head));
}

/* The head comes first: it is found, or found missing, at an instruction per byte. */
static int search_chunk(struct sqlite_source_search *search, char *chunk, size_t *ret_bytes)
{
	ssize_t n =
	    search->at < FILE_BYTES_MAX ? pread(search->fd, chunk, CHUNK_BYTES, search->at) : 0;
	struct sv s;

	if (n <= 0)
		return n < 0 && errno != EINTR ? -errno : n < 0 ? -EAGAIN : 0;
	*ret_bytes = (size_t)n;
	s = sv_from(chunk, (size_t)n);
	if (search->head && has_source_id(s))
		return 1;
	search->at += n > OVERLAP_BYTES ? n - OVERLAP_BYTES : n;
	if (!search->head && has_file_head(s)) {
		search->head = true;
		search->at = 0;
	}
	return -EAGAIN;
}

int sqlite_source_search(struct sqlite_source_search *search, size_t bytes)
{
	char *chunk = malloc(CHUNK_BYTES);
	size_t done = 0, n;
	int found = -EAGAIN;

	if (!chunk)
		return -ENOMEM;
	while (found == -EAGAIN && done < bytes) {
		n = 0;
		found = search_chunk(search, chunk, &n);
		done += n;
	}
	free(chunk);
	return found;
}

int sqlite_source_id_in_file(int fd)
{
	struct sqlite_source_search search = {.fd = fd};

	return sqlite_source_search(&search, SIZE_MAX);
}
