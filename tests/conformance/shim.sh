#!/bin/sh
# Every backend under faults: short counts, EINTR, EAGAIN and shortages from the LD_PRELOAD shim; tiny
# rings and buffers for io_uring, which escapes it. Prints TAP.
#
#     shim.sh FAULTS.so MUTANT quick|all       (MUXBENCH: the program)
set -u
shim=$1
mutant=$2
cases="sizes random-chunks many-connections-crosstalk half-close connect-and-close-1000"
[ "$3" = quick ] || cases="$cases one-byte-writes pipelined-1000 all-byte-values bulk-64MiB
  resume-after-stall stalled-peer-does-not-block-others half-close-empty half-close-after-stall
  reset-idle reset-midstream no-fin-lost accept-emfile"
here=$(dirname "$0")
report=$(mktemp) || exit 1
trap 'rm -f "$report"' EXIT
export MUX_FAULT_REPORT="$report"
# A sanitizer's runtime wants to be loaded first, which is not possible here.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"
failed=0

set --
for name in $cases; do
  set -- "$@" --case "$name"
done
"$here/backends.sh" -j 3 -b '[^u].*' tcp://127.0.0.1:0 --preload "$shim" "$@" || failed=1
"$here/backends.sh" -j 3 -b 'uring.*' tcp://127.0.0.1:0 \
  --options entries=8,completions=16,buffers=64,buffer=64 "$@" || failed=1

# The shim works: these two mutants fail only on a rare answer of the kernel.
echo "1..3"
n=0
for flaw in drops-short-send exits-on-eintr; do
  n=$((n + 1))
  not=
  "$MUXBENCH" check --exec "$mutant $flaw {port}" --preload "$shim" --case sizes --patience 1s \
    --tap | grep -q "^not ok 1 " || { not="not " && failed=1; }
  echo "${not}ok $n - sizes catches $flaw under the shim"
done
injected=$(awk '{ sum += $1 } END { print sum + 0 }' "$report")
not=
[ "$injected" -gt 1000 ] || { not="not " && failed=1; }
echo "${not}ok 3 - the shim has injected $injected faults"
exit $failed
