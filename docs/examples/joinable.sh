#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Three producers and two consumers on a JoinableQueue. The consumers are daemonic and never end by themselves: they
# take, and call task_done. Once all is put, queue.join waits until all of it is done, and that is the end: with the
# parent its daemonic children end.
#
# It prints, as tests/parity/programs/tutorial_joinable.py does:
#     bun 1 of baker 1
#     bun 1 of baker 2
#     bun 1 of baker 3
#     bun 2 of baker 1
#     bun 2 of baker 2
#     bun 2 of baker 3
#     bun 3 of baker 1
#     bun 3 of baker 2
#     bun 3 of baker 3

trap 'mpctl rm -qf buns; mpctl rm -qf eaten' EXIT

producer() { for i in 1 2 3; do mpctl queue put buns "bun $i of baker $1"; done; }

mpctl queue create buns --joinable
mpctl -q start --daemon --parent $$ --context fork --processes 2 -- \
	mpctl queue get buns --follow -- sh -c 'mpctl list append eaten "$(cat)"'
for baker in 1 2 3; do producer $baker & producers+=" $!"; done
wait $producers
mpctl queue join buns
mpctl list sort eaten
mpctl list get eaten
