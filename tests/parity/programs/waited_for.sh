# SPDX-License-Identifier: MIT
# A program ends when its children that are not daemonic have.
. "${0%/*}/python.sh"

mpctl run -- bash -c 'mpctl start -- sh -c "sleep 0.4; echo the child is done >> \"\$0\"" "$1" > /dev/null
	echo "the main program is done" >> "$1"
	exit 5' bash "$DIR/said"
echo "all is over with $?" >>"$DIR/said"
cat "$DIR/said"
