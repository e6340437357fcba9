#!/bin/bash
# SPDX-License-Identifier: MIT
# make install puts the three programs where DESTDIR and prefix say, they run from there, and uninstall leaves nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
make install DESTDIR="$root" >/dev/null
installed=$(cd "$root" && find . -type f -perm 755 -printf '%P\n' | sort | xargs)
expected="usr/local/bin/mpctl usr/local/libexec/mpctl/mpd-engine usr/local/sbin/mpd"
[[ $installed == "$expected" ]] || { echo "installed: $installed"; exit 1; }
"$root/usr/local/sbin/mpd" --version | grep -F "$(cat VERSION)"
"$root/usr/local/bin/mpctl" version --help >/dev/null
make uninstall DESTDIR="$root" >/dev/null
left=$(find "$root" -type f)
[[ -z $left ]] || { echo "left behind: $left"; exit 1; }
