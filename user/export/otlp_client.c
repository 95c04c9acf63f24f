// SPDX-License-Identifier: Apache-2.0
/* Sending with retries, whatever the transport; see otlp_client.h. */
#include "export/otlp_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "export/gzip.h"
#include "export/otlp_grpc.h"
#include "export/otlp_http.h"
#include "export/otlp_retry.h"
#include "export/otlp_verdict.h"

enum {
	MAX_REQUEST_BYTES = 64 << 20, /* OTLP: a larger request must not be sent */
	RETRY_INITIAL_MS = 5000,
	RETRY_MAX_MS = 30000,
	RETRY_ELAPSED_MS = 300000,
};

struct otlp_client {
	enum otlp_signal signal;
	bool grpc, gzip;
	struct otlp_transfer *transfer;
	struct otlp_retry_options retry;
	struct rng rng;
	struct log_limit limit;
	char where[160];             /* the destination, for messages; a longer one is cut */
	struct buf packed;           /* a request as it is sent, where that differs */
	struct otlp_verdict verdict; /* the last one, or what stands for it */
};

static const char *item_name(enum otlp_signal signal)
{
	static const char *const names[OTLP_SIGNALS] = {"spans", "data points", "log records"};

	return names[signal];
}

static void say(struct otlp_client *client, const char *what, const char *why, size_t n_items)
{
	uint64_t suppressed;

	if (log_limit_pass(&client->limit, clock_monotonic_ns(), &suppressed))
		log_warn("sending %zu %s to %s: %s%s%s (%llu earlier messages not shown)", n_items,
		    item_name(client->signal), client->where, what, *why ? ": " : "", why,
		    (unsigned long long)suppressed);
}

/* It ends without an answer, for this reason of ours. */
static void give_up(struct otlp_client *client, const char *error_type)
{
	client->verdict = otlp_verdict_of(OTLP_REFUSED, error_type, "", NULL);
}

/* The body of the request. False when it cannot be sent. */
static bool pack(
    struct otlp_client *client, const struct buf *request, size_t n_items, struct sv *ret_body)
{
	int err = 0;

	if (!request->failed && request->len > MAX_REQUEST_BYTES) {
		say(client, "the request is longer than 64 MiB", "", n_items);
		give_up(client, "request_too_long");
		return false;
	}
	*ret_body = buf_sv(request);
	if (!request->failed && (client->grpc || client->gzip)) {
		buf_clear(&client->packed);
		err = client->grpc ? otlp_grpc_pack(&client->packed, buf_sv(request), client->gzip)
				   : gzip_pack(&client->packed, buf_sv(request));
		*ret_body = buf_sv(&client->packed);
	}
	if (!request->failed && !err)
		return true;
	say(client, "out of memory", "", n_items);
	give_up(client, EXPORT_ERROR_MEMORY);
	return false;
}

/* False when the waiter had to stop. */
static bool attempt(
    struct otlp_client *client, struct sv body, size_t n_items, const struct otlp_waiter *waiter)
{
	const struct otlp_answer *answer = otlp_transfer_run(client->transfer, body, waiter);
	struct otlp_verdict *verdict = &client->verdict;

	if (!answer) {
		give_up(client, EXPORT_ERROR_CANCELLED);
		return false;
	}
	*verdict = client->grpc ? otlp_grpc_judge(answer) : otlp_http_judge(answer, time(NULL));
	if (verdict->what[0])
		say(client, verdict->what, verdict->why,
		    verdict->rejected && verdict->rejected < n_items ? (size_t)verdict->rejected
								     : n_items);
	return true;
}

size_t otlp_client_send(struct otlp_client *client, const struct buf *request, size_t n_items,
    const struct otlp_waiter *waiter)
{
	const struct otlp_verdict *verdict = &client->verdict;
	struct otlp_retry retry;
	struct sv body;
	uint64_t wait_ns;

	if (!pack(client, request, n_items, &body))
		return 0;
	otlp_retry_init(&retry, &client->retry, clock_monotonic_ns());
	while (attempt(client, body, n_items, waiter) && verdict->outcome == OTLP_RETRY)
		if (!otlp_retry_next(
			&retry, &client->rng, clock_monotonic_ns(), verdict->wait_ms, &wait_ns) ||
		    !waiter->sleep(waiter->ctx, wait_ns))
			return 0;
	if (verdict->outcome != OTLP_TAKEN)
		return 0;
	return verdict->rejected < n_items ? n_items - (size_t)verdict->rejected : 0;
}

const char *otlp_client_error(const struct otlp_client *client)
{
	return client->verdict.error_type;
}

void otlp_client_interrupt(struct otlp_client *client)
{
	otlp_transfer_wake(client->transfer);
}

/* --- life cycle --- */

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
	return value ? value : fallback;
}

static void set_where(struct otlp_client *client, const char *url)
{
	struct buf shown;

	buf_init(&shown);
	otlp_endpoint_show(&shown, url);
	snprintf(client->where, sizeof(client->where), "%s", shown.failed ? "OTLP" : shown.data);
	buf_release(&shown);
}

/* Returns 0 or negative errno. */
static int open_transfer(struct otlp_client *client, const struct otlp_options *options)
{
	struct curl_slist *lines;
	struct buf url;
	int err = 0;

	buf_init(&url);
	if (client->grpc)
		err = otlp_grpc_url(&url, options, client->signal);
	else
		buf_append_cstr(&url, options->url);
	if (!err && url.failed)
		err = -ENOMEM;
	if (!err) {
		lines = client->grpc ? otlp_grpc_lines(options) : otlp_http_lines(options);
		client->transfer = lines ? otlp_transfer_new(url.data, options, lines) : NULL;
		if (!client->transfer)
			err = lines ? -errno : -ENOMEM;
	}
	buf_release(&url);
	return err;
}

struct otlp_client *otlp_client_new(const struct otlp_options *options, enum otlp_signal signal)
{
	struct otlp_client *client = calloc(1, sizeof(*client));
	int err;

	if (!client)
		return NULL;
	client->signal = signal;
	client->grpc = options->protocol == OTLP_GRPC;
	client->gzip = options->gzip;
	client->retry = (struct otlp_retry_options){
	    .initial_ms = or_default(options->retry_initial_ms, RETRY_INITIAL_MS),
	    .max_ms = or_default(options->retry_max_ms, RETRY_MAX_MS),
	    .elapsed_ms = or_default(options->retry_elapsed_ms, RETRY_ELAPSED_MS)};
	rng_seed_random(&client->rng);
	set_where(client, options->url);
	err = open_transfer(client, options);
	if (err) {
		otlp_client_free(client);
		errno = -err;
		return NULL;
	}
	return client;
}

void otlp_client_free(struct otlp_client *client)
{
	if (!client)
		return;
	otlp_transfer_free(client->transfer);
	buf_release(&client->packed);
	free(client);
}

/* --- as a target --- */

static size_t target_send(
    void *ctx, const struct buf *request, size_t n_items, const struct otlp_waiter *waiter)
{
	return otlp_client_send(ctx, request, n_items, waiter);
}

static const char *target_error(void *ctx)
{
	return otlp_client_error(ctx);
}

static void target_interrupt(void *ctx)
{
	otlp_client_interrupt(ctx);
}

static void target_free(void *ctx)
{
	otlp_client_free(ctx);
}

int otlp_client_target(
    struct otlp_target *ret_target, const struct otlp_options *options, enum otlp_signal signal)
{
	struct otlp_client *client = otlp_client_new(options, signal);

	if (!client)
		return -errno;
	*ret_target =
	    (struct otlp_target){.name = options->protocol == OTLP_GRPC ? "otlp_grpc" : "otlp_http",
		.send = target_send,
		.error = target_error,
		.interrupt = target_interrupt,
		.free = target_free,
		.ctx = client};
	return 0;
}
