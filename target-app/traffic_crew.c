// SPDX-License-Identifier: Apache-2.0
/*
 * A bounded queue of requests, worker threads with one libcurl handle each, and the counts.
 */
#include "traffic_crew.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX  4096 /* requests handed over and not yet sent */
#define STATUS_MAX 600  /* one counter per HTTP status; 0 counts requests without an answer */
#define TIMEOUT_MS 15000L
#define URL_MAX    1200
#define BODY_MAX   256

struct job {
	int kind;
	int quantity;
};

struct traffic_crew {
	char url[URL_MAX];
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct job queue[QUEUE_MAX];
	size_t head;
	size_t waiting;
	int idle;
	int threads;
	bool finished;
	pthread_t thread[TRAFFIC_CREW_MAX];
	uint64_t sent;
	uint64_t skipped;
	uint64_t count[TRAFFIC_KINDS][STATUS_MAX];
	double seconds; /* sum over all answered requests */
	double seconds_max;
};

static size_t swallow(char *data, size_t size, size_t count, void *arg)
{
	(void)data;
	(void)arg;
	return size * count;
}

static CURL *new_handle(struct curl_slist *headers)
{
	CURL *curl = curl_easy_init();

	if (!curl)
		return NULL;
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "traffic/1.0");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, swallow);
	return curl;
}

static void format_body(const struct job *job, char *body, size_t size)
{
	const char *template = traffic_kinds[job->kind].body;
	const char *gap = strstr(template, "%d");

	if (gap)
		snprintf(body, size, "%.*s%d%s", (int)(gap - template), template, job->quantity,
		    gap + 2);
	else
		snprintf(body, size, "%s", template);
}

/* Sends one request. Returns the HTTP status, 0 without one. */
static long send_job(CURL *curl, const char *base_url, const struct job *job)
{
	const struct traffic_kind *kind = &traffic_kinds[job->kind];
	char url[URL_MAX + 64];
	char body[BODY_MAX];
	long status = 0;

	snprintf(url, sizeof(url), "%s%s", base_url, kind->path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	if (kind->body) {
		format_body(job, body, sizeof(body));
		curl_easy_setopt(curl, CURLOPT_POST, 1L);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	} else {
		curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	}
	if (curl_easy_perform(curl) == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return status > 0 && status < STATUS_MAX ? status : 0;
}

static void count(struct traffic_crew *crew, const struct job *job, long status, double seconds)
{
	crew->sent++;
	crew->count[job->kind][status]++;
	if (status == 0)
		return;
	crew->seconds += seconds;
	if (seconds > crew->seconds_max)
		crew->seconds_max = seconds;
}

static void *crew_main(void *arg)
{
	struct traffic_crew *crew = arg;
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	CURL *curl = new_handle(headers);

	pthread_mutex_lock(&crew->lock);
	while (curl && (crew->waiting > 0 || !crew->finished)) {
		struct job job;
		double seconds = 0;
		long status;

		if (crew->waiting == 0) {
			crew->idle++;
			pthread_cond_wait(&crew->filled, &crew->lock);
			crew->idle--;
			continue;
		}
		job = crew->queue[crew->head];
		crew->head = (crew->head + 1) % QUEUE_MAX;
		crew->waiting--;
		pthread_mutex_unlock(&crew->lock);
		status = send_job(curl, crew->url, &job);
		curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME, &seconds);
		pthread_mutex_lock(&crew->lock);
		count(crew, &job, status, seconds);
	}
	pthread_mutex_unlock(&crew->lock);
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	return NULL;
}

static void add_thread(struct traffic_crew *crew)
{
	if (crew->threads < TRAFFIC_CREW_MAX &&
	    pthread_create(&crew->thread[crew->threads], NULL, crew_main, crew) == 0)
		crew->threads++;
}

struct traffic_crew *traffic_crew_new(const char *url, int connections)
{
	struct traffic_crew *crew = calloc(1, sizeof(*crew));

	if (!crew)
		return NULL;
	snprintf(crew->url, sizeof(crew->url), "%s", url);
	if (*url && crew->url[strlen(crew->url) - 1] == '/')
		crew->url[strlen(crew->url) - 1] = '\0';
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->filled, NULL);
	for (int i = 0; i < connections; i++)
		add_thread(crew);
	if (crew->threads > 0)
		return crew;
	free(crew);
	return NULL;
}

void traffic_crew_send(struct traffic_crew *crew, int kind, int quantity)
{
	bool crowded;

	pthread_mutex_lock(&crew->lock);
	if (crew->waiting == QUEUE_MAX) {
		crew->skipped++;
		pthread_mutex_unlock(&crew->lock);
		return;
	}
	crew->queue[(crew->head + crew->waiting) % QUEUE_MAX] =
	    (struct job){.kind = kind, .quantity = quantity};
	crew->waiting++;
	crowded = crew->waiting > (size_t)crew->idle;
	pthread_cond_signal(&crew->filled);
	pthread_mutex_unlock(&crew->lock);
	if (crowded)
		add_thread(crew);
}

static void add_count(json_t *object, long status, uint64_t value)
{
	char key[24];
	json_t *old;

	snprintf(key, sizeof(key), "%ld", status);
	if (status == 0)
		snprintf(key, sizeof(key), "none");
	old = json_object_get(object, key);
	json_object_set_new(object, key, json_integer(json_integer_value(old) + (json_int_t)value));
}

static json_t *summarise(const struct traffic_crew *crew, uint64_t *ret_answered)
{
	json_t *by_status = json_object();
	json_t *by_kind = json_object();
	uint64_t answered = crew->sent;

	for (int kind = 0; kind < TRAFFIC_KINDS; kind++) {
		json_t *counts = json_object();

		for (long status = 0; status < STATUS_MAX; status++) {
			if (crew->count[kind][status] == 0)
				continue;
			add_count(by_status, status, crew->count[kind][status]);
			add_count(counts, status, crew->count[kind][status]);
		}
		if (json_object_size(counts) > 0)
			json_object_set(by_kind, traffic_kinds[kind].name, counts);
		json_decref(counts);
		answered -= crew->count[kind][0];
	}
	*ret_answered = answered;
	return json_pack("{sI sI sI si sf sf so so}", "sent", (json_int_t)crew->sent, "answered",
	    (json_int_t)answered, "skipped", (json_int_t)crew->skipped, "connections",
	    crew->threads, "mean_ms", answered ? crew->seconds * 1000 / (double)answered : 0.0,
	    "max_ms", crew->seconds_max * 1000, "status", by_status, "kinds", by_kind);
}

void traffic_crew_finish(struct traffic_crew *crew, json_t **ret_summary, uint64_t *ret_answered)
{
	pthread_mutex_lock(&crew->lock);
	crew->finished = true;
	pthread_cond_broadcast(&crew->filled);
	pthread_mutex_unlock(&crew->lock);
	for (int i = 0; i < crew->threads; i++)
		pthread_join(crew->thread[i], NULL);
	*ret_summary = summarise(crew, ret_answered);
	pthread_cond_destroy(&crew->filled);
	pthread_mutex_destroy(&crew->lock);
	free(crew);
}
