/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other thread of a connection: it holds what the first one wants, or does not take what that sends, for as long as it is
 * told to.
 */
#ifndef ZS_TEST_PARTNER_H
#define ZS_TEST_PARTNER_H

#include <pthread.h>
#include <stddef.h>

struct partner;
struct sqlite3;

struct partner *partner_new(void);

/* When it has done what it was told. NULL is fine. */
void partner_free(struct partner *partner);

/* Have the mutex locked; it is unlocked after so many milliseconds. */
void partner_hold(struct partner *partner, pthread_mutex_t *mutex, unsigned ms);

/* Have the write lock of an SQLite database taken by this connection, likewise. */
void partner_hold_database(struct partner *partner, struct sqlite3 *db, unsigned ms);

/* In so many milliseconds it begins to read so many bytes from a socket. Returns at once. */
void partner_drain(struct partner *partner, int fd, size_t bytes, unsigned ms);

#define PARTNER_BYTES 8u

/* In so many milliseconds it writes PARTNER_BYTES, which an eventfd takes, too. Returns at once. */
void partner_write(struct partner *partner, int fd, unsigned ms);

#endif
