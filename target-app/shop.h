// SPDX-License-Identifier: Apache-2.0
/*
 * The business of the shop as steps: each call runs until the request is answered or has to wait,
 * and says for what. The caller does the waiting in its own way (blocking, or by timer and
 * callback), so that all concurrency models share this code. Knows nothing of sockets and threads.
 *
 *   shop_begin ──► SHOP_SLEEP ──► shop_slept ──┐
 *        │                                     ├──► SHOP_DONE: answer is complete
 *        └───────► SHOP_CALL ───► shop_called ─┘
 */
#ifndef SHOP_SHOP_H
#define SHOP_SHOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHOP_ITEM_MAX     100     /* bytes of an item's name */
#define SHOP_QUANTITY_MAX 1000000 /* pieces per order */
#define SHOP_PRICE_MAX    1.0e9   /* per piece; with the quantity it stays exact in 64 bits */
#define SHOP_BODY_MAX     65536   /* bytes of a request body; beyond it 413 */

struct audit;
struct store;

enum shop_step {
	SHOP_DONE = 1,  /* the answer is in the request */
	SHOP_SLEEP = 2, /* wait sleep_ms, then shop_slept() */
	SHOP_CALL = 3,  /* send call_body to the inventory service, then shop_called() */
};

/* What an order or a deduction asks for. */
struct shop_order {
	char item[SHOP_ITEM_MAX + 1];
	int64_t quantity; /* 1 to SHOP_QUANTITY_MAX */
	double price;     /* per piece, 0 to SHOP_PRICE_MAX; 0 in a deduction */
	bool whole_price; /* the price was written as an integer, so is the total */
};

/* The inventory service's reply, borrowed for shop_called(). */
struct shop_reply {
	int status; /* HTTP status, 0 = unreachable or too late */
	const char *body;
	size_t body_len;
};

struct shop_request {
	const char *method; /* borrowed until SHOP_DONE, as are path and body */
	const char *path;   /* without the query */
	const char *body;
	size_t body_len;

	struct shop_order order;
	int64_t order_id;
	unsigned sleep_ms;
	char *call_body; /* owned */

	int status;        /* HTTP status of the answer */
	char *answer;      /* owned JSON text */
	const char *allow; /* constant value for an Allow header, or NULL */
};

/* What the steps work with; both borrowed. */
struct shop_tools {
	struct store *store;
	struct audit *audit;
};

/* Prepares a request; the four texts must outlive it. */
void shop_request_init(struct shop_request *request, const char *method, const char *path,
    const char *body, size_t body_len);
void shop_request_release(struct shop_request *request);

/* Is this the request that calls the inventory service? */
bool shop_is_checkout(const char *method, const char *path);

enum shop_step shop_begin(struct shop_request *request, const struct shop_tools *tools);
enum shop_step shop_slept(struct shop_request *request, const struct shop_tools *tools);
enum shop_step shop_called(
    struct shop_request *request, const struct shop_tools *tools, const struct shop_reply *reply);

/* The blocking way to do SHOP_SLEEP: waits for the slow supplier system of smartphones. */
void simulate_latency(unsigned sleep_ms);

/* Ends a request with {"detail": …}. */
enum shop_step shop_refuse(struct shop_request *request, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
