// SPDX-License-Identifier: Apache-2.0
/* What zerospan counts of itself arrives under its names. */
#include <stdio.h>

#include "collector/self_metrics.h"
#include "export/exporters.h"
#include "support.h"

static void expect_line(const struct buf *text, const char *line)
{
	char whole[160];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (!strstr(text->data, whole))
		fail_msg("no '%s' in %s", line, text->data);
}

/* What got lost on the way out, each by its cause; that is no loss of events. */
static void losses(void **state)
{
	struct metrics *metrics = metrics_new();
	struct self_metrics *self = self_metrics_new(metrics);
	struct self_counts counts = {.unlogged = 2,
	    .unrecorded = 3,
	    .metrics = {.lost_records = 5, .late_records = 6, .unread_sets = 7},
	    .bad_records = 11};
	struct metric_snapshot *snapshot;
	struct buf text;

	(void)state;
	assert_int_equal(self_counts_lost(&counts), 11);
	self_metrics_update(self, &counts);
	snapshot = metrics_snapshot(metrics);
	buf_init(&text);
	encode_prometheus_text(&text, snapshot);
	expect_line(&text, "zerospan_logs_lost_total 2");
	expect_line(&text, "zerospan_recording_dropped_total 3");
	expect_line(&text, "zerospan_metrics_lost_total{cause=\"not_recorded\"} 5");
	expect_line(&text, "zerospan_metrics_lost_total{cause=\"after_end\"} 6");
	expect_line(&text, "zerospan_metrics_lost_total{cause=\"ended_unread\"} 7");
	expect_line(&text, "zerospan_lost_total{cause=\"bad_record\"} 11");
	expect_line(&text, "zerospan_lost_total{cause=\"ring_full_data\"} 0");
	buf_release(&text);
	metric_snapshot_free(snapshot);
	self_metrics_free(self);
	metrics_free(metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(losses)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
