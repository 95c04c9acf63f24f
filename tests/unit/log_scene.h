/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of observed processes through the whole pipeline, with a sink that keeps them. */
#ifndef ZS_TESTS_LOG_SCENE_H
#define ZS_TESTS_LOG_SCENE_H

#include "log_fixture.h"
#include "pipeline_fixture.h"

/* What a sink of log records was given; read after sink_free(). */
struct kept_logs {
	struct log_record *records[KEPT_MAX];
	struct log_batch *batches[KEPT_MAX];
	size_t n, n_batches;
};

static inline size_t keep_logs(
    void *driver, struct sink *sink, struct log_batch *const *batches, size_t n, size_t *ret_failed)
{
	struct kept_logs *kept = driver;
	size_t before = kept->n;

	(void)sink;
	*ret_failed = 0;
	for (size_t i = 0; i < n; i++) {
		kept->batches[kept->n_batches++] = log_batch_ref(batches[i]);
		for (size_t k = 0; k < batches[i]->n_records; k++)
			kept->records[kept->n++] = batches[i]->records[k];
	}
	return kept->n - before;
}

static const struct sink_driver keep_logs_driver = {
    .name = "keep", .deliver_logs = keep_logs, .free = keep_free};

struct scene {
	struct world *w;
	struct sink *all, *loose;
	struct kept_logs of_all, of_loose;
};

static inline struct scene *scene_limited(const char *only_trace, uint32_t per_second)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct pipeline_options options = {
	    .only_trace = only_trace, .logs = {.per_second = per_second, .burst = per_second}};

	assert_non_null(s);
	s->w = world_empty(1, NULL);
	pipeline_free(s->w->pipeline, 0);
	options.metrics = s->w->metrics;
	rng_seed(&options.rng, 1);
	s->w->pipeline = pipeline_new(&options);
	assert_non_null(s->w->pipeline);
	assert_int_equal(pipeline_add_sink(s->w->pipeline, s->w->sink), 0);
	s->all = sink_new(&keep_logs_driver, &s->of_all, &keep_options);
	s->loose = sink_new(&keep_logs_driver, &s->of_loose, &keep_options);
	assert_int_equal(pipeline_add_log_sink(s->w->pipeline, s->all, false), 0);
	assert_int_equal(pipeline_add_log_sink(s->w->pipeline, s->loose, true), 0);
	process(s->w, 10, "shop", 1);
	return s;
}

static inline struct scene *scene_new(void)
{
	return scene_limited(NULL, 1000);
}

/* End the pipeline and the sinks: what they have can be read. */
static inline struct pipeline_stats scene_end(struct scene *s)
{
	struct pipeline_stats stats;

	pipeline_end(s->w->pipeline, s->w->feed.now_ns);
	pipeline_stats(s->w->pipeline, &stats);
	world_end(s->w);
	sink_free(s->all);
	sink_free(s->loose);
	return stats;
}

static inline void scene_free(struct scene *s)
{
	for (size_t i = 0; i < s->of_all.n_batches; i++)
		log_batch_unref(s->of_all.batches[i]);
	for (size_t i = 0; i < s->of_loose.n_batches; i++)
		log_batch_unref(s->of_loose.batches[i]);
	world_free(s->w);
	free(s);
}

static const struct log_record *record_of(const struct scene *s, const char *body)
{
	for (size_t i = 0; i < s->of_all.n; i++)
		if (sv_eq(s->of_all.records[i]->body, sv_cstr(body)))
			return s->of_all.records[i];
	fail_msg("no record '%s'", body);
	return NULL;
}

static const struct span *span_of(const struct scene *s, const char *name, enum span_kind kind)
{
	for (size_t i = 0; i < s->w->kept.n; i++)
		for (size_t k = 0; k < s->w->kept.traces[i]->n_spans; k++) {
			const struct span *span = s->w->kept.traces[i]->spans[k];

			if (sv_eq(span->name, sv_cstr(name)) && span->kind == kind)
				return span;
		}
	fail_msg("no span '%s'", name);
	return NULL;
}

static inline void expect_of(const struct scene *s, const char *body, const char *name)
{
	const struct log_record *record = record_of(s, body);
	const struct span *span = span_of(s, name, SPAN_KIND_SERVER);

	if (!span_id_eq(&record->span_id, &span->span_id))
		fail_msg("'%s' is not of '%s'", body, name);
	assert_true(trace_id_eq(&record->trace_id, &span->trace_id));
	assert_int_equal(record->flags & 1, 1);
}

static inline void expect_of_none(const struct scene *s, const char *body)
{
	const struct log_record *record = record_of(s, body);

	if (!trace_id_is_zero(&record->trace_id) || !span_id_is_zero(&record->span_id))
		fail_msg("'%s' is of a request", body);
}

/* A server's connection of its own. */
static inline struct sock server(struct scene *s, uint64_t id)
{
	struct sock sock =
	    sock_tcp(&s->w->feed, id, ZSP_ROLE_ACCEPTED, 1, 8000, 9, (uint16_t)(40000 + id));

	sock_announce(&sock);
	return sock;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

#endif
