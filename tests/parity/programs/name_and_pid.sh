# SPDX-License-Identifier: MIT
. "${0%/*}/python.sh"

for name in "" "" worker ""; do
	p=$(mpctl start ${name:+--name "$name"} -- sh -c "echo \$\$ > '$DIR/pid'")
	mpctl join -q "$p"
	read -r told <"$DIR/pid"
	pid=$(mpctl pid "$p")
	echo "name $p pid is the child's own $(truth test "$pid" = "$told") pid after the end stays $(truth test -n "$pid")"
done
