/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routes of paths: the configured pattern that a path matches, else none or one that is inferred, as
 * configured. Inferred ones are kept per service, with a bound: a scanner's thousands of paths must not
 * become thousands of series. Beyond the bound every new route is "/" followed by "*". Patterns do not
 * count.
 */
#ifndef ZS_SPAN_ROUTE_TABLE_H
#define ZS_SPAN_ROUTE_TABLE_H

#include <stdbool.h>

#include "base/sv.h"
#include "proto/http_naming.h"
#include "span/span.h"

/* Distinct inferred routes of one service. */
#define ROUTE_TABLE_MAX 100

struct route_table;

struct route_table *route_table_new(
    const struct http_naming *naming);            /* borrowed; NULL: no memory */
void route_table_free(struct route_table *table); /* NULL is fine */

/* The route of path, empty: none. Borrowed until the service is forgotten, or the patterns are. */
struct sv route_table_route(
    struct route_table *table, const struct service *service, struct sv path);

/* keep: until told otherwise the table stays as it is, and a route that is not in it yet is borrowed until the next question only. */
void route_table_keep(struct route_table *table, bool keep);

/* Forget the routes of a service whose process ended; NULL: of all, since paths are named otherwise from now on. Before the old patterns are gone. */
void route_table_forget(struct route_table *table, const struct service *service);

#endif
