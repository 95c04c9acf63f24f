/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose child is it, and when is a trace complete. Every exchange and statement becomes a node with
 * a span id; evidence links nodes, links join groups, and a group whose nodes have all ended is
 * published as a local trace.
 *
 * Evidence, first match wins (the span's zerospan.parent.basis says which):
 *
 *   header   the request carries a valid traceparent
 *   socket   both ends of the connection are observed: same addresses mirrored, same stream
 * position of the request's first byte thread   the thread that made the call was serving exactly
 * one request. It serves a request from the first byte it reads of it to the last byte of the
 * answer. A request is parked while a call made for it is in flight and the thread has been back in
 * epoll_wait, poll or select since: then a loop may be serving others, and it gets no more calls; but
 * it may go on by itself, and so remains a candidate beside those of other traces. Two candidates are
 * no candidate.
 */
#ifndef ZS_TRACE_ASSEMBLER_H
#define ZS_TRACE_ASSEMBLER_H

#include "base/rng.h"
#include "event.h"
#include "proto/http_naming.h"
#include "span/exchange.h"
#include "span/log_record.h"
#include "span/service.h"
#include "span/span.h"

/* Nodes kept at once, open and waiting for their trace; statements beyond are dropped and counted.
 */
#define ASSEMBLER_MAX_NODES 262144

/* Open exchanges that one question looks at from either end: the oldest ones, the latest ones. */
#define ASSEMBLER_OPEN_MAX 1024

struct assembler_options {
	struct rng rng;                   /* for ids */
	struct service_table *services;   /* borrowed */
	const struct http_naming *naming; /* borrowed; NULL: the default */
	/* Spans that last longer are given their neighbours, those of traces with one what they waited in; 0: none is the former, all the latter. */
	uint64_t slow_ns;
	/* A span ended; exchange: the request that it is, NULL of statements. Before any sampling; both borrowed for the call, in which attributes may
	 * be added to the span. */
	void (*span)(void *ctx, struct span *span, const struct exchange *exchange);
	/* A local trace is complete (or a part of a long one). Borrowed for the call: take a
	 * reference. */
	void (*trace)(void *ctx, struct trace *trace);
	/* Path of the main file behind an SQLite connection, empty when unknown. Borrowed by the
	 * call. */
	struct sv (*database)(void *ctx, uint32_t pid, uint64_t db, uint32_t db_closes);
	/* Lines of logs whose trace is known now, or will never be; in_trace: the one just told has them, too.
	 * Borrowed for the call. Only after assembler_keep_logs(). */
	void (*logs)(void *ctx, struct log_batch *logs, bool in_trace);
	void *ctx;
};

struct assembler_stats {
	uint64_t spans;       /* ended, by kind and basis below */
	uint64_t by_basis[4]; /* indexed by enum parent_basis */
	uint64_t untimed;     /* of which only the beginning was seen */
	uint64_t traces;      /* published, with their last part */
	uint64_t dropped;     /* exchanges and statements for which there was no room */
	uint64_t ambiguous; /* calls of a thread that was serving several requests: left orphans */
	uint64_t logs_lost; /* lines of requests, for lack of memory */
	uint64_t
	    logs_unheld; /* lines that are told without their request: there was no room to wait for its trace */
	uint64_t open; /* nodes now */
};

/* A thread that was looked at: it waits. */
struct thread_wait {
	uint32_t pid, tid;
	uint64_t since_ns; /* CLOCK_MONOTONIC; the wait's name, too */
	uint64_t time_ns;  /* of the look */
	enum zsp_wait kind;
	bool asked;             /* its place follows */
	struct zsp_waits waits; /* the thread's totals without this wait */
};

/* Where it waits: what was found on its stacks. See struct wait_place. */
struct thread_place {
	uint32_t tid;
	uint64_t since_ns;
	enum wait_evidence
	    culprit; /* the stack is that of the culprit on this evidence; NONE: its own */
	struct sv user, kernel;
};

/* Who has the lock that it waits for. */
struct thread_culprit {
	uint32_t tid; /* who waits, */
	uint64_t since_ns;
	uint64_t time_ns; /* when that was known */
	enum wait_evidence evidence;
	uint32_t culprit_pid, culprit_tid;
	struct sv name; /* the thread's */
	bool asked;     /* its place follows */
};

/* A thread that could run and did not, when it was looked at. */
struct thread_contender {
	uint32_t tid;
	uint64_t time_ns;
	uint32_t contender_tid; /* who ran on its CPU then */
	struct sv name;         /* that thread's */
};

/* Requests that are open, of one process. */
struct open_process {
	uint32_t pid;
	uint64_t since_ns; /* beginning of the oldest one */
};

/* A thread that serves a request. */
struct serving_thread {
	uint32_t tid;
	uint64_t since_ns; /* beginning of the request */
	bool
	    unexplained; /* it is the only one, and nothing is known yet of what the thread has waited in for it */
};

/* A request that a server has not answered in full yet. */
struct active_request {
	struct service *service;
	struct sv method, scheme; /* http.request.method and url.scheme: constants */
};

/* Who wrote a line, and when: as of the write that ended it. */
struct line_author {
	uint32_t pid, tid, slice;
	uint64_t first_ns; /* of the write that began it */
	uint64_t time_ns;
	uint64_t woken_ns; /* as in struct zsp_waits */
};

struct assembler;

struct assembler *assembler_new(const struct assembler_options *options); /* NULL: no memory */

/* Publishes what has ended, then frees. NULL is fine. */
void assembler_free(struct assembler *assembler);

/* brief: from now on nobody reads the spans but options.span, which needs the attributes of metrics only. */
void assembler_set_brief(struct assembler *assembler, bool brief);

/* From now on somebody reads what slow spans have as neighbours. */
void assembler_keep_neighbours(struct assembler *assembler);

/* The listener to make struct exchanges with; its ctx is the struct assembler. */
extern const struct exchange_listener assembler_listener;

/* Take a finished statement execution. */
void assembler_statement(struct assembler *assembler, const struct zsp_statement *statement);

/* From now on lines of logs are taken. 0 or -ENOMEM. */
int assembler_keep_logs(struct assembler *assembler);

/*
 * A thread wrote this line. True: it is about a request; the record is moved, and told, with the ids of that, once its trace is complete. False: about none
 * that is known for sure, or there is no room; the record stays the caller's.
 */
bool assembler_log(
    struct assembler *assembler, struct log_record *record, const struct line_author *author);

/* Something about the write lock of a database. */
void assembler_lock(struct assembler *assembler, const struct zsp_lock *lock);

/* A process ended: forget what is kept for its service. */
void assembler_forget(struct assembler *assembler, const struct service *service);

/* options.naming is about to say something else: forget the routes that it gave. While what it says still lives. */
void assembler_naming_changes(struct assembler *assembler);

/*
 * Is what this thread waits in worth a look, however short the wait is? If it is of a kind that has taken a good part of the time of the thread's only
 * request, and none such is known of that.
 */
bool assembler_wants(const struct assembler *assembler, const struct thread_wait *wait);

/* A thread was looked at while it waited; what its stacks tell follows, as long as nobody waits in vain for it. */
void assembler_wait(struct assembler *assembler, const struct thread_wait *wait);
void assembler_culprit(struct assembler *assembler, const struct thread_culprit *culprit);
void assembler_place(struct assembler *assembler, const struct thread_place *place);

/* It could have served a request: the one it serves, if that is for sure. */
void assembler_contender(struct assembler *assembler, const struct thread_contender *contender);

/* Threads that serve requests which are open since before that time, of the latest ones first, up to max of them, each once; their number. */
size_t assembler_serving(const struct assembler *assembler, uint64_t before_ns,
    struct serving_thread *ret_threads, size_t max);

/* Processes that have requests or calls open since before that time, up to max of them; their number. */
size_t assembler_open(const struct assembler *assembler, uint64_t before_ns,
    struct open_process *ret_processes, size_t max);

/* When the oldest request or call that is open began; UINT64_MAX: there is none. */
uint64_t assembler_oldest(const struct assembler *assembler);

/*
 * Each exchange of which the head is known and that is open since before that time, as the span that it would be if it ended now, oldest first:
 * borrowed for the call. The oldest ASSEMBLER_OPEN_MAX only. Its place may not be told yet.
 */
void assembler_each_open(struct assembler *assembler, uint64_t now_ns, uint64_t before_ns,
    void (*span)(void *ctx, const struct span *span), void *ctx);

/*
 * Each request of which the head is known and that is open in a server that is observed: all of them, EXCHANGE_MAX at most.
 * Borrowed for the call. No span is made of them: much cheaper than the above.
 */
void assembler_each_active(const struct assembler *assembler,
    void (*take)(void *ctx, const struct active_request *request), void *ctx);

/* Nothing is awaited any longer: what threads were last seen to wait for is shared out, too. */
void assembler_end(struct assembler *assembler);

/* Publish the traces that are complete as of now_ns (monotonic). */
void assembler_tick(struct assembler *assembler, uint64_t now_ns);

/* Is something under way that is not published yet? */
bool assembler_busy(const struct assembler *assembler);

void assembler_stats(const struct assembler *assembler, struct assembler_stats *ret_stats);

#endif
