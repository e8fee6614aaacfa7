#!/bin/sh
# Includes go one way: a file includes its own room and the rooms that the table in
# docs/architecture.md allows, and no chain of includes leads back to where it began.
# check-includes.sh [DIR]   prints each line that breaks the rule; exit 1 if there is one
set -eu
cd "${1:-$(dirname "$0")/..}"

# "room allowed allowed …" from the rows | `room/` | … | `a/` `b/` |
rules=$(awk -F'|' '/^## Rooms/ { on = 1; next } /^## / { on = 0 }
  on && $2 ~ /`/ { gsub(/[`,]/, "", $2); gsub(/[`,]/, "", $4); print $2, $4 }' docs/architecture.md)
[ -n "$rules" ] || { echo "docs/architecture.md has no table of rooms" >&2; exit 1; }

includes=$(grep -n '^#include "' ./*.c ./*.h common/* process/* hdr/* backends/* loadgen/* check/* \
  bench/*/*.[ch] 2>/dev/null | sed -n 's|^\./||; s|^\([^:]*\):\([0-9]*\):#include "\([^"]*\)".*|\1 \2 \3|p' |
  grep -v '^backends/skeleton.c ') # a copy-me outside the tree
[ -n "$includes" ] || { echo "no sources to check" >&2; exit 1; }

wrong=$(printf '%s\n%s\n' "$rules" "--" | { cat; echo "$includes"; } | awk '
  function room(path) { return match(path, /.*\//) ? substr(path, 1, RLENGTH) : "./" }
  $1 == "--" { rules = 1; next }
  !rules { known[$1] = 1; for (i = 2; i <= NF; i++) may[$1, $i] = 1; next }
  $3 ~ /^build_stamp\.h$/ { next } # made by the build
  {
    from = room($1); to = room($3)
    if (!(from in known)) print $1 ": its room " from " has no row in docs/architecture.md"
    else if (from != to && !((from, to) in may))
      print $1 ":" $2 ": includes " $3 ", but " from " may not include " to
  }' | sort -u)
cycles=$(echo "$includes" | awk '$1 != $3 { print $1, $3 }' | tsort 2>&1 >/dev/null |
  sed -n 's/^tsort: \([a-z].*\.h\)$/\1: is in a cycle of includes/p')

printf '%s%s' "${wrong:+$wrong
}" "${cycles:+$cycles
}"
[ -z "$wrong$cycles" ]
