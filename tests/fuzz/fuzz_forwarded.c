// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as a node, as a Forwarded field, and as the fields of a request that proxies add: an address is
 * canonical, what is not taken leaves no bytes, and the parts add up to what was appended.
 */
#include <arpa/inet.h>

#include "fuzz.h"
#include "proto/forwarded.h"

static bool is_address(struct sv text)
{
	unsigned char address[16];
	char copy[INET6_ADDRSTRLEN] = "";

	if (text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.len);
	return inet_pton(AF_INET, copy, address) == 1 || inet_pton(AF_INET6, copy, address) == 1;
}

static void check_node(struct sv in)
{
	struct buf once, twice;

	buf_init(&once);
	buf_init(&twice);
	buf_append_cstr(&once, "");
	REQUIRE(forwarded_node(in, &once) == (once.len != 0));
	if (once.len) {
		REQUIRE(is_address(buf_sv(&once)));
		REQUIRE(forwarded_node(buf_sv(&once), &twice));
		REQUIRE(sv_eq(buf_sv(&once), buf_sv(&twice)));
	}
	buf_release(&once);
	buf_release(&twice);
}

static void check_parameters(struct sv in)
{
	static const struct sv names[] = {SV("for"), SV("host"), SV("proto")};

	for (size_t i = 0; i < 3; i++) {
		struct buf out;
		bool found;

		buf_init(&out);
		buf_append_cstr(&out, "kept");
		found = forwarded_parameter(in, names[i], &out);
		REQUIRE(sv_starts(buf_sv(&out), SV("kept")) && found == (out.len > 4));
		REQUIRE(out.len - 4 <= in.len);
		buf_release(&out);
	}
}

static void check_head(struct sv in)
{
	struct http1_head *head = malloc(sizeof(*head));
	struct forwarded said = {0};
	struct buf out;

	buf_init(&out);
	if (http1_parse_head(HTTP1_REQUEST, in, head) > 0) {
		forwarded_take(head, &out, &said);
		REQUIRE(said.client.len + said.host.len == out.len);
		REQUIRE(!said.client.len || is_address(sv_from(out.data, said.client.len)));
		REQUIRE(!said.scheme.len || sv_starts(said.scheme, SV("http")));
		REQUIRE(out.len == 0 || (head->known & FORWARDED_FIELDS));
	}
	buf_release(&out);
	free(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = fuzz_copy(data, size);

	check_node(in);
	check_parameters(in);
	check_head(in);
	fuzz_free(in);
	return 0;
}
