#!/bin/sh
# Which optional libraries are here? Each backend that needs one says so in one line of its file:
#   mux-library: HEADER FLAG PACKAGE
# libraries.sh flags FILE...    prints the linker flags of those whose header compiles
# libraries.sh missing FILE...  prints one line that names what is left out, or nothing
# libraries.sh packages FILE... prints the Debian packages of all of them
set -eu
what=$1
shift
missing=
# In reverse, so that ev.h comes last: libev exports libevent's names too, and must not win.
sed -n 's/.*mux-library: *//p' "$@" | sort -ru | {
  while read -r header flag package _; do # the comment may end behind it
    if [ "$what" = packages ]; then
      echo "$package"
    elif echo "#include <$header>" | ${CC:-cc} -E -x c - >/dev/null 2>&1; then
      [ "$what" != flags ] || echo "$flag"
    else
      missing="$missing $package"
    fi
  done
  if [ "$what" = missing ] && [ -n "$missing" ]; then
    echo "left out for want of a library (see 'muxbench list'); to add them install:$missing"
  fi
}
