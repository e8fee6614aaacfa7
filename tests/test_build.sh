#!/bin/sh
# Does make rebuild what has changed, and no more? Works on a copy of the tree. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
tar -c --exclude=./build* --exclude=./.git --exclude=./results --exclude=node_modules . |
  tar -x -C "$copy"
cd "$copy" || exit 1
unset MAKEFLAGS MAKELEVEL MFLAGS SAN CFLAGS CPPFLAGS
number=0

# Builds with the arguments given; what was compiled is then in the file `compiled`.
build() {
  make -j2 OPTIMISE=-O0 "$@" >log 2>&1 || { sed 's/^/# /' log; return 1; }
  sed -n 's/^  CC *//p' log | sort >compiled
}

# check NAME CONDITION...
check() {
  number=$((number + 1))
  name=$1
  shift
  if "$@"; then
    echo "ok $number - $name"
  else
    echo "not ok $number - $name"
    sed 's/^/# compiled /' compiled
  fi
}
compiled_exactly() { [ "$(printf '%s\n' "$@")" = "$(cat compiled)" ]; }
compiled_nothing() { [ ! -s compiled ]; }
compiled_all() { [ "$(wc -l <compiled)" -eq "$all" ]; }

echo 1..7
build || exit 1
all=$(wc -l <compiled)
check "a first build compiles every file" [ "$all" -gt 10 ]
build
check "a second build compiles nothing" compiled_nothing
touch common/words.c
build
check "a touched source is compiled alone" compiled_exactly common/words.c
touch common/words.h
build
users=$(grep -l '"common/words.h"' -- *.c common/*.c process/*.c hdr/*.c backends/*.c loadgen/*.c check/*.c bench/*/*.c | sort)
# shellcheck disable=SC2086 # a list of files
check "a touched header compiles its users" compiled_exactly $users
build CFLAGS=-DUNUSED_MACRO
check "a changed flag compiles everything" compiled_all
build CFLAGS=-DUNUSED_MACRO
check "the same flag again compiles nothing" compiled_nothing
check "flags are in the binary" sh -c 'build/muxbench --version | grep -q DUNUSED_MACRO'
