#!/bin/sh
# sample.sh [OPTION of `muxbench run`...]: measures again what README.md and docs/sample show. Runs the
# experiments `c10k`, from 100 connections on, and `external`, replaces the tables of README.md, and puts
# data and report of the first into docs/sample, to be looked at without running anything. Wants an idle
# machine and some 25 minutes.
#
# SAMPLE_INTO=DIR leaves the tree alone: DIR/README.md and DIR/docs/sample are written. To try it out:
#   SAMPLE_INTO=/tmp/sample scripts/sample.sh --set load.connections=10,100 --set budget=20s
set -eu
cd "$(dirname "$0")/.."
into=${SAMPLE_INTO:-.}
runs=build/sample
sample=$into/docs/sample

measure() { # EXPERIMENT OPTION...: its run directory is $runs/EXPERIMENT/latest
  name=$1
  shift
  build/muxbench run "bench/experiments/$name.cfg" --out "$runs/$name" "$@" ||
    [ $? -eq 1 ] # a server that is not installed here
}
tell() { # EXPERIMENT: the table that README.md shows of it
  node scripts/report/table.mjs "$runs/$1/latest" >"$runs/$1.md"
  scripts/replace-generated.sh "$into/README.md" "scripts/sample.sh: $1" "$runs/$1.md"
}

rm -rf "$runs"
[ "$into" = . ] || {
  mkdir -p "$into"
  cp README.md "$into"
}
make servers
measure c10k --set load.connections=100,1000,10000 --set budget=20min "$@"
measure external --set load.connections=100,1000 "$@"

rm -rf "$sample"
mkdir -p "$sample"
[ -e "$runs/c10k/latest/report.html" ] || build/muxbench report "$runs/c10k/latest"
for name in run.json effective.json measurements.csv slices.csv summary.csv percentiles.csv \
  report.html plots; do
  [ ! -e "$runs/c10k/latest/$name" ] || cp -R "$runs/c10k/latest/$name" "$sample"
done
for name in LICENSE NOTICE; do # of ECharts, which the page contains
  cp "scripts/report/node_modules/echarts/$name" "$sample/ECHARTS-$name"
done
tell c10k
tell external
