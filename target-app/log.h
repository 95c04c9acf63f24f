// SPDX-License-Identifier: Apache-2.0
/*
 * JSON log lines on stdout, one write per line, usable from every thread.
 */
#ifndef SHOP_LOG_H
#define SHOP_LOG_H

#include <stdint.h>

/* The monotonic clock in nanoseconds. */
uint64_t log_clock_ns(void);

/* Logs the answer to one request. `method` and `path` are plain text of any content. */
void log_request(const char *method, const char *path, int status, uint64_t duration_ns);

/* Logs that the shop accepts connections on `port`. */
void log_listening(const char *address, int port, const char *model, int workers);

/* Logs a plain message; `level` is "info", "warning" or "error". */
void log_message(const char *level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
