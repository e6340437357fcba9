#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Ten buyers and one ticket. Everybody looks at once; what is left is read, paid for and written back, and with a Lock
# around that (lock.acquire, lock.release) only one does it at a time. Without it all read "1 left" before the first has
# paid, and it is sold too often. Starting one buyer and joining it before the next one is started helps as well, but
# then nobody even looks at the same time.
#
# It prints, as tests/parity/programs/tutorial_tickets.py does:
#     with a lock:
#           9 comes too late
#           1 has a ticket
#          10 looks
#     without:
#     sold too often
#     one after the other:
#           9 comes too late
#           1 has a ticket
#          10 looks

dir=$(mktemp -d)
trap 'rm -rf "$dir"; mpctl rm -qf counter' EXIT
export dir

buy() {
	local left
	left=$(<"$dir/left")
	if ((${left:-0} > 0)); then
		sleep 0.3
		echo $((left - 1)) >"$dir/left"
		echo has a ticket
	else
		echo comes too late
	fi
}
export -f buy
careful_buyer() { echo looks; mpctl lock counter -- bash -c buy; }
hasty_buyer() { echo looks; buy; }

echo "with a lock:"
echo 1 >"$dir/left"
{ for _ in {1..10}; do careful_buyer & done; wait; } | sort | uniq -c

echo "without:"
echo 1 >"$dir/left"
sold=$({ for _ in {1..10}; do hasty_buyer & done; wait; } | grep -c ticket)
((sold > 1)) && echo "sold too often"

echo "one after the other:"
echo 1 >"$dir/left"
for _ in {1..10}; do hasty_buyer & wait $!; done | sort | uniq -c
