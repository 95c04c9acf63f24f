// SPDX-License-Identifier: Apache-2.0
/* From a line of the log to a record in the sinks; see diagnostics.h. */
#include "diagnostics.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

struct diagnostics {
	struct service *self;
	struct sink *sinks[DIAGNOSTICS_MAX_SINKS];
	size_t n_sinks;
	_Atomic uint64_t lost;
};

static const struct {
	enum log_severity number;
	struct sv text;
} severities[] = {
    [LOG_LEVEL_ERROR] = {LOG_SEVERITY_ERROR, {"ERROR", 5}},
    [LOG_LEVEL_WARN] = {LOG_SEVERITY_WARN, {"WARN", 4}},
    [LOG_LEVEL_INFO] = {LOG_SEVERITY_INFO, {"INFO", 4}},
    [LOG_LEVEL_DEBUG] = {LOG_SEVERITY_DEBUG, {"DEBUG", 5}},
};

static struct log_batch *batch_of(const struct log_record *model)
{
	struct log_batch *batch = log_batch_new(1);
	struct log_record *record = batch ? log_record_new(model) : NULL;

	if (!record) {
		log_batch_unref(batch);
		return NULL;
	}
	batch->records[batch->n_records++] = record;
	return batch;
}

static void on_line(void *ctx, enum log_level level, const char *text)
{
	struct diagnostics *diagnostics = ctx;
	uint64_t now = clock_monotonic_ns();
	const struct log_record model = {.time_ns = now,
	    .observed_ns = now,
	    .severity = severities[level].number,
	    .severity_text = severities[level].text,
	    .body = sv_cstr(text),
	    .service = diagnostics->self};
	struct log_batch *batch = batch_of(&model);

	if (!batch) {
		atomic_fetch_add(&diagnostics->lost, 1);
		return;
	}
	for (size_t i = 0; i < diagnostics->n_sinks; i++)
		sink_publish_logs(diagnostics->sinks[i], batch);
	log_batch_unref(batch);
}

struct diagnostics *diagnostics_new(struct service *self, struct sink *const *sinks, size_t n)
{
	struct diagnostics *diagnostics;

	if (n > DIAGNOSTICS_MAX_SINKS) {
		errno = E2BIG;
		return NULL;
	}
	diagnostics = calloc(1, sizeof(*diagnostics));
	if (!diagnostics) {
		errno = ENOMEM;
		return NULL;
	}
	diagnostics->self = service_ref(self);
	for (size_t i = 0; i < n; i++)
		diagnostics->sinks[diagnostics->n_sinks++] = sinks[i];
	log_set_observer(on_line, diagnostics);
	return diagnostics;
}

uint64_t diagnostics_lost(const struct diagnostics *diagnostics)
{
	return diagnostics ? atomic_load(&diagnostics->lost) : 0;
}

void diagnostics_free(struct diagnostics *diagnostics)
{
	if (!diagnostics)
		return;
	log_set_observer(NULL, NULL);
	service_unref(diagnostics->self);
	free(diagnostics);
}
