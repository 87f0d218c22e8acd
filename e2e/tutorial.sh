#!/usr/bin/env bash
# Follows docs/tutorial.md word for word, on the Kubernetes of this machine: types the blocks for everybody and those for
# "this machine" into one shell, in their order. Ends with 1 unless the reader's own token worked before and is refused after.
#
# `make tutorial` calls it. TUTORIAL_FROM=2 begins with another step, where the image stands already.
set -euo pipefail
cd "$(dirname "$0")/.."
unset MAKELEVEL MAKEFLAGS MFLAGS  # as from a reader's terminal

from=${TUTORIAL_FROM:-1}
script=target/tutorial.sh log=target/tutorial.log
mkdir -p target
awk -v from="$from" '
  /^## [0-9]+[.]/ { step = $2 + 0 }
  /^```/ { if (inside) { inside = 0 } else { inside = 1; take = step >= from && ($0 == "```sh" || $0 == "```sh machine"); if (take) print "printf \"\\n── step " step "\\n\"" } ; next }
  inside && take { print }
' docs/tutorial.md > "$script"
if (( from > 1 )); then sed -i "1i export PATH=$PWD/target/bin:\$PATH" "$script"; fi
trap 'make down' EXIT
bash -euo pipefail "$script" 2>&1 | tee "$log"

expect() { grep -q "$2" "$log" || { echo "✗ the tutorial did not show: $1" >&2; exit 1; }; }
expect "Ada's token, accepted" '^Username .*system:serviceaccount:team-a:ada-laptop'
expect "an answer of the API server that refuses it" 'You must be logged in to the server'
expect "the token refused" '^the token is refused'
expect "a colleague who may go on" '^yes'
expect "evidence that verifies" '1 record.* verif'
echo "The tutorial ends as it says: in a refused token."
