// SPDX-License-Identifier: Apache-2.0
/* A few threads that destroy links; see reaper.h. */
#include "probe/reaper.h"

#include <bpf/libbpf.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
	/* Links wait side by side; perf events' last part one after the other (the kernel's event_mutex). */
	REAPER_THREADS = 8,
	REAPER_QUEUE = 4096,
};

struct taken {
	struct bpf_link *link;
	uint32_t tag;
};

struct reaper {
	pthread_mutex_t lock;
	pthread_cond_t work, idle;
	pthread_t threads[REAPER_THREADS];
	size_t n_threads;
	struct taken queue[REAPER_QUEUE];
	struct taken busy[REAPER_THREADS]; /* what each thread is at; link NULL: nothing */
	size_t n_queued, n_busy;
	bool stop;
};

/* A free place among what threads are at. */
static struct taken *busy_place(struct reaper *r)
{
	struct taken *place = r->busy;

	while (place->link)
		place++;
	return place;
}

static void *reaper_main(void *arg)
{
	struct reaper *r = arg;
	struct taken *mine;

	pthread_mutex_lock(&r->lock);
	for (;;) {
		while (r->n_queued == 0 && !r->stop)
			pthread_cond_wait(&r->work, &r->lock);
		if (r->n_queued == 0)
			break;
		mine = busy_place(r);
		*mine = r->queue[--r->n_queued];
		r->n_busy++;
		pthread_mutex_unlock(&r->lock);
		bpf_link__destroy(mine->link);
		pthread_mutex_lock(&r->lock);
		mine->link = NULL;
		if (--r->n_busy == 0 && r->n_queued == 0)
			pthread_cond_broadcast(&r->idle);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

struct reaper *reaper_new(void)
{
	struct reaper *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->work, NULL);
	pthread_cond_init(&r->idle, NULL);
	for (size_t i = 0; i < REAPER_THREADS; i++)
		if (pthread_create(&r->threads[r->n_threads], NULL, reaper_main, r) == 0)
			r->n_threads++;
	if (r->n_threads == 0) {
		reaper_free(r);
		return NULL;
	}
	return r;
}

void reaper_wait(struct reaper *r)
{
	pthread_mutex_lock(&r->lock);
	while (r->n_queued > 0 || r->n_busy > 0)
		pthread_cond_wait(&r->idle, &r->lock);
	pthread_mutex_unlock(&r->lock);
}

void reaper_free(struct reaper *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_broadcast(&r->work);
	pthread_mutex_unlock(&r->lock);
	for (size_t i = 0; i < r->n_threads; i++)
		pthread_join(r->threads[i], NULL);
	pthread_cond_destroy(&r->idle);
	pthread_cond_destroy(&r->work);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

bool reaper_has(struct reaper *r, uint32_t tag)
{
	bool has = false;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->n_queued && !has; i++)
		has = r->queue[i].tag == tag;
	for (size_t i = 0; i < REAPER_THREADS && !has; i++)
		has = r->busy[i].link && r->busy[i].tag == tag;
	pthread_mutex_unlock(&r->lock);
	return has;
}

void reaper_take(struct reaper *r, struct bpf_link *link, uint32_t tag)
{
	bool queued;

	pthread_mutex_lock(&r->lock);
	queued = r->n_queued < REAPER_QUEUE;
	if (queued) {
		r->queue[r->n_queued++] = (struct taken){.link = link, .tag = tag};
		pthread_cond_signal(&r->work);
	}
	pthread_mutex_unlock(&r->lock);
	if (!queued)
		bpf_link__destroy(link);
}
