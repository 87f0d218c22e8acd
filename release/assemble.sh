#!/usr/bin/env bash
# Puts a release together from what was built, in target/packages: one image of those for each architecture, the chart, the plugins
# with their manifest for krew, what is in the image, the notes, and the checksums of all, which it prints.
#
# release/assemble.sh FOLDER REPOSITORY IMAGE [TAG]     FOLDER has rollcall-ARCH.tar, kubectl-rollcall_OS_ARCH.tar.gz and rollcall.cdx.json
set -euo pipefail
cd "$(dirname "$0")/.."
in=$1 repository=$2 image=$3 tag=${4:-}
version=$(release/version.sh ${tag:+"$tag"})
out=target/packages
rm -rf "$out" && mkdir -p "$out"
cp "$in"/kubectl-rollcall_*.tar.gz* "$in/rollcall.cdx.json" "$out/"
release/oci.sh "$version" "$in" "$out/image" > "$out/image.digest"
mv "$(release/chart.sh "$repository" "$image")" "$out/"
release/krew.sh "$version" "$repository" "$out" > "$out/rollcall-krew.yaml"
# Before its tag, what changes stands under "Unreleased".
if [[ -n $tag ]]; then release/notes.sh "$version" "$repository"; else release/notes.sh Unreleased; fi > "$out/notes.md"
cd "$out"
sum() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }
sum *.tar.gz *.tgz *.json *.yaml > SHA256SUMS
{
  cat SHA256SUMS
  sed 's|^sha256:||; s|$|  image|' image.digest
} | while read -r digest name; do
  printf '%-44s %8s  %s\n' "$name" "$(du -shL "$name" | cut -f1)" "sha256:$digest"
done
