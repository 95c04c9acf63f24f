// SPDX-License-Identifier: Apache-2.0
/*
 * Linked into the program of the bundle only: what has to be settled once it runs there, before
 * main().
 *
 * Names are resolved by what is inside the bundle's C library, "files" (/etc/hosts) and "dns"
 * (/etc/resolv.conf). What else a host's /etc/nsswitch.conf may list are modules made for the
 * host's own C library; loading one would bring that library's world into this process. A local
 * systemd-resolved is asked all the same: it speaks DNS.
 *
 * The kernel names a process after the file it executes, which is the loader; the name it was
 * started by takes that place.
 */
#include <errno.h>
#include <nss.h>
#include <stddef.h>
#include <sys/prctl.h>

__attribute__((constructor)) static void settle_in(void)
{
	static const char *const databases[] = {
	    "passwd", "group", "services", "protocols", "networks"};

	prctl(PR_SET_NAME, program_invocation_short_name);
	__nss_configure_lookup("hosts", "files dns");
	for (size_t i = 0; i < sizeof(databases) / sizeof(databases[0]); i++)
		__nss_configure_lookup(databases[i], "files");
}
