/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program's environment says of its resource: the text of OTEL_RESOURCE_ATTRIBUTES (OpenTelemetry specification, resource
 * SDK): "key=value,key=value", percent-encoded, blanks around keys and values do not count.
 */
#ifndef ZS_DISCOVER_RESOURCE_ENV_H
#define ZS_DISCOVER_RESOURCE_ENV_H

#include "base/pairs.h"

/* Nobody sets more by hand; the attributes go out with every batch. */
#define RESOURCE_ENV_MAX_BYTES 4096
#define RESOURCE_ENV_MAX_ATTRS 64

/*
 * Append the attributes to pairs, those whose key is not there; of one that stands twice the last counts. Empty members, and
 * attributes with an empty value, are left out. Returns 0, or -EBADMSG or -E2BIG (over a limit above) with pairs as it was
 * before and the reason in *ret_why (static): the standard discards the whole text then.
 */
int resource_env_parse(struct sv text, struct buf *pairs, const char **ret_why);

#endif
