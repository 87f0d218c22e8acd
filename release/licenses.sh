#!/usr/bin/env bash
# Writes the licences of what is linked into a binary: Rollcall's own, that of each crate, the standard library's and, where the
# binary is static, that of the C library. Ends with 1 if a crate has none.
#
# [TARGET=aarch64-unknown-linux-gnu] release/licenses.sh FOLDER [FEATURES…]     such as target/licenses --no-default-features; the features as cargo takes them
set -euo pipefail
cd "$(dirname "$0")/.."
out=$1
shift
. release/target.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sum=$(command -v sha256sum >/dev/null && echo "sha256sum" || echo "shasum -a 256")
sources=("${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/)

# Each crate once: name, version, licence and repository. Those with a path are this repository's own.
cargo tree --locked --package rollcall --edges normal,no-proc-macro --target "$target" "$@" --prefix none --format '{p}|{l}|{r}' |
  sed -E 's/ \(\*\)$//' | grep -v ' (.*)|' | sort -u > "$work/crates"
missing=0
while IFS='|' read -r crate licence repository; do
  name=${crate% v*} version=${crate##* v}
  source=
  for registry in "${sources[@]}"; do if [[ -d $registry$name-$version ]]; then source=$registry$name-$version; fi; done
  if [[ -z $source ]]; then echo "the source of $crate is not there: cargo fetch --locked" >&2; missing=1; continue; fi
  texts=$(find "$source" -maxdepth 4 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' -o -iname 'unlicense*' -o -iname 'copyright*' \) \
    ! -name '*.rs' ! -name '*.toml' ! -name '*.html' | LC_ALL=C sort)
  if [[ -z $texts ]]; then
    case $licence in
      *Apache-2.0*) texts=LICENSE ;;
      MIT) texts=release/licenses/MIT.txt ;;
      BSD-3-Clause) texts=release/licenses/BSD-3-Clause.txt ;;
      *) echo "$crate has no text of its licence, $licence: put it into release/licenses/" >&2; missing=1; continue ;;
    esac
    authors=$(awk '/^authors = / { on = 1 } on { print } on && /\]/ { exit }' "$source/Cargo.toml" | grep -oE '"[^"]*"' | sed -E -e 's/ <[^>]*>//' -e 's/"//g' | paste -sd, - || true)
    repository="$repository${authors:+, by ${authors//,/, }}"
  fi
  numbers=
  while read -r number text; do
    number=${number:0:12}
    [[ -f $work/$number.txt ]] || cp "$text" "$work/$number.txt"
    [[ " $numbers " == *" $number "* ]] || numbers="$numbers${numbers:+ }$number"
  done < <(printf '%s' "$texts" | tr '\n' '\0' | xargs -0 $sum)
  printf '%s %s\n  %s, %s\n  texts: %s\n' "$name" "$version" "${licence//\// OR }" "$repository" "$numbers" >> "$work/list"
done < "$work/crates"
(( missing == 0 )) || exit 1

rm -rf "$out" && mkdir -p "$out"
cp LICENSE "$out/LICENSE"
{
  echo "Rollcall is under the Apache License 2.0 (LICENSE). It contains the following, under the licences that stand below, each text once."
  echo
  cat "$work/list"
  for text in "$work"/*.txt; do
    printf '\n==== %s ====\n\n' "$(basename "$text" .txt)"
    cat "$text"
  done
} > "$out/THIRD-PARTY-LICENSES"
chmod -R a+rX,u+w "$out"
library=$(rustc --print sysroot)/share/doc/rust/COPYRIGHT-library.html
if [[ -f $library ]]; then cp "$library" "$out/rust-standard-library.html"; fi
# What Debian says of the C library that is linked in: its package for this machine, or that for building for the other one.
runtime=libc6 name=glibc
if [[ $target != "$host" && $os == linux ]]; then runtime=libc6-$arch-cross; fi
if [[ $target == *-windows-gnu ]]; then runtime=mingw-w64-common name=mingw-w64; fi
if [[ $target == *-gnu && -f /usr/share/doc/$runtime/copyright ]]; then cp "/usr/share/doc/$runtime/copyright" "$out/$name-copyright"; fi
echo "$out: $(wc -l < "$work/crates" | tr -d ' ') crates"
