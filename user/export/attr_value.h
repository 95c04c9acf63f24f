/* SPDX-License-Identifier: Apache-2.0 */
/* Values of attributes as text, where it is the same for all who read it: numbers and booleans. */
#ifndef ZS_EXPORT_ATTR_VALUE_H
#define ZS_EXPORT_ATTR_VALUE_H

#include "base/buf.h"
#include "span/span.h"

/* Append the value ("-5", "0.25", "true"); false, and nothing appended, when it is a text, which each form escapes its own way. */
bool attr_value_append(struct buf *out, const struct attr *attr);

#endif
