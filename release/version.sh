#!/usr/bin/env bash
# Prints the version of this checkout, and ends with 1 unless everything that names it agrees: the crates, the chart, the
# changelog, and the tag, if one is given.
#
# release/version.sh [TAG]
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -nE '/^\[workspace.package\]/,/^\[/ s/^version = "(.*)"$/\1/p' Cargo.toml)
wrong=0
agree() { if [[ $2 != "$version" ]]; then echo "$1 says $2, Cargo.toml says $version" >&2; wrong=1; fi; }
agree "version of the chart" "$(sed -nE 's/^version: "?([^"]*)"?$/\1/p' charts/rollcall/Chart.yaml)"
agree "appVersion of the chart" "$(sed -nE 's/^appVersion: "?([^"]*)"?$/\1/p' charts/rollcall/Chart.yaml)"
if [[ -n ${1:-} ]]; then
  agree "the tag" "${1#v}"
  release/notes.sh "$version" >/dev/null || wrong=1
fi
(( wrong == 0 )) || exit 1
echo "$version"
