#!/usr/bin/env bash
# Pushes the image and the chart of target/packages, and prints the digest of each: `image=sha256:…`, `chart=sha256:…`. Whoever runs
# it has logged in. Without TLS only to this machine.
#
# release/push.sh IMAGE CHARTS     such as ghcr.io/owner/rollcall ghcr.io/owner/charts
set -euo pipefail
cd "$(dirname "$0")/.."
image=$1 charts=$2
helm=$(command -v helm || echo "${XDG_CACHE_HOME:-$HOME/.cache}/rollcall/bin/helm")
version=$(release/version.sh)
here=
[[ $image == 127.0.0.1:* ]] && here=yes
skopeo copy --quiet --all --preserve-digests ${here:+--dest-tls-verify=false} "oci:target/packages/image:$version" "docker://$image:$version"
chart=$("$helm" push ${here:+--plain-http} "target/packages/rollcall-$version.tgz" "oci://$charts" 2>&1 | sed -n 's/^Digest: //p')
[[ -n $chart ]] || { echo "the chart was not pushed to $charts" >&2; exit 1; }
echo "image=$(cat target/packages/image.digest)"
echo "chart=$chart"
