#!/usr/bin/env bash
# Makes one image of those that were built for each architecture: an OCI layout, which skopeo copies to a registry as it is.
# Prints the digest of the whole.
#
# release/oci.sh VERSION FOLDER OUT     FOLDER has rollcall-amd64.tar, rollcall-arm64.tar, …, as `make image` writes them
set -euo pipefail
version=$1 folder=$2 out=$3
store=$(mktemp -d)
trap 'rm -rf "$store"' EXIT
b() { buildah --log-level error --root "$store/root" --runroot "$store/run" --storage-driver vfs "$@"; }
rm -rf "$out"
b manifest create rollcall >/dev/null
found=0
for archive in "$folder"/rollcall-*.tar; do
  [[ -f $archive ]] || continue
  arch=$(basename "$archive" .tar); arch=${arch#rollcall-}
  image=$(b pull --quiet "docker-archive:$archive")
  built=$(b inspect --type image --format '{{.OCIv1.Architecture}}' "$image")
  [[ $built == "$arch" ]] || { echo "$archive has an image for $built" >&2; exit 1; }
  b manifest add --os linux --arch "$arch" rollcall "$image" >/dev/null
  found=$((found + 1))
done
(( found > 0 )) || { echo "$folder has no rollcall-ARCH.tar" >&2; exit 1; }
b manifest push --quiet --all --format oci --digestfile "$store/digest" rollcall "oci:$out:$version" >/dev/null
cat "$store/digest"
echo
