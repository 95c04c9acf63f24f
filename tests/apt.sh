# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For scripts to source: an apt of our own, with its own lists and cache and no status, on the mirror that this machine installs
# from, so that the machine's sources stay as they are.

# The first Debian mirror of this machine's sources, in either format.
apt_mirror() {
	{ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } |
		sed -nE 's#^URIs: *([^ ]*/debian)/?( .*)?$#\1#p; s#^deb +(\[[^]]*\] +)?([^ ]*/debian)/? .*#\2#p' | sed -n 1p
}

# Make it in a directory and use it from here on; the directory has debs/ to download into.
apt_private() { # directory, deb or deb-src, suite...
	local dir=$1 type=$2 uri suite
	shift 2
	uri=$(apt_mirror)
	[ -n "$uri" ] || {
		echo "$0: no Debian mirror in this machine's apt sources" >&2
		return 1
	}
	mkdir -p "$dir"/apt/{state/lists/partial,cache/archives/partial,parts} "$dir"/debs
	for suite; do
		echo "$type [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main"
	done >"$dir/apt/sources.list"
	cat >"$dir/apt/apt.conf" <<-EOF
		Dir::State "$dir/apt/state";
		Dir::State::status "/dev/null";
		Dir::Cache "$dir/apt/cache";
		Dir::Etc::sourcelist "$dir/apt/sources.list";
		Dir::Etc::sourceparts "$dir/apt/parts";
		Dir::Etc::preferencesparts "$dir/apt/parts";
		APT::Architecture "amd64";
		APT::Sandbox::User "root";
	EOF
	export APT_CONFIG="$dir/apt/apt.conf"
	apt-get -qq update >&2
}
