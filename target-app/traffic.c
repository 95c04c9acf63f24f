// SPDX-License-Identifier: Apache-2.0
/*
 * traffic: sends mixed orders to a shop at a steady rate and prints what came of them as one JSON
 * line. Each request has its time on the schedule, whether or not earlier ones have been answered.
 */
#include "traffic_crew.h"
#include "traffic_mix.h"

#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options {
	const char *url;
	const char *mix;
	double rate;       /* requests per second */
	double duration_s; /* seconds */
	int connections;
	uint64_t seed;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

static void print_help(void)
{
	puts("usage: traffic [options]\n\n"
	     "Sends mixed orders to the shop.\n\n"
	     "  --url URL         base address of the shop (default http://127.0.0.1:8000)\n"
	     "  --rate N          requests per second (default 5)\n"
	     "  --duration S      seconds (default 10)\n"
	     "  --connections N   connections to start with (default 4); more are opened when\n"
	     "                    all wait for slow answers\n"
	     "  --mix LIST        kind:weight,kind:weight,... or default\n"
	     "  --seed N          the same seed gives the same sequence (default 1)\n"
	     "  --help            this text\n\n"
	     "Kinds and their default weights:");
	for (int i = 0; i < TRAFFIC_KINDS; i++)
		printf("  %-12s %3u  %s\n", traffic_kinds[i].name, traffic_kinds[i].default_weight,
		    traffic_kinds[i].help);
}

static bool read_number(const char *text, double min, double max, double *ret_number)
{
	char *end;
	double number = strtod(text, &end);

	if (end == text || *end || !isfinite(number) || number < min || number > max)
		return false;
	*ret_number = number;
	return true;
}

static bool set_option(struct options *options, int option, const char *value)
{
	double number = 0;
	bool valid = true;

	switch (option) {
	case 'u':
		options->url = value;
		return strlen(value) < 1024;
	case 'm':
		options->mix = value;
		return true;
	case 'r':
		return read_number(value, 0.01, 100000, &options->rate);
	case 'd':
		return read_number(value, 0.01, 1000000, &options->duration_s);
	case 'c':
		valid = read_number(value, 1, TRAFFIC_CREW_MAX, &number);
		options->connections = (int)number;
		return valid;
	case 's':
		valid = read_number(value, 0, 9007199254740992.0, &number);
		options->seed = (uint64_t)number;
		return valid;
	default:
		return false;
	}
}

/* 0 to go on, 1 when the help was printed, -EINVAL for wrong usage. */
static int read_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {{"url", required_argument, NULL, 'u'},
	    {"rate", required_argument, NULL, 'r'}, {"duration", required_argument, NULL, 'd'},
	    {"connections", required_argument, NULL, 'c'}, {"mix", required_argument, NULL, 'm'},
	    {"seed", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "h", names, NULL)) != -1) {
		if (option == 'h') {
			print_help();
			return 1;
		}
		if (option != '?' && set_option(options, option, optarg))
			continue;
		if (option != '?')
			fprintf(stderr, "traffic: value '%s' not valid, try --help\n", optarg);
		return -EINVAL;
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, "traffic: unexpected argument '%s', try --help\n", argv[optind]);
	return -EINVAL;
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t due_ns)
{
	struct timespec due = {
	    .tv_sec = (time_t)(due_ns / 1000000000u), .tv_nsec = (long)(due_ns % 1000000000u)};

	while (!interrupted && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
		continue;
}

static void follow_schedule(
    const struct options *options, struct traffic_mix *mix, struct traffic_crew *crew)
{
	uint64_t start_ns = clock_ns();

	for (uint64_t i = 0; !interrupted; i++) {
		double at_s = (double)i / options->rate;
		int quantity = 0;
		int kind;

		if (at_s >= options->duration_s)
			break;
		sleep_until(start_ns + (uint64_t)(at_s * 1e9));
		if (interrupted)
			break;
		kind = traffic_mix_next(mix, &quantity);
		traffic_crew_send(crew, kind, quantity);
	}
}

static int print_summary(json_t *summary, uint64_t answered)
{
	char *text = summary ? json_dumps(summary, JSON_REAL_PRECISION(6)) : NULL;

	puts(text ? text : "{}");
	free(text);
	json_decref(summary);
	return answered > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct options options = {.url = "http://127.0.0.1:8000",
	    .mix = "default",
	    .rate = 5,
	    .duration_s = 10,
	    .connections = 4,
	    .seed = 1};
	struct sigaction action = {.sa_handler = on_signal};
	struct traffic_crew *crew;
	struct traffic_mix mix;
	uint64_t answered = 0;
	json_t *summary = NULL;
	int err = read_options(argc, argv, &options);

	if (err)
		return err > 0 ? 0 : 2;
	if (traffic_mix_parse(options.mix, options.seed, &mix) < 0) {
		fprintf(stderr, "traffic: mix '%s' not valid, try --help\n", options.mix);
		return 2;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	crew = traffic_crew_new(options.url, options.connections);
	if (!crew)
		return 1;
	follow_schedule(&options, &mix, crew);
	traffic_crew_finish(crew, &summary, &answered);
	curl_global_cleanup();
	return print_summary(summary, answered);
}
