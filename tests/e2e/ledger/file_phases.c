// SPDX-License-Identifier: Apache-2.0
/* Phases that wait for the disk, in system calls and in page faults; see phases.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "phases.h"

#define WRITE_BYTES 65536
#define READ_BYTES  16384

static void write_file(int fd)
{
	char bytes[WRITE_BYTES];

	memset(bytes, 'x', sizeof(bytes));
	for (size_t at = 0; at < FILE_BYTES; at += sizeof(bytes))
		phase_must(write(fd, bytes, sizeof(bytes)) == sizeof(bytes), "write");
	phase_must(fdatasync(fd) == 0, "fdatasync");
}

void file_open(struct worker *worker)
{
	char path[256];
	void *map;

	snprintf(path, sizeof(path), "%s/%u.data", worker->setup->dir, worker->number);
	worker->file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	phase_must(worker->file >= 0, path);
	write_file(worker->file);
	/* No reading ahead. */
	phase_must(posix_fadvise(worker->file, 0, 0, POSIX_FADV_RANDOM) == 0, "fadvise");
	map = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, worker->file, 0);
	phase_must(map != MAP_FAILED && madvise(map, FILE_BYTES, MADV_RANDOM) == 0, "mmap");
	worker->map = map;
}

void phase_fdatasync(struct worker *worker, const char *name, unsigned value)
{
	uint64_t end_ns = clock_wall_ns() + value * NS_PER_MS;

	do {
		phase_must(lseek(worker->file, 0, SEEK_SET) == 0, "lseek");
		write_file(worker->file);
	} while (clock_wall_ns() < end_ns);
	account_part(worker, name, account_waited(worker, STATE_DISK));
}

/* Have no page of the file in memory, as far as the file system does as it is asked. */
static void drop_pages(const struct worker *worker)
{
	phase_must(posix_fadvise(worker->file, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise");
}

void phase_cold_read(struct worker *worker, const char *name, unsigned value)
{
	char bytes[READ_BYTES];
	uint64_t end_ns = clock_wall_ns() + value * NS_PER_MS;

	do {
		drop_pages(worker);
		for (off_t at = 0; at < FILE_BYTES && clock_wall_ns() < end_ns; at += READ_BYTES)
			phase_must(
			    pread(worker->file, bytes, READ_BYTES, at) == READ_BYTES, "pread");
	} while (clock_wall_ns() < end_ns);
	account_part(worker, name, account_waited(worker, STATE_DISK));
}

void phase_fault(struct worker *worker, const char *name, unsigned value)
{
	uint64_t end_ns = clock_wall_ns() + value * NS_PER_MS;
	struct spent all = {0}, part;

	do {
		phase_must(madvise((void *)worker->map, FILE_BYTES, MADV_DONTNEED) == 0, "madvise");
		drop_pages(worker);
		account_waited(worker, STATE_DISK);
		for (size_t at = 0; at < FILE_BYTES && clock_wall_ns() < end_ns; at += 4096)
			(void)worker->map[at];
		part = account_waited(worker, STATE_PAGEFAULT);
		all.wall_ns += part.wall_ns;
		all.cpu_ns += part.cpu_ns;
		all.runqueue_ns += part.runqueue_ns;
		all.waited_ns += part.waited_ns;
	} while (clock_wall_ns() < end_ns);
	account_part(worker, name, all);
}
