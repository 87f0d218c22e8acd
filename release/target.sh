# What a Rust target is called elsewhere, and what this machine needs to build for it. To be sourced.
#
# Reads TARGET, by default this machine's own. Sets host, target, os, arch and suffix; `ready` makes sure of the tools.
host=$(rustc -vV | sed -n 's/^host: //p')
target=${TARGET:-$host}
suffix=
case $target in
  *-linux-gnu) os=linux ;;
  *-apple-darwin) os=darwin ;;
  *-windows-*) os=windows suffix=.exe ;;
  *) echo "nothing is built for $target" >&2; exit 1 ;;
esac
case $target in
  x86_64-*) arch=amd64 ;;
  aarch64-*) arch=arm64 ;;
  *) echo "nothing is built for $target" >&2; exit 1 ;;
esac

# The standard library of the target, and a compiler of C that links for it.
ready() {
  [[ $target == "$host" ]] && return
  local compiler packages
  case $target in
    aarch64-unknown-linux-gnu) compiler=aarch64-linux-gnu-gcc packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;;
    x86_64-unknown-linux-gnu) compiler=x86_64-linux-gnu-gcc packages="gcc-x86-64-linux-gnu libc6-dev-amd64-cross" ;;
    x86_64-pc-windows-gnu) compiler=x86_64-w64-mingw32-gcc packages=gcc-mingw-w64-x86-64 ;;
    *-apple-darwin) [[ $host == *-apple-darwin ]] || { echo "$target is built on a Mac only" >&2; exit 1; } ;;
    *) echo "$target is not built on $host" >&2; exit 1 ;;
  esac
  if [[ ! -d $(rustc --print target-libdir --target "$target") ]]; then
    command -v rustup >/dev/null || { echo "the standard library for $target is missing: install it, or Rust with rustup" >&2; exit 1; }
    rustup --quiet target add "$target" >&2
  fi
  [[ -z ${compiler:-} ]] && return
  # shellcheck disable=SC2086
  release/needs.sh "$compiler" $packages
  export "CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<< "$target")_LINKER=$compiler"
}
