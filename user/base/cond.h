/* SPDX-License-Identifier: Apache-2.0 */
/* Condition variables with deadlines on the monotonic clock. */
#ifndef ZS_BASE_COND_H
#define ZS_BASE_COND_H

#include <pthread.h>
#include <stdint.h>

/* As pthread_cond_init(), which cannot fail here; destroyed as any other. */
void cond_init(pthread_cond_t *cond);

/* As pthread_cond_timedwait(): 0, or ETIMEDOUT once deadline_ns (clock_monotonic_ns()) has passed. */
int cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_ns);

#endif
