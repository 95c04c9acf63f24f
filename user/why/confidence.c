// SPDX-License-Identifier: Apache-2.0
/*
 * How far the report can be trusted, by these rules; the worst decides:
 *
 *	                                        medium from   low from
 *	few requests                            < 30          < 10
 *	events lost, of all                     > 0           1 %
 *	HTTP bytes not seen                     0.1 %         1 %
 *	time unattributed                       5 %           20 %
 *	spans that did not arrive, of all       > 0           1 %
 *	calls that may be of several requests   1 %           10 %     of the spans
 *	requests without an answer at the end   10 %          50 %
 *	requests and names without room         > 0           10 %     of the requests
 */
#include <stdlib.h>

#include "why/analysis.h"

static const struct rule {
	enum why_reason_kind kind;
	double medium, low; /* from these shares on */
} rules[] = {
    {WHY_REASON_LOST, 0, 0.01},
    {WHY_REASON_UNSEEN, 0.001, 0.01},
    {WHY_REASON_UNATTRIBUTED, 0.05, 0.20},
    {WHY_REASON_DROPPED, 0, 0.01},
    {WHY_REASON_AMBIGUOUS, 0.01, 0.10},
    {WHY_REASON_OPEN, 0.10, 0.50},
    {WHY_REASON_CROWDED, 0, 0.10},
};

#define REQUESTS_FEW      30
#define REQUESTS_VERY_FEW 10

static double share_of(double part, double all)
{
	return all > 0 ? part / all : part > 0;
}

static double amount_of(const struct why_report *report, enum why_reason_kind kind)
{
	const struct why_coverage *coverage = &report->coverage;
	double spans = (double)report->collected.spans;
	double all = report->requests + report->lone + report->open;

	switch (kind) {
	case WHY_REASON_LOST:
		return share_of(
		    (double)coverage->lost, (double)coverage->events + (double)coverage->lost);
	case WHY_REASON_UNSEEN:
		return 1 - coverage->seen_share;
	case WHY_REASON_UNATTRIBUTED:
		return report->unattributed_share;
	case WHY_REASON_DROPPED:
		return share_of(
		    (double)coverage->dropped_spans, spans + (double)coverage->dropped_spans);
	case WHY_REASON_AMBIGUOUS:
		return share_of((double)coverage->ambiguous, spans);
	case WHY_REASON_OPEN:
		return share_of(report->open, all);
	case WHY_REASON_CROWDED:
		return share_of((double)report->crowded, all + (double)report->crowded);
	default:
		return 0;
	}
}

static void add(struct why_report *report, enum why_reason_kind kind,
    enum why_confidence confidence, double amount)
{
	report->reasons[report->n_reasons++] = (struct why_reason){kind, confidence, amount};
	if (confidence < report->confidence)
		report->confidence = confidence;
}

void why_judge(struct why_report *report)
{
	double all = report->requests + report->lone + report->open;

	if (all == 0)
		return;
	report->confidence = WHY_CONFIDENCE_HIGH;
	if (all < REQUESTS_FEW)
		add(report, WHY_REASON_FEW,
		    all < REQUESTS_VERY_FEW ? WHY_CONFIDENCE_LOW : WHY_CONFIDENCE_MEDIUM, all);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		double amount = amount_of(report, rules[i].kind);

		if (amount > 0 && amount >= rules[i].medium)
			add(report, rules[i].kind,
			    amount >= rules[i].low ? WHY_CONFIDENCE_LOW : WHY_CONFIDENCE_MEDIUM,
			    amount);
	}
}
