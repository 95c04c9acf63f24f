/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The observed processes as services, by pid. A process that is unknown when its first event
 * arrives (a child that lived for milliseconds) still gets a service, from the event's comm or its
 * parent.
 */
#ifndef ZS_SPAN_SERVICE_H
#define ZS_SPAN_SERVICE_H

#include <stdint.h>

#include "span/span.h"

/* What is known of a process; strings are borrowed for the call, NULL or "" unknown. */
struct service_facts {
	uint32_t pid;
	const char *name;    /* service.name; NULL: from exe */
	const char *exe;     /* path of the executable */
	const char *command; /* argv[0] */
	uint64_t
	    start_id;    /* differs between processes that had the same pid: start time in ticks */
	struct sv attrs; /* other attributes of the resource, as base/pairs.h has them */
};

/* Bytes of service_facts.attrs; what is read from elsewhere and longer is refused. */
#define SERVICE_ATTRS_MAX_BYTES 16384

struct service_table;

struct service_table *service_table_new(void);        /* NULL: no memory */
void service_table_free(struct service_table *table); /* NULL is fine */

/* Add or replace the service of a process. Returns 0 or -ENOMEM. */
int service_table_put(struct service_table *table, const struct service_facts *facts);

/* The service of a process, borrowed; NULL when it is unknown. */
struct service *service_table_get(const struct service_table *table, uint32_t pid);

/* Forget a process that ended; spans keep their references. *ret_service (may be NULL) gets the
 * table's reference. */
void service_table_remove(struct service_table *table, uint32_t pid, struct service **ret_service);

#endif
