/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of a configuration file that says what payloads mean:
 *
 *	redaction:
 *	  hash_key: 000102030405060708090a0b0c0d0e0f   for values that leave as hashes
 *	rules:
 *	  - match: POST /checkout               METHOD PATTERN, or SQL SUMMARY
 *	    kind: client                        requests that are made; unless said, those that are answered
 *	    attributes:
 *	      order.item: request.item          an expression (rule/expr.h)
 *	      user.id: {value: request.user, as: hash}           or mask
 *	    metrics:
 *	      - counter: order_revenue          up_down_counter, histogram
 *	        unit: USD
 *	        description: What was sold.
 *	        value: request.quantity * request.price          1 unless it is there; histograms need it
 *	        when: status == 200
 *	        bounds: [1, 10, 100]            of a histogram
 *	        max_sets: 2000
 *	        labels:
 *	          item: request.item      or a mapping, as above
 *	          reason: {rejected: status == 400, failed: status >= 500}
 */
#ifndef ZS_CONFIG_RULES_CONFIG_H
#define ZS_CONFIG_RULES_CONFIG_H

#include "config/document.h"
#include "rule/rules.h"

/* value is that of "redaction". Returns as value_mapping(). */
int rules_config_read_redaction(struct rules *rules, struct value value);

/* value is that of "rules"; redaction was read. states: see rule/source.h. */
int rules_config_read(struct rules *rules, rule_state_name *states, struct value value);

#endif
