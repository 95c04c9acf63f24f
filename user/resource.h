/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is it that is observed: the resource attributes of a process, put together from configuration, environment, /proc and host. Whoever
 * comes first in this list wins:
 *
 *	service.name   the configuration file, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, the executable's name
 *	process.*      what the kernel says, OTEL_RESOURCE_ATTRIBUTES
 *	any other      the configuration file, OTEL_RESOURCE_ATTRIBUTES, what the host and the kernel say
 *
 * The variables are those of the process' own environment. service.instance.id is always made (span/service.h): a variable that
 * workers inherit cannot tell them apart. Arguments beyond the first and the working directory hold secrets at times
 * and are not collected (OpenTelemetry: opt-in).
 */
#ifndef ZS_RESOURCE_H
#define ZS_RESOURCE_H

#include <sys/types.h>

#include "base/buf.h"
#include "span/service.h"

struct resources;

/* Reads the facts of this host. configured (base/pairs.h) is borrowed: what the file says of all processes. NULL: no memory. */
struct resources *resources_new(struct sv configured);
void resources_free(struct resources *resources); /* NULL is fine */

/* The same that is configured from now on; borrowed. */
void resources_set_configured(struct resources *resources, struct sv configured);

/* What is known of one process, for service_facts; reused, so that its memory is. */
struct process_facts {
	struct buf attrs;
	char command[1024];
};

void process_facts_init(struct process_facts *facts);
void process_facts_release(struct process_facts *facts);

/*
 * The facts of a running process but its executable's path; what cannot be found out is left out, and that is no error. The
 * strings are borrowed from room until its next use. A variable that is wrong is left out as a whole, with at most one warning a minute.
 */
struct service_facts resources_of(
    struct resources *resources, pid_t pid, struct process_facts *room);

/* zerospan itself, for its own metrics and logs: its own environment counts for nothing here. A reference; NULL: no memory. */
struct service *service_self(void);

#endif
