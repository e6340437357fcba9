# SPDX-License-Identifier: MIT
. "${0%/*}/python.sh"

for code in 0 1 7 127 255; do
	name=$(mpctl start --name "code$code" -- sh -c "exit $code")
	mpctl join -q "$name"
	echo "$name exitcode $(exitcode "$name") alive $(is_alive "$name")"
done
for sig in 1 9 10 15; do
	name=$(mpctl start --name "signal$sig" -- sh -c "kill -$sig \$\$")
	mpctl join -q "$name"
	echo "$name exitcode $(exitcode "$name") alive $(is_alive "$name")"
done
