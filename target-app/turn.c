// SPDX-License-Identifier: Apache-2.0
/*
 * A plain mutex lets a running thread overtake sleeping ones, for seconds when a hundred threads
 * write and every write syncs the disk. Here each waiter has its own condition and the lock is
 * handed over without ever being free.
 */
#include "turn.h"

#include <stddef.h>

struct turn_waiter {
	pthread_cond_t granted_changed;
	bool granted;
	struct turn_waiter *next;
};

void turn_init(struct turn *turn)
{
	pthread_mutex_init(&turn->lock, NULL);
	turn->taken = false;
	turn->first = NULL;
	turn->last = &turn->first;
}

void turn_release(struct turn *turn)
{
	pthread_mutex_destroy(&turn->lock);
}

void turn_take(struct turn *turn)
{
	pthread_mutex_lock(&turn->lock);
	if (turn->taken) {
		struct turn_waiter self = {.granted_changed = PTHREAD_COND_INITIALIZER};

		*turn->last = &self;
		turn->last = &self.next;
		while (!self.granted)
			pthread_cond_wait(&self.granted_changed, &turn->lock);
		pthread_cond_destroy(&self.granted_changed);
	}
	turn->taken = true;
	pthread_mutex_unlock(&turn->lock);
}

void turn_pass(struct turn *turn)
{
	struct turn_waiter *next;

	pthread_mutex_lock(&turn->lock);
	next = turn->first;
	if (next) {
		turn->first = next->next;
		if (!turn->first)
			turn->last = &turn->first;
		next->granted = true;
		pthread_cond_signal(&next->granted_changed);
	}
	turn->taken = next != NULL;
	pthread_mutex_unlock(&turn->lock);
}
