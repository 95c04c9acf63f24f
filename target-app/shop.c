// SPDX-License-Identifier: Apache-2.0
/*
 * Routes, answers and the artificial supplier delay. The routes' own work is in shop_checkout.c and
 * shop_deduct.c.
 */
#include "shop.h"

#include "shop_parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DETAIL_MAX 512

typedef enum shop_step (*route_begin)(struct shop_request *request, const struct shop_tools *tools);

static enum shop_step welcome(struct shop_request *request, const struct shop_tools *tools)
{
	(void)tools;
	return shop_answer(
	    request, 200, json_pack("{ss}", "message", "Welcome to the E-Commerce shop!"));
}

static const struct route {
	const char *path;
	const char *method;
	const char *allow;
	route_begin begin;
} routes[] = {
    {"/", "GET", "GET, HEAD", welcome},
    {"/checkout", "POST", "POST", shop_checkout_begin},
    {"/inventory/deduct", "POST", "POST", shop_deduct_begin},
};

void shop_request_init(struct shop_request *request, const char *method, const char *path,
    const char *body, size_t body_len)
{
	memset(request, 0, sizeof(*request));
	request->method = method;
	request->path = path;
	request->body = body;
	request->body_len = body_len;
}

void shop_request_release(struct shop_request *request)
{
	free(request->call_body);
	free(request->answer);
	request->call_body = NULL;
	request->answer = NULL;
}

enum shop_step shop_answer(struct shop_request *request, int status, json_t *answer)
{
	char *text = answer ? json_dumps(answer, JSON_REAL_PRECISION(15)) : NULL;

	json_decref(answer);
	free(request->answer);
	request->answer = text;
	request->status = text ? status : 500;
	return SHOP_DONE;
}

enum shop_step shop_refuse(struct shop_request *request, int status, const char *format, ...)
{
	char detail[DETAIL_MAX];
	json_t *answer;
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	answer = json_pack("{ss}", "detail", detail);
	if (!answer)
		answer = json_pack("{ss}", "detail", "Invalid text");
	return shop_answer(request, status, answer);
}

bool shop_is_checkout(const char *method, const char *path)
{
	return strcmp(method, "POST") == 0 && strcmp(path, "/checkout") == 0;
}

enum shop_step shop_begin(struct shop_request *request, const struct shop_tools *tools)
{
	const char *method = strcmp(request->method, "HEAD") == 0 ? "GET" : request->method;

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (strcmp(routes[i].path, request->path) != 0)
			continue;
		if (strcmp(routes[i].method, method) == 0)
			return routes[i].begin(request, tools);
		request->allow = routes[i].allow;
		return shop_refuse(request, 405, "Method Not Allowed");
	}
	return shop_refuse(request, 404, "Not Found");
}

enum shop_step shop_slept(struct shop_request *request, const struct shop_tools *tools)
{
	return shop_deduct_slept(request, tools);
}

enum shop_step shop_called(
    struct shop_request *request, const struct shop_tools *tools, const struct shop_reply *reply)
{
	return shop_checkout_called(request, tools, reply);
}

__attribute__((noinline)) void simulate_latency(unsigned sleep_ms)
{
	struct timespec left = {
	    .tv_sec = sleep_ms / 1000, .tv_nsec = (long)(sleep_ms % 1000) * 1000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		continue;
}
