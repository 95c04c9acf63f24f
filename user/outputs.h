/* SPDX-License-Identifier: Apache-2.0 */
/* The destinations that the command line and the environment ask for, of all signals, opened and closed together. */
#ifndef ZS_OUTPUTS_H
#define ZS_OUTPUTS_H

#include "base/buf.h"
#include "collector/exporter_metrics.h"
#include "config/config.h"
#include "config/options.h"
#include "diagnostics.h"
#include "export/exporters.h"
#include "export/limits.h"
#include "export/otlp_metrics.h"
#include "pipeline.h"
#include "why/collect.h"

/* Traces: file, terminal, report, one for each destination of OTLP; the other signals have less. */
#define OUTPUTS_MAX 8

struct outputs {
	struct clock_base clock; /* set before opening */
	bool append;             /* set before opening: the file goes on where it ends */
	bool wants_lines;        /* set before opening: lines of observed processes come, too */
	/* Set before opening: takes the traces, too; borrowed until closed. NULL: none. */
	struct why_collector *collector;
	struct sink *sinks[OUTPUTS_MAX]; /* of traces */
	size_t n_sinks;
	struct sink *logs[OUTPUTS_MAX]; /* of log lines */
	size_t n_logs;
	size_t n_own;       /* the first so many are given zerospan's own, too */
	struct sink *loose; /* the one for lines that no tree shows; NULL: none */
	struct otlp_metrics *metrics[OUTPUTS_MAX]; /* their periodic exporters */
	size_t n_metrics;
	struct service *self; /* zerospan as a resource; NULL: none of these */
	struct diagnostics *diagnostics;
	struct exporter_metrics *figures; /* of all of them, as metrics */
	uint64_t undelivered; /* spans that did not arrive where they should, once closed */
	struct output_file *files[OTLP_SIGNALS], *terminal; /* that sinks write to; NULL: none */
	struct http_listener *listener;                     /* NULL: none */
	struct otlp_metrics_env metrics_env; /* how metrics go out, from the environment */
	struct signal_limits limits;         /* of attributes, from the environment */
	bool console[OTLP_SIGNALS];          /* the environment wants them on the terminal */
	struct buf otlp;                     /* where OTLP goes, for people; empty: nowhere */
};

/*
 * Open into *outputs, of which only the fields above are set. Returns 0, or negative errno with a message; then what
 * was opened is closed.
 */
int outputs_open(struct outputs *outputs, const struct options *options, struct metrics *metrics,
    struct buf *message);

/* Does anybody read metrics? */
bool outputs_have_metrics(const struct outputs *outputs);

/* Nothing gets lost on the way to the sinks: whoever feeds them can wait. */
void outputs_set_patient(const struct outputs *outputs);

/* Say what a pipeline that is to feed them does, by the command line, the file and the limits; all is borrowed. */
void outputs_ask_pipeline(const struct outputs *outputs, const struct options *options,
    const struct config *config, struct pipeline_options *pipeline);

/* Let a pipeline publish to them; they are borrowed. */
void outputs_feed(const struct outputs *outputs, struct pipeline *pipeline);

/* Bring the metrics of the destinations up to date. */
void outputs_update(const struct outputs *outputs);

/* Drain the sinks, each within its own time, say what did not arrive, free everything. May be called again. */
void outputs_close(struct outputs *outputs);

#endif
