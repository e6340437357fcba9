#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs the named Debian packages that are missing. Says what is missing where that needs root and we are not.
# Where there is no dpkg it trusts that the libraries are there under other names.
set -euo pipefail

command -v dpkg-query >/dev/null || exit 0
here=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
missing=()
for package in "$@"; do
	[[ $'\n'$here$'\n' == *$'\n'"installed $package"$'\n'* ]] || missing+=("$package")
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
