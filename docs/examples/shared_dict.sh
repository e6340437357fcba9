#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Ten workers fill a Manager().dict(), and count together under a lock of the manager's, which here takes one step:
# dict incr.
#
# It prints, as tests/parity/programs/tutorial_shared_dict.py does:
#     0	0
#     1	1
#     2	4
#     3	9
#     4	16
#     5	25
#     6	36
#     7	49
#     8	64
#     9	81
#     by 10 workers

trap 'mpctl rm -qf squares; mpctl rm -qf count' EXIT

worker() {
	mpctl dict set squares "$1" $(($1 * $1))
	mpctl dict incr count workers >/dev/null
}

for i in {0..9}; do worker $i & done
wait
mpctl dict items squares | sort
echo "by $(mpctl dict get count workers) workers"
