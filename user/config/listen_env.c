// SPDX-License-Identifier: Apache-2.0
/* The listener's address from the environment; see listen_env.h. */
#include "config/listen_env.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/log.h"
#include "config/option_values.h"

#define HOST "OTEL_EXPORTER_PROMETHEUS_HOST"
#define PORT "OTEL_EXPORTER_PROMETHEUS_PORT"

static bool is_address(const char *text)
{
	struct in6_addr address; /* has room for both kinds */

	return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

static void set_host(struct options *options, const char *host)
{
	size_t len = strlen(host);

	if (strcmp(host, "localhost") == 0) {
		options->listen_address = "127.0.0.1";
	} else if (len < sizeof(options->listen_text) && is_address(host)) {
		memcpy(options->listen_text, host, len + 1);
		options->listen_address = options->listen_text;
	} else {
		log_warn("%s='%s' is ignored: expected an IP address or localhost", HOST, host);
	}
}

static void set_port(struct options *options, const char *text)
{
	int port = option_port(text);

	if (port < 0)
		log_warn("%s='%s' is ignored: expected a number from 0 to 65535", PORT, text);
	else
		options->listen_port = port;
}

void listen_from_env(struct options *options, env_fn *get)
{
	const char *host = env_text(get, HOST), *port = env_text(get, PORT);

	if (options->listen_given)
		return;
	if (host)
		set_host(options, host);
	if (port)
		set_port(options, port);
}
