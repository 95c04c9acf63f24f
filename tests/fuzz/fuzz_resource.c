// SPDX-License-Identifier: Apache-2.0
/* Any bytes as each of the texts that tell who a process is: what comes out has its form, and lies within. */
#include "base/utf8.h"
#include "discover/container.h"
#include "discover/host.h"
#include "discover/resource_env.h"
#include "fuzz.h"

static void check_env(struct sv in)
{
	struct buf pairs;
	const char *why = NULL;
	int err;

	buf_init(&pairs);
	err = resource_env_parse(in, &pairs, &why);
	REQUIRE((err != 0) == (why != NULL));
	REQUIRE(!err || pairs.len == 0);
	REQUIRE(pairs.len <= in.len + 1 && utf8_valid(buf_sv(&pairs)));
	REQUIRE(pairs_valid(buf_sv(&pairs)));
	buf_release(&pairs);
}

static void check_cgroup(struct sv in)
{
	struct sv id;

	if (!container_parse_cgroup(in, &id))
		return;
	REQUIRE(fuzz_within(id, in) && id.len == CONTAINER_ID_LEN);
	REQUIRE(id.p == in.p || strchr("/-:", id.p[-1]));
}

static void check_host(struct sv in)
{
	char value[16], whole[4096];
	size_t n = host_parse_os_release(in, "NAME", value, sizeof(value));
	size_t all = host_parse_os_release(in, "NAME", whole, sizeof(whole));
	struct sv found;

	REQUIRE(n <= sizeof(value) && all <= in.len && n <= all);
	REQUIRE(memcmp(value, whole, n) == 0);
	if (host_parse_machine_id(in, &found))
		REQUIRE(fuzz_within(found, in) && found.len == 32);
	if (host_parse_passwd(in, 7, &found))
		REQUIRE(fuzz_within(found, in) && found.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = fuzz_copy(data, size);

	check_env(in);
	check_cgroup(in);
	check_host(in);
	pairs_valid(in);
	fuzz_free(in);
	return 0;
}
