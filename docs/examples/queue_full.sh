#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A Queue(3) that is full: put_nowait raises Full, put(timeout=...) as well, a put that waits goes on after a get; when
# all is out, get_nowait raises Empty.
#
# It prints, as tests/parity/programs/tutorial_queue_full.py does:
#     full
#     no place for 4
#     still no place
#     got 1
#     got 2
#     got 3
#     got 5
#     empty
#     nothing there

trap 'mpctl rm -qf buns' EXIT

mpctl queue create buns --maxsize 3
mpctl queue put buns 1 2 3
mpctl queue full buns && echo full
mpctl queue put buns 4 --no-wait 2>/dev/null || echo "no place for 4"
mpctl queue put buns 4 --timeout 0.1 2>/dev/null || echo "still no place"
mpctl queue put buns 5 &
echo "got $(mpctl queue get buns)"
wait
for _ in 1 2 3; do echo "got $(mpctl queue get buns)"; done
mpctl queue empty buns && echo empty
mpctl queue get buns --no-wait 2>/dev/null || echo "nothing there"
