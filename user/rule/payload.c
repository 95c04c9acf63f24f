// SPDX-License-Identifier: Apache-2.0
/* What is kept of requests for their rules; see payload.h. */
#include "rule/payload.h"

#include <stdlib.h>

#include "proto/form.h"
#include "rule/inflate.h"

enum content {
	CONTENT_UNKNOWN = 0, /* its beginning tells */
	CONTENT_FORM,
};

/* A header that rules ask for, and where its value stands in the headers of its message. */
struct header {
	enum rule_root root; /* RULE_REQUEST_HEADER, RULE_RESPONSE_HEADER */
	struct sv name;      /* a rule's */
	bool present;
	size_t at, len;
};

enum encoding {
	ENCODING_NONE = 0,
	ENCODING_DEFLATE, /* gzip, too */
	ENCODING_OTHER,
};

struct message {
	bool wanted; /* its body, by a rule */
	bool ended;
	bool cut; /* bytes behind those of body are missing */
	enum content content;
	enum encoding encoding;
	struct buf body;  /* as it was sent */
	struct buf plain; /* if that was compressed, and once it is asked for: what it says */
	bool unpacked, plain_whole;
	struct buf
	    headers; /* values of those that are asked for; of several heads, the last one's */
};

struct payload {
	struct payloads *all;
	struct rules *rules; /* those that it began with; a reference */
	size_t n_rules;
	const struct rule *matches[RULE_MAX_MATCHES];
	struct message messages[2]; /* request, response */
	struct buf decoded;         /* texts whose escapes had to be replaced */
	size_t n_headers;
	struct header headers[]; /* each once */
};

void payloads_init(struct payloads *payloads)
{
	*payloads = (struct payloads){0};
}

void payloads_release(struct payloads *payloads)
{
	rules_unref(payloads->rules);
}

void payloads_set_rules(struct payloads *payloads, struct rules *rules)
{
	struct rules *old = payloads->rules;

	payloads->rules = rules && rules->n ? rules_ref(rules) : NULL;
	rules_unref(old);
}

/* --- keeping ------------------------------------------------------------------------------------- */

static struct message *message_of(struct payload *payload, enum http1_kind kind)
{
	return &payload->messages[kind == HTTP1_RESPONSE];
}

static bool is_header(enum rule_root root)
{
	return root == RULE_REQUEST_HEADER || root == RULE_RESPONSE_HEADER;
}

static const struct header *find_header(
    const struct payload *payload, enum rule_root root, struct sv name)
{
	for (size_t i = 0; i < payload->n_headers; i++)
		if (payload->headers[i].root == root &&
		    sv_eq_nocase(payload->headers[i].name, name))
			return &payload->headers[i];
	return NULL;
}

/* Note what a rule asks for. */
static void want(struct payload *payload, const struct rule_source *source)
{
	payload->messages[0].wanted |= source->root == RULE_REQUEST;
	payload->messages[1].wanted |= source->root == RULE_RESPONSE;
	if (is_header(source->root) && !find_header(payload, source->root, source->name))
		payload->headers[payload->n_headers++] =
		    (struct header){.root = source->root, .name = source->name};
}

static size_t count_headers(const struct rule *const *rules, size_t n)
{
	size_t headers = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < rules[i]->sources.n; j++)
			headers += is_header(rules[i]->sources.sources[j].root);
	return headers;
}

struct payload *payload_new(
    struct payloads *payloads, enum rule_subject subject, struct sv method, struct sv path)
{
	const struct rule *matches[RULE_MAX_MATCHES];
	struct payload *payload;
	size_t n = 0;

	if (payloads->rules)
		n = rules_match(payloads->rules, subject, method, path, matches);
	payload = n
	    ? calloc(1, sizeof(*payload) + count_headers(matches, n) * sizeof(payload->headers[0]))
	    : NULL;
	if (!payload)
		return NULL;
	payload->all = payloads;
	payload->rules = rules_ref(payloads->rules);
	payload->n_rules = n;
	memcpy(payload->matches, matches, n * sizeof(matches[0]));
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < matches[i]->sources.n; j++)
			want(payload, &matches[i]->sources.sources[j]);
	return payload;
}

static void message_release(struct payload *payload, struct message *message)
{
	payload->all->bytes -= message->body.cap;
	buf_release(&message->body);
	buf_release(&message->plain);
	buf_release(&message->headers);
}

void payload_free(struct payload *payload)
{
	if (!payload)
		return;
	message_release(payload, &payload->messages[0]);
	message_release(payload, &payload->messages[1]);
	rules_unref(payload->rules);
	buf_release(&payload->decoded);
	free(payload);
}

size_t payload_rules(const struct payload *payload, const struct rule *const **ret_rules)
{
	*ret_rules = payload->matches;
	return payload->n_rules;
}

const struct rules *payload_ruleset(const struct payload *payload)
{
	return payload->rules;
}

static bool contains_nocase(struct sv text, struct sv part)
{
	for (size_t i = 0; i + part.len <= text.len; i++)
		if (sv_eq_nocase(sv_from(text.p + i, part.len), part))
			return true;
	return false;
}

static enum content content_of(const struct http1_head *head)
{
	struct sv value;

	if (!http1_field_find(head, SV("Content-Type"), &value))
		return CONTENT_UNKNOWN;
	return contains_nocase(value, SV("x-www-form-urlencoded")) ? CONTENT_FORM : CONTENT_UNKNOWN;
}

static enum encoding encoding_of(const struct http1_head *head)
{
	static const struct sv known[] = {SV("gzip"), SV("x-gzip"), SV("deflate")};
	struct sv value;

	if (!http1_field_find(head, SV("Content-Encoding"), &value) || !value.len ||
	    sv_eq_nocase(value, SV("identity")))
		return ENCODING_NONE;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (sv_eq_nocase(value, known[i]))
			return ENCODING_DEFLATE;
	return ENCODING_OTHER;
}

static void keep_header(struct buf *values, const struct http1_head *head, struct header *header)
{
	struct sv value;

	header->present = http1_field_find(head, header->name, &value);
	if (!header->present)
		return;
	header->at = values->len;
	http1_append_unfolded(values, value);
	header->len = values->len - header->at;
	header->present = !values->failed;
}

void payload_head(struct payload *payload, const struct http1_head *head)
{
	struct message *message = message_of(payload, head->kind);
	enum rule_root root =
	    head->kind == HTTP1_RESPONSE ? RULE_RESPONSE_HEADER : RULE_REQUEST_HEADER;

	message->content = content_of(head);
	message->encoding = encoding_of(head);
	message->cut = message->encoding == ENCODING_OTHER;
	buf_clear(&message->headers);
	for (size_t i = 0; i < payload->n_headers; i++)
		if (payload->headers[i].root == root)
			keep_header(&message->headers, head, &payload->headers[i]);
}

void payload_body(struct payload *payload, enum http1_kind kind, struct sv data, uint64_t n)
{
	struct message *message = message_of(payload, kind);
	size_t before = message->body.cap;

	if (!message->wanted || message->cut)
		return;
	if (data.len > PAYLOAD_MAX_BODY - message->body.len)
		data.len = PAYLOAD_MAX_BODY - message->body.len;
	message->cut = data.len < n;
	if (payload->all->bytes + data.len > PAYLOADS_MAX_BYTES ||
	    buf_reserve(&message->body, data.len)) {
		message->cut = true;
		message->body.failed = false;
		payload->all->refused++;
	} else {
		buf_append_sv(&message->body, data);
	}
	payload->all->bytes += message->body.cap - before;
}

void payload_end(struct payload *payload, enum http1_kind kind)
{
	message_of(payload, kind)->ended = true;
}

/* --- values -------------------------------------------------------------------------------------- */

static struct rule_value none(void)
{
	return (struct rule_value){.type = RULE_NONE};
}

static struct rule_value text_value(struct sv text, bool untyped)
{
	return (struct rule_value){.type = RULE_TEXT, .untyped = untyped, .text = text};
}

/* A fact that is not there is empty. */
static struct rule_value fact_text(struct sv text)
{
	return text.len ? text_value(text, false) : none();
}

static struct rule_value seconds_value(uint64_t ns)
{
	return (struct rule_value){.type = RULE_REAL, .real = (double)ns / 1e9};
}

static struct rule_value int_value(int64_t integer)
{
	return (struct rule_value){.type = RULE_INT, .integer = integer};
}

/* Room for it was reserved: what was decoded before stays where it is. */
static struct sv decoded(struct buf *out, struct sv text, void (*append)(struct buf *, struct sv))
{
	size_t at = out->len;

	append(out, text);
	return sv_from(out->data + at, out->len - at);
}

static struct rule_value json_value(struct payload *payload, const struct json_token *token)
{
	switch (token->kind) {
	case JSON_STRING:
		if (sv_find(token->text, '\\') == token->text.len)
			return text_value(token->text, false);
		return text_value(
		    decoded(&payload->decoded, token->text, json_append_string), false);
	case JSON_NUMBER:
		return rule_number_parse(token->text);
	case JSON_TRUE:
	case JSON_FALSE:
		return (struct rule_value){.type = RULE_BOOL, .boolean = token->kind == JSON_TRUE};
	default:
		return none();
	}
}

static struct rule_value form_value(
    struct payload *payload, struct sv text, bool whole, struct sv key)
{
	struct sv value;

	if (!form_find(text, whole, key, &value))
		return none();
	return text_value(decoded(&payload->decoded, value, form_append), true);
}

/* A body that begins like JSON is JSON, whatever its head says: curl -d says that all is a form. */
static bool looks_like_json(struct sv body)
{
	while (body.len &&
	    (body.p[0] == ' ' || body.p[0] == '\t' || body.p[0] == '\r' || body.p[0] == '\n'))
		body = sv_skip(body, 1);
	return body.len && (body.p[0] == '{' || body.p[0] == '[');
}

static void unpack(struct message *message)
{
	if (message->encoding == ENCODING_DEFLATE && !message->unpacked)
		message->plain_whole =
		    inflate_append(&message->plain, buf_sv(&message->body), PAYLOAD_MAX_BODY);
	message->unpacked = true;
}

/* The body as its sender meant it, unpacked. */
static struct sv plain_body(const struct message *message)
{
	return buf_sv(message->encoding == ENCODING_DEFLATE ? &message->plain : &message->body);
}

static bool is_whole(const struct message *message)
{
	return message->ended && !message->cut &&
	    (message->encoding != ENCODING_DEFLATE || message->plain_whole);
}

static void body_values(struct payload *payload, const struct rule_sources *sources,
    enum rule_root root, struct rule_value *values)
{
	const struct message *message = &payload->messages[root == RULE_RESPONSE];
	const struct json_path *paths[RULE_MAX_SOURCES];
	struct json_token tokens[RULE_MAX_SOURCES];
	bool whole = is_whole(message);
	struct sv body = plain_body(message);
	size_t of[RULE_MAX_SOURCES], n = 0;
	bool form = message->content == CONTENT_FORM && !looks_like_json(body);

	for (size_t i = 0; i < sources->n; i++) {
		const struct json_path *path = &sources->sources[i].path;

		if (sources->sources[i].root != root)
			continue;
		values[i] = none();
		if (form && path->n == 1 && path->steps[0].key.p)
			values[i] = form_value(payload, body, whole, path->steps[0].key);
		paths[n] = path;
		of[n++] = i;
	}
	if (form || !n)
		return;
	json_find(body, whole, paths, n, tokens);
	for (size_t i = 0; i < n; i++)
		values[of[i]] = json_value(payload, &tokens[i]);
}

static struct rule_value header_value(
    const struct payload *payload, const struct rule_source *source)
{
	const struct message *message = &payload->messages[source->root == RULE_RESPONSE_HEADER];
	const struct header *header = find_header(payload, source->root, source->name);

	if (!header || !header->present)
		return none();
	return text_value(sv_from(message->headers.data + header->at, header->len), true);
}

static struct rule_value fact_value(
    const struct rule_source *source, const struct rule_facts *facts)
{
	switch (source->root) {
	case RULE_METHOD:
		return fact_text(facts->method);
	case RULE_ROUTE:
		return fact_text(facts->route);
	case RULE_STATUS:
		return facts->status ? int_value(facts->status) : none();
	case RULE_DURATION:
		return seconds_value(facts->duration_ns);
	case RULE_ERROR:
		return fact_text(facts->error);
	case RULE_TIME:
		return seconds_value(facts->time_ns[source->state]);
	case RULE_SQL_TEXT:
		return fact_text(facts->sql_text);
	case RULE_SQL_SUMMARY:
		return fact_text(facts->sql_summary);
	case RULE_ROWS:
		return int_value(facts->rows);
	default:
		return none();
	}
}

void payload_values(struct payload *payload, const struct rule *rule,
    const struct rule_facts *facts, struct rule_value ret_values[RULE_MAX_SOURCES])
{
	const struct rule_sources *sources = &rule->sources;
	bool room = payload != NULL;

	if (payload) {
		unpack(&payload->messages[0]);
		unpack(&payload->messages[1]);
		buf_clear(&payload->decoded);
		room = buf_reserve(&payload->decoded,
			   plain_body(&payload->messages[0]).len +
			       plain_body(&payload->messages[1]).len + facts->query.len) == 0;
	}
	for (size_t i = 0; i < sources->n; i++) {
		const struct rule_source *source = &sources->sources[i];

		if (source->root == RULE_QUERY)
			ret_values[i] =
			    room ? form_value(payload, facts->query, true, source->name) : none();
		else if (is_header(source->root))
			ret_values[i] = room ? header_value(payload, source) : none();
		else
			ret_values[i] = fact_value(source, facts);
	}
	if (!room)
		return;
	body_values(payload, sources, RULE_REQUEST, ret_values);
	body_values(payload, sources, RULE_RESPONSE, ret_values);
}
