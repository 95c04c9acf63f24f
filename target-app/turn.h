// SPDX-License-Identifier: Apache-2.0
/*
 * A lock that is granted in the order of asking.
 */
#ifndef SHOP_TURN_H
#define SHOP_TURN_H

#include <pthread.h>
#include <stdbool.h>

struct turn_waiter;

struct turn {
	pthread_mutex_t lock;
	bool taken;
	struct turn_waiter *first;
	struct turn_waiter **last;
};

void turn_init(struct turn *turn);
void turn_release(struct turn *turn);

void turn_take(struct turn *turn);

/* Passes the turn on to whoever waits longest. */
void turn_pass(struct turn *turn);

#endif
