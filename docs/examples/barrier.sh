#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Two processes at a Barrier(2), and two without one: nobody leaves before the slow one has come.
#
# It prints, as tests/parity/programs/tutorial_barrier.py does:
#     with a barrier:
#     quick comes
#     slow comes
#     one leaves
#     one leaves
#     without:
#     quick comes
#     one leaves
#     slow comes
#     one leaves

trap 'mpctl rm -qf gate' EXIT

guest() {
	sleep "$2"
	echo "$1 comes"
	[ "$3" = alone ] || mpctl barrier wait gate --parties 2 >/dev/null
	echo "one leaves"
}

echo "with a barrier:"
guest quick 0 together & guest slow 0.4 together
wait
echo "without:"
guest quick 0 alone & guest slow 0.4 alone
wait
