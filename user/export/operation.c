// SPDX-License-Identifier: Apache-2.0
/* See operation.h. */
#include "export/operation.h"

#include <string.h>

#include "base/clock.h"

const char *export_error_of(int number)
{
	const char *name = strerrorname_np(number);

	return name ? name : EXPORT_ERROR_OTHER;
}

void export_observer_tell(
    const struct export_observer *observer, uint64_t begin_ns, const char *error_type)
{
	const struct export_operation operation = {
	    .duration_ns = clock_monotonic_ns() - begin_ns, .error_type = error_type};

	if (observer->ended)
		observer->ended(observer->ctx, &operation);
}
