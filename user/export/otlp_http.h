/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP over HTTP/protobuf (OTLP specification 1.11.0, "OTLP/HTTP"): what requests look like and what answers mean. */
#ifndef ZS_EXPORT_OTLP_HTTP_H
#define ZS_EXPORT_OTLP_HTTP_H

#include <time.h>

#include "export/otlp_verdict.h"

/* The header lines of a request, those of the user too; a list for otlp_transfer_new(). NULL: no memory. */
struct curl_slist *otlp_http_lines(const struct otlp_options *options);

/* now_s: Unix time, for a date in Retry-After. */
struct otlp_verdict otlp_http_judge(const struct otlp_answer *answer, time_t now_s);

/* --- shared with gRPC --- */

/* Append lines, the user's last; false without memory. A user's line with an empty value is sent as such. */
bool otlp_lines_add(struct curl_slist **lines, const char *line);
bool otlp_lines_add_user(struct curl_slist **lines, const struct otlp_options *options);

#define OTLP_USER_AGENT \
	"User-Agent: zerospan/" ZEROSPAN_VERSION " OTel-OTLP-Exporter-C/" ZEROSPAN_VERSION

#endif
