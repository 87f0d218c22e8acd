#!/usr/bin/env bash
# Makes sure that a program is there: installs Debian's packages where it may, and otherwise says which ones to install.
#
# release/needs.sh PROGRAM PACKAGE…     such as buildah buildah
set -euo pipefail
program=$1
shift
command -v "$program" >/dev/null && exit
if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
  echo "$program is missing: install it (on Debian and Ubuntu: sudo apt-get install $*)" >&2
  exit 1
fi
apt-get update -qq >/dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove "$@" >/dev/null
