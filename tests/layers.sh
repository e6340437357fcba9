#!/bin/bash
# SPDX-License-Identifier: MIT
# Whether the sources keep to the layers of the design: includes go one way, each library is called from one file,
# processes are the keeper's alone, the core makes no system calls, the keeper needs libc and mpctl nothing.
#   layers.sh [TREE]       check; prints each breach as FILE:LINE: why, and exits 1 when there is one
#   layers.sh --self-test  feed it one bad file a rule, and see that it finds each
set -uo pipefail

# Folder (its own files, not those below), what may be included from it in quotes.
INCLUDES=(
	'common'             'common/'
	'daemon'             'common/'
	'daemon/keeper'      'common/|daemon/(link|plan)\.h|daemon/keeper/'
	'daemon/loader'      'common/|daemon/(link|plan)\.h|daemon/loader/'
	'daemon/engine/core' 'common/|daemon/(link|plan)\.h|daemon/engine/core/|daemon/engine/journal\.h'
	'daemon/engine'      'common/|daemon/(link|plan)\.h|daemon/engine/|daemon/loader/loader\.h'
	'cli'                'common/|cli/'
)
# The one exception: plans are made and checked in common, for keeper, engine and loader alike.
EXCEPTION='^common/plan(file|make)\.[ch]:[0-9]+:#include "daemon/plan\.h"'

# A header in <>, the only file that may include it (none: nobody).
LIBRARIES=(
	'ev(\+\+)?\.h'                   'daemon/engine/loop.c'
	'(cjson/)?cJSON\.h'              'common/json.c'
	'ini\.h'                         'common/ini.c'
	'sqlite3\.h|.*libpq-fe\.h'       'none'
)

PROCESS_CALLS='fork|vfork|clone|clone3|posix_spawnp?|system|popen|kill|killpg|tgkill|sys_pidfd_signal|wait|waitid|waitpid|wait[34]'
PROCESS_NUMBERS='SYS_(fork|vfork|clone3?|t?g?kill|pidfd_send_signal|waitid|wait4)'
CLOCK_CALLS='sys_now|sys_clock|clock_gettime|gettimeofday|time|nanosleep|usleep|sleep'
SYSTEM_CALLS='syscall|open|openat|close|read|write|pread|pwrite|readv|writev|send|sendto|sendmsg|recv|recvmsg|socket|connect|accept4?|ioctl|fcntl|mmap|munmap|memfd_create|pipe2?|poll|select|getpid|getuid|fopen|printf|fprintf'
SYSTEM_HEADERS='sys/(socket|epoll|un|mman|stat|ioctl|timerfd|signalfd|eventfd)\.h|fcntl\.h|poll\.h|netdb\.h'

# The C files and headers of a folder.
files() { find "$1" -maxdepth 1 -name '*.[ch]' 2>/dev/null | sort; }

# Adds to each line why it is wrong.
breach() { WHY=$1 awk '{print $0 "    [" ENVIRON["WHY"] "]"}'; }

# FILE:LINE:code, without comments and strings. The compiler takes the comments out and keeps the lines.
code() {
	local file
	for file in "$@"; do
		gcc -fpreprocessed -dD -E -x c "$file" 2>/dev/null |
			awk -v file="$file" '
				/^# [0-9]+ "/ {line = $2 - 1; next}
				{line++; gsub(/"([^"\\]|\\.)*"/, "\"\""); print file ":" line ":" $0}'
	done
}

# Lines of FILE... that call one of the functions (a member of that name is none, nor is a definition in a header).
calls() {
	local names=$1
	shift
	[[ $# -gt 0 ]] && code "$@" | grep -E "^[^:]*:[0-9]+:(.*[^a-zA-Z0-9_.>])?($names) ?\("
}

check_includes() {
	local i folder allowed
	for ((i = 0; i < ${#INCLUDES[@]}; i += 2)); do
		folder=${INCLUDES[i]} allowed=${INCLUDES[i + 1]}
		grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' $(files "$folder") /dev/null |
			grep -vE "\"($allowed)" | grep -vE "$EXCEPTION" | breach "$folder may include: $allowed"
	done
	grep -nE '#include "daemon/engine/' $(files daemon/engine | grep '/loop\.[ch]$') /dev/null |
		grep -v 'engine/loop\.h"' | breach "the loop knows nobody above it"
}

check_libraries() {
	local i header owner
	for ((i = 0; i < ${#LIBRARIES[@]}; i += 2)); do
		header=${LIBRARIES[i]} owner=${LIBRARIES[i + 1]}
		grep -rnE --include='*.[ch]' "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($header)[>\"]" \
			common daemon cli tests 2>/dev/null | grep -v "^$owner:" | breach "only $owner may include it"
	done
}

check_calls() {
	local outside core
	mapfile -t outside < <(find daemon -name '*.[ch]' -not -path 'daemon/keeper/*' 2>/dev/null | sort)
	mapfile -t core < <(files daemon/engine/core)
	calls "$PROCESS_CALLS" "${outside[@]}" | breach "processes are the keeper's"
	[[ ${#outside[@]} -eq 0 ]] || code "${outside[@]}" | grep -E "$PROCESS_NUMBERS" | breach "processes are the keeper's"
	calls "$CLOCK_CALLS" "${core[@]}" | breach "the core is told the time"
	calls "$SYSTEM_CALLS" "${core[@]}" | breach "the core makes no system calls"
	calls 'journal_[a-z0-9_]+' "${core[@]}" | breach "the core knows the records' names; the shell writes them"
	grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*<($SYSTEM_HEADERS)>" "${core[@]}" /dev/null |
		breach "the core makes no system calls"
}

# The libraries that PROGRAM needs at run time, but for those that match ALLOWED.
needs() {
	[[ -e $1 ]] || return 0
	readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE "$2" | sed "s|^|$1: needs |"
}

check_programs() {
	needs build/mpd '^libc\.so|^ld-linux' | breach "mpd links libc only"
	needs build/mpctl '^$' | breach "mpctl is static"
}

check() {
	cd "$1" || exit 2
	local found
	found=$(check_includes; check_libraries; check_calls; check_programs)
	[[ -z $found ]] && return 0
	printf '%s\n' "$found"
	return 1
}

# What check() says of a tree that holds nothing but FILE with CODE.
check_alone() {
	local tree status
	tree=$(mktemp -d)
	mkdir -p "$tree/$(dirname "$1")"
	printf '%s\n' "$2" >"$tree/$1"
	(check "$tree")
	status=$?
	rm -r "$tree"
	return $status
}

must_fail() {
	local output
	output=$(check_alone "$@") || [[ $output != *"$1"* ]] || return 0
	echo "layers: not found: $1: $2"
	failed=1
}

must_pass() {
	local output
	output=$(check_alone "$@") && return 0
	echo "layers: refused: $1: $2: $output"
	failed=1
}

must_fail_linked() {
	local tree
	tree=$(mktemp -d)
	mkdir "$tree/build"
	echo 'int main(void) { return 0; }' | gcc -x c - -o "$tree/build/$1" -Wl,--no-as-needed -lm
	(check "$tree") >/dev/null && { echo "layers: not found: $1 links libm"; failed=1; }
	rm -r "$tree"
}

self_test() {
	local failed=0
	must_fail common/x.c '#include "daemon/link.h"'
	must_fail common/x.h '#include "daemon/plan.h"'
	must_fail daemon/keeper/x.c '#include "daemon/engine/loop.h"'
	must_fail daemon/loader/x.c '#include "daemon/keeper/keeper.h"'
	must_fail daemon/engine/core/x.h '#include "daemon/engine/rpc.h"'
	must_fail daemon/engine/core/x.c '#include <sys/socket.h>'
	must_fail daemon/engine/x.c '#include "daemon/keeper/keeper.h"'
	must_fail daemon/engine/loop.c '#include "daemon/engine/conn.h"'
	must_fail cli/x.c '#include "daemon/link.h"'
	must_fail daemon/engine/x.c '#include <ev.h>'
	must_fail daemon/engine/x.c '#include <cjson/cJSON.h>'
	must_fail daemon/loader/x.c '#include <ini.h>'
	must_fail daemon/engine/x.c '#include <sqlite3.h>'
	must_fail daemon/engine/x.c 'int f(void) { return fork(); }'
	must_fail daemon/engine/x.c $'/* kill(1, 2) is\n * told in a comment */\nint f(void)\n{\n\tkill(1, 2);\n}'
	must_fail daemon/engine/x.c 'long f(void) { return syscall(SYS_pidfd_send_signal, 1, 2, 0, 0); }'
	must_fail daemon/loader/x.c 'int f(void) { return waitpid(1, 0, 0); }'
	must_fail daemon/engine/core/x.c 'nsec_t f(void) { return sys_now(); }'
	must_fail daemon/engine/core/x.c 'void f(void) { write(1, "", 1); }'
	must_fail daemon/engine/core/x.c 'void f(void) { journal_commit(); }'
	must_pass daemon/engine/core/x.c $'/* write(2), kill(2), fork(2) */\nvoid f(struct x *x) { queue_kill(x); x->close(x); }'
	must_pass daemon/engine/x.c 'const char *f(void) { return "kill (9)"; }'
	must_pass daemon/keeper/x.c 'int f(void) { return kill(1, 2); }'
	must_pass common/planfile.c '#include "daemon/plan.h"'
	must_fail_linked mpd
	must_fail_linked mpctl
	return $failed
}

case ${1:-} in
--self-test) self_test ;;
*) check "${1:-$(dirname "$0")/..}" ;;
esac
