#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A Manager's dict, list and Namespace that a child changes.
#
# It prints, as tests/parity/programs/tutorial_manager.py does:
#     one	1
#     two	2
#     3
#     2
#     1
#     0
#     10
#     x is 7

trap 'mpctl rm -qf d; mpctl rm -qf l; mpctl rm -qf n' EXIT

child() {
	mpctl dict set d one 1
	mpctl dict set d two 2
	mpctl dict pop d gone >/dev/null
	mpctl list reverse l
	mpctl list append l 10
	mpctl ns set n x 7
}

mpctl dict set d gone soon
mpctl list extend l '[0, 1, 2, 3]'
mpctl ns set n x 5
child &
wait
mpctl dict items d
mpctl list get l
echo "x is $(mpctl ns get n x)"
