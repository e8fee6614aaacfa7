#!/bin/sh
# Does the test driver see failures of every kind? $1: the driver. Prints TAP.
driver=$1
number=0

# check NAME EXPECTED-SUMMARY [-t SECONDS] COMMAND...
check() {
  name=$1
  expected=$2
  shift 2
  number=$((number + 1))
  output=$("$driver" "$@" 2>&1)
  status=$?
  summary=$(printf '%s\n' "$output" | tail -n 1)
  case $expected in
    0\ passed*) want=1 ;; # nothing was tested
    *" 0 failed"*) want=0 ;;
    *) want=1 ;;
  esac
  if [ "$summary" = "$expected" ] && [ $status -eq $want ]; then
    echo "ok $number - $name"
  else
    echo "not ok $number - $name"
    echo "# expected '$expected' and exit $want, got '$summary' and exit $status"
    printf '%s\n' "$output" | sed 's/^/# /'
  fi
}

echo 1..20
check "a command that passes" "1 passed, 0 failed, 0 skipped" true
check "a command that fails" "0 passed, 1 failed, 0 skipped" false
check "a command that does not exist" "0 passed, 1 failed, 0 skipped" /nonesuch
check "a command that skips" "0 passed, 0 failed, 1 skipped" "sh -c 'exit 77'"
check "a command that crashes" "0 passed, 1 failed, 0 skipped" "sh -c 'kill -SEGV \$\$'"
check "a command out of time" "0 passed, 1 failed, 0 skipped" -t 1 "sleep 60"
check "a child that blocks signals out of time" "0 passed, 1 failed, 0 skipped" \
  -t 1 "sh -c 'trap \"\" TERM INT; sleep 60 & sleep 60'"
check "a process left behind" "0 passed, 1 failed, 0 skipped" "sh -c 'sleep 60 & exit 0'"
check "a process left in another session" "0 passed, 1 failed, 0 skipped" \
  "sh -c 'setsid sleep 60 & exit 0'"
check "cases are counted" "2 passed, 1 failed, 1 skipped" \
  "printf '1..4\nok 1 - a\nok 2 - b\nnot ok 3 - c\nnot ok 4 # SKIP d\n'"
check "commands add up" "3 passed, 0 failed, 1 skipped" \
  "printf '1..2\nok 1\nok 2 # SKIP\n'" "printf '1..2\nok 1 - a\nok 2 - b\n'"
check "cases of the plan are missing" "1 passed, 1 failed, 0 skipped" "printf '1..2\nok 1 - a\n'"
check "a plan and not a case" "0 passed, 1 failed, 0 skipped" "printf '1..5\n'"
check "a plan, not a case, and exit 77" "0 passed, 1 failed, 0 skipped" "sh -c 'echo 1..5; exit 77'"
check "more cases than planned" "2 passed, 1 failed, 0 skipped" \
  "printf '1..1\nok 1 - a\nok 2 - b\n'"
check "a plan of no case skips" "0 passed, 0 failed, 1 skipped" "printf '1..0 # SKIP none here\n'"
check "all cases pass but not the program" "1 passed, 1 failed, 0 skipped" \
  "sh -c 'echo ok 1 - a; exit 3'"
check "one failure among many" "2 passed, 1 failed, 0 skipped" true false true
# Each waits for the other to have begun: only side by side can both.
meet=$(mktemp -d)
check "two lanes work at once" "2 passed, 0 failed, 0 skipped" -t 20 -j 2 \
  "sh -c ': >$meet/a; until [ -e $meet/b ]; do sleep 0.01; done'" \
  "sh -c ': >$meet/b; until [ -e $meet/a ]; do sleep 0.01; done'"
check "what comes after -j 1 runs alone" "3 passed, 0 failed, 0 skipped" -j 2 true \
  "sh -c 'sleep 0.2; : >$meet/c'" -j 1 "test -e $meet/c"
rm -r "$meet"
