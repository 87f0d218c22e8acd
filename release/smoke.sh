#!/usr/bin/env bash
# Runs a binary as it was built, for whichever target. The command for people has to do some work: the kinds are those of crds/, and
# the people of an HR file are read. What is for another machine runs by QEMU or Wine.
#
# [TARGET=aarch64-unknown-linux-gnu] release/smoke.sh BINARY
set -euo pipefail
cd "$(dirname "$0")/.."
. release/target.sh
binary=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
runner=()
if [[ $target != "$host" ]]; then
  case $target in
    aarch64-unknown-linux-gnu) runner=(qemu-aarch64-static) && release/needs.sh qemu-aarch64-static qemu-user-static ;;
    x86_64-unknown-linux-gnu) runner=(qemu-x86_64-static) && release/needs.sh qemu-x86_64-static qemu-user-static ;;
    *-windows-*) runner=(wine) && export WINEDEBUG=-all WINEPREFIX=$work/wine && release/needs.sh wine wine wine64 ;;
  esac
fi
# Wine's server outlives the command, and would go on to speak.
run() { ${runner[@]+"${runner[@]}"} "$binary" "$@" 2>> "$work/said"; }
fail() { tail -n 5 "$work/said" >&2; echo "$binary: $1" >&2; exit 1; }

said=$(run --version) || fail "it does not run"
[[ ${said%$'\r'} == "rollcall $(release/version.sh)" ]] || fail "--version says: $said"
commands=$(run --help) || fail "it has no help"
if [[ $commands == *$'\n  preview '* ]]; then
  run crds --dir "$work/crds" >/dev/null || fail "it writes no kinds"
  diff --recursive --strip-trailing-cr "$work/crds" crds >&2 || fail "it writes other kinds"
  said=$(run preview -f examples/hrconnection-csv.yaml -f examples/syncpolicy.yaml) || fail "it previews nothing"
  [[ $said == *"hq: 10 people"*"trusted as a first response"* ]] || fail "it previews: $said"
else
  [[ $commands == *$'\n  control '* ]] || fail "it is neither the operator nor the command for people"
fi
echo "$binary runs: $target${runner[0]:+, by ${runner[0]}}"
