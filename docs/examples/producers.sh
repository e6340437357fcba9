#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Three producers and two consumers on a Queue. When the producers have ended (Process.join), an end mark for each
# consumer follows.
#
# It prints, as tests/parity/programs/tutorial_producers.py does:
#     ate bun 1 of baker 1
#     ate bun 1 of baker 2
#     ate bun 1 of baker 3
#     ate bun 2 of baker 1
#     ate bun 2 of baker 2
#     ate bun 2 of baker 3
#     ate bun 3 of baker 1
#     ate bun 3 of baker 2
#     ate bun 3 of baker 3
#     has had enough
#     has had enough

trap 'mpctl rm -qf buns' EXIT

producer() { for i in 1 2 3; do mpctl queue put buns "bun $i of baker $1"; done; }
consumer() {
	while bun=$(mpctl queue get buns) && [ "$bun" != end ]; do echo "ate $bun"; done
	echo "has had enough"
}

mpctl queue create buns --maxsize 2
{
	consumer &
	consumer &
	producer 1 & producers=$!
	producer 2 & producers+=" $!"
	producer 3 & producers+=" $!"
	wait $producers
	mpctl queue put buns end end
	wait
} | sort
