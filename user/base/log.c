// SPDX-License-Identifier: Apache-2.0
/* Own messages on stderr, one write per line so that lines of several threads do not mix. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

enum {
	LOG_LIMIT_PERIOD_S = 60
};

static _Atomic(enum log_level) current_level = LOG_LEVEL_INFO;

static struct {
	pthread_rwlock_t lock; /* readers call */
	log_observer *call;
	void *ctx;
} observer = {.lock = PTHREAD_RWLOCK_INITIALIZER};

static _Thread_local bool hidden;

void log_set_observer(log_observer *call, void *ctx)
{
	pthread_rwlock_wrlock(&observer.lock);
	observer.call = call;
	observer.ctx = ctx;
	pthread_rwlock_unlock(&observer.lock);
}

void log_hide_thread(void)
{
	hidden = true;
}

/* Hidden meanwhile, so that an observer who logs does not come back here. */
static void tell_observer(enum log_level level, const char *text)
{
	if (hidden)
		return;
	hidden = true;
	pthread_rwlock_rdlock(&observer.lock);
	if (observer.call)
		observer.call(observer.ctx, level, text);
	pthread_rwlock_unlock(&observer.lock);
	hidden = false;
}

void log_set_level(enum log_level level)
{
	atomic_store(&current_level, level);
}

bool log_enabled(enum log_level level)
{
	return level <= atomic_load(&current_level);
}

static void write_line(enum log_level level, const char *fmt, va_list ap)
{
	static const char *const prefix[] = {
	    [LOG_LEVEL_ERROR] = "error: ",
	    [LOG_LEVEL_WARN] = "warning: ",
	    [LOG_LEVEL_INFO] = "",
	    [LOG_LEVEL_DEBUG] = "debug: ",
	};
	char text[2048];

	vsnprintf(text, sizeof(text), fmt, ap);
	fprintf(stderr, "zerospan: %s%s\n", prefix[level], text);
	tell_observer(level, text);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	write_line(level, fmt, ap);
	va_end(ap);
}

void log_announce(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line(LOG_LEVEL_INFO, fmt, ap);
	va_end(ap);
}

bool log_limit_pass(struct log_limit *limit, uint64_t now_ns, uint64_t *ret_suppressed)
{
	if (now_ns < limit->next_ns) {
		limit->suppressed++;
		return false;
	}
	limit->next_ns = now_ns + (uint64_t)LOG_LIMIT_PERIOD_S * 1000000000ULL;
	*ret_suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}
