#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A Value("d") and an Array("i") that a child changes.
#
# It prints, as tests/parity/programs/tutorial_value_array.py does:
#     3.1415927
#     0
#     -1
#     -2
#     -3
#     -4
#     -5
#     -6
#     -7
#     -8
#     -9

trap 'mpctl rm -qf num; mpctl rm -qf arr' EXIT

child() {
	mpctl value set num 3.1415927
	for i in {0..9}; do mpctl array set arr $i -$i; done
}

mpctl value create num 0.0 --type d
mpctl array create arr --type i '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]'
child &
wait
mpctl value get num
mpctl array get arr
