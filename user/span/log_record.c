// SPDX-License-Identifier: Apache-2.0
/* Life cycle of log records and their batches; see log_record.h. */
#include "span/log_record.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

const char *log_severity_name(enum log_severity severity)
{
	static const char *const names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

	if (severity < LOG_SEVERITY_TRACE || severity > LOG_SEVERITY_MAX)
		return "-";
	return names[(severity - LOG_SEVERITY_TRACE) / 4];
}

/* Bytes of all texts that a copy of the record owns. */
static size_t text_len(const struct log_record *record)
{
	size_t len = record->body.len + record->severity_text.len;

	for (size_t i = 0; i < record->n_attrs; i++)
		if (record->attrs[i].type == ATTR_STRING)
			len += record->attrs[i].string.len;
	return len;
}

static struct sv copy(char **to, struct sv text)
{
	struct sv copied = sv_from(*to, text.len);

	if (text.len)
		memcpy(*to, text.p, text.len);
	*to += text.len;
	return copied;
}

struct log_record *log_record_new(const struct log_record *model)
{
	size_t attrs_size = model->n_attrs * sizeof(*model->attrs);
	struct log_record *record = malloc(sizeof(*record) + attrs_size + text_len(model));
	struct attr *attrs;
	char *text;

	if (!record)
		return NULL;
	attrs = (struct attr *)(record + 1);
	text = (char *)(attrs + model->n_attrs);
	*record = *model;
	record->attrs = attrs;
	record->severity_text = copy(&text, model->severity_text);
	record->body = copy(&text, model->body);
	record->binary = !utf8_valid(model->body);
	for (size_t i = 0; i < model->n_attrs; i++) {
		attrs[i] = model->attrs[i];
		if (attrs[i].type == ATTR_STRING)
			attrs[i].string = copy(&text, attrs[i].string);
	}
	if (record->service)
		service_ref(record->service);
	return record;
}

void log_record_free(struct log_record *record)
{
	if (!record)
		return;
	service_unref(record->service);
	free(record);
}

struct log_batch *log_batch_new(size_t n)
{
	struct log_batch *batch = malloc(sizeof(*batch) + n * sizeof(batch->records[0]));

	if (!batch)
		return NULL;
	atomic_init(&batch->refs, 1);
	batch->n_records = 0;
	return batch;
}

struct log_batch *log_batch_ref(struct log_batch *batch)
{
	atomic_fetch_add(&batch->refs, 1);
	return batch;
}

void log_batch_unref(struct log_batch *batch)
{
	if (!batch || atomic_fetch_sub(&batch->refs, 1) != 1)
		return;
	for (size_t i = 0; i < batch->n_records; i++)
		log_record_free(batch->records[i]);
	free(batch);
}
