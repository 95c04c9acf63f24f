// SPDX-License-Identifier: Apache-2.0
/* See operation.h. */
#include "export/operation.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

const char *export_error_of(int number)
{
	const char *name = strerrorname_np(number);

	return name ? name : EXPORT_ERROR_OTHER;
}

/* The cause's entry, or where there is room for it. */
static size_t place_of(const struct export_failures *failures, const char *error_type)
{
	size_t i = 0;

	while (i < failures->n && strcmp(failures->causes[i].error_type, error_type) != 0)
		i++;
	return i;
}

void export_failures_add(struct export_failures *failures, const char *error_type, uint64_t items)
{
	size_t i = place_of(failures, error_type);
	struct export_cause *cause;

	/* The last place is that of all others. */
	if (i == failures->n && i >= EXPORT_CAUSES_MAX - 1) {
		error_type = EXPORT_ERROR_OTHER;
		i = place_of(failures, error_type);
	}
	cause = &failures->causes[i];
	if (i == failures->n) {
		failures->n++;
		snprintf(cause->error_type, sizeof(cause->error_type), "%s", error_type);
	}
	cause->items += items;
}

void export_observer_tell(
    const struct export_observer *observer, uint64_t begin_ns, const char *error_type)
{
	const struct export_operation operation = {
	    .duration_ns = clock_monotonic_ns() - begin_ns, .error_type = error_type};

	if (observer->ended)
		observer->ended(observer->ctx, &operation);
}
