/* SPDX-License-Identifier: Apache-2.0 */
/* What an observation is made of, put together and taken apart: two lists in opposite order. What happens between them: observe.c. */
#ifndef ZS_OBSERVATION_H
#define ZS_OBSERVATION_H

#include "base/log.h"
#include "collector/collectors.h"
#include "config/config.h"
#include "config/options.h"
#include "ingest/reader.h"
#include "journal/journal.h"
#include "lookout/lookout.h"
#include "outputs.h"
#include "pipeline.h"
#include "probe/probes.h"
#include "probe/sqlite_probes.h"
#include "watch/child.h"
#include "watch/watch.h"

struct observation {
	const struct options *options;
	struct config *config;
	struct metrics *metrics;
	struct collectors collect;
	struct outputs outputs;
	struct why_collector *collector; /* NULL: no report is asked for */
	struct buf who;                  /* what is observed, as of the beginning */
	struct journal *journal;         /* NULL: nothing is recorded */
	struct pipeline *pipeline;
	struct probes *probes;
	struct sqlite_probes *sqlite;
	struct watch *watch;
	struct lookout *lookout;
	struct reader *reader;
	struct child child;
	int signal_fd;

	/* Of the one who runs it. */
	uint64_t start_ns, next_update_ns, next_process_ns; /* monotonic */
	uint64_t lost;                                      /* as last reported */
	bool searching;                                     /* files wait for being searched */
	bool closely;                                       /* timers are precise now */
	bool asked;                                         /* SIGUSR1: what is open? */
	bool reload; /* SIGHUP: read the configuration again */
	struct log_limit loss_limit;
};

/*
 * Begin with options and config, the rest zero, and who initialised. A program that is to be run is there but stopped; processes that run are
 * observed from here on. 0, or a negative errno: -ENOENT, -EINVAL and -ESRCH for what was asked, -EPERM, -EACCES and -ENOTSUP for what cannot
 * be here; *message may say more. To be closed in any case.
 */
int observation_open(struct observation *o, struct buf *message);
void observation_close(struct observation *o);

#endif
