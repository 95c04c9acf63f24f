/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trust boundary: bytes from the ring or from a recording become a checked event, or are
 * refused. Behind this function every length and every enum of an event is valid.
 */
#ifndef ZS_INGEST_DECODE_H
#define ZS_INGEST_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "event.h"

/* A view of one record; borrowed from the bytes it was decoded from. */
struct event {
	union {
		const struct zsp_header *h;
		const struct zsp_conn_open *open;      /* ZSP_KIND_CONN_OPEN */
		const struct zsp_data *data;           /* ZSP_KIND_DATA */
		const struct zsp_conn_state *state;    /* ZSP_KIND_CONN_STATE */
		const struct zsp_proc *proc;           /* ZSP_KIND_PROC_*, ZSP_KIND_LISTEN */
		const struct zsp_statement *statement; /* ZSP_KIND_STATEMENT */
		const struct zsp_lock *lock;           /* ZSP_KIND_LOCK */
		const struct zsp_wake *wake;           /* ZSP_KIND_WAKE */
		const struct zsp_log *log;             /* ZSP_KIND_LOG */
	};
};

/*
 * Check the record in size bytes at record (8-byte aligned; trailing bytes beyond the record's own
 * size are ignored). Returns 0, or -EBADMSG for a record that no kernel side of this version
 * writes.
 */
int event_decode(const void *record, size_t size, struct event *ret_event);

/* Is it about the life of a process (struct zsp_proc), and not of a connection, a statement or a lock? */
bool event_is_of_process(const struct event *event);

/* Bytes of a record of this kind without payload; 0: no such kind. */
size_t event_fixed_size(unsigned int kind);

#endif
