#!/bin/sh
# sample.sh [OPTION of `muxbench run`...]: measures again what README.md and docs/sample show: runs the
# experiment `models`, replaces the table of README.md, and puts the run's data and report into
# docs/sample, to be looked at without running anything. Wants an idle machine and about an hour.
#
# SAMPLE_INTO=DIR leaves the tree alone: DIR/README.md and DIR/docs/sample are written. To try it out:
#   SAMPLE_INTO=/tmp/sample scripts/sample.sh --backends epoll-lt,poll --set connections=1,100 --set budget=20s
set -eu
cd "$(dirname "$0")/.."
into=${SAMPLE_INTO:-.}
runs=build/sample
rm -rf "$runs"
build/muxbench run bench/experiments/models.cfg --out "$runs" "$@"
[ -e "$runs/latest/report.html" ] || build/muxbench report "$runs/latest"

sample=$into/docs/sample
rm -rf "$sample"
mkdir -p "$sample"
for name in run.json effective.json measurements.csv slices.csv summary.csv percentiles.csv \
  report.html plots; do
  [ ! -e "$runs/latest/$name" ] || cp -R "$runs/latest/$name" "$sample"
done
for name in LICENSE NOTICE; do # of ECharts, which the page contains
  cp "scripts/report/node_modules/echarts/$name" "$sample/ECHARTS-$name"
done

[ "$into" = . ] || cp README.md "$into"
{
  node scripts/report/table.mjs "$runs/latest"
  # shellcheck disable=SC2016 # the backquotes are Markdown's
  printf '\nMade by `scripts/sample.sh%s`.\n' "$(printf ' %s' "$@" | sed 's/^ $//')"
} >"$runs/table.md"
scripts/replace-generated.sh "$into/README.md" "$runs/table.md"
