#!/bin/sh
# Runs `muxbench check` on every backend that is available here, and prints TAP.
#
#     backends.sh [-b REGEX] ADDRESS [CHECK OPTION...]       (MUXBENCH: the program)
#
# -b: only backends whose whole name matches (ERE); there may be none.
# A backend that does not offer the transport of ADDRESS is left out. {} in ADDRESS becomes the
# backend's name, for Unix paths. Exit 1 if a case of any of them failed.
set -u
: "${MUXBENCH:?path of muxbench}"
only=
if [ "$1" = -b ]; then
  only=$2
  shift 2
fi
address=$1
shift
transport=${address%%:*}
failed=0
backends=$("$MUXBENCH" list --json | awk -v transport="\"$transport\"" '
  /^    "name":/ { name = $2; gsub(/[",]/, "", name); offered = 0 }
  index($0, "      " transport) == 1 { offered = 1 }
  /^    "available": true/ && offered { print name }')
[ -n "$backends" ] || exit 1
[ -z "$only" ] || backends=$(printf '%s\n' $backends | grep -Ex "$only")
for backend in $backends; do
  listen=$(printf '%s' "$address" | sed "s/{}/$backend/")
  "$MUXBENCH" check --backend "$backend" --listen "$listen" --tap "$@" || failed=1
done
exit $failed
