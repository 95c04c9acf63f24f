/* SPDX-License-Identifier: Apache-2.0 */
/* The steps from sets of requests to a report. Internal to the report. */
#ifndef ZS_WHY_ANALYSIS_H
#define ZS_WHY_ANALYSIS_H

#include "why/set.h"

/* Numbers of one route; its comparison is left. */
void why_analyse_route(
    const struct why_set *set, const struct why_report *report, struct why_route *ret_route);

/* Slow against normal ones; slower_than_ns as in struct why_options. */
void why_compare(const struct why_set *set, const struct why_route *route, uint64_t slower_than_ns,
    struct why_comparison *ret_comparison);

/* How long an open request has waited by the end of the observation. */
uint64_t why_open_ns(const struct why_request *request, uint64_t end_ns);

/* Those of a route that wait longer than its others did; false: none do. */
bool why_find_no_answer(const struct why_set *set, const struct why_route *route, uint64_t end_ns,
    struct why_finding *ret_finding);

/* The oldest ones of all routes of the report. */
void why_list_open(const struct why_sets *sets, struct why_report *report);

/* The three kinds of findings of all routes in the report, which is complete up to its total; into the report, sorted. */
void why_find(const struct why_sets *sets, struct why_report *report);

/* Who was in the way of those requests of a set for which concerned() is true. */
void why_find_culprit(const struct why_set *set, enum ledger_state state,
    bool (*concerned)(const struct why_request *request, const void *ctx), const void *ctx,
    struct why_culprit *ret_culprit);

/* What those had beside them, if that is about what they waited for. */
void why_find_beside(const struct why_set *set, enum ledger_state state,
    bool (*concerned)(const struct why_request *request, const void *ctx), const void *ctx,
    struct why_beside *ret_beside);

/* Failures of one route, each kind a finding, to at most max places; their number. */
size_t why_find_failures(const struct why_set *set, const struct why_report *report,
    struct why_finding *ret_findings, size_t max);

/* The places where routes of the report waited the longest. */
void why_find_stacks(const struct why_sets *sets, struct why_report *report);

/* How far the report can be trusted. */
void why_judge(struct why_report *report);

#endif
