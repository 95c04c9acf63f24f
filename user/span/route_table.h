/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routes inferred so far, per service, with a bound: a scanner's thousands of paths must not
 * become thousands of series. Beyond the bound every new route is "/" followed by "*".
 */
#ifndef ZS_SPAN_ROUTE_TABLE_H
#define ZS_SPAN_ROUTE_TABLE_H

#include "base/sv.h"
#include "span/span.h"

/* Distinct inferred routes of one service. */
#define ROUTE_TABLE_MAX 100

struct route_table;

struct route_table *route_table_new(void);        /* NULL: no memory */
void route_table_free(struct route_table *table); /* NULL is fine */

/* The route of path; borrowed until the service is forgotten. */
struct sv route_table_route(
    struct route_table *table, const struct service *service, struct sv path);

/* Forget the routes of a service whose process ended. */
void route_table_forget(struct route_table *table, const struct service *service);

#endif
