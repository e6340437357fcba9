# SPDX-License-Identifier: MIT
# A daemonic child ends with its parent, and may have no children.
. "${0%/*}/python.sh"
mkfifo "$DIR/ready"
cat >"$DIR/tied.sh" <<END
message=\$(mpctl start -- sleep 0 2>&1 >/dev/null) && message=none
echo "\$\$ \${message#mpctl: }" > "$DIR/tied"
echo > "$DIR/ready"
exec sleep 1000
END
cat >"$DIR/parent.sh" <<END
. "${0%/*}/python.sh"
p=\$(mpctl start --daemon --name tied -- bash "$DIR/tied.sh")
echo "daemon \$(mpctl --json status "\$p" | grep -q '"daemon": *true' && echo True || echo False)"
read -r _ < "$DIR/ready"
echo "alive while the parent is \$(is_alive "\$p")"
exit 4
END

mpctl run --name parent -- bash "$DIR/parent.sh"
code=$?
read -r pid message <"$DIR/tied"
echo "exitcode of the parent $code"
echo "message $message"
echo "alive when the parent has ended $(truth kill -0 "$pid" 2>/dev/null)"
