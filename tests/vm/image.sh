# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts that build an initramfs: files and libraries into $root, and $root into an archive.
# shellcheck shell=bash

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root" # servers give up root and still must get in

# Copy files to the same place below the root, following links; directories on the way are plain ones.
take() {
	local file
	for file; do
		[ -e "$root$file" ] && continue
		mkdir -p "$root$(dirname "$file")"
		cp -L "$file" "$root$file"
	done
}

# The libraries a program is linked with, and its loader.
take_libraries() {
	local libraries
	mapfile -t libraries < <(ldd "$@" 2>/dev/null | sed -nE 's#^\t(.* => )?(/[^ ]+) \(.*#\2#p' | sort -u)
	take "${libraries[@]}"
}

# Who is who and where, for programs that ask.
write_etc() {
	mkdir -p "$root/etc"
	printf 'root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n' >"$root/etc/passwd"
	printf 'root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n' >"$root/etc/group"
	printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
}

# The archive of everything below the root, on standard output.
pack() {
	(cd "$root" && find . -print0 | LC_ALL=C sort -z | cpio --null -o -H newc --quiet)
}
