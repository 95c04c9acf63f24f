/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP over gRPC (OTLP specification 1.11.0, "OTLP/gRPC"; gRPC over HTTP/2, PROTOCOL-HTTP2.md): what a unary call looks like
 * and what its answer means. HTTP/2 itself is libcurl's.
 */
#ifndef ZS_EXPORT_OTLP_GRPC_H
#define ZS_EXPORT_OTLP_GRPC_H

#include "export/otlp_verdict.h"

/* Append the URL of a signal's Export method on the server that options->url names. Returns 0, -EINVAL or -ENOMEM. */
int otlp_grpc_url(struct buf *out, const struct otlp_options *options, enum otlp_signal signal);

/* The header lines of a call, those of the user last; a list for otlp_transfer_new(). NULL: no memory. */
struct curl_slist *otlp_grpc_lines(const struct otlp_options *options);

/* Append the body of a call: the message, compressed if compress says so, with the five bytes before it. Returns 0 or -ENOMEM. */
int otlp_grpc_pack(struct buf *out, struct sv message, bool compress);

struct otlp_verdict otlp_grpc_judge(const struct otlp_answer *answer);

/* --- parts, pure, for the above and for tests --- */

/* grpc-timeout: at most eight digits and a unit, never longer than the time. text has room for 10 bytes. */
void otlp_grpc_timeout(char text[10], uint64_t timeout_ms);

/* Append what a percent-encoded text says; bad escapes stay as they are. */
void otlp_grpc_decode_message(struct buf *out, struct sv text);

/* Append the bytes of base64 text (RFC 4648), padded or not. Returns 0 or -EBADMSG. */
int otlp_grpc_decode_base64(struct buf *out, struct sv text);

/*
 * The delay of the google.rpc.RetryInfo in a google.rpc.Status, in ms, 0 to OTLP_RETRY_AFTER_MAX_MS; -1: there is none, or
 * a negative one.
 */
int64_t otlp_grpc_retry_delay(struct sv status);

/*
 * The message in the body of an answer, decompressed into scratch where need be; a view of one of both. Returns 0; -EBADMSG
 * for anything but one whole message in an encoding that is known, -E2BIG, -ENOMEM.
 */
int otlp_grpc_unpack(
    struct sv body, struct sv encoding, struct buf *scratch, struct sv *ret_message);

#endif
