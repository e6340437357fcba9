# SPDX-License-Identifier: MIT
# The children of a main program: so it is one.
[ -n "$MPD_PROCESS" ] || exec mpctl run -- bash "$0" "$@"
. "${0%/*}/python.sh"
names() { mpctl ps --children --no-header -o name | sort | xargs; }

echo "none: $(names)"
for name in carol alice bob; do
	mpctl start --name "$name" -- sleep 1000 >/dev/null
done
echo "all: $(names)"
mpctl kill bob
mpctl join -q bob
echo "without bob: $(names)"
for p in $(names); do
	mpctl terminate "$p"
	mpctl join -q "$p"
done
echo "none again: $(names)"
