#!/bin/sh
# Which optional libraries are here? Each backend that needs one says so in one line of its file:
#   mux-library: HEADER FLAG PACKAGE
# libraries.sh flags FILE...    prints the linker flags of those whose header compiles
# libraries.sh missing FILE...  prints one line that names what is left out, or nothing
# libraries.sh packages FILE... prints the Debian packages of all of them
set -eu
what=$1
shift

# Prints the flag of every library or, if it is missing, its package. Several backends may name the
# same one.
each() {
  while read -r header flag package _; do # the end of the comment may follow
    if [ "$what" = packages ]; then
      echo "$package"
    elif echo "#include <$header>" | ${CC:-cc} -E -x c - >/dev/null 2>&1; then
      [ "$what" != flags ] || echo "$flag"
    else
      [ "$what" != missing ] || echo "$package"
    fi
  done | uniq
}

# In reverse, so that ev.h comes last: libev exports libevent's names too, and must not win.
found=$(sed -n 's/.*mux-library: *//p' "$@" | sort -ru | each)
if [ "$what" != missing ]; then
  printf '%s\n' "$found"
elif [ -n "$found" ]; then
  printf "some backends lack their library (see 'muxbench list'); to add them install: %s\n" \
    "$(echo "$found" | paste -s -d ' ' -)"
fi
