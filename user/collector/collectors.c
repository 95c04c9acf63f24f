// SPDX-License-Identifier: Apache-2.0
/* See collectors.h. */
#include "collector/collectors.h"

#include <errno.h>

int collectors_init(struct collectors *collectors, struct metrics *metrics)
{
	*collectors = (struct collectors){0};
	collectors->self = self_metrics_new(metrics);
	collectors->open = open_metrics_new(metrics);
	collectors->active = active_metrics_new(metrics);
	collectors->process = process_metrics_new(metrics);
	return collectors->self && collectors->open && collectors->active && collectors->process
	    ? 0
	    : -ENOMEM;
}

void collectors_release(struct collectors *collectors)
{
	probe_metrics_free(collectors->probe);
	process_metrics_free(collectors->process);
	active_metrics_free(collectors->active);
	open_metrics_free(collectors->open);
	self_metrics_free(collectors->self);
	*collectors = (struct collectors){0};
}
