#!/bin/sh
# Installs what building, testing and reporting need and this machine lacks, and the packages named
# as arguments. Debian and Ubuntu, as root or through sudo; elsewhere it names the packages and
# stops. Nothing to do: well under a second, no network.
set -eu
cd "$(dirname "$0")/.."

packages="gcc make libc6-dev libconfig-dev libjansson-dev libsmartcols-dev zlib1g-dev
  libcmocka-dev nodejs npm $(scripts/libraries.sh packages backends/*.c) $*"

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo "setup: not a Debian or Ubuntu machine. Install the equivalents of:" $packages >&2
  exit 1
fi

missing=
installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' $packages 2>/dev/null |
  sed -n 's/^ii *//p') || true
for package in $packages; do
  case $package in
    # A compiler or node from elsewhere serves as well.
    gcc | make | clang* | npm) command -v "$package" >/dev/null 2>&1 && continue ;;
    nodejs) command -v node >/dev/null 2>&1 && continue ;;
  esac
  printf '%s\n' "$installed" | grep -qx "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "setup: no apt-get here. Install:$missing" >&2
  exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || {
    echo "setup: needs root to install:$missing" >&2
    exit 1
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
  exit 1
fi
