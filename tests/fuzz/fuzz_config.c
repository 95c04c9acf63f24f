// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a configuration file: taken, or refused with one sentence that names the file. */
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"
#include "fuzz.h"
#include "proto/route_pattern.h"
#include "span/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct config config;
	struct buf message;
	char path[32];
	int err;

	if (fd < 0)
		fd = memfd_create("config", MFD_CLOEXEC);
	REQUIRE(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	config_init(&config);
	config.states = ledger_state_names;
	buf_init(&message);
	err = config_read_file(&config, path, &message);
	REQUIRE(err <= 0 && (err != 0) == (message.len != 0));
	REQUIRE(err == 0 || memmem(message.data, message.len, path, strlen(path)));
	if (err == 0 && config.patterns)
		REQUIRE(route_patterns_count(config.patterns) <= size);
	REQUIRE(config.naming.patterns == config.patterns);
	config_release(&config);
	buf_release(&message);
	return 0;
}
