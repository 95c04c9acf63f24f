/* SPDX-License-Identifier: Apache-2.0 */
/* How threads of this program stand to the other threads of the host, and to its timers. */
#ifndef ZS_BASE_PRIORITY_H
#define ZS_BASE_PRIORITY_H

#include <stdint.h>

/*
 * Let the calling thread go before others (nice -10), which takes CAP_SYS_NICE; without it nothing changes, and a debug message
 * says so. For threads that run briefly and often and lose something when they are kept waiting: the reader of the
 * ring, and exporters, whose queues otherwise overflow first where a busy server has many threads.
 */
void priority_raise(const char *who);

/*
 * Let the calling thread go behind others (nice 10), whatever it has inherited from the one that started it. For threads
 * whose work can wait.
 */
void priority_lower(const char *who);

/* What the calling thread waits for with a time-out may end so many nanoseconds later, together with other timers: that is one wake-up less. */
void priority_slack(uint64_t ns);

#endif
