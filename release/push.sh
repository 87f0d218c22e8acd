#!/usr/bin/env bash
# Pushes the image and the chart of target/packages, and prints where each is by its digest: `image=…@sha256:…` and
# `chart=…@sha256:…`. Log in before. This machine is the only one that is reached without TLS.
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
echo "image=$image@$(cat target/packages/image.digest)"
echo "chart=$charts/rollcall@$chart"
