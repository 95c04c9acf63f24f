/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's own messages, on stderr. Texts are lower case without a full stop: what was tried,
 * the subject in quotes, the remedy. A repeating message goes through a log_limit. The level is one
 * of the two mutable globals of the program.
 */
#ifndef ZS_BASE_LOG_H
#define ZS_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR = 1,
	LOG_LEVEL_WARN = 2,
	LOG_LEVEL_INFO = 3,
	LOG_LEVEL_DEBUG = 4,
};

void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* One line per minute and call site: keep one static-lifetime struct per message, zero-initialised.
 */
struct log_limit {
	uint64_t next_ns;    /* monotonic; silent before */
	uint64_t suppressed; /* lines swallowed since the last one written */
};

/* True when a line may be written now; *ret_suppressed is what was swallowed before it. */
bool log_limit_pass(struct log_limit *limit, uint64_t now_ns, uint64_t *ret_suppressed);

#endif
