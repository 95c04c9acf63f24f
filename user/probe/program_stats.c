// SPDX-License-Identifier: Apache-2.0
/* Windows and what follows from them; see program_stats.h. */
#include "probe/program_stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rng.h"

enum state {
	STATE_WAITING = 1, /* until at_ns, for a window to begin */
	STATE_OPEN = 2,    /* in a window, until at_ns */
	STATE_ALWAYS = 3,  /* statistics are on anyway; they are read at at_ns */
	STATE_REFUSED = 4, /* there are none here; skipped runs are read at at_ns */
};

struct program {
	const char *name;
	int fd;
	struct program_counts begin; /* of the window, afterwards as last read */
	uint64_t skipped_before;     /* when it was added */
	double runs, time_ns;        /* estimates */
};

struct program_stats {
	const struct program_stats_source *source;
	struct rng rng;
	enum state state;
	uint64_t at_ns;
	uint64_t period_ns;  /* length of the period, which begins at covered_ns */
	uint64_t begin_ns;   /* of the window */
	uint64_t covered_ns; /* until which the estimates count */
	int fd;              /* that keeps statistics on, in a window */
	bool measured;
	struct program programs[PROGRAM_STATS_MAX];
	size_t n;
};

static void disable(int fd)
{
	close(fd);
}

const struct program_stats_source program_stats_kernel = {
    .now_ns = clock_monotonic_ns,
    .read = program_counts_read,
    .enable = program_counts_enable,
    .disable = disable,
    .always = program_counts_always,
};

/* --- windows --------------------------------------------------------------------------------- */

static void await_window(struct program_stats *stats)
{
	uint64_t room_ns = stats->period_ns - PROGRAM_STATS_WINDOW_NS;

	stats->state = STATE_WAITING;
	stats->at_ns = stats->covered_ns + rng_next(&stats->rng) % room_ns;
}

static void next_period(struct program_stats *stats)
{
	stats->period_ns *= 2;
	if (stats->period_ns > PROGRAM_STATS_PERIOD_MAX_NS)
		stats->period_ns = PROGRAM_STATS_PERIOD_MAX_NS;
	if (stats->state == STATE_REFUSED ||
	    (stats->state == STATE_ALWAYS && stats->source->always()))
		stats->at_ns = stats->covered_ns + stats->period_ns;
	else
		await_window(stats);
}

/* What is counted from now on. */
static void begin_counting(struct program_stats *stats)
{
	for (size_t i = 0; i < stats->n; i++)
		stats->source->read(stats->programs[i].fd, &stats->programs[i].begin);
	stats->begin_ns = stats->source->now_ns();
}

static double since(uint64_t now, uint64_t before)
{
	return now > before ? (double)(now - before) : 0;
}

/* factor: what a run that was counted since the beginning stands for; 0 when none were. */
static void end_counting(struct program_stats *stats, double factor)
{
	for (size_t i = 0; i < stats->n; i++) {
		struct program *program = &stats->programs[i];
		struct program_counts now;

		if (stats->source->read(program->fd, &now))
			continue;
		program->runs += factor * since(now.runs, program->begin.runs);
		program->time_ns += factor * since(now.time_ns, program->begin.time_ns);
		program->begin = now;
	}
}

/* What was counted since the beginning stands for all the time from what is covered to the end of the period, or until now. */
static void end_window(struct program_stats *stats, uint64_t period_end_ns)
{
	uint64_t now_ns = stats->source->now_ns();
	uint64_t until_ns = period_end_ns > now_ns ? period_end_ns : now_ns;
	double window_ns = since(now_ns, stats->begin_ns);

	end_counting(stats, window_ns > 0 ? since(until_ns, stats->covered_ns) / window_ns : 0);
	stats->begin_ns = now_ns;
	stats->covered_ns = until_ns;
	stats->measured = true;
}

static void begin_window(struct program_stats *stats)
{
	bool always = stats->source->always();

	stats->fd = always ? -1 : stats->source->enable();
	if (!always && stats->fd < 0) {
		log_debug("the kernel does not count the runs of probes: %s", strerror(-stats->fd));
		stats->state = STATE_REFUSED;
		return; /* skipped runs are read at the next tick */
	}
	stats->state = always ? STATE_ALWAYS : STATE_OPEN;
	begin_counting(stats);
	stats->at_ns =
	    stats->begin_ns + (always ? PROGRAM_STATS_PERIOD_MIN_NS : PROGRAM_STATS_WINDOW_NS);
}

bool program_stats_tick(struct program_stats *stats)
{
	if (stats->source->now_ns() < stats->at_ns)
		return false;
	switch (stats->state) {
	case STATE_WAITING:
		begin_window(stats);
		return false;
	case STATE_OPEN:
		end_window(stats, stats->covered_ns + stats->period_ns);
		stats->source->disable(stats->fd);
		break;
	case STATE_ALWAYS: /* they count whether we look or not */
		end_window(stats, 0);
		break;
	case STATE_REFUSED:
		end_counting(stats, 0);
		stats->covered_ns = stats->source->now_ns();
		break;
	}
	next_period(stats);
	return true;
}

uint64_t program_stats_left_ns(const struct program_stats *stats)
{
	uint64_t now_ns = stats->source->now_ns();

	if (stats->state != STATE_OPEN)
		return UINT64_MAX;
	return stats->at_ns > now_ns ? stats->at_ns - now_ns : 0;
}

/* --- programs -------------------------------------------------------------------------------- */

int program_stats_add(struct program_stats *stats, const char *name, int program_fd)
{
	struct program program = {.name = name, .fd = program_fd};
	int err;

	if (stats->n == PROGRAM_STATS_MAX)
		return -E2BIG;
	err = stats->source->read(program_fd, &program.begin);
	if (err)
		return err;
	program.skipped_before = program.begin.skipped;
	stats->programs[stats->n++] = program;
	return 0;
}

void program_stats_each(const struct program_stats *stats,
    void (*take)(void *ctx, const struct program_figures *figures), void *ctx)
{
	for (size_t i = 0; i < stats->n; i++) {
		const struct program *program = &stats->programs[i];
		const struct program_figures figures = {.name = program->name,
		    .measured = stats->measured,
		    .runs = program->runs,
		    .time_ns = program->time_ns,
		    .counts_skipped = program->begin.counts_skipped,
		    .skipped = program->begin.skipped - program->skipped_before};

		take(ctx, &figures);
	}
}

/* --- life cycle ------------------------------------------------------------------------------ */

struct program_stats *program_stats_new(const struct program_stats_source *source)
{
	struct program_stats *stats = calloc(1, sizeof(*stats));

	if (!stats)
		return NULL;
	stats->source = source;
	rng_seed_random(&stats->rng);
	stats->covered_ns = source->now_ns();
	stats->period_ns = PROGRAM_STATS_PERIOD_MIN_NS;
	await_window(stats);
	if (source->always()) { /* from the beginning: then nothing need be estimated */
		stats->state = STATE_ALWAYS;
		stats->begin_ns = stats->covered_ns;
		stats->at_ns = stats->covered_ns + PROGRAM_STATS_PERIOD_MIN_NS;
	}
	return stats;
}

void program_stats_free(struct program_stats *stats)
{
	if (!stats)
		return;
	if (stats->state == STATE_OPEN)
		stats->source->disable(stats->fd);
	free(stats);
}
