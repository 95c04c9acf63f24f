// SPDX-License-Identifier: Apache-2.0
/* A thread that does orders, one after the other; see partner.h. */
#include "partner.h"

#include <semaphore.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clocks.h"

#define ORDERS \
	8 /* at most that are not yet begun: a drain may still go on when the next one comes */

enum order_kind {
	ORDER_END = 1,
	ORDER_HOLD,
	ORDER_HOLD_DATABASE,
	ORDER_DRAIN,
	ORDER_WRITE,
};

struct order {
	enum order_kind kind;
	unsigned ms;
	pthread_mutex_t *mutex;
	sqlite3 *db;
	int fd;
	size_t bytes;
};

struct partner {
	pthread_t thread;
	struct order orders[ORDERS];
	unsigned given; /* orders; only the owner counts */
	sem_t wanted;
	sem_t held; /* it has what it was told to hold */
};

static void hold(struct partner *partner, const struct order *order)
{
	pthread_mutex_lock(order->mutex);
	sem_post(&partner->held);
	clock_sleep(order->ms);
	pthread_mutex_unlock(order->mutex);
}

static void hold_database(struct partner *partner, const struct order *order)
{
	if (sqlite3_exec(order->db, "BEGIN IMMEDIATE", NULL, NULL, NULL)) {
		fprintf(stderr, "BEGIN IMMEDIATE: %s\n", sqlite3_errmsg(order->db));
		exit(1);
	}
	sem_post(&partner->held);
	clock_sleep(order->ms);
	sqlite3_exec(order->db, "COMMIT", NULL, NULL, NULL);
}

static void drain(const struct order *order)
{
	char bytes[16384];
	size_t left = order->bytes;
	ssize_t n;

	clock_sleep(order->ms);
	while (left > 0 &&
	    (n = read(order->fd, bytes, left < sizeof(bytes) ? left : sizeof(bytes))) > 0)
		left -= (size_t)n;
}

static void write_late(const struct order *order)
{
	const uint64_t one = 1;

	_Static_assert(sizeof(one) == PARTNER_BYTES, "what an eventfd takes");
	clock_sleep(order->ms);
	if (write(order->fd, &one, sizeof(one)) != sizeof(one)) {
		perror("a partner's write");
		exit(1);
	}
}

static void *work(void *arg)
{
	struct partner *partner = arg;

	for (unsigned begun = 0;; begun++) {
		const struct order *order = &partner->orders[begun % ORDERS];

		while (sem_wait(&partner->wanted))
			;
		if (order->kind == ORDER_HOLD)
			hold(partner, order);
		else if (order->kind == ORDER_HOLD_DATABASE)
			hold_database(partner, order);
		else if (order->kind == ORDER_DRAIN)
			drain(order);
		else if (order->kind == ORDER_WRITE)
			write_late(order);
		else
			return NULL;
	}
}

struct partner *partner_new(void)
{
	struct partner *partner = calloc(1, sizeof(*partner));

	if (!partner || sem_init(&partner->wanted, 0, 0) || sem_init(&partner->held, 0, 0) ||
	    pthread_create(&partner->thread, NULL, work, partner)) {
		perror("a partner");
		exit(1);
	}
	return partner;
}

static void tell(struct partner *partner, struct order order)
{
	partner->orders[partner->given++ % ORDERS] = order;
	sem_post(&partner->wanted);
}

void partner_free(struct partner *partner)
{
	if (!partner)
		return;
	tell(partner, (struct order){.kind = ORDER_END});
	pthread_join(partner->thread, NULL);
	sem_destroy(&partner->wanted);
	sem_destroy(&partner->held);
	free(partner);
}

void partner_hold(struct partner *partner, pthread_mutex_t *mutex, unsigned ms)
{
	tell(partner, (struct order){.kind = ORDER_HOLD, .mutex = mutex, .ms = ms});
	while (sem_wait(&partner->held))
		;
}

void partner_hold_database(struct partner *partner, struct sqlite3 *db, unsigned ms)
{
	tell(partner, (struct order){.kind = ORDER_HOLD_DATABASE, .db = db, .ms = ms});
	while (sem_wait(&partner->held))
		;
}

void partner_drain(struct partner *partner, int fd, size_t bytes, unsigned ms)
{
	tell(partner, (struct order){.kind = ORDER_DRAIN, .fd = fd, .bytes = bytes, .ms = ms});
}

void partner_write(struct partner *partner, int fd, unsigned ms)
{
	tell(partner, (struct order){.kind = ORDER_WRITE, .fd = fd, .ms = ms});
}
