#!/bin/sh
# install-report.sh DIR: what `muxbench report` needs, into DIR: the modules, and of ECharts the one
# file that is used, with its licence.
set -eu
cd "$(dirname "$0")/report"
echarts=node_modules/echarts
install -d "$1"
install -m 644 ./*.mjs page.css package.json package-lock.json .npmrc "$1"
if [ ! -f $echarts/dist/echarts.min.js ]; then
  echo "install: ECharts is not here, so no reports until 'npm ci' is run in $1" >&2
  exit 0
fi
for file in package.json LICENSE NOTICE dist/echarts.min.js dist/package.json; do
  install -D -m 644 $echarts/$file "$1/$echarts/$file"
done
