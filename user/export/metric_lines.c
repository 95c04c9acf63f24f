// SPDX-License-Identifier: Apache-2.0
/* See metric_lines.h. */
#include "export/metric_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "export/exporters.h"
#include "export/operation.h"

struct metric_lines {
	struct output_file *file; /* a reference */
	int error;                /* of the last writing: errno */
	struct log_limit limit;
};

static size_t write_lines(
    void *ctx, const struct buf *lines, size_t n_points, const struct otlp_waiter *waiter)
{
	struct metric_lines *to = ctx;
	uint64_t suppressed;
	int err = 0;

	if (output_file_write(to->file, buf_sv(lines), waiter->stopping, waiter->ctx, &err) ==
	    lines->len)
		return n_points;
	to->error = -err;
	if (log_limit_pass(&to->limit, clock_monotonic_ns(), &suppressed))
		log_warn(
		    "writing %zu data points to %s failed: %s (%llu earlier messages not shown)",
		    n_points, output_file_name(to->file), strerror(-err),
		    (unsigned long long)suppressed);
	return 0;
}

static const char *lines_error(void *ctx)
{
	return export_error_of(((const struct metric_lines *)ctx)->error);
}

static void lines_free(void *ctx)
{
	struct metric_lines *to = ctx;

	output_file_unref(to->file);
	free(to);
}

int metric_lines_target(struct otlp_target *ret_target, struct output_file *file)
{
	struct metric_lines *to = calloc(1, sizeof(*to));

	if (!to)
		return -ENOMEM;
	to->file = output_file_ref(file);
	*ret_target = (struct otlp_target){.name = "file",
	    .send = write_lines,
	    .error = lines_error,
	    .free = lines_free,
	    .ctx = to};
	return 0;
}

size_t metric_lines_json(struct buf *out, const struct metric_snapshot *snapshot,
    const struct service *own, const struct clock_base *clock)
{
	size_t n = encode_otlp_metrics_json(out, snapshot, own, clock);

	buf_append_char(out, '\n');
	return n;
}

size_t metric_lines_text(struct buf *out, const struct metric_snapshot *snapshot,
    const struct service *own, const struct clock_base *clock)
{
	size_t n = 0;

	(void)own;
	(void)clock;
	for (size_t i = 0; i < snapshot->n_families; i++)
		n += snapshot->families[i].n_points;
	encode_prometheus_text(out, snapshot);
	return n;
}
