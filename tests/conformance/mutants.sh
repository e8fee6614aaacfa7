#!/bin/sh
# Proves that the cases can fail: every flaw of tests/mutants is caught by its case, with a reason.
# Prints TAP.      mutants.sh MUTANT [PATTERN]       (MUXBENCH: the program; PATTERN: of flaws, ERE)
#
# That the sound server passes the same cases is a matter of its own (conformance.mk).
set -u
: "${MUXBENCH:?path of muxbench}"
mutant=$1
pattern=${2:-.}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1 # mutants may leave a file behind

"$mutant" | sed 1d | grep -E "$pattern" >rows # the first is the sound one
echo "1..$(wc -l <rows)"
n=0
failed=0
while read -r flaw name where; do
  n=$((n + 1))
  case $where in
  unix:*) listen=unix://$work/socket where=unix:$work/socket ;;
  udp:*) listen=udp://127.0.0.1:0 ;;
  *) listen=tcp://127.0.0.1:0 ;;
  esac
  "$MUXBENCH" check --exec "$mutant $flaw $where" --listen "$listen" --case "$name" \
    --patience 1s --tap >out 2>&1 </dev/null
  if [ $? -eq 1 ] && grep -q "^not ok 1 " out; then
    echo "ok $n - $name catches $flaw"
    sed -n 's/^  # /  # /p' out
  else
    failed=1
    echo "not ok $n - $name catches $flaw"
    sed 's/^/  # /' out
  fi
done <rows
# Every case needs a flaw that it catches, or it does not count.
"$MUXBENCH" check --list | awk '{print $1}' | while read -r name; do
  awk -v name="$name" '$2 == name { found = 1 } END { exit !found }' rows || echo "$name"
done >unproved
if [ "$pattern" = . ] && [ -s unproved ]; then
  echo "# cases that no mutant can fail: $(tr '\n' ' ' <unproved)"
  failed=1
fi
exit $failed
