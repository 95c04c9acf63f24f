/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of one request and its answer for the rules that it has, and the values of their sources once it has ended. Of a request
 * that no rule is for, and of what none of its rules asks, nothing is kept.
 */
#ifndef ZS_RULE_PAYLOAD_H
#define ZS_RULE_PAYLOAD_H

#include "proto/http1.h"
#include "rule/rules.h"

/* Of one body, as it was sent; what comes behind is as if it had been cut off. */
#define PAYLOAD_MAX_BODY 65536
/* Of all bodies that are kept at once. */
#define PAYLOADS_MAX_BYTES (16 << 20)

/* Where the payloads of requests come from. */
struct payloads {
	struct rules *rules; /* a reference; NULL: none */
	size_t bytes;        /* of bodies, kept now */
	uint64_t
	    refused; /* bodies that were cut because of PAYLOADS_MAX_BYTES, or without memory, ever */
};

struct payload;

void payloads_init(struct payloads *payloads);
void payloads_release(struct payloads *payloads); /* after all payloads */

/* New requests have these rules from now on; takes its own reference. NULL: none. */
void payloads_set_rules(struct payloads *payloads, struct rules *rules);

/* For a request that begins: NULL when no rule is for it, or without memory. path: without query. */
struct payload *payload_new(
    struct payloads *payloads, enum rule_subject subject, struct sv method, struct sv path);
void payload_free(struct payload *payload); /* NULL is fine */

/* The head of the request, or of an answer: of several, the last. */
void payload_head(struct payload *payload, const struct http1_head *head);

/* n more bytes of that kind of message's body, of which those of data were seen, the first ones. */
void payload_body(struct payload *payload, enum http1_kind kind, struct sv data, uint64_t n);

/* That kind of message ended as it should: nothing is missing at its end. */
void payload_end(struct payload *payload, enum http1_kind kind);

/* The request's rules, one or more; borrowed. */
size_t payload_rules(const struct payload *payload, const struct rule *const **ret_rules);

/* What they are part of. */
const struct rules *payload_ruleset(const struct payload *payload);

/* What is known of a request or statement besides. */
struct rule_facts {
	struct sv method, route, query; /* query as it was sent */
	struct sv error;                /* error.type; empty: none */
	struct sv sql_text, sql_summary;
	int status; /* 0: none */
	int64_t rows;
	uint64_t duration_ns;
	const uint64_t *time_ns; /* by state */
};

/*
 * The values of the rule's sources; payload NULL: of a statement. Texts are borrowed from payload, as it is until the next call, and facts.
 */
void payload_values(struct payload *payload, const struct rule *rule,
    const struct rule_facts *facts, struct rule_value ret_values[RULE_MAX_SOURCES]);

#endif
