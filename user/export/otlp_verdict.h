/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer of a collector comes to, whatever the transport: taken, worth another attempt, or refused; and the words for it. */
#ifndef ZS_EXPORT_OTLP_VERDICT_H
#define ZS_EXPORT_OTLP_VERDICT_H

#include <stdint.h>

#include "base/sv.h"
#include "export/otlp_transfer.h"

enum otlp_outcome {
	OTLP_OUTCOME_INVALID = 0,
	OTLP_TAKEN = 1, /* at least in part */
	OTLP_RETRY = 2,
	OTLP_REFUSED = 3,
};

struct otlp_verdict {
	enum otlp_outcome outcome;
	int64_t wait_ms;     /* the server wishes no attempt before; -1: it says nothing */
	uint64_t rejected;   /* OTLP_TAKEN: so many items were not; perhaps more than were sent */
	char error_type[32]; /* when not all was taken: the cause, as error.type has it */
	char what[64];       /* for people; "": there is nothing to say */
	char why[208];       /* in the server's own words, without control characters; may be "" */
};

/* A verdict with words; why may be NULL. error_type: a status, or one of few words. */
struct otlp_verdict otlp_verdict_of(
    enum otlp_outcome outcome, const char *error_type, const char *what, const char *why);

/* The answer is over OTLP_MAX_RESPONSE_BYTES: an error, and no reason to try again (OTLP specification 1.11.0). */
struct otlp_verdict otlp_verdict_too_long(void);

/* There is no answer: no connection, a broken one, none in time, bad certificates. */
struct otlp_verdict otlp_verdict_no_answer(const struct otlp_answer *answer);

/* It was taken, by a server that says so in words that are none of OTLP: perhaps it is something else, a page to log in for example. */
struct otlp_verdict otlp_verdict_unreadable(void);

/* It was taken; message is an ExportXServiceResponse, which may say that some was not. */
struct otlp_verdict otlp_verdict_taken(struct sv message);

#endif
