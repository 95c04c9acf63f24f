// SPDX-License-Identifier: Apache-2.0
/* From a line of the log to a record in the sinks; see diagnostics.h. */
#include "diagnostics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rng.h"

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
	return atomic_load(&diagnostics->lost);
}

void diagnostics_free(struct diagnostics *diagnostics)
{
	if (!diagnostics)
		return;
	log_set_observer(NULL, NULL);
	service_unref(diagnostics->self);
	free(diagnostics);
}

enum {
	UUID_TEXT = 37,
};

/* A UUID of version 4 (RFC 9562 section 5.4). */
static void random_uuid(char text[UUID_TEXT])
{
	struct rng rng;
	uint64_t high, low;

	rng_seed_random(&rng);
	high = (rng_next(&rng) & ~0xf000ULL) | 0x4000ULL;
	low = (rng_next(&rng) & ~(3ULL << 62)) | (2ULL << 62);
	snprintf(text, UUID_TEXT, "%08x-%04x-%04x-%04x-%012llx", (unsigned int)(high >> 32),
	    (unsigned int)(high >> 16) & 0xffff, (unsigned int)high & 0xffff,
	    (unsigned int)(low >> 48), (unsigned long long)low & 0xffffffffffffULL);
}

struct service *diagnostics_service(void)
{
	struct {
		struct service service;
		struct attr attrs[4];
		char id[UUID_TEXT];
	} *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	random_uuid(self->id);
	self->attrs[0] =
	    (struct attr){.key = "service.name", .type = ATTR_STRING, .string = SV("zerospan")};
	self->attrs[1] = (struct attr){
	    .key = "service.instance.id", .type = ATTR_STRING, .string = sv_cstr(self->id)};
	self->attrs[2] = (struct attr){
	    .key = "service.version", .type = ATTR_STRING, .string = SV(ZEROSPAN_VERSION)};
	self->attrs[3] = (struct attr){.key = "process.pid", .type = ATTR_INT, .integer = getpid()};
	atomic_init(&self->service.refs, 1);
	self->service.pid = getpid();
	self->service.name = self->service.exe = "zerospan";
	self->service.instance_id = self->id;
	self->service.attrs = self->attrs;
	self->service.n_attrs = sizeof(self->attrs) / sizeof(self->attrs[0]);
	return &self->service;
}
