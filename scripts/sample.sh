#!/bin/sh
# sample.sh RUN [DIR]: puts the report of a run directory into DIR (docs/sample), to be looked at
# without running anything: the page, its charts as SVG, their figures, and the licence of ECharts,
# which the page contains.
set -eu
run=${1:?usage: scripts/sample.sh RUN [DIR]}
to=${2:-docs/sample}
here=$(dirname "$0")
"$here/../build/muxbench" report "$run"
rm -rf "$to/plots"
mkdir -p "$to/plots"
cp "$run/report.html" "$run/summary.csv" "$run/effective.json" "$to"
cp "$run"/plots/*.svg "$to/plots"
cp "$here/report/node_modules/echarts/LICENSE" "$to/ECHARTS-LICENSE"
cp "$here/report/node_modules/echarts/NOTICE" "$to/ECHARTS-NOTICE"
