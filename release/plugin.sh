#!/usr/bin/env bash
# Builds the kubectl plugin for the machine it runs on, and packs it with the licences: target/plugin/kubectl-rollcall_OS_ARCH.tar.gz
# and its checksum. On Linux the binary is static. Runs in any bash: Linux, macOS, Git's on Windows.
#
# release/plugin.sh [BINARY]     packs BINARY instead of building one
set -euo pipefail
cd "$(dirname "$0")/.."
case $(uname -s) in
  Linux) os=linux ;;
  Darwin) os=darwin ;;
  MINGW* | MSYS* | CYGWIN*) os=windows ;;
  *) echo "no plugin for $(uname -s)" >&2; exit 1 ;;
esac
case $(uname -m) in
  x86_64 | amd64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) echo "no plugin for $(uname -m)" >&2; exit 1 ;;
esac
suffix=
[[ $os == windows ]] && suffix=.exe
binary=${1:-}
if [[ -z $binary ]]; then
  host=$(rustc -vV | sed -n 's/^host: //p')
  # Static on Linux, so that it runs on every distribution. The target is named, or build scripts would be linked statically too.
  [[ $os == linux ]] && export RUSTFLAGS="-C target-feature=+crt-static"
  cargo build --locked --release --bin rollcall --target "$host"
  binary=${CARGO_TARGET_DIR:-target}/$host/release/rollcall$suffix
fi
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
