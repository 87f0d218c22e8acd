#!/usr/bin/env bash
# Builds the binary as it is released, for this machine or for another target, and prints its path. For Linux it is static, and as
# small as the linker of the tool chain can make it.
#
# [TARGET=aarch64-unknown-linux-gnu] release/build.sh [FEATURES…]     the features as cargo takes them
set -euo pipefail
cd "$(dirname "$0")/.."
. release/target.sh
ready
flags=()
if [[ $os == linux ]]; then
  # The target is named below, or build scripts would be linked statically too. Rust links it
  # to be loaded at any address for x86-64, and at a fixed one for arm64: its target has no static position-independent executables.
  export RUSTFLAGS="-C target-feature=+crt-static -C force-unwind-tables=no"
  lld=$(rustc --print sysroot)/lib/rustlib/$host/bin/gcc-ld
  if [[ -x $lld/ld.lld ]]; then
    # Functions of the same code are one, and relocations are packed, which glibc reads from 2.36 on.
    flags=(-C link-arg=-fuse-ld=lld -C "link-arg=-B$lld" -C link-arg=-Wl,--icf=all -C "link-arg=-Wl,-T,$PWD/release/no-unwinding.ld")
    compiler=$(printenv "CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<< "$target")_LINKER" || echo cc)
    glibc=$(printf '#include <features.h>\n__GLIBC_MINOR__\n' | "$compiler" -E -P - | tail -n 1)
    if (( glibc >= 36 )); then flags+=(-C link-arg=-Wl,-z,pack-relative-relocs); fi
  fi
fi
cargo rustc --locked --release --bin rollcall --target "$target" "$@" -- ${flags[@]+"${flags[@]}"} >&2
echo "${CARGO_TARGET_DIR:-target}/$target/release/rollcall$suffix"
