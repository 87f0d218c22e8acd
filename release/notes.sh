#!/usr/bin/env bash
# Prints what the changelog says of one version, as the text of a release: links lead to the files of that version.
# Ends with 1 where the changelog has no such version, or says nothing of it.
#
# release/notes.sh VERSION [REPOSITORY] [CHANGELOG]     such as 0.1.0 https://github.com/OWNER/rollcall
set -euo pipefail
version=$1 repository=${2:-} changelog=${3:-$(dirname "$0")/../CHANGELOG.md}
notes=$(awk -v version="$version" '
  /^## / { inside = ($2 == version); next }
  inside { print }
' "$changelog" | sed -e '/./,$!d')
if [[ -z ${notes//[[:space:]]/} ]]; then
  echo "$changelog has nothing under \"## $version\"" >&2
  exit 1
fi
if [[ -n $repository ]]; then
  notes=$(sed -E "s#\]\(([^):]+)\)#](${repository%/}/blob/v$version/\1)#g" <<< "$notes")
fi
printf '%s\n' "$notes"
