#!/bin/sh
# Do the examples of results/README.md run, on a real run directory? Each fenced block of python, sh
# and gnuplot is taken from the page; where its tool is not installed it is skipped. Prints TAP.
# Usage: test_results_examples.sh MUXBENCH
set -u
cd "$(dirname "$0")/.." || exit 1
page=$PWD/results/README.md
muxbench=$1
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place" || exit 1
cat >tiny.cfg <<'CFG'
servers = [ "epoll-lt", "poll" ];
baseline = "epoll-lt";
blocks = 1;
count = 0;
load = { connections = [ 10, 20 ]; duration = "500ms"; warmup = "50ms"; };
CFG
"$muxbench" run tiny.cfg >run.log 2>&1
number=0

# example LANGUAGE EXPECTED COMMAND...: the block of that language, its output must hold EXPECTED
example() {
  language=$1 expected=$2 number=$((number + 1))
  shift 2
  awk -v fence="\`\`\`$language" '$0 == fence { inside = 1; next } /^```/ { inside = 0 } inside' \
    "$page" >"block.$language"
  if [ ! -s "block.$language" ]; then
    echo "not ok $number - there is an example in $language"
  elif ! "$@" /dev/null >/dev/null 2>&1; then
    echo "ok $number - the example in $language # SKIP $1 is not here"
  elif "$@" "block.$language" >out 2>&1 && grep -q "$expected" out; then
    echo "ok $number - the example in $language"
  else
    echo "not ok $number - the example in $language"
    sed 's/^/# /' out run.log
  fi
}

pandas() {
  python3 -c 'import pandas' && python3 "$@"
}
example python 'connections' pandas
example sh 'connections=10 .* baseline' sh
example gnuplot 'epoll-lt' gnuplot
echo "1..$number"
