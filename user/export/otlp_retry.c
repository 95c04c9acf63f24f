// SPDX-License-Identifier: Apache-2.0
/* Retry decisions; see otlp_retry.h. */
#include "export/otlp_retry.h"

#include <curl/curl.h>
#include <stdio.h>

#include "base/clock.h"

bool otlp_http_status_retryable(long status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

void otlp_retry_init(
    struct otlp_retry *retry, const struct otlp_retry_options *options, uint64_t now_ns)
{
	*retry = (struct otlp_retry){
	    .options = options, .start_ns = now_ns, .interval_ms = options->initial_ms};
}

bool otlp_retry_next(struct otlp_retry *retry, struct rng *rng, uint64_t now_ns,
    int64_t retry_after_ms, uint64_t *ret_wait_ns)
{
	uint64_t interval_ns = retry->interval_ms * NS_PER_MS;
	uint64_t wait_ns = interval_ns / 2 + (interval_ns ? rng_next(rng) % interval_ns : 0);

	if (retry_after_ms >= OTLP_RETRY_AFTER_MIN_MS)
		wait_ns = (uint64_t)retry_after_ms * NS_PER_MS;
	if (retry_after_ms > (int64_t)retry->interval_ms)
		retry->interval_ms = (uint64_t)retry_after_ms;
	if (now_ns - retry->start_ns + wait_ns > retry->options->elapsed_ms * NS_PER_MS)
		return false;
	retry->interval_ms += retry->interval_ms / 2;
	if (retry->interval_ms > retry->options->max_ms)
		retry->interval_ms = retry->options->max_ms;
	*ret_wait_ns = wait_ns;
	return true;
}

int64_t otlp_retry_after_parse(struct sv value, time_t now_s)
{
	int64_t seconds = 0;
	size_t digits = 0;
	char date[64];
	time_t then;

	value = sv_trim_ows(value);
	while (digits < value.len && value.p[digits] >= '0' && value.p[digits] <= '9') {
		if (seconds <= OTLP_RETRY_AFTER_MAX_MS)
			seconds = seconds * 10 + (value.p[digits] - '0');
		digits++;
	}
	if (digits == 0 || digits < value.len) {
		/* A date starts with the name of a day; curl_getdate() takes much else. */
		if (value.len == 0 || value.len >= sizeof(date) || ascii_lower(value.p[0]) < 'a' ||
		    ascii_lower(value.p[0]) > 'z')
			return -1;
		snprintf(date, sizeof(date), "%.*s", SV_ARG(value));
		then = curl_getdate(date, NULL);
		if (then == -1)
			return -1;
		seconds = then > now_s ? (int64_t)then - (int64_t)now_s : 0;
	}
	return seconds >= OTLP_RETRY_AFTER_MAX_MS / 1000 ? OTLP_RETRY_AFTER_MAX_MS : seconds * 1000;
}
