// SPDX-License-Identifier: Apache-2.0
/*
 * Replaying. Each recording has a pipeline, outputs and a summary of its own, since it has a clock and a seed of
 * its own. Outputs that are slow are waited for: nothing gets lost here.
 */
#include "replay.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "exit_status.h"
#include "journal/journal.h"
#include "outputs.h"
#include "report/explain.h"
#include "report/summary.h"

/* Set by SIGINT and SIGTERM; the second of them ends the program whatever it waits for. */
static volatile sig_atomic_t stopped;

static void on_stop(int number)
{
	(void)number;
	stopped = 1;
}

struct replay {
	const struct options *options;
	const struct config *config;
	const char *path;
	struct recording *recording;
	struct player player;
	struct metrics *metrics;
	struct outputs outputs;
	struct why_collector *collector; /* NULL: no report is asked for */
	struct pipeline *pipeline;
};

/* Say what stopped the replay. */
static void complain(const struct replay *r, int err, bool began)
{
	uint64_t offset = 0;
	const char *why = r->recording ? recording_error(r->recording, &offset) : "";

	if (!*why)
		log_error("cannot replay '%s': %s", r->path, strerror(-err));
	else if (!began)
		log_error(
		    "cannot replay '%s': %s (byte %llu)", r->path, why, (unsigned long long)offset);
	else
		log_error("recording '%s' cannot be used beyond byte %llu: %s; all before it was",
		    r->path, (unsigned long long)offset, why);
}

static int open_recording(struct replay *r)
{
	int fd = open(r->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	r->recording = recording_new(fd);
	if (!r->recording)
		return -ENOMEM;
	player_init(&r->player, r->recording);
	return player_start(&r->player);
}

static int open_outputs(struct replay *r)
{
	struct buf message;
	int err;

	buf_init(&message);
	r->outputs.clock.offset_ns = r->player.start.wall_offset_ns;
	r->outputs.collector = r->collector;
	r->outputs.wants_lines = r->config->logs.wanted;
	err = outputs_open(&r->outputs, r->options, r->metrics, &message);
	if (err)
		log_error("%s", message.len ? message.data : strerror(-err));
	buf_release(&message);
	return err;
}

static int set_rules(struct replay *r)
{
	struct buf message;
	int err;

	buf_init(&message);
	err = pipeline_set_rules(r->pipeline, r->config->rules, &message);
	if (err)
		log_error("cannot use the rules: %s", message.data ? message.data : strerror(-err));
	buf_release(&message);
	return err;
}

static int open_pipeline(struct replay *r)
{
	struct pipeline_options options = {
	    .metrics = r->metrics,
	    .database_path = player_database_path,
	    .ctx = &r->player,
	};
	int err = 0;

	rng_seed(&options.rng, r->player.start.seed);
	options.slow_us = player_slow_us(&r->player);
	outputs_ask_pipeline(&r->outputs, r->options, r->config, &options);
	r->pipeline = pipeline_new(&options);
	if (!r->pipeline)
		return -ENOMEM;
	if (r->config->rules)
		err = set_rules(r);
	outputs_set_patient(&r->outputs);
	outputs_feed(&r->outputs, r->pipeline);
	return err;
}

static void take_counts(const struct replay *r, struct self_counts *counts)
{
	const struct journal_counts *recorded = &r->player.counts;

	*counts = (struct self_counts){
	    .skipped_runs = recorded->skipped_runs,
	    .sqlite.late = recorded->sqlite_late,
	    .bad_records = recorded->bad_records,
	};
	memcpy(counts->kernel, recorded->kernel, sizeof(counts->kernel));
	pipeline_stats(r->pipeline, &counts->pipeline);
}

/* After the outputs: the report if one is asked for, and the summary. */
static int conclude(const struct replay *r)
{
	uint64_t begin_ns = r->player.begin_ns, end_ns = r->player.end_ns;
	struct self_counts counts;
	const struct explain_end end = {
	    .who = r->path,
	    .start_ns = begin_ns,
	    .end_ns = end_ns,
	    .counts = &counts,
	    .undelivered = r->outputs.undelivered,
	};
	int err;

	take_counts(r, &counts);
	err = r->collector ? explain_print(r->collector, r->options, &end) : 0;
	if (!r->options->quiet)
		summary_print(&counts, (size_t)r->player.counts.processes,
		    end_ns > begin_ns ? end_ns - begin_ns : 0);
	return err;
}

static int play(struct replay *r)
{
	int n, err;

	log_info("replaying '%s', recorded by zerospan %s on %s", r->path, r->player.start.version,
	    r->player.start.machine);
	do
		n = stopped ? -EINTR : player_step(&r->player, r->pipeline);
	while (n > 0);
	if (n < 0 && n != -EINTR)
		complain(r, n, true);
	if (n < 0)
		pipeline_end(r->pipeline, r->player.end_ns);
	outputs_close(&r->outputs);
	err = conclude(r);
	return n ? n : err;
}

static int replay_file(
    const struct options *options, const struct config *config, const char *path, bool append)
{
	struct replay r = {
	    .options = options, .config = config, .path = path, .outputs.append = append};
	int err = open_recording(&r);

	if (err)
		complain(&r, err, false);
	r.metrics = err ? NULL : metrics_new();
	if (!err && !r.metrics)
		err = -ENOMEM;
	if (!err && explain_is_wanted(options)) {
		r.collector = why_collector_new();
		err = r.collector ? 0 : -ENOMEM;
	}
	if (!err)
		err = open_outputs(&r);
	if (!err)
		err = open_pipeline(&r);
	if (!err)
		err = play(&r);
	pipeline_free(r.pipeline, r.player.end_ns);
	outputs_close(&r.outputs);
	why_collector_free(r.collector);
	metrics_free(r.metrics);
	if (r.recording)
		player_release(&r.player);
	recording_free(r.recording);
	return err;
}

int replay_main(const struct options *options, const struct config *config)
{
	const struct sigaction stop = {.sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND};
	bool failed = false;

	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	for (size_t i = 0; i < options->n_files && !stopped; i++)
		failed |= replay_file(options, config, options->files[i], i > 0) != 0;
	if (stopped)
		log_warn("interrupted: what is left is not replayed");
	return failed || stopped ? EXIT_FAILED : EXIT_DONE;
}
