// SPDX-License-Identifier: Apache-2.0
/* From what was collected to stdout; see explain.h. */
#include "report/explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "why/write.h"

bool explain_is_wanted(const struct options *options)
{
	return options->command == COMMAND_WHY || options->format == FORMAT_WHY_TEXT ||
	    options->format == FORMAT_WHY_JSON;
}

static struct why_style terminal_style(void)
{
	struct why_style style = {.width = WHY_WIDTH_DEFAULT};
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return style;
	style.colour = !getenv("NO_COLOR");
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
		style.width = size.ws_col;
	return style;
}

static struct why_coverage coverage_of(const struct explain_end *end, const char *lost_causes)
{
	const struct self_counts *counts = end->counts;
	const struct conn_stats *conns = &counts->pipeline.conns;

	return (struct why_coverage){
	    .who = end->who,
	    .observed_ns = end->end_ns > end->start_ns ? end->end_ns - end->start_ns : 0,
	    .events = counts->pipeline.events,
	    .lost = self_counts_lost(counts),
	    .lost_causes = lost_causes,
	    .seen_share = self_counts_coverage(counts),
	    .connections = conns->opened,
	    .strays = counts->pipeline.exchanges.strays,
	    .ambiguous = counts->pipeline.assembler.ambiguous,
	    .dropped_spans = end->undelivered,
	};
}

static int write_out(const struct buf *text)
{
	if (text->failed)
		return -ENOMEM;
	errno = 0;
	if (fwrite(text->data, 1, text->len, stdout) == text->len && fflush(stdout) == 0)
		return 0;
	return errno ? -errno : -EIO;
}

static int print(const struct why_collector *collector, const struct options *options,
    const struct explain_end *end, const char *lost_causes)
{
	const struct why_options why = {
	    .start_ns = end->start_ns,
	    .end_ns = end->end_ns,
	    .slower_than_ns = options->slower_than_ns,
	    .routes = options->routes,
	    .n_routes = options->n_routes,
	};
	const struct why_coverage coverage = coverage_of(end, lost_causes);
	const struct why_style style = terminal_style();
	struct why_report report;
	struct buf text;
	int err = why_report_make(collector, &why, &coverage, &report);

	if (err)
		return err;
	buf_init(&text);
	if (options->format == FORMAT_WHY_JSON)
		why_write_json(&text, &report);
	else
		why_write_text(&text, &report, &style);
	err = write_out(&text);
	buf_release(&text);
	why_report_release(&report);
	return err;
}

int explain_print(const struct why_collector *collector, const struct options *options,
    const struct explain_end *end)
{
	struct buf causes;
	int err;

	buf_init(&causes);
	self_counts_describe_losses(end->counts, &causes);
	err = print(collector, options, end, causes.data ? causes.data : "");
	if (err)
		log_error("cannot write the report: %s", strerror(-err));
	buf_release(&causes);
	return err;
}
