/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread of one connection, the phases that a request can have, and the account of where their time went.
 *
 * A phase does something of a known kind and then says what its thread's time off the CPU, since the last time that somebody
 * said so, was spent on. Time on the CPU and time in the run queue need no saying: the thread's clocks tell them.
 */
#ifndef ZS_TEST_PHASES_H
#define ZS_TEST_PHASES_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "clocks.h"
#include "http.h"
#include "partner.h"

enum state {
	STATE_SLEEP = 0,
	STATE_LOCK = 1,
	STATE_DISK = 2,
	STATE_NET_SEND = 3,
	STATE_DOWNSTREAM = 4,
	STATE_PAGEFAULT = 5,
	STATE_SQLITE_BUSY = 6,
	STATE_OTHER = 7,
	STATE_NOTHING = 8, /* it wanted to run on: the host took the CPU away */
	STATES = 9,
};

/* A thread that burns a CPU while anybody wants it to. */
struct rival {
	int cpu;
	atomic_int wanted;
	sem_t wake;
};

/* What all connections share. */
struct setup {
	const char *dir;          /* for files */
	unsigned downstream_port; /* of a server like this one; 0: none */
	struct rival rival;
};

#define ACCOUNT_PARTS 32
#define FILE_BYTES    (4u << 20)

/* Something that has a span of its own, or a phase as a whole. */
struct account_part {
	const char *name;
	struct spent spent;
};

/* Of one request, from its last byte in to its last byte out. */
struct account {
	struct stamp first, last;
	int64_t waited_ns[STATES];
	uint64_t queued_ns; /* before that, in the socket, if it was left there on purpose */
	size_t n_parts;
	struct account_part parts[ACCOUNT_PARTS];
};

struct worker {
	int fd;
	unsigned number; /* of the connection: names its files */
	struct setup *setup;
	int clock;
	struct account account;
	struct request request;
	struct partner *partner;
	pthread_mutex_t mutex;
	int downstream;                /* connection; -1: not yet */
	int tcp[2], unix_pair[2];      /* both ends of a connection, likewise */
	int pipe[2], event[2], tty[2]; /* likewise */
	unsigned late_ms;   /* the next request is read so long after it has come; 0: at once */
	int file;           /* of FILE_BYTES, likewise */
	volatile char *map; /* of the file, NULL: not yet */
	/* Databases: whose transactions are synced, with a write-ahead log, with pages that are not in memory, and one with two
	 * connections; NULL: not yet. */
	struct sqlite3 *synced, *logged, *cold, *busy, *holder;
	int cold_file; /* of cold */
};

/* The wait since the last call was for this. What was spent since then. */
struct spent account_waited(struct worker *worker, enum state state);

/* Tell this of the request as well. */
void account_part(struct worker *worker, const char *name, struct spent spent);

/* For phases: the program ends when something did not work. */
void phase_must(bool done, const char *what);

/* All of these: by name of the step, with its value. */
typedef void phase_function(struct worker *worker, const char *name, unsigned value);

/* Make what the others need, which is then no part of their time. Once per connection, before the phases that need it. */
phase_function phase_prepare;

phase_function phase_burn;    /* on the CPU for so many ms */
phase_function phase_compete; /* the same on a CPU that another thread burns, too */
phase_function phase_sleep;   /* for so many ms */
phase_function phase_naps;    /* so many sleeps of 10 us */
phase_function phase_tries;   /* so many waits of 10 us for a semaphore that stays empty */
phase_function phase_lock;    /* a mutex that the partner holds for so many ms */
phase_function phase_send;    /* into a TCP socket that the partner does not read for so many ms */
phase_function phase_send_unix;  /* likewise a Unix socket */
phase_function phase_pipe;       /* bytes that the partner writes in so many ms */
phase_function phase_eventfd;    /* likewise */
phase_function phase_tty;        /* likewise, of a terminal */
phase_function phase_late;       /* leaves the next request in the socket for so many ms */
phase_function phase_downstream; /* a request to a server that sleeps for so many ms */

phase_function phase_fdatasync; /* writes and syncs until so many ms have passed */
phase_function phase_cold_read; /* reads of pages that are not in memory, likewise */
phase_function phase_fault;     /* touches such pages in a mapping, likewise */

phase_function phase_insert;     /* so many statements of their own, a megabyte each, synced */
phase_function phase_checkpoint; /* of a write-ahead log with so many megabytes, synced */
phase_function phase_select;     /* so often of a table that is not in memory */
phase_function phase_busy;       /* a database whose write lock the partner has for so many ms */

/* What the phases of each file need. */
void sockets_open(struct worker *worker);
void pipes_open(struct worker *worker);
void file_open(struct worker *worker);
void sqlite_open(struct worker *worker);
void sqlite_close(const struct worker *worker);

/* A thread of its own for the rival. */
void rival_start(struct rival *rival);

#endif
