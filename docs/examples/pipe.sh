#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A Pipe() between parent and child: the child receives until the parent has closed its end (EOFError), and answers.
#
# It prints, as tests/parity/programs/tutorial_pipe.py does:
#     child got 1
#     child got 20
#     child got 300
#     parent got {"sum": 321}
#     child is at the end

trap 'mpctl rm -qf talk' EXIT

child() {
	local sum=0 n
	while n=$(mpctl pipe recv talk:1 2>/dev/null); do
		echo "child got $n"
		sum=$((sum + n))
		mpctl pipe send talk:1 "{\"sum\": $sum}"
	done
	echo "child is at the end"
}

mpctl pipe create talk
child &
for n in 1 20 300; do
	mpctl pipe send talk:0 $n
	answer=$(mpctl pipe recv talk:0)
done
echo "parent got $answer"
mpctl pipe close talk:0
wait
