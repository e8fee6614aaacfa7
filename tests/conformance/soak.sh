#!/bin/sh
# Every backend under valgrind for ROUNDS rounds of the cases that open, break and close connections:
# no invalid access, no leak, and no descriptor open at the end. Prints TAP.
#
#     soak.sh [ROUNDS [PATTERN]]       (MUXBENCH: the program; PATTERN: ERE of backends)
#
# Valgrind does not see io_uring write to memory and takes it for uninitialised: those backends are
# tested with sanitizers (make test-all). Also left out are backends with a process per connection,
# whose end frees its descriptors and memory, and those that serve one peer at a time.
set -u
: "${MUXBENCH:?path of muxbench}"
rounds=${1:-3}
pattern=${2:-.}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cases="one-byte-writes sizes random-chunks half-close reset-idle reset-midstream client-vanishes
  connect-and-close-1000 send-after-close no-fin-lost"
set --
for name in $cases; do
  set -- "$@" --case "$name"
done
backends=$("$MUXBENCH" list --json | awk '
  /^    "name":/ { name = $2; gsub(/[",]/, "", name) }
  /^    "model":/ { alone = /one at a time/ }
  /^    "available": true/ && !alone && name !~ /^uring|fork$/ { print name }' | grep -E "$pattern")
echo "1..$(printf '%s\n' "$backends" | wc -l)"
n=0
failed=0
for backend in $backends; do
  n=$((n + 1))
  log=$work/$backend.log
  said=$work/$backend.out
  valgrind --track-fds=yes --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=99 \
    --trace-children=no --max-threads=2000 --log-file="$log" \
    "$MUXBENCH" serve --backend "$backend" --drain 5s >"$said" &
  pid=$!
  for _ in $(seq 300); do
    grep -qs '^listening ' "$said" && break
    sleep 0.1
  done
  address=$(sed -n 's/^listening //p' "$said")
  wrong=
  for round in $(seq "$rounds"); do
    [ -n "$address" ] &&
      "$MUXBENCH" check --target "$address" --patience 30s --seed "$round" --tap "$@" >"$work/tap" 2>&1 ||
      wrong="$wrong
$(grep -A1 '^not ok' "$work/tap" 2>/dev/null || echo 'no server')"
  done
  kill -TERM "$pid"
  wait "$pid" || wrong="$wrong exit status $?;"
  # "N open (M std)": descriptors inherited from valgrind and the shell do not count.
  grep -A1 '^==.*Open .*:' "$log" | grep -v '^--' | paste - - |
    grep -v 'inherited from parent' >"$work/open" && wrong="$wrong descriptors: $(cat "$work/open")"
  if [ -z "$wrong" ]; then
    echo "ok $n - soak: $backend"
  else
    failed=1
    echo "not ok $n - soak: $backend"
    printf '%s\n' "$wrong" | sed 's/^/  # /'
    sed 's/^/  # /' "$log"
  fi
done
exit $failed
