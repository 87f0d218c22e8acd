#!/usr/bin/env bash
# Prints the plugin's manifest for krew: .krew.yaml with each archive of a folder as a platform, by its checksum.
#
# release/krew.sh VERSION REPOSITORY [FOLDER]     such as 0.1.0 https://github.com/OWNER/rollcall target/plugin
set -euo pipefail
version=$1 repository=${2%/} folder=${3:-target/plugin}
sed -e '/^#/d' -e "s|@VERSION@|$version|g" -e "s|@REPOSITORY@|$repository|g" "$(dirname "$0")/../.krew.yaml"
found=0
for archive in "$folder"/kubectl-rollcall_*_*.tar.gz; do
  [[ -f $archive ]] || continue
  found=$((found + 1))
  name=$(basename "$archive")
  IFS=_ read -r _ os arch <<< "${name%.tar.gz}"
  sum=$(if command -v sha256sum >/dev/null; then sha256sum "$archive"; else shasum -a 256 "$archive"; fi | cut -d' ' -f1)
  suffix=
  [[ $os == windows ]] && suffix=.exe
  cat <<END
    - selector: {matchLabels: {os: $os, arch: $arch}}
      uri: $repository/releases/download/v$version/$name
      sha256: $sum
      bin: kubectl-rollcall$suffix
END
done
(( found > 0 )) || { echo "$folder has no archive of the plugin" >&2; exit 1; }
