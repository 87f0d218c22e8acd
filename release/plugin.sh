#!/usr/bin/env bash
# Builds the kubectl plugin, for this machine or for another target, tries it, and packs it with the
# licences: target/plugin/kubectl-rollcall_OS_ARCH.tar.gz and its checksum. Runs in any bash: Linux, macOS, Git's on Windows.
#
# [TARGET=x86_64-pc-windows-gnu] release/plugin.sh [BINARY]     packs BINARY instead of building one
set -euo pipefail
cd "$(dirname "$0")/.."
. release/target.sh
binary=${1:-}
[[ -n $binary ]] || binary=$(release/build.sh)
release/smoke.sh "$binary" >&2
out=target/plugin name=kubectl-rollcall_${os}_${arch}
mkdir -p "$out/$name"
cp "$binary" "$out/$name/kubectl-rollcall$suffix"
release/licenses.sh "$out/$name/licenses" >&2
cp LICENSE "$out/$name/"
tar -czf "$out/$name.tar.gz" -C "$out/$name" "kubectl-rollcall$suffix" LICENSE licenses
rm -rf "${out:?}/$name"
sum() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi; }
(cd "$out" && sum "$name.tar.gz" > "$name.tar.gz.sha256")
echo "$out/$name.tar.gz"
