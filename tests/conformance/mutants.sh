#!/bin/sh
# Proves that the cases can fail: every flaw of tests/mutants is caught by its case, with a reason.
# Prints TAP.
#
#     mutants.sh -m MUTANT [-a] [-j N] [PATTERN]       (MUXBENCH: the program; PATTERN: ERE of flaws)
#
# -a: every case on every flaw. A case that fails besides the flaw's own must be declared in
# tests/mutants/also.txt with the reason, so that failures nobody has thought of are found. A declared
# case may pass: with some flaws it is a matter of timing. -j: how many flaws at once (1).
#
# sound.sh proves that the sound server passes the same cases.
set -u
: "${MUXBENCH:?path of muxbench}"
mutant=
all=
jobs=1
while getopts m:aj: option; do
  case $option in
  m) mutant=$OPTARG ;;
  a) all=1 ;;
  j) jobs=$OPTARG ;;
  *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
pattern=${1:-.}
also=$(cd "$(dirname "$0")/../mutants" && pwd)/also.txt
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1 # mutants may leave files

"$mutant" | sed 1d | grep -E "$pattern" >rows # the first is the sound one
flaws=$(wc -l <rows)
echo "1..$flaws"

# Runs the cases on one flaw into NUMBER.tap, and judges them into NUMBER.
cat >one.sh <<'SCRIPT'
read -r n flaw where own <<ROW
$1
ROW
case $where in
unix:*) listen=unix://$PWD/$n.socket where=unix:$PWD/$n.socket ;;
udp:*) listen=udp://127.0.0.1:0 ;;
*) listen=tcp://127.0.0.1:0 ;;
esac
check() {
  "$MUXBENCH" check --exec "$mutant $flaw $where" --listen "$listen" --tap "$@" >>"$n.tap" 2>&1 \
    </dev/null
}
check --case "$own" --patience 1s
rm -f "$n.socket"
[ -z "$all" ] || check # with a slow flaw the time may be up before its own case
awk -v n="$n" -v flaw="$flaw" -v own="$own" '
  FILENAME ~ /also.txt$/ {
    if (/^#/) next
    if (/^[^ ]/) of = substr($1, 1, length($1) - 1)
    else for (i = 1; of == flaw && i <= NF; i++) declared[$i] = 1
    next
  }
  { said = said "  # " $0 "\n" }
  /^not ok / { last = $NF; next }
  /^  # (not run|the server does not start): / { next } # no verdict on the flaw
  /^  # / { if (!(last in failed)) order[++count] = last; failed[last] = failed[last] $0 "\n" }
  END {
    for (i = 1; i <= count; i++)
      if (order[i] != own) also = also " " order[i] (order[i] in declared ? "" : " (undeclared)")
    bad = !(own in failed) || also ~ /undeclared/
    printf "%sok %d - %s catches %s%s\n", bad ? "not " : "", n, own, flaw, also ? ";" also : ""
    if (!(own in failed)) printf "%s", said
    for (i = 1; i <= count; i++)
      if (bad || order[i] == own) printf "%s", failed[order[i]]
  }' "$also" "$n.tap" >"$n"
SCRIPT
export MUXBENCH mutant all also
awk '{ print NR, $0 }' rows | tr '\n' '\0' | xargs -0 -P "$jobs" -I '{row}' sh one.sh '{row}'
for n in $(seq "$flaws"); do cat "$n"; done >said
cat said

# A case that catches no flaw does not count.
"$MUXBENCH" check --list | awk '{print $1}' | while read -r name; do
  awk -v name="$name" '$3 == name { found = 1 } END { exit !found }' rows || echo "$name"
done >unproved
if [ "$pattern" = . ] && [ -s unproved ]; then
  echo "# cases that no mutant can fail: $(tr '\n' ' ' <unproved)"
  exit 1
fi
! grep -q '^not ok' said
