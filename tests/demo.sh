#!/bin/bash
# SPDX-License-Identifier: MIT
# make demo: the main job on real programs, in a directory of its own, in under a minute. Everything shown is what the
# commands print; nothing is left behind.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
export PATH="$here/${MPD_BUILD:-build}:$PATH"
dir=$(mktemp -d /tmp/mpd-demo.XXXXXX)
export MPCTL_SOCKET=$dir/mpd.sock
holder='' other=''

finish() {
	local status=$?
	kill $holder $other 2>/dev/null || true
	if [[ -S $MPCTL_SOCKET ]]; then mpctl shutdown >/dev/null 2>&1 || true; fi
	if [[ $status != 0 && -f $dir/state/mpd.log ]]; then tail -n 20 "$dir/state/mpd.log" >&2; fi
	rm -rf "$dir"
	exit "$status"
}
trap finish EXIT

if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
# Shows a command as one would type it.
typed() {
	local word line=
	for word; do
		[[ $word =~ ^[][[:alnum:]_./:=@%+,\&-]+$ ]] || word=${word@Q}
		line+=" $word"
	done
	printf '%s$%s%s\n' "$bold" "$line" "$plain"
}
run() {
	typed "$@"
	"$@"
}
# The same where its exit status is what is to be seen.
status() {
	typed "$@"
	local code=0
	"$@" || code=$?
	echo "(exit status $code)"
}

# Waits until the command succeeds, ten seconds at the most.
await() {
	local end=$((SECONDS + 10))
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || { echo "demo: waited in vain for: $*" >&2; return 1; }
		sleep 0.02
	done
}
three_sleepers() { [[ $(pgrep -c -xf 'sleep 100[123]') == 3 ]]; }
waits_for() { [[ $(mpctl --json info "$1") == *'"waiters":1'* ]]; }
flaky_runs() { [[ $(mpctl --json status flaky) == *'"state":"running"'*'"restarts":2'* ]]; }

say "A configuration: a web server in two instances, a job that fails twice and then runs"
cat >"$dir/mpd.conf" <<EOF
[job:web]
description = static files over HTTP
command = python3 -m http.server --bind 127.0.0.1 --directory $here/docs 0
processes = 2
restart = always

[job:flaky]
shell = true
command = n=\$\$(cat $dir/n 2>/dev/null || echo 0); echo \$\$((n + 1)) >$dir/n; echo "attempt \$\$((n + 1))"; [ \$\$n -ge 2 ] && exec sleep 1000; exit 1
restart_delay = 200ms
EOF
cat "$dir/mpd.conf"
run mpctl check "$dir/mpd.conf"
run mpd --background -c "$dir/mpd.conf" -s "$MPCTL_SOCKET" -d "$dir/state"
run mpctl ps

say "A process is started, joined, and its exit status comes back"
run mpctl start --name checksum -- sh -c "find '$here' -name '*.c' -print0 | sort -z | xargs -0 cat | sha256sum; exit 7"
status mpctl join checksum
run mpctl logs checksum
status mpctl run -- sh -c 'echo "run passes output and status through"; exit 3'

say "A tree that does its best to stay: TERM is ignored, a child has called setsid, another was orphaned"
run mpctl start --name tree -- sh -c 'trap "" TERM; setsid sleep 1001 & (sleep 1002 &) ; sleep 1003; wait'
await three_sleepers
run mpctl status tree
run mpctl stop tree --timeout 1
status pgrep -xf 'sleep 100[123]'

say "A job that failed was started again by its policy, with a growing delay"
await flaky_runs
run mpctl ps flaky
run mpctl logs flaky

say "The engine is killed with signal 9: the processes do not notice, the next one knows everything"
engine=$(mpctl --json status | grep -o '"engine_pid":[0-9]*' | cut -d: -f2)
pid=$(mpctl pid web.1)
run kill -9 "$engine"
run mpctl ps
status [ "$(mpctl pid web.1)" = "$pid" ]
run mpctl status

say "A lock: whoever waits has it as soon as its holder is killed, and is told whose it was"
sleep 1004 & holder=$!
disown
run mpctl lock acquire ledger --owner "$holder"
status mpctl lock acquire ledger --owner $$ --no-wait
typed mpctl lock ledger -- echo "the next one has it" '&'
mpctl lock ledger -- echo "the next one has it" & waiter=$!
await waits_for ledger
run mpctl info ledger
run kill -9 "$holder"
wait "$waiter"
holder=''

say "A queue: what a consumer had not done when it failed comes out again, in its old place"
run mpctl queue create tickets --maxsize 3
run mpctl queue put tickets '{"seat": 7}' '{"seat": 8}' '{"seat": 9}'
status mpctl queue put tickets '{"seat": 10}' --no-wait
status mpctl queue get tickets -- sh -c 'cat; kill -9 $$'
run mpctl queue get tickets -- sed 's/^/sold: /'
run mpctl ls

say "A deadlock is refused, and names who waits for whom"
sleep 1005 & other=$!
disown
run mpctl lock acquire left --owner $$
run mpctl lock acquire right --owner "$other"
typed mpctl lock acquire left --owner "$other" '&'
mpctl lock acquire left --owner "$other" & waiter=$!
await waits_for left
status mpctl lock acquire right --owner $$
run mpctl graph
run kill "$other"
wait "$waiter" || true
other=''

say "A job is restarted by hand, then everything ends"
run mpctl restart web.1
run mpctl ps web
run mpctl stop --all
run mpctl ps
run mpctl shutdown
status pgrep -f "$dir"
