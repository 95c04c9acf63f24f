// SPDX-License-Identifier: Apache-2.0
/*
 * The stock audit: a thread with its own connection that takes the database's write lock and counts
 * the stock while holding it. It is what a sale collides with. Knows nothing of requests.
 */
#ifndef SHOP_AUDIT_H
#define SHOP_AUDIT_H

#include "store.h"

struct audit;

/* Starts the audit thread. NULL on failure, which is logged. `config` is borrowed until
 * audit_free(). */
struct audit *audit_new(const struct store_config *config);

/* Ends the thread; nobody may be between audit_enter() and audit_leave(). */
void audit_free(struct audit *audit);

/*
 * Asks for an audit and waits until it holds the write lock. True if it does: the lock then stays
 * held until audit_leave(), but never longer than a fixed bound. False (after at most a second): no
 * audit, no leave.
 */
bool audit_enter(struct audit *audit);
void audit_leave(struct audit *audit);

#endif
