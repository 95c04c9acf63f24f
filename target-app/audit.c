// SPDX-License-Identifier: Apache-2.0
/*
 * Audits run in batches:
 *
 *   requesters    enter ──► wanted++ ─ wait ────────────────────────► true ─ UPDATE: BUSY ─ leave
 *   audit thread            BEGIN IMMEDIATE ─ batch = wanted ─ count ─ wait for all leaves ─ COMMIT
 * ─ pause
 *
 * A batch takes everybody who waits when the lock is won; later ones belong to the next. The hold
 * is bounded by HOLD_MAX_MS and a pause follows, so that other writers always get their turn.
 */
#include "audit.h"

#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#define HOLD_MAX_MS   250  /* a requester descheduled longer than this meets no conflict */
#define PAUSE_MS      5    /* other writers, who wait or poll, get in between */
#define ENTER_WAIT_MS 1000 /* bound of audit_enter(); beyond it the database is in trouble */

static const char begin_text[] = "BEGIN IMMEDIATE";
static const char count_text[] =
    "SELECT count(*), sum(quantity) FROM inventory WHERE quantity >= 0";
static const char pending_text[] =
    "SELECT count(*) FROM (SELECT status FROM orders ORDER BY id DESC LIMIT 1000)"
    " WHERE status = 'PENDING'";
static const char commit_text[] = "COMMIT";

struct audit {
	const struct store_config *config;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stop;
	unsigned wanted;  /* requesters waiting for the next batch */
	unsigned inside;  /* requesters of the running batch that have not left */
	uint64_t batches; /* batches whose lock was won */
	uint64_t tries;   /* batches tried */
};

static struct timespec deadline_in(unsigned ms)
{
	uint64_t due_ns = log_clock_ns() + (uint64_t)ms * 1000000u;

	return (struct timespec){
	    .tv_sec = (time_t)(due_ns / 1000000000u), .tv_nsec = (long)(due_ns % 1000000000u)};
}

/* The work done under the lock: the stock is summed and recent unfinished orders are counted. */
static int count_stock(sqlite3 *db)
{
	int rc = sqlite3_exec(db, count_text, NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, pending_text, NULL, NULL, NULL);
	return rc;
}

/* One batch; called and left with the mutex held. */
static void run_batch(struct audit *audit, sqlite3 *db)
{
	struct timespec deadline;
	int rc;

	pthread_mutex_unlock(&audit->lock);
	turn_take(audit->config->write_turn);
	rc = sqlite3_exec(db, begin_text, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = count_stock(db);
	if (rc != SQLITE_OK)
		log_message("warning", "stock audit: %s", sqlite3_errmsg(db));
	pthread_mutex_lock(&audit->lock);
	audit->tries++;
	if (rc == SQLITE_OK) {
		audit->batches++;
		audit->inside = audit->wanted;
	}
	audit->wanted = 0;
	pthread_cond_broadcast(&audit->changed);
	deadline = deadline_in(HOLD_MAX_MS);
	while (audit->inside > 0) {
		if (pthread_cond_timedwait(&audit->changed, &audit->lock, &deadline) == ETIMEDOUT)
			break;
	}
	audit->inside = 0;
	pthread_mutex_unlock(&audit->lock);
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, commit_text, NULL, NULL, NULL);
	turn_pass(audit->config->write_turn);
	clock_nanosleep(
	    CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
	pthread_mutex_lock(&audit->lock);
}

static void *audit_main(void *arg)
{
	struct audit *audit = arg;
	sqlite3 *db = NULL;
	int rc;

	prctl(PR_SET_NAME, "stock-audit");
	rc = store_connect(audit->config, &db);
	if (rc < 0)
		log_message("error", "opening database for the audit: %s", sqlite3_errstr(-rc));
	pthread_mutex_lock(&audit->lock);
	while (db && !audit->stop) {
		if (audit->wanted > 0)
			run_batch(audit, db);
		else
			pthread_cond_wait(&audit->changed, &audit->lock);
	}
	pthread_mutex_unlock(&audit->lock);
	sqlite3_close(db);
	return NULL;
}

struct audit *audit_new(const struct store_config *config)
{
	struct audit *audit = calloc(1, sizeof(*audit));
	pthread_condattr_t attributes;

	if (!audit)
		return NULL;
	audit->config = config;
	pthread_mutex_init(&audit->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&audit->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	if (pthread_create(&audit->thread, NULL, audit_main, audit) == 0)
		return audit;
	log_message("error", "starting the audit thread failed");
	pthread_cond_destroy(&audit->changed);
	pthread_mutex_destroy(&audit->lock);
	free(audit);
	return NULL;
}

void audit_free(struct audit *audit)
{
	if (!audit)
		return;
	pthread_mutex_lock(&audit->lock);
	audit->stop = true;
	pthread_cond_broadcast(&audit->changed);
	pthread_mutex_unlock(&audit->lock);
	pthread_join(audit->thread, NULL);
	pthread_cond_destroy(&audit->changed);
	pthread_mutex_destroy(&audit->lock);
	free(audit);
}

bool audit_enter(struct audit *audit)
{
	struct timespec deadline = deadline_in(ENTER_WAIT_MS);
	uint64_t tries;
	uint64_t batches;
	bool held;

	pthread_mutex_lock(&audit->lock);
	tries = audit->tries;
	batches = audit->batches;
	audit->wanted++;
	pthread_cond_broadcast(&audit->changed);
	while (audit->tries == tries) {
		if (pthread_cond_timedwait(&audit->changed, &audit->lock, &deadline) == ETIMEDOUT)
			break;
	}
	held = audit->batches != batches;
	if (audit->tries == tries && audit->wanted > 0)
		audit->wanted--;
	pthread_mutex_unlock(&audit->lock);
	return held;
}

void audit_leave(struct audit *audit)
{
	pthread_mutex_lock(&audit->lock);
	if (audit->inside > 0 && --audit->inside == 0)
		pthread_cond_broadcast(&audit->changed);
	pthread_mutex_unlock(&audit->lock);
}
