#!/bin/sh
# Proves that a correct server passes: every case on the sound mutant, over the transport that the
# case needs (TCP if it does not matter). Prints TAP.
#
#     sound.sh MUTANT [quick]       (MUXBENCH: the program)
set -u
: "${MUXBENCH:?path of muxbench}"
mutant=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
"$MUXBENCH" check --list | grep -F "${2:+[$2]}" >"$work/cases"
failed=0
over() { # ADDRESS-FOR-CHECK ADDRESS-FOR-MUTANT CASE...
  listen=$1
  where=$2
  shift 2
  for name in "$@"; do set -- "$@" --case "$name" && shift; done
  "$MUXBENCH" check --exec "$mutant sound $where" --listen "$listen" --tap "$@" || failed=1
}
# shellcheck disable=SC2046 # lists of cases
{
  over tcp://127.0.0.1:0 '{port}' $(awk '!/\[(udp|unix)\]/ { print $1 }' "$work/cases")
  over udp://127.0.0.1:0 'udp:{port}' $(awk '/\[udp\]/ { print $1 }' "$work/cases")
  over "unix://$work/socket" "unix:$work/socket" $(awk '/\[unix\]/ { print $1 }' "$work/cases")
}
exit $failed
