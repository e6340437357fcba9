#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A Semaphore(2): of six workers never more than two work at a time.
#
# It prints, as tests/parity/programs/tutorial_semaphore.py does:
#     2 at work
#     2

trap 'mpctl rm -qf desk; mpctl rm -qf working' EXIT

work() {
	echo "$(mpctl value add working) at work"
	sleep 0.2
	mpctl value add working -1 >/dev/null
}
export -f work

mpctl sem create desk --value 2
mpctl value create working --type i
{ for _ in {1..6}; do mpctl sem desk -- bash -c work & done; wait; } | sort -u | tail -n 1
mpctl sem value desk
