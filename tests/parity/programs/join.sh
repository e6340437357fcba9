# SPDX-License-Identifier: MIT
. "${0%/*}/python.sh"

p=$(mpctl start -- sleep 1000)
echo "alive $(is_alive "$p") exitcode $(exitcode "$p")"
begin=$(now)
mpctl join -q --timeout 0.2 "$p"
took=$(($(now) - begin))
echo "waited $(truth test $took -ge 200000000 -a $took -lt 5000000000)"
echo "alive $(is_alive "$p") exitcode $(exitcode "$p")"
mpctl join -q --timeout 0 "$p"
echo "alive $(is_alive "$p") exitcode $(exitcode "$p")"
mpctl terminate "$p"
mpctl join -q --timeout 20 "$p"
echo "alive $(is_alive "$p") exitcode $(exitcode "$p")"
mpctl join -q "$p"
mpctl join -q --timeout 1 "$p"
echo "alive $(is_alive "$p") exitcode $(exitcode "$p")"
