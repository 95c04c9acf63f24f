/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections and their two byte streams, put together from socket events. A stream is delivered
 * piece by piece in order, and every byte that passed unseen is reported as a gap: the kernel's
 * stream positions make losses exact. What the bytes mean is the next room's business.
 */
#ifndef ZS_CONN_CONN_H
#define ZS_CONN_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hmap.h"
#include "base/sv.h"
#include "ingest/decode.h"

/* Connections kept at once; new ones beyond are refused and counted. 64 Ki idle ones cost about 20
 * MB. */
#define CONN_MAX 65536

struct endpoint {
	enum zsp_family family; /* IPv4-mapped IPv6 is IPv4 here */
	uint16_t port;          /* host byte order; 0 for Unix */
	uint8_t address[16];    /* IPv4: first 4 bytes, the rest 0 */
};

#define ENDPOINT_TEXT 46 /* INET6_ADDRSTRLEN */

/* The address without port as text; "" for Unix sockets. */
const char *endpoint_text(const struct endpoint *endpoint, char text[ENDPOINT_TEXT]);

/* One read or write as the stream sees it. */
struct piece {
	enum zsp_direction direction;
	struct sv data; /* captured bytes; they are the first of the piece */
	struct sv tail; /* captured, too; they are the last of it */
	uint32_t bytes; /* >= data.len + tail.len; the difference, in between, passed uncaptured */
	uint32_t position; /* kernel stream position of the first byte */
	uint64_t start_ns; /* writes: begin of the call; reads: when the kernel had it, or end_ns */
	uint64_t end_ns;   /* end of the call */
	uint32_t pid, tid, slice;
	bool full;                     /* writes: the socket has no room for more */
	const struct zsp_waits *waits; /* of that thread, at the end of the call */
	uint64_t sent_ns, delayed_ns;  /* writes: of those, SEND and RUNQUEUE since start_ns */
};

struct conn {
	struct hnode node; /* by id */
	uint64_t id;       /* socket inode number */
	uint64_t peer_id;  /* Unix: the other end's, 0 unknown */
	uint64_t first_ns; /* accept or connect, 0 if it was there before */
	uint32_t netns;
	enum zsp_role role;
	struct endpoint local, remote;
	char remote_text[ENDPOINT_TEXT]; /* its address without port; "" for Unix sockets */
	uint32_t next[2];                /* position of the next byte, by direction - 1 */
	uint32_t pid;                    /* that last moved bytes on it, 0 none yet */
	bool reset;                      /* ended by RST or an error */
	bool cut;                        /* not ended: the observation did */
	void *protocol;                  /* the handler's own, NULL at open */
};

/* Called in stream order. conn->protocol is the handler's to set in open and to free in close. */
struct conn_handler {
	void (*open)(void *ctx, struct conn *conn);
	void (*piece)(void *ctx, struct conn *conn, const struct piece *piece);
	/* bytes of this direction passed unseen before the next piece */
	void (*gap)(void *ctx, struct conn *conn, enum zsp_direction direction, uint32_t bytes);
	/* The direction's stream is over: the reader saw its end, or the writer shut it. */
	void (*end)(void *ctx, struct conn *conn, enum zsp_direction direction, uint64_t time_ns);
	/* The connection is gone; conn->reset tells how. Last call for this conn. */
	void (*close)(void *ctx, struct conn *conn, uint64_t time_ns);
};

struct conn_stats {
	uint64_t open;           /* now */
	uint64_t opened;         /* ever */
	uint64_t refused;        /* beyond CONN_MAX */
	uint64_t gap_bytes;      /* passed unseen */
	uint64_t disordered;     /* pieces that came twice or too late and were ignored */
	uint64_t unknown_pieces; /* pieces of connections that are not in the table */
	uint64_t seen_bytes;     /* bytes of all pieces */
	uint64_t captured_bytes; /* of these, payload */
};

struct conn_table;

struct conn_table *conn_table_new(
    const struct conn_handler *handler, void *ctx); /* NULL: no memory */

/* Close all connections, as of time_ns. */
void conn_table_close_all(struct conn_table *table, uint64_t time_ns);

/* Closes what is open, then frees. NULL is fine. */
void conn_table_free(struct conn_table *table, uint64_t time_ns);

/* Take a ZSP_KIND_CONN_OPEN, ZSP_KIND_DATA or ZSP_KIND_CONN_STATE event. */
void conn_table_event(struct conn_table *table, const struct event *event);

/* A process ended: close what it was the last to use and what nothing closed since (as of time_ns). */
void conn_table_end_process(struct conn_table *table, uint32_t pid, uint64_t time_ns);

void conn_table_stats(const struct conn_table *table, struct conn_stats *ret_stats);

#endif
