#!/bin/sh
# Runs `muxbench check` on every backend that is available here, and prints TAP.
#
#     backends.sh ADDRESS [CHECK OPTION...]       (MUXBENCH: the program)
#
# A backend that does not offer the transport of ADDRESS is left out. {} in ADDRESS becomes the
# backend's name, for Unix paths. Exit 1 if a case of any of them failed.
set -u
: "${MUXBENCH:?path of muxbench}"
address=$1
shift
transport=${address%%:*}
failed=0
backends=$("$MUXBENCH" list --json | awk -v transport="\"$transport\"" '
  /^    "name":/ { name = $2; gsub(/[",]/, "", name); offered = 0 }
  index($0, "      " transport) == 1 { offered = 1 }
  /^    "available": true/ && offered { print name }')
[ -n "$backends" ] || exit 1
for backend in $backends; do
  listen=$(printf '%s' "$address" | sed "s/{}/$backend/")
  "$MUXBENCH" check --backend "$backend" --listen "$listen" --tap "$@" || failed=1
done
exit $failed
