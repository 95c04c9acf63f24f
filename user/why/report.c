// SPDX-License-Identifier: Apache-2.0
/* The steps of the analysis in their order; see report.h. */
#include "why/report.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "why/analysis.h"

const struct why_route *why_report_route(const struct why_report *report, uint32_t name)
{
	for (size_t i = 0; i < report->n_routes; i++)
		if (report->routes[i].name == name)
			return &report->routes[i];
	return NULL;
}

/* --- which routes ------------------------------------------------------------------------------ */

/* "GET /path" by its whole or by what follows the method. */
static bool matches(const struct why_report *report, uint32_t name)
{
	struct sv text = why_name_part(report->names, name, 1);
	const struct why_options *options = &report->options;
	char whole[WHY_TEXT_MAX + 1], *path;

	memcpy(whole, text.p ? text.p : "", text.len);
	whole[text.len] = '\0';
	path = strchr(whole, ' ');
	for (size_t i = 0; i < options->n_routes; i++)
		if (fnmatch(options->routes[i], whole, 0) == 0 ||
		    (path && fnmatch(options->routes[i], path + 1, 0) == 0))
			return true;
	return options->n_routes == 0;
}

/* Mark what the routes that are marked pass on to; whether there was anything new. */
static bool mark_passed(const struct why_report *report, bool *wanted)
{
	bool marked = false;

	for (size_t i = 0; i < report->n_routes; i++) {
		const struct why_route *route = &report->routes[i];

		for (size_t k = 0; wanted[i] && k < route->n_passed; k++) {
			const struct why_route *to =
			    why_report_route(report, route->passed[k].name);

			if (!to || wanted[to - report->routes])
				continue;
			wanted[to - report->routes] = marked = true;
		}
	}
	return marked;
}

/* Leave the routes that are asked for, and those that they wait for. */
static int choose_routes(struct why_report *report)
{
	bool *wanted = calloc(report->n_routes + 1, sizeof(*wanted));
	size_t n = 0;

	if (!wanted)
		return -ENOMEM;
	for (size_t i = 0; i < report->n_routes; i++)
		wanted[i] = matches(report, report->routes[i].name);
	while (mark_passed(report, wanted))
		;
	for (size_t i = 0; i < report->n_routes; i++)
		if (wanted[i])
			report->routes[n++] = report->routes[i];
	report->filtered = n == 0 && report->n_routes > 0;
	report->n_routes = n;
	free(wanted);
	return 0;
}

/* --- sums -------------------------------------------------------------------------------------- */

static int compare_routes(const void *a, const void *b)
{
	const struct why_route *x = a, *y = b;

	if (x->lost_ns != y->lost_ns)
		return x->lost_ns > y->lost_ns ? -1 : 1;
	if (x->requests != y->requests)
		return x->requests > y->requests ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

static void add_up(struct why_report *report)
{
	double unattributed_ns = 0;

	for (size_t i = 0; i < report->n_routes; i++) {
		const struct why_route *route = &report->routes[i];
		bool lone = why_name_kind(report->names, route->name) != WHY_NAME_REQUEST;

		*(lone ? &report->lone : &report->requests) += route->requests;
		report->failed += lone ? 0 : route->failed;
		report->open += route->open;
		report->lost_ns += route->lost_ns;
		report->total_ns += route->total_ns;
		unattributed_ns += route->state_ns[LEDGER_UNATTRIBUTED];
	}
	if (report->total_ns > 0)
		report->unattributed_share = unattributed_ns / report->total_ns;
}

static int analyse(const struct why_sets *sets, struct why_report *report)
{
	report->routes = calloc(sets->n + 1, sizeof(*report->routes));
	if (!report->routes)
		return -ENOMEM;
	for (size_t i = 0; i < sets->n; i++)
		why_analyse_route(&sets->sets[i], report, &report->routes[report->n_routes++]);
	if (choose_routes(report))
		return -ENOMEM;
	qsort(report->routes, report->n_routes, sizeof(*report->routes), compare_routes);
	add_up(report);
	for (size_t i = 0; i < report->n_routes; i++) {
		struct why_route *route = &report->routes[i];

		why_compare(why_sets_find(sets, route->name), route, report->options.slower_than_ns,
		    &route->comparison);
	}
	why_find(sets, report);
	why_list_open(sets, report);
	why_find_stacks(sets, report);
	why_judge(report);
	return 0;
}

int why_report_make(const struct why_collector *collector, const struct why_options *options,
    const struct why_coverage *coverage, struct why_report *ret_report)
{
	const struct why_sample *sample = why_collector_sample(collector);
	struct why_report report = {
	    .names = why_collector_names(collector), .options = *options, .coverage = *coverage};
	struct why_sets sets;
	int err;

	why_collector_stats(collector, &report.collected);
	report.crowded = why_sample_refused(sample) + why_names_refused(report.names) +
	    report.collected.no_memory;
	err = why_sets_make(sample, options->start_ns, &sets, &report.early);
	if (err)
		return err;
	err = analyse(&sets, &report);
	why_sets_release(&sets);
	if (err)
		why_report_release(&report);
	else
		*ret_report = report;
	return err;
}

void why_report_release(struct why_report *report)
{
	free(report->routes);
	memset(report, 0, sizeof(*report));
}
