/* SPDX-License-Identifier: Apache-2.0 */
/* How long a span is as a message of OTLP in protobuf (opentelemetry-proto v1.11.0, trace.proto), without making that. Pure. */
#ifndef ZS_METRIC_SPAN_SIZE_H
#define ZS_METRIC_SPAN_SIZE_H

#include <stddef.h>

#include "span/span.h"

/* Bytes of an ended span, without the tag and the length that it has in a request. */
size_t span_size_bytes(const struct span *span);

#endif
