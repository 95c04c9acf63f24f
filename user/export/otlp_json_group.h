/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands around the items of one service in OTLP/JSON, for every signal: the resource, the
 * scope, the schema. A lack of memory shows in out->failed.
 */
#ifndef ZS_EXPORT_OTLP_JSON_GROUP_H
#define ZS_EXPORT_OTLP_JSON_GROUP_H

#include "base/buf.h"
#include "span/span.h"

/* Begin an object as far as the first item; scopes and items are the signal's names of its lists:
 * "scopeSpans" and "spans". service: NULL is fine. */
void otlp_json_begin_group(
    struct buf *out, const struct service *service, const char *scopes, const char *items);
void otlp_json_end_group(struct buf *out);

#endif
