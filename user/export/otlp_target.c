// SPDX-License-Identifier: Apache-2.0
/* See otlp_target.h. */
#include "export/otlp_target.h"

#include "export/operation.h"

void otlp_target_interrupt(const struct otlp_target *target)
{
	if (target->interrupt)
		target->interrupt(target->ctx);
}

const char *otlp_target_error(const struct otlp_target *target)
{
	return target->error ? target->error(target->ctx) : EXPORT_ERROR_OTHER;
}

void otlp_target_free(const struct otlp_target *target)
{
	if (target->free)
		target->free(target->ctx);
}
