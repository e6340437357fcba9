# SPDX-License-Identifier: MIT
# What a shell says as Python prints it. Sourced by the programs; DIR is a folder for both.
DIR=$1
is_alive() { mpctl is-alive "$1" && echo True || echo False; }
exitcode() {
	local value
	value=$(mpctl exitcode "$1")
	echo "${value:-None}"
}
truth() { "$@" && echo True || echo False; }
now() { date +%s%N; }
