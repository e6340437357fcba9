#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A Condition: the customer waits (wait_for) until there is stock; the supplier brings some and calls notify_all.
#
# It prints, as tests/parity/programs/tutorial_condition.py does:
#     takes two
#     at the end there is 1

trap 'mpctl rm -qf change; mpctl rm -qf shop' EXIT

customer() {
	mpctl cond wait-for change -- sh -c '[ $(mpctl dict get shop stock) -ge 2 ]' >/dev/null
	mpctl dict incr shop stock -2 >/dev/null
	echo "takes two"
	mpctl cond release change
}
supplier() {
	for _ in 1 2 3; do
		mpctl cond acquire change >/dev/null
		mpctl dict incr shop stock >/dev/null
		mpctl cond notify-all change >/dev/null
		mpctl cond release change
	done
}

mpctl dict set shop stock 0
mpctl cond create change
customer &
supplier &
wait
echo "at the end there is $(mpctl dict get shop stock)"
