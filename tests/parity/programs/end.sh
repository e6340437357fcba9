# SPDX-License-Identifier: MIT
. "${0%/*}/python.sh"

p=$(mpctl start -- sleep 1000)
mpctl terminate "$p"
mpctl join -q "$p"
echo "terminate $(exitcode "$p")"

p=$(mpctl start -- sleep 1000)
mpctl kill "$p"
mpctl join -q "$p"
echo "kill $(exitcode "$p")"

mkfifo "$DIR/ready"
p=$(mpctl start -- sh -c "trap '' TERM; echo > '$DIR/ready'; exec sleep 1000")
read -r _ <"$DIR/ready"
mpctl terminate "$p"
mpctl join -q --timeout 0.2 "$p"
echo "deaf to terminate $(is_alive "$p") $(exitcode "$p")"
mpctl forget "$p" 2>/dev/null && echo "close accepted" || echo "close refused"
mpctl kill "$p"
mpctl join -q "$p"
echo "deaf to kill $(is_alive "$p") $(exitcode "$p")"
mpctl forget "$p" 2>/dev/null && echo "close accepted" || echo "close refused"

p=$(mpctl start -- sh -c "exit 3")
mpctl join -q "$p"
mpctl terminate "$p"
mpctl kill "$p"
echo "of the ended $(exitcode "$p")"
