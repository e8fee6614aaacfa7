#!/bin/sh
# Prints build_stamp.h: compiler, flags and git revision as C strings. $1: compiler, $2: flags.
set -eu
quote() { printf '%s' "$1" | sed 's/[\\"]/\\&/g'; }
git=$(git describe --always --dirty --abbrev=12 2>/dev/null) || git=unknown
printf '#define MUX_STAMP_GIT "%s"\n' "$(quote "$git")"
printf '#define MUX_STAMP_COMPILER "%s"\n' "$(quote "$($1 --version | head -n 1)")"
printf '#define MUX_STAMP_FLAGS "%s"\n' "$(quote "$2")"
