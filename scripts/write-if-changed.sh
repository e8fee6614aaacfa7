#!/bin/sh
# Writes standard input to the file $1 unless it holds the same already, so that make sees no change.
set -eu
cat >"$1.new"
if cmp -s "$1.new" "$1"; then rm "$1.new"; else mv "$1.new" "$1"; fi
