/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of this host, under OpenTelemetry's names; read once. What cannot be found out is left out. */
#ifndef ZS_DISCOVER_HOST_H
#define ZS_DISCOVER_HOST_H

#include <sys/types.h>

#include "base/pairs.h"

/* Add host.name, .id and .arch and os.type, .name, .version and .description to pairs. */
void host_facts(struct buf *pairs);

/*
 * The value of a variable in the text of /etc/os-release (os-release(5)): the last assignment, without quotes and backslashes.
 * Returns how many bytes of ret_value it took, at most len; 0: not set, empty, or not as the format says.
 */
size_t host_parse_os_release(struct sv text, const char *name, char *ret_value, size_t len);

/* The id in the text of /etc/machine-id (machine-id(5)); false when that is none, as `uninitialized`. */
bool host_parse_machine_id(struct sv text, struct sv *ret_id);

/* OpenTelemetry's name for what uname calls a machine; what it has none for stays. */
const char *host_arch(const char *machine);

/* The name of a user in the text of /etc/passwd (passwd(5)). */
bool host_parse_passwd(struct sv text, uid_t uid, struct sv *ret_name);

#endif
