#!/usr/bin/env bash
# Publishes target/packages to a registry of its own on 127.0.0.1, and looks at what somebody who pulls it gets: the digest that was
# pushed, the image of each architecture, the chart as it was packed. Leaves the chart in an OCI layout next to the image's.
#
# release/rehearse.sh     needs docker-registry of Debian or Ubuntu, which it unpacks without installing it
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/rollcall
helm=$(command -v helm || echo "$cache/bin/helm")
packages=$PWD/target/packages
release/needs.sh skopeo skopeo
version=$(release/version.sh)
work=$(mktemp -d)
trap '[[ -z ${registry:-} ]] || kill "$registry"; rm -rf "$work"' EXIT
fail() { echo "rehearsal: $1" >&2; exit 1; }

server=$(command -v docker-registry || echo "$work/registry/usr/bin/docker-registry")
if [[ ! -x $server ]]; then
  (cd "$work" && apt-get download -qq docker-registry >/dev/null 2>&1 && dpkg-deb -x docker-registry_*.deb registry) || fail "there is no docker-registry"
fi
cat > "$work/config.yml" <<END
version: 0.1
storage: {filesystem: {rootdirectory: $work/blobs}}
http: {addr: "127.0.0.1:0"}
END
"$server" serve "$work/config.yml" > "$work/log" 2>&1 &
registry=$!
for _ in {1..100}; do
  port=$(sed -nE 's/.*listening on 127\.0\.0\.1:([0-9]+).*/\1/p' "$work/log" | head -n 1)
  [[ -n $port ]] && break
  sleep 0.1
done
[[ -n $port ]] || fail "the registry does not listen"
repository=127.0.0.1:$port/owner/rollcall charts=127.0.0.1:$port/owner/charts

pushed=$(release/push.sh "$repository" "$charts")
image=$(sed -n 's/^image=//p' <<< "$pushed") chart=$(sed -n 's/^chart=//p' <<< "$pushed")
there=$repository@sha256:$(skopeo inspect --raw --tls-verify=false "docker://$repository:$version" | sha256sum | cut -d' ' -f1)
[[ $there == "$image" ]] || fail "$image was pushed, and the registry has $there"
for arch in amd64 arm64; do
  skopeo copy --quiet --override-os linux --override-arch "$arch" --src-tls-verify=false "docker://$image" "docker-archive:$work/$arch.tar:rollcall:$version"
  found=$(skopeo inspect --config "docker-archive:$work/$arch.tar" | tr -d ' \n' | sed -nE 's/.*"architecture":"([^"]*)".*/\1/p')
  [[ $found == "$arch" ]] || fail "who pulls for $arch gets an image for $found"
  echo "image for $arch: pulled"
done
"$helm" pull --plain-http "oci://$charts/rollcall" --version "$version" --destination "$work" >/dev/null 2>&1
cmp "$work/rollcall-$version.tgz" "$packages/rollcall-$version.tgz" || fail "the chart is another one"
rm -rf "$packages/chart"
skopeo copy --quiet --preserve-digests --src-tls-verify=false "docker://$chart" "oci:$packages/chart:$version"
echo "chart: pulled"
