/* SPDX-License-Identifier: Apache-2.0 */
/* Names, numbers and findings in words, the same for text and JSON. Appended texts hold no control characters. */
#ifndef ZS_WHY_WORDS_H
#define ZS_WHY_WORDS_H

#include "base/buf.h"
#include "why/report.h"

/* Longest name that is written; more of it tells nobody anything. */
enum {
	WHY_WORDS_NAME_MAX = 60,
};

/* "POST /checkout", "UPDATE t (shop.db)", "GET (call)"; with the service where there are several. */
void why_append_route(struct buf *out, const struct why_report *report, uint32_t route);

/* What a place is: "UPDATE orders", "10.0.0.5:80", "the way to POST /checkout", "its own code". */
void why_append_place(struct buf *out, const struct why_report *report, uint32_t place);

/* What failed: "UPDATE orders got SQLITE_BUSY (5) from shop.db", "the call to 10.0.0.5:80 ended with timeout". */
void why_append_failure(struct buf *out, const struct why_report *report, uint32_t failure);

/* "requests", "executions" or "calls". */
const char *why_noun(const struct why_report *report, uint32_t route, bool plural);

/* "37 of 120 requests (31 %)". */
void why_append_count(
    struct buf *out, const struct why_report *report, uint32_t route, double part, double all);

/* "0.4 %", "31 %". */
void why_append_percent(struct buf *out, double share);

/* "1.05 s to 2.44 s, mean 1.71 s". */
void why_append_range(struct buf *out, uint64_t min_ns, uint64_t max_ns, double mean_ns);

/* The finding in a few words, and the sentences below it, with or without who waits for the route. */
void why_append_headline(
    struct buf *out, const struct why_report *report, const struct why_finding *finding);
void why_append_sentences(struct buf *out, const struct why_report *report,
    const struct why_finding *finding, bool with_callers);

/* Who it was: "transactions 17 and 18 (BEGIN, thread 4242 "audit" of the same process)". */
void why_append_culprit(
    struct buf *out, const struct why_report *report, const struct why_culprit *culprit);

/* "high", and one reason why it is not: "only 3 requests to judge by". */
const char *why_confidence_name(enum why_confidence confidence);
void why_append_reason(struct buf *out, const struct why_reason *reason);

/* What to check, when nothing was observed: one sentence. */
void why_append_nothing(struct buf *out, const struct why_report *report);

#endif
