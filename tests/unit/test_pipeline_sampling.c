// SPDX-License-Identifier: Apache-2.0
/* Sampling between the traces and the sinks: metrics count everything, exemplars name what was kept, replays are the same. */
#include "pipeline_fixture.h"
#include "proto/ot_state.h"

enum {
	CHECKOUTS = 300,
};

/* A pipeline with sampling; policy is borrowed. */
static struct world *world_sampled(uint64_t seed, const struct sampling_policy *policy)
{
	struct world *w =
	    world_with(seed, (struct pipeline_options){.sampling = policy, .span_metrics = true});

	process(w, 10, "shop", 1);
	return w;
}

static void play(struct world *w)
{
	for (uint64_t i = 0; i < CHECKOUTS; i++) {
		checkout(w, 1 + 10 * i);
		pipeline_tick(w->pipeline, w->feed.now_ns + NS_PER_S);
	}
}

static bool was_kept(const struct world *w, const struct trace_id *id)
{
	for (size_t i = 0; i < w->kept.n; i++)
		if (trace_id_eq(&w->kept.traces[i]->spans[0]->trace_id, id))
			return true;
	return false;
}

/* Exemplars that name a kept trace; one that does not is a failure. */
static size_t expect_exemplars_of_kept(const struct world *w)
{
	struct metric_snapshot *snapshot = metrics_snapshot(w->metrics);
	size_t n = 0;

	for (size_t f = 0; f < snapshot->n_families; f++) {
		const struct metric_family *family = &snapshot->families[f];

		for (size_t p = 0; p < family->n_points; p++)
			for (size_t i = 0;
			     family->desc.type == METRIC_HISTOGRAM && i <= family->desc.n_bounds;
			     i++) {
				const struct metric_exemplar *exemplar =
				    &family->points[p].exemplars[i];

				if (!exemplar->present)
					continue;
				assert_true(was_kept(w, &exemplar->trace_id));
				assert_true(family->points[p].buckets[i] > 0);
				assert_true(exemplar->time_ns > family->points[p].start_ns);
				n++;
			}
	}
	metric_snapshot_free(snapshot);
	return n;
}

static void ratio(void **state)
{
	const struct sampling_policy policy = {.on = true,
	    .errors = OT_NEVER,
	    .client_errors = OT_NEVER,
	    .otherwise = OT_NEVER / 4 * 3};
	struct world *all = world_new(7), *some = world_sampled(7, &policy);
	struct pipeline_stats stats;
	uint64_t count;
	size_t kept = 0;

	(void)state;
	play(all);
	play(some);
	pipeline_stats(some->pipeline, &stats);
	assert_true(stats.sampled);
	assert_int_equal(sampler_stats_traces(&stats.sampling), CHECKOUTS);
	metric_points(some, &count);
	assert_int_equal(count, 7 * CHECKOUTS);
	world_end(all);
	world_end(some);
	assert_int_equal(all->kept.n, CHECKOUTS);
	for (size_t i = 0; i < CHECKOUTS; i++) {
		const struct trace *trace = all->kept.traces[i], *same;
		bool wanted = ot_randomness(&trace->spans[0]->trace_id) >= policy.otherwise;

		assert_int_equal(was_kept(some, &trace->spans[0]->trace_id), wanted);
		if (!wanted)
			continue;
		same = some->kept.traces[kept++];
		assert_int_equal(same->n_spans, 7); /* whole */
		for (size_t k = 0; k < 7; k++) {
			assert_true(
			    span_id_eq(&same->spans[k]->span_id, &trace->spans[k]->span_id));
			assert_true(sv_eq(same->spans[k]->trace_state, SV("ot=th:c")));
			assert_int_equal(trace->spans[k]->trace_state.len, 0);
		}
	}
	assert_int_equal(some->kept.n, kept);
	assert_in_range(kept, CHECKOUTS / 8, CHECKOUTS / 2);
	assert_true(expect_exemplars_of_kept(some) > 0);
	world_free(all);
	world_free(some);
}

static void nothing_kept(void **state)
{
	const struct sampling_policy policy = {
	    .on = true, .errors = OT_NEVER, .client_errors = OT_NEVER, .otherwise = OT_NEVER};
	struct world *w = world_sampled(7, &policy);
	uint64_t count;

	(void)state;
	play(w);
	metric_points(w, &count);
	assert_int_equal(count, 7 * CHECKOUTS);
	world_end(w);
	assert_int_equal(w->kept.n, 0);
	assert_int_equal(expect_exemplars_of_kept(w), 0);
	world_free(w);
}

/* The last second of a rate goes out at the end, before the sinks close. */
static void rate(void **state)
{
	const struct sampling_policy policy = {
	    .on = true, .errors = OT_NEVER, .client_errors = OT_NEVER, .other_rate = 2};
	struct world *w = world_sampled(7, &policy);
	struct pipeline_stats stats;

	(void)state;
	for (uint64_t i = 0; i < 10; i++)
		checkout(w, 1 + 10 * i);
	pipeline_tick(w->pipeline, w->feed.now_ns + NS_PER_S / 2);
	pipeline_end(w->pipeline, w->feed.now_ns + NS_PER_S / 2);
	pipeline_stats(w->pipeline, &stats);
	assert_int_equal(stats.sampling.kept[SAMPLING_RATIO], 2);
	assert_int_equal(stats.sampling.dropped[SAMPLING_RATE], 8);
	world_end(w);
	assert_int_equal(w->kept.n, 2);
	assert_true(expect_exemplars_of_kept(w) > 0);
	world_free(w);
}

/* It can be turned on, changed and turned off while traces come; exemplars are of what went out all the time. */
static void other_settings_meanwhile(void **state)
{
	const struct sampling_policy none = {
	    .on = true, .errors = OT_NEVER, .client_errors = OT_NEVER, .otherwise = OT_NEVER};
	const struct sampling_policy all = {
	    .on = true, .errors = OT_NEVER, .client_errors = OT_NEVER};
	const struct sampling_policy *const settings[] = {NULL, &none, &all, NULL};
	struct world *w = world_sampled(7, NULL);
	struct pipeline_stats stats;

	(void)state;
	for (uint64_t i = 0; i < 4; i++) {
		assert_int_equal(pipeline_set_sampling(w->pipeline, settings[i]), 0);
		checkout(w, 1 + 10 * i);
		pipeline_tick(w->pipeline, w->feed.now_ns + NS_PER_S);
	}
	pipeline_stats(w->pipeline, &stats);
	assert_true(stats.sampled);
	assert_int_equal(sampler_stats_traces(&stats.sampling), 2);
	world_end(w);
	assert_int_equal(w->kept.n, 3);
	assert_int_equal(w->kept.traces[0]->spans[0]->trace_state.len, 0);
	assert_true(sv_eq(w->kept.traces[1]->spans[0]->trace_state, SV("ot=th:0")));
	assert_int_equal(w->kept.traces[2]->spans[0]->trace_state.len, 0);
	assert_true(expect_exemplars_of_kept(w) > 0);
	world_free(w);
}

#define STATED(flags, fields)                                                             \
	"GET /a HTTP/1.1\r\nHost: h\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-" \
	"b7ad6b7169203331-" flags "\r\n" fields "\r\n"
#define HEADED(flags) STATED(flags, "")
#define FAILS         "HTTP/1.1 500 Bad\r\nContent-Length: 0\r\n\r\n"

/* What a traceparent's flag decides reaches the sampler, whoever is below. */
static void parent(void **state)
{
	const struct sampling_policy policy = {
	    .on = true, .errors = OT_NEVER, .client_errors = OT_NEVER, .otherwise = 0};
	static const char *const requests[] = {HEADED("00"), HEADED("01"), POST("/own")};
	struct world *w = world_sampled(7, &policy);
	struct pipeline_stats stats;

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		struct sock sock =
		    sock_tcp(&w->feed, i + 1, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40000 + i));

		sock_announce(&sock);
		sock_read(&sock, &first, requests[i]);
		feed_sql(&w->feed, &first, "SELECT a FROM t");
		sock_write(&sock, &first, OK2);
		sock_close(&sock);
	}
	pipeline_end(w->pipeline, w->feed.now_ns);
	pipeline_stats(w->pipeline, &stats);
	assert_int_equal(stats.sampling.dropped[SAMPLING_PARENT], 1);
	assert_int_equal(stats.sampling.kept[SAMPLING_PARENT], 1);
	assert_int_equal(stats.sampling.kept[SAMPLING_RATIO], 1);
	world_free(w);
}

enum {
	STATEMENTS = 1500, /* more than are published at once, */
	PART = 1024        /* which are so many */
};

/* A request that is answered only after so many statements, on a connection with this id. */
static struct sock long_request(struct world *w, uint64_t id, const char *request)
{
	struct sock sock =
	    sock_tcp(&w->feed, id, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40000 + id));

	sock_announce(&sock);
	sock_read(&sock, &first, request);
	for (int i = 0; i < STATEMENTS; i++)
		feed_sql(&w->feed, &first, "SELECT a FROM t");
	return sock;
}

static void answer(struct sock *sock, const struct actor *actor, const char *response)
{
	sock_write(sock, actor, response);
	sock_close(sock);
}

/* The part of a long trace in which the error is, is kept. */
static void long_trace(void **state)
{
	const struct sampling_policy policy = {
	    .on = true, .errors = 0, .client_errors = OT_NEVER, .otherwise = OT_NEVER};
	struct world *w = world_sampled(7, &policy);
	struct sock sock = long_request(w, 1, POST("/long"));
	struct pipeline_stats stats;

	(void)state;
	answer(&sock, &first, FAILS);
	pipeline_end(w->pipeline, w->feed.now_ns);
	pipeline_stats(w->pipeline, &stats);
	assert_int_equal(stats.sampling.dropped[SAMPLING_RATIO], 1);
	assert_int_equal(stats.sampling.kept[SAMPLING_LATE], 1);
	assert_int_equal(sampler_stats_traces(&stats.sampling), 1);
	assert_int_equal(stats.assembler.traces, 1); /* of two parts */
	world_end(w);
	assert_int_equal(w->kept.n, 1);
	assert_false(w->kept.traces[0]->more);
	assert_int_equal(w->kept.traces[0]->n_spans, STATEMENTS + 1 - PART);
	world_free(w);
}

/* What came with the request holds for all parts, though its own span is in the last one. */
static void long_trace_of_a_parent(void **state)
{
	const struct sampling_policy policy = {
	    .on = true, .errors = OT_NEVER, .client_errors = OT_NEVER, .otherwise = OT_NEVER};
	struct world *w = world_sampled(7, &policy);
	struct sock sock =
	    long_request(w, 1, STATED("01", "tracestate: a=b,ot=th:c;rv:ffffffffffffff\r\n"));

	(void)state;
	answer(&sock, &first, OK2);
	world_end(w);
	assert_int_equal(w->kept.n, 2);
	for (size_t i = 0; i < 2; i++)
		for (size_t k = i; k < w->kept.traces[i]->n_spans; k++) {
			const struct span *span = w->kept.traces[i]->spans[k];

			assert_true(span->flags & SPAN_FLAG_SAMPLED);
			if (!sv_eq(span->trace_state, SV("ot=th:c;rv:ffffffffffffff")))
				fail_msg("'%.*s'", SV_ARG(span->trace_state));
		}
	assert_true(
	    sv_eq(w->kept.traces[1]->spans[0]->trace_state, SV("ot=th:c;rv:ffffffffffffff,a=b")));
	world_free(w);
}

/* His randomness, too, decides from the first part on. */
static void long_trace_by_given_randomness(void **state)
{
	const struct sampling_policy policy = {.on = true,
	    .errors = OT_NEVER,
	    .client_errors = OT_NEVER,
	    .otherwise = OT_NEVER / 2,
	    .ignore_parent = true};
	static const char *const requests[] = {STATED("01", "tracestate: ot=rv:00000000000000\r\n"),
	    STATED("01", "tracestate: ot=rv:ffffffffffffff\r\n")};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world *w = world_sampled(7, &policy);
		struct sock sock = long_request(w, 1, requests[i]);

		answer(&sock, &first, OK2);
		world_end(w);
		assert_int_equal(w->kept.n, 2 * i);
		world_free(w);
	}
}

/* Another request with the same traceparent is a local trace of its own. */
static void long_trace_with_the_id_of_another(void **state)
{
	const struct sampling_policy policy = {.on = true,
	    .errors = 0,
	    .client_errors = OT_NEVER,
	    .otherwise = OT_NEVER,
	    .ignore_parent = true};
	struct world *w = world_sampled(7, &policy);
	struct sock sock = long_request(w, 1, HEADED("01"));
	struct sock other = sock_tcp(&w->feed, 2, ZSP_ROLE_ACCEPTED, 1, 8000, 9, 40002);
	struct pipeline_stats stats;

	(void)state;
	sock_announce(&other);
	sock_read(&other, &second, HEADED("01"));
	answer(&other, &second, FAILS);
	pipeline_tick(w->pipeline, w->feed.now_ns + NS_PER_S);
	answer(&sock, &first, OK2);
	pipeline_end(w->pipeline, w->feed.now_ns);
	pipeline_stats(w->pipeline, &stats);
	assert_int_equal(stats.sampling.kept[SAMPLING_ERROR], 1);
	assert_int_equal(stats.sampling.kept[SAMPLING_LATE], 0);
	assert_int_equal(stats.sampling.dropped[SAMPLING_RATIO], 1);
	assert_int_equal(sampler_stats_traces(&stats.sampling), 2);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ratio),
	    cmocka_unit_test(nothing_kept),
	    cmocka_unit_test(rate),
	    cmocka_unit_test(other_settings_meanwhile),
	    cmocka_unit_test(parent),
	    cmocka_unit_test(long_trace),
	    cmocka_unit_test(long_trace_with_the_id_of_another),
	    cmocka_unit_test(long_trace_of_a_parent),
	    cmocka_unit_test(long_trace_by_given_randomness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
