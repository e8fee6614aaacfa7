#!/bin/sh
# Runs `muxbench check` on every backend that is available here, and prints TAP.
#
#     backends.sh [-b REGEX] [-j N] ADDRESS [CHECK OPTION...]       (MUXBENCH: the program)
#
# -b: only backends whose whole name matches this ERE, perhaps none. -j: how many at once (2); most
# cases wait for something. Backends with a process per connection come last and one at a time: ten
# thousand processes disturb everything else. A backend that does not offer the transport of ADDRESS
# is left out. {} in ADDRESS becomes the backend's name, for Unix paths. Exit 1 if a case failed.
set -u
: "${MUXBENCH:?path of muxbench}"
only=.+
jobs=2
while getopts b:j: option; do
  case $option in
  b) only=$OPTARG ;;
  j) jobs=$OPTARG ;;
  *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
address=$1
shift
transport=${address%%:*}
backends=$("$MUXBENCH" list --json | awk -v transport="\"$transport\"" '
  /^    "name":/ { name = $2; gsub(/[",]/, "", name); offered = 0 }
  /^    "model":/ { crowd = /process each/ }
  index($0, "      " transport) == 1 { offered = 1 }
  /^    "available": true/ && offered { print name, crowd }')
[ -n "$backends" ] || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# shellcheck disable=SC2016 # a script for another shell
check='backend=$1 address=$2 work=$3
shift 3
"$MUXBENCH" check --backend "$backend" --listen "$(printf %s "$address" | sed "s/{}/$backend/")" \
  --tap "$@" >"$work/$backend" 2>&1 || echo "$backend" >>"$work/.failed"'
run() { # CROWD JOBS CHECK-OPTION...
  crowd=$1
  at_once=$2
  shift 2
  printf '%s\n' "$backends" | awk -v crowd="$crowd" '$2 == crowd { print $1 }' | grep -Ex "$only" |
    xargs -P "$at_once" -I '{name}' sh -c "$check" check '{name}' "$address" "$work" "$@"
}
run 0 "$jobs" "$@"
run 1 1 "$@"
cat "$work"/* 2>/dev/null
[ ! -e "$work/.failed" ]
