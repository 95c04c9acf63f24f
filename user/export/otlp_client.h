/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One signal to one destination of OTLP: sends requests, one at a time, tries again as otlp_retry.h says, and says in the
 * log what goes wrong, at most once a minute. Knows nothing of what is in a request.
 */
#ifndef ZS_EXPORT_OTLP_CLIENT_H
#define ZS_EXPORT_OTLP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "export/otlp_options.h"
#include "export/otlp_target.h"

struct otlp_client;

/* options are copied as far as needed. NULL and errno: that of a certificate or key that cannot be read, ENOMEM, EINVAL. */
struct otlp_client *otlp_client_new(const struct otlp_options *options, enum otlp_signal signal);
void otlp_client_free(struct otlp_client *client); /* NULL is fine */

/*
 * Send an ExportXServiceRequest with n_items spans, data points or log records; returns how many the destination took. Blocks
 * until that is decided, the retries are over or the waiter stops; looks at the waiter once a second at least.
 */
size_t otlp_client_send(struct otlp_client *client, const struct buf *request, size_t n_items,
    const struct otlp_waiter *waiter);

/*
 * Why the last send did not take all, as the last attempt ended: a status of HTTP ("503") or gRPC ("UNAVAILABLE"), timeout,
 * connection_failed and the like (otlp_verdict.c), rejected (some of it), cancelled (by the waiter), request_too_long, out_of_memory.
 */
const char *otlp_client_error(const struct otlp_client *client);

/* Make a blocked otlp_client_send() look at its waiter now; by another thread. */
void otlp_client_interrupt(struct otlp_client *client);

/*
 * A client as a target, which owns it, named "otlp_http" or "otlp_grpc". Returns 0, or negative errno as otlp_client_new()
 * has it.
 */
int otlp_client_target(
    struct otlp_target *ret_target, const struct otlp_options *options, enum otlp_signal signal);

#endif
