/* SPDX-License-Identifier: Apache-2.0 */
/* What brings metrics that are counted elsewhere into the registry while processes are observed: made and freed together. */
#ifndef ZS_COLLECTOR_COLLECTORS_H
#define ZS_COLLECTOR_COLLECTORS_H

#include "collector/active_metrics.h"
#include "collector/open_metrics.h"
#include "collector/probe_metrics.h"
#include "collector/process_metrics.h"
#include "collector/self_metrics.h"

struct collectors {
	struct self_metrics *self;
	struct open_metrics *open;
	struct active_metrics *active;
	struct process_metrics *process;
	struct probe_metrics
	    *probe; /* the owner's to begin, once there are probes; NULL: nobody reads metrics */
};

/* All but probe. Returns 0 or -ENOMEM; to be released in either case. */
int collectors_init(struct collectors *collectors, struct metrics *metrics);
void collectors_release(struct collectors *collectors); /* before the probes are closed */

#endif
