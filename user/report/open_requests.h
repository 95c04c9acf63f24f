/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests and calls that have not ended, for people: how old each is, where its time went so far, and what its thread waits in
 * right now. A server that hangs ends no span; this is what is seen of it.
 */
#ifndef ZS_REPORT_OPEN_REQUESTS_H
#define ZS_REPORT_OPEN_REQUESTS_H

#include <stdint.h>

#include "base/buf.h"
#include "pipeline.h"

/* So many are told, oldest first; of the others, how many they are. */
#define OPEN_REQUESTS_TOLD 20

/* Append them, as of now_ns. One line that says so when there are none. */
void open_requests_append(struct buf *out, struct pipeline *pipeline, uint64_t now_ns);

#endif
