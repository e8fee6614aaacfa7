#!/bin/sh
# Replaces what is between the lines "<!-- generated … -->" and "<!-- end of generated -->" of a
# document by the contents of a file.
# replace-generated.sh DOCUMENT FILE
set -eu
awk -v part="$2" '
  /^<!-- end of generated -->$/ { while ((getline line < part) > 0) print line; inside = 0; done++ }
  !inside { print }
  /^<!-- generated/ { inside = 1 }
  END { exit !(done == 1 && !inside) }' "$1" > "$1.new" || {
  rm -f "$1.new"
  echo "$1: no generated part to replace" >&2
  exit 1
}
mv "$1.new" "$1"
