// SPDX-License-Identifier: Apache-2.0
/* The texts in which gRPC says why a call failed; see otlp_grpc.h. */
#include <errno.h>
#include <string.h>

#include "base/percent.h"
#include "export/otlp_grpc.h"
#include "export/otlp_retry.h"
#include "otlp_common.pb-c.h"

void otlp_grpc_decode_message(struct buf *out, struct sv text)
{
	while (text.len)
		buf_append_char(out, percent_take_lenient(&text));
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int otlp_grpc_decode_base64(struct buf *out, struct sv text)
{
	unsigned bits = 0, n_bits = 0;

	while (text.len && text.p[text.len - 1] == '=')
		text.len--;
	if (text.len % 4 == 1)
		return -EBADMSG;
	for (size_t i = 0; i < text.len; i++) {
		int digit = base64_digit(text.p[i]);

		if (digit < 0)
			return -EBADMSG;
		bits = (bits << 6 | (unsigned)digit) & 0xffff;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			buf_append_char(out, (char)(bits >> n_bits));
		}
	}
	return 0;
}

/* A google.protobuf.Duration in ms. */
static int64_t to_ms(const Opentelemetry__Proto__Duration *duration)
{
	const int64_t max_s = OTLP_RETRY_AFTER_MAX_MS / 1000;

	if (!duration)
		return 0;
	if (duration->seconds < 0 || duration->nanos < 0)
		return -1;
	if (duration->seconds >= max_s)
		return OTLP_RETRY_AFTER_MAX_MS;
	return duration->seconds * 1000 + duration->nanos % 1000000000 / 1000000;
}

int64_t otlp_grpc_retry_delay(struct sv status)
{
	Opentelemetry__Proto__RpcStatus *unpacked =
	    opentelemetry__proto__rpc_status__unpack(NULL, status.len, (const uint8_t *)status.p);
	int64_t delay = -1;

	for (size_t i = 0; unpacked && i < unpacked->n_details; i++) {
		const Opentelemetry__Proto__Any *detail = unpacked->details[i];
		Opentelemetry__Proto__RetryInfo *info;

		if (strcmp(detail->type_url, "type.googleapis.com/google.rpc.RetryInfo") != 0)
			continue;
		info = opentelemetry__proto__retry_info__unpack(
		    NULL, detail->value.len, detail->value.data);
		if (!info)
			continue;
		delay = to_ms(info->retry_delay);
		opentelemetry__proto__retry_info__free_unpacked(info, NULL);
	}
	if (unpacked)
		opentelemetry__proto__rpc_status__free_unpacked(unpacked, NULL);
	return delay;
}
