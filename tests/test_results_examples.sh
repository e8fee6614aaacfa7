#!/bin/sh
# Do the examples of README.md and results/README.md run on a real run directory, and do the plot
# scripts leave out what a flag voids, and only that? Each fenced block of python, sh and gnuplot is
# taken from the page; where its tool is not installed it is skipped. Prints TAP.
# Usage: test_results_examples.sh MUXBENCH
set -u
cd "$(dirname "$0")/.." || exit 1
root=$PWD
page=$root/results/README.md
muxbench=$1
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place" || exit 1
number=0

# case_ NAME TOOL COMMAND...: passes if the command does; skipped where `TOOL /dev/null` fails.
case_() {
  name=$1 tool=$2 number=$((number + 1))
  shift 2
  if ! "$tool" /dev/null >/dev/null 2>&1; then
    echo "ok $number - $name # SKIP $tool is not here"
  elif "$@" >out 2>&1; then
    echo "ok $number - $name"
  else
    echo "not ok $number - $name"
    sed 's/^/# /' out
  fi
}
pandas() {
  python3 -c 'import pandas' && python3 "$@"
}
matplotlib() {
  python3 -c 'import matplotlib, pandas' && python3 "$@"
}

# ---- The examples, on a run --------------------------------------------------------------------

cat >tiny.cfg <<'CFG'
servers = [ "epoll-lt", "poll" ];
baseline = "epoll-lt";
blocks = 1;
count = 0;
load = { connections = [ 10, 20 ]; duration = "500ms"; warmup = "50ms"; };
CFG
"$muxbench" run tiny.cfg >run.log 2>&1

# The block of a language in the page.
block() {
  awk -v fence="\`\`\`$1" '$0 == fence { inside = 1; next } /^```/ { inside = 0 } inside' "$page"
}
# example LANGUAGE EXPECTED COMMAND: the block, run by the command, prints a line like EXPECTED.
example() {
  block "$1" >"block.$1"
  if [ -s "block.$1" ] && "$3" "block.$1" >printed 2>&1 && grep -q "$2" printed; then return; fi
  cat printed run.log
  return 1
}
# A line for each label and cell that has a CPU time.
sh_example() {
  example sh '^connections=[12]0 ' sh && [ "$(wc -l <printed)" -eq "$measured" ]
}
measured=$(grep -c ',host_cpu_us_per_req,' results/latest/summary.csv)
if [ "$measured" -gt 0 ]; then
  case_ "the example in python" pandas example python connections pandas
  case_ "the example in sh" sh sh_example
  case_ "the example in gnuplot" gnuplot example gnuplot 'epoll-lt\|poll' gnuplot
else
  number=1
  echo "ok 1 - the examples on a run # SKIP the host is far too busy to measure anything"
fi

# ---- What is left out ----------------------------------------------------------------------------

# measurements.csv with a label for every flag of the page, whose only row has that flag. The page
# says what it voids.
mkdir -p flags/results/latest
awk -F' *[|] *' '/^[|] flag /, /^$/ { if ($2 ~ /^`/) { gsub(/`/, "", $2); print $2 "," $4 } }' \
  "$page" >voids
awk -F, 'NR == FNR { flags[++n] = $1; next }
  FNR == 1 { columns = split($0, names, ","); print }
  END {
    for (f = 1; f <= n; f++) {
      field["label"] = field["flags"] = flags[f]
      field["status"] = "invalid"; field["loop"] = "closed"; field["connections"] = 10
      field["host_cpu_us_per_req"] = field["server_cpu_us_per_req"] = field["response_p99_us"] = 40 + f
      for (i = 1; i <= columns; i++) printf "%s%s", field[names[i]], i < columns ? "," : "\n"
    }
  }' voids results/latest/measurements.csv >flags/results/latest/measurements.csv

# draws PATTERN FILE: FILE has exactly the flags whose line in `voids` does not match PATTERN.
draws() {
  while IFS=, read -r flag voided; do
    wanted=yes
    echo "$voided" | grep -Eq "$1" && wanted=no
    found=no
    [ -s "$2" ] && grep -qw "$flag" "$2" && found=yes
    [ $found = $wanted ] || {
      echo "$flag, which voids $voided: drawn $found"
      return 1
    }
  done <voids
  [ "$(wc -l <voids)" -gt 10 ]
}
# The line of README.md with another file, another output and more arguments.
readme_line() {
  line=$(grep -m 1 '^gnuplot -c scripts/plot.gp ' "$root/README.md") || return 1
  rm -f plot.svg other.svg
  line=$(echo "$line" | sed "s|scripts/|$root/scripts/|
    s|results/latest/measurements.csv|flags/results/latest/measurements.csv|; s|plot.svg|other.svg|")
  eval "$line $2" && [ ! -e plot.svg ] && draws "$1" other.svg
}
plot_example() {
  python3 "$root/scripts/plot_example.py" flags/results/latest "$2" other.svg && draws "$1" other.svg
}
pandas_example() {
  block python >block.python
  (cd flags && python3 ../block.python) >printed && draws everything printed
}
# README.md's example of load, with the port that its example of serve prints.
load_example() {
  : >address
  "$muxbench" serve --backend epoll-lt --cpus 0 >address &
  server=$!
  while [ ! -s address ] && kill -0 $server; do sleep 0.05; done
  port=$(sed 's/.*://' address)
  line=$(sed -n '/^build.muxbench load --target/,/[^\\]$/p' "$root/README.md" | tr -d '\\\n' |
    sed "s|build/muxbench|$muxbench|; s|PORT|$port|")
  case $line in *load*"$port"*--connections*) eval "$line" ;; *) false ;; esac
  status=$?
  kill $server && wait $server && return $status
}
two_cpus() {
  taskset -c 0,1 true
}
case_ "README.md's example of load" two_cpus load_example
case_ "README.md's line for gnuplot: CPU time" gnuplot readme_line everything ''
case_ "README.md's line for gnuplot: latency" gnuplot readme_line 'everything|latency' \
  response_p99_us
case_ "plot_example.py: CPU time" matplotlib plot_example everything host_cpu_us_per_req
case_ "plot_example.py: latency" matplotlib plot_example 'everything|latency' response_p99_us
case_ "the example in python leaves out what voids CPU time" pandas pandas_example
echo "1..$number"
