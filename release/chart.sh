#!/usr/bin/env bash
# Packs the chart as a release has it: with the image that belongs to it as the default, and the addresses that Artifact Hub shows.
# Without arguments it packs the chart as it stands.
#
# release/chart.sh [REPOSITORY IMAGE]     such as https://github.com/OWNER/rollcall ghcr.io/owner/rollcall; writes target/rollcall-VERSION.tgz
set -euo pipefail
cd "$(dirname "$0")/.."
helm=$(command -v helm || echo "${XDG_CACHE_HOME:-$HOME/.cache}/rollcall/bin/helm")
version=$(release/version.sh)
folder=target/chart/rollcall
rm -rf target/chart && mkdir -p target/chart
cp -r charts/rollcall "$folder"
if (( $# == 2 )); then
  repository=${1%/} image=$2
  sed -i.before -E "s|^  repository: rollcall$|  repository: $image|" "$folder/values.yaml"
  grep -qx "  repository: $image" "$folder/values.yaml"
  cat >> "$folder/Chart.yaml" <<END
  artifacthub.io/images: |
    - {name: rollcall, image: "$image:$version", platforms: [linux/amd64, linux/arm64]}
  artifacthub.io/links: |
    - {name: Documentation, url: "$repository/blob/v$version/README.md"}
    - {name: What it does not revoke, url: "$repository/blob/v$version/docs/security.md#what-rollcall-does-not-revoke"}
    - {name: Report a vulnerability, url: "$repository/blob/v$version/SECURITY.md"}
    - {name: Changelog, url: "$repository/blob/v$version/CHANGELOG.md"}
home: $repository
sources: [$repository]
icon: ${repository/github.com/raw.githubusercontent.com}/v$version/charts/rollcall/icon.svg
END
  # The chart's page leaves the repository: its links go to the files of this version.
  sed -i.before -E -e "s#\]\(\.\./\.\./([^)]+)\)#]($repository/blob/v$version/\1)#g" "$folder/README.md"
  rm "$folder"/*.before
fi
"$helm" lint --strict --quiet "$folder" >&2
"$helm" package "$folder" --destination target >/dev/null
echo "target/rollcall-$version.tgz"
