/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer: what was found in the collected requests, as numbers and names. Pure: the same requests give the same report.
 *
 * Time lost. A request loses all its time but what it passed on to another observed request, whose loss it is, and its
 * work, which is its time on the CPU up to WHY_WORK_NS. So waiting counts whole, since it brings nothing; computing
 * counts when there is much of it; a wait that every request has counts as one that few have (the time above the median would
 * hide it); and the losses of all requests add up, each nanosecond once, where it can be mended.
 *
 * Findings are sorted by weight: for time its share of all time lost, for failures and requests without
 * an answer WHY_FAILURE_WEIGHT times their share of the route's requests; for statements and calls
 * outside of requests, of all that was seen.
 */
#ifndef ZS_WHY_REPORT_H
#define ZS_WHY_REPORT_H

#include "why/collect.h"

enum {
	/* A failed request is worth so many slow ones: a failure of a fifth of a route comes before everything. */
	WHY_FAILURE_WEIGHT = 5,
	/* What fits on a screen and into a minute. */
	WHY_FINDINGS_MAX = 5,
	WHY_SHARES_MAX = 4,
	WHY_DIFFERENCES_MAX = 5,
	WHY_STATUSES_MAX = 8,
	WHY_STACKS_MAX = 3,
	WHY_EXAMPLES_MAX = 3,
	WHY_REASONS_MAX = 8,
	WHY_OPENS_MAX = 20,
};

/* A wait of one request is worth telling from so much on. */
#define WHY_WORTH_NS NS_PER_MS

struct why_options {
	/*
	 * Of the observation, monotonic: what began before, while probes were being put in place, was seen in part only and is
	 * left out.
	 */
	uint64_t start_ns;
	uint64_t end_ns; /* of the observation, monotonic: open requests have waited until then */
	uint64_t slower_than_ns; /* from where on a request is slow; 0: by each route's own times */
	const char *const
	    *routes; /* patterns of fnmatch(3) for "GET /path" or "/path"; none: all */
	size_t n_routes;
};

/* What the observation says of itself. */
struct why_coverage {
	const char *who; /* what was observed, "shop (pid 17)" */
	uint64_t observed_ns;
	uint64_t events, lost;
	const char *lost_causes; /* "12 ring_full_data"; empty without any */
	double seen_share;       /* of HTTP bytes, 0 to 1 */
	uint64_t connections;    /* seen opened or in use */
	uint64_t strays;         /* answers to requests that came before the observation */
	uint64_t ambiguous;      /* calls of which it is not known for whom they were made */
	uint64_t dropped_spans;  /* on their way to the collector */
};

/* A name's part of something. */
struct why_share {
	uint32_t name;
	double amount; /* ns, or requests */
};

struct why_culprit_example {
	uint64_t transaction; /* 0: none */
	uint32_t thread;      /* 0: unknown */
};

/* Who held requests up. */
struct why_culprit {
	uint32_t name;           /* none: nobody is named */
	double requests;         /* for so many of them */
	uint64_t min_ns, max_ns; /* it held for so long; max 0: not known */
	struct why_culprit_example examples[WHY_EXAMPLES_MAX]; /* all different */
	size_t n_examples;
	bool more; /* there were others */
};

/* What else the process did while requests waited. */
struct why_beside {
	uint32_t name;       /* a neighbour; none: nothing that matters */
	double requests;     /* overlapped with some of that name: so many of them, */
	double mean;         /* each with so many on average, */
	uint32_t max;        /* and at most */
	uint64_t longest_ns; /* for so long at most */
};

enum why_finding_kind {
	WHY_FINDING_INVALID = 0,
	WHY_FINDING_TIME = 1,      /* a route loses time in a state */
	WHY_FINDING_FAILURE = 2,   /* a route fails */
	WHY_FINDING_NO_ANSWER = 3, /* requests wait for their answers longer than others did */
};

struct why_finding {
	enum why_finding_kind kind;
	uint32_t route;
	double weight;   /* 0 to 1, see above */
	double requests; /* concerned, of those below */
	double of;       /* requests of the route */

	/* What each of the requests concerned spent in the state, or waited for its answer. */
	uint64_t min_ns, max_ns;
	double mean_ns;

	/* TIME */
	enum ledger_state state;
	double lost_ns;
	double share;                            /* of all time lost, 0 to 1 */
	struct why_share places[WHY_SHARES_MAX]; /* ns, most first; none: its own code */
	size_t n_places;
	uint32_t stack; /* where most of it was waited; none: not known */
	struct why_beside beside;
	int percentile; /* the first of 95 and 99 that would be clearly better; 0: neither, or too few requests */
	uint64_t now_ns, without_ns; /* that percentile, and without this state */

	/* NO_ANSWER: if known, state is where most of their time went so far, lost_ns how much of it, share what part of theirs that is,
	 * and places and stack are of that state. */
	bool known;

	/* FAILURE */
	int status;       /* of HTTP, 0: none */
	uint32_t error;   /* a name */
	uint32_t failure; /* a name: what failed in it; none: not known */

	struct why_culprit culprit;
	/* Who waits for it or fails with it, nearest first; amount: share of its time, or requests. */
	struct why_share callers[WHY_SHARES_MAX];
	size_t n_callers;
};

/* What slow requests have more of than the others. */
struct why_difference {
	enum why_fact_kind kind;
	enum ledger_state state;
	uint32_t place;
	double slow,
	    normal; /* mean per request: ns; of STATEMENT: executions; of FAILURE, CULPRIT: requests with it, 0 to 1 */
	double in_slow, in_normal; /* requests that have it */
};

struct why_comparison {
	uint64_t threshold_ns; /* above it a request is slow; 0: none is, or all would be */
	double slow, normal;   /* requests */
	double slow_mean_ns, normal_mean_ns;
	/* What is worth the most first; room for one that is on trial. */
	struct why_difference differences[WHY_DIFFERENCES_MAX + 1];
	size_t n_differences;
};

struct why_route {
	uint32_t name;
	double requests; /* ended ones */
	double failed;
	double open;          /* had no answer yet when the observation ended */
	uint64_t open_max_ns; /* the oldest of those */
	double total_ns;      /* of the durations */
	double lost_ns;
	uint64_t p50_ns, p95_ns, p99_ns, max_ns;
	double state_ns[LEDGER_STATES]; /* adds up to total_ns; what was passed on is downstream */
	struct why_share passed[WHY_SHARES_MAX]; /* ns, most first, to other routes */
	size_t n_passed;
	struct why_share
	    fails_with[WHY_SHARES_MAX]; /* requests, to routes whose failure was passed on */
	size_t n_fails_with;
	struct {
		int status;
		double requests;
	} statuses[WHY_STATUSES_MAX]; /* most frequent first */
	size_t n_statuses;
	bool sampled; /* not all its requests were kept: numbers are estimates */
	struct why_comparison comparison;
};

struct why_stack {
	uint32_t name;
	uint32_t route; /* the one that waited there the most */
	enum ledger_state state;
	double requests;
	double total_ns; /* of the longest waits */
};

/* A request without an answer. */
struct why_open {
	uint32_t route;
	uint64_t age_ns;                /* when the observation ended */
	double state_ns[LEDGER_STATES]; /* so far */
	enum ledger_state state;        /* of its longest wait, else the one with the most time */
	uint32_t place;                 /* where that was the most; none: its own code */
	uint32_t stack;                 /* none: not known */
};

enum why_confidence {
	WHY_CONFIDENCE_NONE = 0, /* nothing was observed */
	WHY_CONFIDENCE_LOW = 1,
	WHY_CONFIDENCE_MEDIUM = 2,
	WHY_CONFIDENCE_HIGH = 3,
};

/* See confidence.c for the rules. */
enum why_reason_kind {
	WHY_REASON_INVALID = 0,
	WHY_REASON_FEW = 1,          /* requests */
	WHY_REASON_LOST = 2,         /* events, share */
	WHY_REASON_UNSEEN = 3,       /* HTTP bytes, share */
	WHY_REASON_UNATTRIBUTED = 4, /* time, share */
	WHY_REASON_DROPPED = 5,      /* spans, share */
	WHY_REASON_AMBIGUOUS = 6,    /* calls, share of spans */
	WHY_REASON_OPEN = 7,         /* requests without an answer, share */
	WHY_REASON_CROWDED = 8,      /* requests and names that found no room, share of requests */
};

struct why_reason {
	enum why_reason_kind kind;
	enum why_confidence confidence; /* not more than this */
	double amount;
};

struct why_report {
	struct why_route *routes; /* by time lost, most first */
	size_t n_routes;
	struct why_finding findings[WHY_FINDINGS_MAX]; /* by weight, most first */
	size_t n_findings;
	struct why_stack stacks[WHY_STACKS_MAX]; /* by time, most first */
	size_t n_stacks;
	struct why_open opens[WHY_OPENS_MAX]; /* oldest first */
	size_t n_opens;

	/* Over all routes told of. */
	double requests; /* ended; of servers */
	double failed, open;
	double lone; /* statements and calls outside of requests */
	double lost_ns, total_ns;
	double unattributed_share; /* of all time of ended requests, 0 to 1 */

	enum why_confidence confidence;
	struct why_reason reasons[WHY_REASONS_MAX]; /* why it is not high */
	size_t n_reasons;

	struct why_collect_stats collected;
	double
	    early; /* requests, statements and calls that began before the observation: left out */
	uint64_t crowded;              /* requests and names that found no room */
	bool filtered;                 /* requests were seen, but the patterns match none of them */
	const struct why_names *names; /* borrowed from the collector, like all texts */
	struct why_coverage coverage;  /* its texts borrowed */
	struct why_options options;    /* its texts borrowed */
};

/* Make the report; 0 or -ENOMEM. The collector and the texts outlive it. */
int why_report_make(const struct why_collector *collector, const struct why_options *options,
    const struct why_coverage *coverage, struct why_report *ret_report);
void why_report_release(struct why_report *report);

/* The route with this name, or NULL. */
const struct why_route *why_report_route(const struct why_report *report, uint32_t name);

#endif
