/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to a collector and its answer, by libcurl: a POST over HTTP/1.1 or HTTP/2 on a connection that is kept alive.
 * Knows nothing of what is sent, nor what an answer means.
 */
#ifndef ZS_EXPORT_OTLP_TRANSFER_H
#define ZS_EXPORT_OTLP_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/sv.h"
#include "export/otlp_options.h"
#include "export/otlp_target.h"

/* OTLP: a longer answer is an error, after decompression too. */
#define OTLP_MAX_RESPONSE_BYTES (4 << 20)

/* Fields of answers, and of what follows their bodies, that are kept. */
enum otlp_field {
	OTLP_FIELD_RETRY_AFTER = 0,
	OTLP_FIELD_GRPC_STATUS,
	OTLP_FIELD_GRPC_MESSAGE,
	OTLP_FIELD_GRPC_DETAILS, /* grpc-status-details-bin */
	OTLP_FIELD_GRPC_ENCODING,
	OTLP_FIELDS,
};

struct otlp_answer {
	CURLcode code;               /* CURLE_OK: there is an answer */
	char error[CURL_ERROR_SIZE]; /* else more words for it, perhaps "" */
	long status;                 /* of HTTP */
	bool http2;
	bool too_long; /* a body over the limit: code is not CURLE_OK */
	struct buf body;
	bool has[OTLP_FIELDS];
	struct buf fields[OTLP_FIELDS];
};

struct otlp_transfer;

/*
 * url: complete. lines: the header lines of each request, in this order, beside those that libcurl needs to make; the list
 * is moved, also on failure. options are read during the call only. NULL and errno: ENOMEM, or that of a certificate or key
 * file that cannot be read.
 */
struct otlp_transfer *otlp_transfer_new(
    const char *url, const struct otlp_options *options, struct curl_slist *lines);
void otlp_transfer_free(struct otlp_transfer *transfer); /* NULL is fine */

/* The answer to this body, valid until the next call; NULL when the waiter had to stop first. */
const struct otlp_answer *otlp_transfer_run(
    struct otlp_transfer *transfer, struct sv body, const struct otlp_waiter *waiter);

/* Make otlp_transfer_run() look at its waiter now; by another thread. */
void otlp_transfer_wake(struct otlp_transfer *transfer);

#endif
