#!/bin/sh
# Is what `make install` puts in place enough for a newcomer without the source tree: to write a
# plug-in by the README's own commands, to check, measure and report it? Prints TAP.
# Usage: test_install.sh BUILD
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
HOME=$place
export HOME
unset MAKEFLAGS MAKELEVEL MFLAGS MUXBENCH
number=0

# check NAME COMMAND...: passes if the command does
check() {
  number=$((number + 1))
  name=$1
  shift
  if "$@" >"$place/log" 2>&1; then
    echo "ok $number - $name"
  else
    echo "not ok $number - $name"
    tail -n 30 "$place/log" | sed 's/^/# /'
  fi
}

# The block of README.md that installs, less its first line, which is for the source tree.
awk '/^```/ { inside = 0 } inside; /^```sh$/ { getline; inside = /^make install /; first = $0 }' \
  README.md >"$place/recipe"
# Not rebuilt: what was tested is what is installed.
check "make install" make -s -o all install BUILD="$build" PREFIX="$place/muxbench"
cd "$place" || exit 1
PATH=$place/muxbench/bin:$PATH
share=$place/muxbench/share/muxbench

plugin() {
  cc -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -fPIC -shared \
    -I"$place/muxbench/include/muxbench" -o "$1.so" "$share/examples/$1.c" &&
    muxbench check --quick --backend "./$1.so"
}
cpp() {
  cat >plus.cc <<'CC'
#include "mux_backend.h"
static int run(struct mux_worker *worker) {
  MUX_COUNT(worker, waits, 1);
  return worker->host->draining(worker) ? 0 : -1;
}
static const struct mux_backend plus = {
    .abi = MUX_ABI, .name = "plus", .summary = "-", .transports = MUX_TCP, .run = run};
MUX_BACKEND(plus);
CC
  c++ -std=c++20 -Wall -Wextra -Wno-missing-field-initializers -Werror -fPIC -shared \
    -I"$place/muxbench/include/muxbench" -o plus.so plus.cc &&
    muxbench serve --backend ./plus.so --options none=1 2>&1 | grep "there is no option 'none'"
}
experiment() {
  cat >mine.cfg <<'CFG'
servers = ( "epoll-lt", "./aio_poll.so", { name = "zero-copy"; backend = "./splice.so"; } );
baseline = "epoll-lt";
blocks = 1;
count = 0;
load = { connections = [ 1, 100 ]; duration = "100ms"; warmup = "20ms"; };
CFG
  muxbench run mine.cfg && [ "$(grep -c ',ok,' results/latest/measurements.csv)" -eq 6 ] &&
    grep -q ',aio_poll,' results/latest/measurements.csv &&
    grep -q "\"crc32\": \"$(gzip -c splice.so | tail -c8 | od -An -N4 -tx4 | tr -d ' ')\"" \
      results/latest/run.json
}
report() { muxbench report results/latest && [ -s results/latest/report.html ]; }

check "the README's recipe for a plug-in" sh -eu recipe
check "examples/aio_poll.c, checked" plugin aio_poll
check "examples/splice.c, checked" plugin splice
check "a plug-in in C++" cpp
check "an experiment with plug-ins, which run.json tells apart" experiment
check "the experiments that were installed" muxbench run "$share/experiments/quick.cfg" --dry-run
if [ -f "$share/report/node_modules/echarts/dist/echarts.min.js" ]; then
  check "a report" report
else
  number=$((number + 1))
  echo "ok $number - a report # SKIP ECharts was not here to be installed"
fi
echo "1..$number"
