/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's own messages, on stderr. Texts are lower case without a full stop: what was tried,
 * the subject in quotes, the remedy. A repeating message goes through a log_limit. The level and the
 * observer are the program's mutable globals, beside the stop flag.
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

/* Information that programs wait for: it is written whatever the level. */
void log_announce(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/*
 * Who gets each line that is written, too, without its prefix; called by the thread that says it. It must
 * not block. What it logs itself is written, but not observed again.
 */
typedef void log_observer(void *ctx, enum log_level level, const char *text);

/* NULL: none. When it returns, the one before is in no call any more. Not from an observer. */
void log_set_observer(log_observer *observer, void *ctx);

/* From now on nothing that this thread says is observed: for those who deliver what is observed, since
 * their failures would never end. */
void log_hide_thread(void);

/* One line per minute and call site: keep one static-lifetime struct per message, zero-initialised.
 */
struct log_limit {
	uint64_t next_ns;    /* monotonic; silent before */
	uint64_t suppressed; /* lines swallowed since the last one written */
};

/* True when a line may be written now; *ret_suppressed is what was swallowed before it. */
bool log_limit_pass(struct log_limit *limit, uint64_t now_ns, uint64_t *ret_suppressed);

#endif
