// SPDX-License-Identifier: Apache-2.0
/*
 * A connection's input buffer and the formatter of answers.
 */
#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INPUT_MIN 4096
#define INPUT_MAX (HTTP_HEAD_MAX + SHOP_BODY_MAX) /* one request of the largest kind */

static const struct {
	int status;
	const char *reason;
} reasons[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

const char *http_reason(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "";
}

int http_input_next(struct http_input *input, struct http_request *ret_request)
{
	struct http_request request;
	int head_len = http_parse(input->data, input->len, &request);

	if (head_len < 0)
		return head_len;
	if (head_len == 0)
		return HTTP_INCOMPLETE;
	if (request.body_len <= input->len - request.head_len) {
		*ret_request = request;
		return HTTP_COMPLETE;
	}
	if (!request.expects_continue || input->continued)
		return HTTP_INCOMPLETE;
	input->continued = true;
	return HTTP_SEND_CONTINUE;
}

char *http_input_room(struct http_input *input, size_t *ret_room)
{
	if (input->len == input->size) {
		size_t size = input->size ? input->size * 2 : INPUT_MIN;
		char *data;

		if (size > INPUT_MAX)
			size = INPUT_MAX;
		data = size > input->size ? realloc(input->data, size) : NULL;
		if (!data)
			return NULL;
		input->data = data;
		input->size = size;
	}
	*ret_room = input->size - input->len;
	return input->data + input->len;
}

void http_input_drop(struct http_input *input, const struct http_request *request)
{
	size_t gone = request->head_len + request->body_len;

	input->len -= gone;
	memmove(input->data, input->data + gone, input->len);
	input->continued = false;
}

void http_input_release(struct http_input *input)
{
	free(input->data);
	memset(input, 0, sizeof(*input));
}

static void format_date(char *text, size_t size)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t now = time(NULL);
	struct tm utc;

	gmtime_r(&now, &utc);
	snprintf(text, size, "%.3s, %02d %.3s %d %02d:%02d:%02d GMT", days + 3 * utc.tm_wday,
	    utc.tm_mday, months + 3 * utc.tm_mon, utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
	    utc.tm_sec);
}

char *http_format_answer(const struct shop_request *request, bool keep_alive, size_t *ret_len)
{
	bool head_only = strcmp(request->method, "HEAD") == 0;
	const char *body = request->answer ? request->answer : "";
	char *text = NULL;
	char date[40];
	int len;

	format_date(date, sizeof(date));
	len = asprintf(&text,
	    "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: application/json\r\n"
	    "%s%s%sConnection: %s\r\nContent-Length: %zu\r\n\r\n%s",
	    request->status, http_reason(request->status), date, request->allow ? "Allow: " : "",
	    request->allow ? request->allow : "", request->allow ? "\r\n" : "",
	    keep_alive ? "keep-alive" : "close", strlen(body), head_only ? "" : body);
	if (len < 0)
		return NULL;
	*ret_len = (size_t)len;
	return text;
}
