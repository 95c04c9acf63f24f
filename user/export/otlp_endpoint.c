// SPDX-License-Identifier: Apache-2.0
/* Endpoints of OTLP as URLs; see otlp_options.h. */
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "export/otlp_options.h"

static bool scheme_is_http(CURLU *url)
{
	char *scheme = NULL;
	bool ok = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

	curl_free(scheme);
	return ok;
}

/* base path + v1/<signal> with one slash between. */
static int append_signal_path(CURLU *url, const char *signal)
{
	char *path = NULL;
	struct buf full;
	int err = -ENOMEM;

	buf_init(&full);
	if (curl_url_get(url, CURLUPART_PATH, &path, 0) == CURLUE_OK) {
		buf_append_cstr(&full, path);
		while (full.len && full.data[full.len - 1] == '/')
			full.data[--full.len] = '\0';
		buf_printf(&full, "/v1/%s", signal);
		if (!full.failed && curl_url_set(url, CURLUPART_PATH, full.data, 0) == CURLUE_OK)
			err = 0;
	}
	buf_release(&full);
	curl_free(path);
	return err;
}

/* A URL without a path gets "/". */
int otlp_endpoint_set(struct otlp_options *options, const char *text, const char *signal)
{
	CURLU *url = curl_url();
	char *normal = NULL;
	int err = url ? -EINVAL : -ENOMEM;

	if (!url || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK || !scheme_is_http(url))
		goto out;
	err = signal ? append_signal_path(url, signal) : 0;
	if (err)
		goto out;
	err = -ENOMEM;
	if (curl_url_get(url, CURLUPART_URL, &normal, 0) != CURLUE_OK)
		goto out;
	free(options->url);
	options->url = strdup(normal);
	err = options->url ? 0 : -ENOMEM;
out:
	curl_free(normal);
	curl_url_cleanup(url);
	return err;
}

static bool has_query(CURLU *url)
{
	char *query = NULL;
	bool has = curl_url_get(url, CURLUPART_QUERY, &query, 0) == CURLUE_OK;

	curl_free(query);
	return has;
}

/* Not only what is called a key there: nobody knows what a backend calls one. */
static bool hide_secrets(CURLU *url)
{
	return curl_url_set(url, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
	    curl_url_set(url, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
	    curl_url_set(url, CURLUPART_QUERY, has_query(url) ? "..." : NULL, 0) == CURLUE_OK &&
	    curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK;
}

void otlp_endpoint_show(struct buf *out, const char *text)
{
	CURLU *url = curl_url();
	char *shown = NULL;

	if (url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK && hide_secrets(url) &&
	    curl_url_get(url, CURLUPART_URL, &shown, 0) == CURLUE_OK)
		buf_append_cstr(out, shown);
	else
		out->failed = true;
	curl_free(shown);
	curl_url_cleanup(url);
}
