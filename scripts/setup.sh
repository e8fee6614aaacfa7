#!/bin/sh
# Installs what building, testing and reporting need and this machine lacks, and the packages named
# as arguments. Debian and Ubuntu, as root or through sudo; elsewhere it names the packages and
# stops. When nothing is missing it takes well under a second and no network.
# shellcheck disable=SC2086 # packages are lists of words
set -eu
cd "$(dirname "$0")/.."

packages="gcc make libc6-dev libconfig-dev libjansson-dev libsmartcols-dev zlib1g-dev
  libcmocka-dev iproute2 nodejs npm $(scripts/libraries.sh packages backends/*.c loadgen/*.c) $*"

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo setup: not a Debian or Ubuntu machine. Install the equivalents of: $packages >&2
  exit 1
fi

missing=
installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' $packages 2>/dev/null |
  sed -n 's/^ii *//p') || true
for package in $packages; do
  case $package in
    # A compiler or node from another source will do.
    gcc | make | clang* | npm) command -v "$package" >/dev/null 2>&1 && continue ;;
    nodejs) command -v node >/dev/null 2>&1 && continue ;;
  esac
  printf '%s\n' "$installed" | grep -qx "$package" || missing="$missing $package"
done

install_packages() {
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: no apt-get here. Install:$missing" >&2
    return 1
  fi
  as_root=
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
      echo "setup: needs root to install:$missing" >&2
      return 1
    }
    as_root=sudo
  fi
  echo "setup: installing$missing" >&2
  apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300"
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  if ! { $apt update && $apt install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "setup: installing failed" >&2
    return 1
  fi
}

# The chart library of the report. Everything but the report works without it.
install_charts() {
  installed=scripts/report/node_modules/.package-lock.json
  if [ -e $installed ] && [ -z "$(find scripts/report/package-lock.json -newer $installed)" ]; then
    return
  fi
  echo "setup: installing ECharts for the report" >&2
  (cd scripts/report && npm ci --silent >&2) ||
    echo "setup: no ECharts, so runs will have no report; to try again: make setup" >&2
}

[ -z "$missing" ] || install_packages
install_charts
