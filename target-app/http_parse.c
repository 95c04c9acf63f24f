// SPDX-License-Identifier: Apache-2.0
/*
 * Parses HTTP/1.x request heads. Whatever could be read in two ways (bare line feeds, folded lines,
 * spaces before colons, two lengths) is malformed: RFC 9112 allows that and it leaves no room for
 * smuggling.
 */
#include "http.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* A piece of the head. */
struct text {
	const char *at;
	size_t len;
};

/* What the header fields said. */
struct fields {
	bool host;
	bool length;
	bool encoding;
	bool close;
	bool keep_alive;
	bool expects_continue;
	bool expects_other;
	uint64_t body_len;
};

static bool is_token(const struct text *text)
{
	for (size_t i = 0; i < text->len; i++) {
		unsigned char c = (unsigned char)text->at[i];

		if (c <= ' ' || c >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", c))
			return false;
	}
	return text->len > 0;
}

static bool equals(const struct text *text, const char *name)
{
	return text->len == strlen(name) && strncasecmp(text->at, name, text->len) == 0;
}

static void trim(struct text *text)
{
	while (text->len > 0 && (text->at[0] == ' ' || text->at[0] == '\t')) {
		text->at++;
		text->len--;
	}
	while (text->len > 0 && (text->at[text->len - 1] == ' ' || text->at[text->len - 1] == '\t'))
		text->len--;
}

/* Cuts the next piece up to `separator` off the front of *rest. False if there is no separator
 * left. */
static bool cut(struct text *rest, char separator, struct text *ret_piece)
{
	const char *end = rest->len > 0 ? memchr(rest->at, separator, rest->len) : NULL;

	if (!end)
		return false;
	*ret_piece = (struct text){rest->at, (size_t)(end - rest->at)};
	rest->len -= ret_piece->len + 1;
	rest->at = end + 1;
	return true;
}

/* Takes the path out of an origin-form or absolute-form target. False if it is neither. */
static bool read_target(struct text target, struct http_request *request)
{
	const char *end;

	for (size_t i = 0; i < target.len; i++) {
		if ((unsigned char)target.at[i] <= ' ' || target.at[i] == 0x7f)
			return false;
	}
	if (target.len > 7 && strncasecmp(target.at, "http://", 7) == 0) {
		const char *slash = memchr(target.at + 7, '/', target.len - 7);

		if (!slash)
			target = (struct text){"/", 1};
		else
			target = (struct text){slash, target.len - (size_t)(slash - target.at)};
	}
	if (target.len == 0 || target.at[0] != '/')
		return false;
	end = memchr(target.at, '?', target.len);
	if (end)
		target.len = (size_t)(end - target.at);
	if (target.len > HTTP_PATH_MAX) {
		request->refusal = 414;
		target.len = HTTP_PATH_MAX;
	}
	memcpy(request->path, target.at, target.len);
	request->path[target.len] = '\0';
	return true;
}

/* Reads "METHOD target HTTP/1.x". Returns the minor version or -EBADMSG. */
static int read_request_line(struct text line, struct http_request *request)
{
	struct text method;
	struct text target;

	if (!cut(&line, ' ', &method) || !is_token(&method) || !cut(&line, ' ', &target))
		return -EBADMSG;
	if (line.len != 8 || strncmp(line.at, "HTTP/", 5) != 0 || line.at[6] != '.')
		return -EBADMSG;
	if (line.at[5] < '0' || line.at[5] > '9' || line.at[7] < '0' || line.at[7] > '9')
		return -EBADMSG;
	if (!read_target(target, request))
		return -EBADMSG;
	if (line.at[5] != '1')
		request->refusal = 505;
	if (method.len > HTTP_METHOD_MAX) {
		request->refusal = 501;
		method.len = HTTP_METHOD_MAX;
	}
	memcpy(request->method, method.at, method.len);
	request->method[method.len] = '\0';
	return line.at[7] - '0';
}

static bool read_length(const struct text *value, struct fields *fields)
{
	uint64_t length = 0;

	if (fields->length || value->len == 0 || value->len > 18)
		return false;
	for (size_t i = 0; i < value->len; i++) {
		if (value->at[i] < '0' || value->at[i] > '9')
			return false;
		length = length * 10 + (uint64_t)(value->at[i] - '0');
	}
	fields->length = true;
	fields->body_len = length;
	return true;
}

static void read_connection(struct text value, struct fields *fields)
{
	struct text option;

	do {
		if (!cut(&value, ',', &option)) {
			option = value;
			value.len = 0;
		}
		trim(&option);
		if (equals(&option, "close"))
			fields->close = true;
		else if (equals(&option, "keep-alive"))
			fields->keep_alive = true;
	} while (value.len > 0);
}

static bool read_field(struct text line, struct fields *fields)
{
	struct text name;

	if (!cut(&line, ':', &name) || !is_token(&name))
		return false;
	trim(&line);
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.at[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return false;
	}
	if (equals(&name, "Host")) {
		if (fields->host)
			return false;
		fields->host = true;
	} else if (equals(&name, "Content-Length")) {
		return read_length(&line, fields);
	} else if (equals(&name, "Transfer-Encoding")) {
		fields->encoding = true;
	} else if (equals(&name, "Connection")) {
		read_connection(line, fields);
	} else if (equals(&name, "Expect")) {
		fields->expects_continue = equals(&line, "100-continue");
		fields->expects_other = !fields->expects_continue;
	}
	return true;
}

/* Judges what the fields mean together. 0 or -EBADMSG. */
static int conclude(const struct fields *fields, int minor, struct http_request *request)
{
	if ((minor > 0 && !fields->host) || (fields->encoding && fields->length))
		return -EBADMSG;
	request->keep_alive = minor > 0 ? !fields->close : fields->keep_alive && !fields->close;
	request->expects_continue = minor > 0 && fields->expects_continue;
	if (request->refusal == 0) {
		if (fields->encoding)
			request->refusal = 411;
		else if (fields->body_len > SHOP_BODY_MAX)
			request->refusal = 413;
		else if (minor > 0 && fields->expects_other)
			request->refusal = 417;
	}
	request->body_len = request->refusal ? 0 : (size_t)fields->body_len;
	return 0;
}

/*
 * The length of the head including its empty line, 0 if incomplete, -EBADMSG for a line feed
 * without carriage return. *skip is the length of empty lines before the request line, which are
 * tolerated.
 */
static int measure(const char *data, size_t len, size_t *skip)
{
	const char *line = data;
	const char *end = data + len;
	const char *feed;

	*skip = 0;
	while ((feed = memchr(line, '\n', (size_t)(end - line)))) {
		bool empty = feed == line + 1;

		if (feed == line || feed[-1] != '\r')
			return -EBADMSG;
		line = feed + 1;
		if (!empty)
			continue;
		if ((size_t)(line - data) != *skip + 2)
			return (int)(line - data);
		*skip += 2;
		if (line == end)
			break;
	}
	return 0;
}

int http_parse(const char *data, size_t len, struct http_request *ret_request)
{
	struct http_request request = {.refusal = 0};
	struct fields fields = {.host = false};
	size_t searched = len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX;
	struct text rest;
	struct text line;
	size_t skip;
	int minor;
	int head_len = searched > 0 ? measure(data, searched, &skip) : 0;

	if (head_len < 0)
		return head_len;
	if (searched > 0 && data[0] != '\r' && !is_token(&(struct text){data, 1}))
		return -EBADMSG;
	if (head_len == 0)
		return len >= HTTP_HEAD_MAX ? -E2BIG : 0;
	request.head_len = (size_t)head_len;
	rest = (struct text){data + skip, request.head_len - skip - 2};
	cut(&rest, '\n', &line);
	line.len--;
	minor = read_request_line(line, &request);
	if (minor < 0)
		return minor;
	while (cut(&rest, '\n', &line)) {
		line.len--;
		if (!read_field(line, &fields))
			return -EBADMSG;
	}
	if (conclude(&fields, minor, &request) < 0)
		return -EBADMSG;
	*ret_request = request;
	return head_len;
}
