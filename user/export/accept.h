/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a scraper accepts: the Accept and Accept-Encoding fields of RFC 9110 (sections 12.5.1 and 12.5.3), as far as
 * /metrics has a choice. Pure. Nothing is refused: a field that makes no sense is a wish for what everybody reads.
 */
#ifndef ZS_EXPORT_ACCEPT_H
#define ZS_EXPORT_ACCEPT_H

#include <stdbool.h>

#include "base/sv.h"

struct accepted {
	bool openmetrics; /* OpenMetrics 1.0.0; else the text format 0.0.4 */
	bool escaping;    /* the OpenMetrics item named an escaping scheme: the answer names ours */
};

/*
 * The format with the highest weight, the first of equals; the text format where none of ours is named. OpenMetrics counts
 * without a version or as 1.0.0, text/plain without a version or as 0.0.4, and any other version is not ours. Wildcards mean the text
 * format. A weight that is malformed or 0 excludes its item.
 */
struct accepted accept_format(struct sv field);

/* True when the answer may be compressed with gzip: named (also as x-gzip, or by "*") with a weight above 0, which identity's does not exceed. */
bool accept_gzip(struct sv field);

#endif
