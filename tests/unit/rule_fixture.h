/* SPDX-License-Identifier: Apache-2.0 */
/* A pipeline with the rules of a configuration file, requests through it, and what must have come of them. */
#ifndef ZS_TESTS_RULE_FIXTURE_H
#define ZS_TESTS_RULE_FIXTURE_H

#include <stdio.h>
#include <unistd.h>

#include "config/config.h"
#include "export/exporters.h"
#include "pipeline_fixture.h"
#include "span/ledger.h"

struct fixture {
	struct world *world;
	struct config config;
	uint64_t socket;
};

static inline void read_config(struct config *config, const char *text)
{
	char path[] = "/tmp/zerospan-rules-XXXXXX";
	int fd = mkstemp(path);
	struct buf message;

	buf_init(&message);
	config_init(config);
	config->states = ledger_state_names;
	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	if (config_read_file(config, path, &message))
		fail_msg("%s", message.data);
	close(fd);
	unlink(path);
	buf_release(&message);
}

static inline void start_in(struct fixture *f, struct world *world, const char *text)
{
	struct buf message;

	buf_init(&message);
	*f = (struct fixture){.world = world, .socket = 1};
	read_config(&f->config, text);
	if (pipeline_set_rules(f->world->pipeline, f->config.rules, &message))
		fail_msg("%s", message.data);
	buf_release(&message);
}

static inline void start(struct fixture *f, const char *text)
{
	start_in(f, world_new(1), text);
}

static inline void stop(struct fixture *f)
{
	world_free(f->world);
	config_release(&f->config);
}

/* A request and its answer, each in pieces: a NUL ends a piece, two of them the message. */
static inline void exchange(struct fixture *f, const char *request, const char *response)
{
	struct sock sock = sock_tcp(&f->world->feed, f->socket, ZSP_ROLE_ACCEPTED, 1, 8000, 9,
	    (uint16_t)(40000 + f->socket));

	f->socket++;
	sock_announce(&sock);
	for (; *request; request += strlen(request) + 1)
		sock_read(&sock, &first, request);
	for (; *response; response += strlen(response) + 1)
		sock_write(&sock, &first, response);
	sock_close(&sock);
}

static inline void ask(
    struct fixture *f, const char *head, const char *body, int status, const char *answer)
{
	char request[4096], response[4096];
	int n;

	n = snprintf(request, sizeof(request), "%s\r\nHost: a\r\nContent-Length: %zu\r\n\r\n%s",
	    head, strlen(body), body);
	request[n + 1] = '\0';
	n = snprintf(response, sizeof(response), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s",
	    status, strlen(answer), answer);
	response[n + 1] = '\0';
	exchange(f, request, response);
}

/* All points of a metric, "a=b,c=d:value " each, sorted as they were made. */
static inline void expect_points(struct fixture *f, const char *name, const char *expected)
{
	struct metric_snapshot *snapshot = metrics_snapshot(f->world->metrics);
	struct buf out;

	buf_init(&out);
	buf_append_cstr(&out, "");
	for (size_t i = 0; i < snapshot->n_families; i++) {
		const struct metric_family *family = &snapshot->families[i];

		for (size_t j = 0; j < family->n_points && !strcmp(family->desc.name, name); j++) {
			const struct metric_point *point = &family->points[j];

			for (size_t k = 0; k < point->n_attrs; k++) {
				const struct attr *attr = &point->attrs[k];

				if (attr->type == ATTR_STRING)
					buf_printf(&out, "%s%s=%.*s", k ? "," : "", attr->key,
					    SV_ARG(attr->string));
				else
					buf_printf(&out, "%s%s", k ? "," : "", attr->key);
			}
			buf_printf(&out, ":%.17g ", point->value);
		}
	}
	if (strcmp(out.data ? out.data : "", expected) != 0)
		fail_msg("%s: %s", name, out.data ? out.data : "");
	buf_release(&out);
	metric_snapshot_free(snapshot);
}

/* The lines of /metrics about the metric: without what tells processes apart, which all of them have. */
static inline void expect_exposition(struct fixture *f, const char *name, const char *expected)
{
	static const char who[] = "{job=\"shop\",instance=\"";
	const size_t who_len = sizeof(who) - 1 + 36 + 1; /* a UUID and its quote */
	struct metric_snapshot *snapshot = metrics_snapshot(f->world->metrics);
	struct buf text, out;

	buf_init(&text);
	buf_init(&out);
	encode_prometheus_text(&text, snapshot);
	for (char *line = strtok(text.data, "\n"); line; line = strtok(NULL, "\n")) {
		char *labels = strchr(line, '{');

		if (strncmp(line + (line[0] == '#' ? 7 : 0), name, strlen(name)) != 0)
			continue;
		if (line[0] == '#') {
			buf_printf(&out, "%s\n", line);
			continue;
		}
		assert_non_null(labels);
		assert_memory_equal(labels, who, sizeof(who) - 1);
		buf_printf(&out, "%.*s{%s\n", (int)(labels - line), line, labels + who_len);
	}
	if (strcmp(out.len ? out.data : "", expected) != 0)
		fail_msg("%s", out.len ? out.data : "nothing");
	buf_release(&out);
	buf_release(&text);
	metric_snapshot_free(snapshot);
}

/* The attributes that rules gave the i-th trace's first span, as text. */
static inline void expect_attributes(const struct fixture *f, size_t i, const char *expected)
{
	const struct span *span = f->world->kept.traces[i]->spans[0];
	struct buf out;

	buf_init(&out);
	buf_append_cstr(&out, "");
	for (size_t k = 0; k < span->n_attrs; k++) {
		const struct attr *attr = &span->attrs[k];

		if (strncmp(attr->key, "order.", 6) && strncmp(attr->key, "x", 1))
			continue;
		if (attr->type == ATTR_STRING)
			buf_printf(&out, "%s='%.*s' ", attr->key, SV_ARG(attr->string));
		else if (attr->type == ATTR_INT)
			buf_printf(&out, "%s=%lld ", attr->key, (long long)attr->integer);
		else if (attr->type == ATTR_DOUBLE)
			buf_printf(&out, "%s=%g ", attr->key, attr->real);
		else
			buf_printf(&out, "%s=%s ", attr->key, attr->boolean ? "true" : "false");
	}
	if (strcmp(out.data ? out.data : "", expected) != 0)
		fail_msg("%s", out.data ? out.data : "");
	buf_release(&out);
}

#endif
