#!/bin/sh
# scripts/check-includes.sh passes on the tree as it is and names what a planted line breaks.
set -u
cd "$(dirname "$0")/.." || exit 1
place=$(mktemp -d) || exit 1
trap 'rm -rf "$place"' EXIT
n=0
failed=0

# Copies the tree, appends a line to a file of the copy: what does the check say?
plant() { # FILE LINE
  rm -rf "${place:?}"/*
  tar cf - docs/architecture.md ./*.c common process hdr backends loadgen check bench | tar xf - -C "$place"
  [ $# -eq 0 ] || sed -i "1i $2" "$place/$1"
  said=$(scripts/check-includes.sh "$place" 2>&1)
  status=$?
}
verdict() { # NAME, and what the last command found
  found=$?
  n=$((n + 1))
  if [ $found -eq 0 ]; then
    echo "ok $n - $1"
  else
    echo "not ok $n - $1"
    echo "# exit $status: $said"
    failed=1
  fi
}

echo 1..6
plant
[ $status -eq 0 ] && [ -z "$said" ]
verdict "the tree as it is passes"
plant common/clock.h '#include "bench/data/rows.h"'
[ $status -eq 1 ] && echo "$said" | grep -q '^common/clock.h:1: includes bench/data/rows.h, but common/ may not'
verdict "an include that runs up is named"
plant bench/data/csv.c '#include "bench/run/session.h"'
[ $status -eq 1 ] && echo "$said" | grep -q '^bench/data/csv.c:1: '
verdict "rooms of bench are told apart"
plant common/units.h '#include "common/cli.h"'
sed -i '1i #include "common/units.h"' "$place/common/cli.h"
said=$(scripts/check-includes.sh "$place" 2>&1)
status=$?
[ $status -eq 1 ] && echo "$said" | grep -q 'cycle'
verdict "a cycle of headers is named"
plant
mkdir "$place/bench/attic"
echo '#include "common/clock.h"' >"$place/bench/attic/old.c"
said=$(scripts/check-includes.sh "$place" 2>&1)
status=$?
[ $status -eq 1 ] && echo "$said" | grep -q "^bench/attic/old.c: its room bench/attic/ has no row"
verdict "a room without a row is named"
find "$place" -name "*.[ch]" -delete
said=$(scripts/check-includes.sh "$place" 2>&1)
status=$?
[ $status -ne 0 ]
verdict "a tree without sources does not pass"
exit $failed
