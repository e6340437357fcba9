# SPDX-License-Identifier: MIT
. "${0%/*}/python.sh"
COUNT=5 SECONDS_EACH=0.4

begin=$(now)
for _ in $(seq $COUNT); do
	mpctl join -q "$(mpctl start -- sleep $SECONDS_EACH)"
done
serial=$(($(now) - begin))

begin=$(now)
many=()
for _ in $(seq $COUNT); do
	many+=("$(mpctl start -- sleep $SECONDS_EACH)")
done
mpctl join -q "${many[@]}"
concurrent=$(($(now) - begin))

echo "exitcodes $(for p in "${many[@]}"; do exitcode "$p"; done | xargs)"
echo "ratio $((100 * serial / concurrent / 100)).$(printf %02d $((100 * serial / concurrent % 100)))"
