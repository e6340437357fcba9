#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs the named Debian packages that are missing. Says what is missing where that needs root and we are not.
set -euo pipefail

missing=()
for package in "$@"; do
	[[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

if [[ $(id -u) != 0 ]]; then
	echo "make: these Debian packages are missing, and only root can install them:" >&2
	echo "    sudo apt-get install ${missing[*]}" >&2
	exit 1
fi
echo "installing from Debian: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() { apt-get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1; }
install || { apt-get update >"$log" 2>&1 && install; } || {
	tail -n 20 "$log" >&2
	exit 1
}
