/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key `sampling` of the configuration file:
 *
 *	sampling:
 *	  errors: 1.0                     traces with a span that failed: the part that is kept, 0 to 1
 *	  client_errors: 1.0              traces whose request was answered with 4xx
 *	  slower_than: {500ms: 1.0, p99: 1.0}   traces whose request took longer than that, or than so many others of its route
 *	  default: 0.05                   all others; 1 if it is not there
 *	  rate: {POST /checkout: 10/s, "*": 100/s}   traces kept by default, per second, of a route and of each other route
 *	  parent: follow | ignore         who began a trace elsewhere decides by its sampled flag, or is not asked
 *
 * What each comes to is in sampling/verdict.h and sampling/rate_window.h.
 */
#ifndef ZS_CONFIG_SAMPLING_CONFIG_H
#define ZS_CONFIG_SAMPLING_CONFIG_H

#include "base/buf.h"
#include "config/document.h"
#include "proto/sampling_policy.h"

/* Percentiles, in percent: below, most requests would be slow; above, too few requests are remembered. */
#define SAMPLING_PERCENTILE_MIN 50
#define SAMPLING_PERCENTILE_MAX 99.9

/* Off: everything is kept. */
void sampling_config_init(struct sampling_policy *policy);
void sampling_config_release(struct sampling_policy *policy);

/* Take what the key's value says. 0; -EINVAL after value_wrong(); -ENOMEM. */
int sampling_config_read(struct sampling_policy *policy, struct value value);

/* Append ", sampling: ..." as a part of a line, unless it is off. */
void sampling_config_describe(const struct sampling_policy *policy, struct buf *out);

#endif
