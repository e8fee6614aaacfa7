#!/bin/sh
# run.sh quick|browser: runs tests/report/$1.test.mjs, printing TAP. Exit 77: cannot be run here.
set -eu
cd "$(dirname "$0")"
skip() {
  echo "report tests ($1) SKIPPED: $2" >&2
  exit 77
}
command -v node >/dev/null 2>&1 || skip "$1" "node is missing (make setup)"
[ -d ../../scripts/report/node_modules/echarts ] || skip "$1" "ECharts is missing (make setup)"
if [ "$1" = browser ]; then
  [ -x "${CHROMIUM:-/usr/bin/chromium}" ] || skip "$1" "chromium is missing (make setup-report-tests)"
  [ -d node_modules/playwright-core ] || skip "$1" "playwright-core is missing (make setup-report-tests)"
fi
exec node --test-reporter=tap "$1.test.mjs"
