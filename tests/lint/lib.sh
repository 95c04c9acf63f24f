# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts here: what files the project consists of. The working directory becomes its root.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

skip() { # reason
	echo "$1"
	exit 77
}

# All text of the project, also what is not committed yet; without git, all files but the generated ones.
project_files() {
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files -co --exclude-standard
	else
		find . -path ./build -prune -o -path ./.git -prune -o -type f -printf '%P\n'
	fi | while IFS= read -r file; do
		if [ -f "$file" ]; then echo "$file"; fi # not deleted meanwhile
	done | sort
}

c_files() {
	project_files | grep -E '\.[ch]$'
}

# Scripts: by name or by their first line.
shell_files() {
	project_files | while IFS= read -r file; do
		case $file in
		*.sh) echo "$file" ;;
		*.*) ;;
		*) head -n 1 "$file" | grep -qE '^#!.*\b(ba|da)?sh\b' && echo "$file" ;;
		esac
	done
	return 0
}
