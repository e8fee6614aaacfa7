#!/bin/sh
# Are the foreign servers of scripts/servers, as the experiment `external` starts them, servers that
# echo, answer a half-close and end in good order? Prints TAP. Usage: test_servers.sh BUILD
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1 number=0
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
sed -n "s|.*command = \"\(.*\)\".*|\1|; t found; d; :found; s|^build/|$build/|; p" \
  bench/experiments/external.cfg >"$place/all"
while read -r command; do
  number=$((number + 1))
  missing=
  case $command in
    *tornado*) /usr/bin/python3 -c 'import tornado' 2>/dev/null || missing=python3-tornado ;;
    *shell*) command -v socat >/dev/null || missing=socat ;;
    *node*) command -v node >/dev/null || missing=nodejs ;;
    *go_echo*) command -v go >/dev/null || missing=golang-go ;;
  esac
  if [ "$missing" ]; then
    echo "ok $number - $command # SKIP $missing is not installed"
  elif "$build/muxbench" check --exec "$command" --case sizes --case half-close \
    --case connect-and-close-1000 </dev/null >"$place/log" 2>&1; then
    echo "ok $number - $command"
  else
    echo "not ok $number - $command"
    sed 's/^/# /' "$place/log"
  fi
done <"$place/all"
echo "1..$number"
