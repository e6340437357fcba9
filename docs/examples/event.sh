#!/bin/bash
# SPDX-License-Identifier: MIT
#
# An Event as the start signal: the runners wait until it is set.
#
# It prints, as tests/parity/programs/tutorial_event.py does:
#     on your marks
#     go
#     runs
#     runs
#     runs

trap 'mpctl rm -qf start' EXIT

runner() { mpctl event wait start && echo runs; }

mpctl event create start
for _ in 1 2 3; do runner & done
mpctl -q event wait start --timeout 0.2 || echo "on your marks"
echo go
mpctl event set start
wait
