// SPDX-License-Identifier: Apache-2.0
/*
 * libcurl set up once per client; every call only changes the body, so the connection is reused.
 */
#include "inventory_client.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEDUCT_PATH "/inventory/deduct"

struct inventory_client {
	CURL *curl;
	struct curl_slist *headers;
	char *url;
	char reply[INVENTORY_REPLY_MAX];
	size_t reply_len;
};

static size_t collect(char *data, size_t size, size_t count, void *arg)
{
	struct inventory_client *client = arg;
	size_t len = size * count;

	if (len > sizeof(client->reply) - client->reply_len)
		return 0;
	memcpy(client->reply + client->reply_len, data, len);
	client->reply_len += len;
	return len;
}

static void set_options(struct inventory_client *client)
{
	curl_easy_setopt(client->curl, CURLOPT_URL, client->url);
	curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, client->headers);
	curl_easy_setopt(client->curl, CURLOPT_POST, 1L);
	curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, INVENTORY_TIMEOUT_MS);
	curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(client->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(client->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(client->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(client->curl, CURLOPT_USERAGENT, "shop/1.0");
	curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, client);
}

struct inventory_client *inventory_client_new(const char *base_url)
{
	struct inventory_client *client = calloc(1, sizeof(*client));
	size_t size = strlen(base_url) + sizeof(DEDUCT_PATH);

	if (!client)
		return NULL;
	client->curl = curl_easy_init();
	client->headers = curl_slist_append(NULL, "Content-Type: application/json");
	client->url = malloc(size);
	if (!client->curl || !client->headers || !client->url) {
		inventory_client_free(client);
		return NULL;
	}
	snprintf(client->url, size, "%s%s", base_url, DEDUCT_PATH);
	set_options(client);
	return client;
}

void inventory_client_free(struct inventory_client *client)
{
	if (!client)
		return;
	curl_easy_cleanup(client->curl);
	curl_slist_free_all(client->headers);
	free(client->url);
	free(client);
}

CURL *inventory_client_prepare(struct inventory_client *client, const char *body)
{
	client->reply_len = 0;
	curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
	return client->curl;
}

struct shop_reply inventory_client_finish(struct inventory_client *client, CURLcode result)
{
	struct shop_reply reply = {.body = client->reply, .body_len = client->reply_len};
	long status = 0;

	if (result == CURLE_OK)
		curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
	else
		log_message("error", "calling %s: %s", client->url, curl_easy_strerror(result));
	reply.status = (int)status;
	return reply;
}

struct shop_reply inventory_client_post(struct inventory_client *client, const char *body)
{
	CURL *curl = inventory_client_prepare(client, body);

	return inventory_client_finish(client, curl_easy_perform(curl));
}
