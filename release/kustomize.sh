#!/usr/bin/env bash
# Writes the Kustomize base: the chart's objects of a release `rollcall` in a namespace `rollcall`, with its default values.
#
# release/kustomize.sh     writes charts/kustomize/crds.yaml and charts/kustomize/rollcall.yaml
set -euo pipefail
cd "$(dirname "$0")/.."
helm=${ROLLCALL_HELM_BIN:-$(command -v helm || echo "${XDG_CACHE_HOME:-$HOME/.cache}/rollcall/bin/helm")}
mkdir -p target
(cd e2e/gitops && CGO_ENABLED=0 go build -trimpath -o ../../target/gitops .)
objects() {
  echo "# Written by \`make docs\`; do not edit."
  "$helm" template rollcall charts/rollcall --namespace rollcall --kube-version 1.35.0 --skip-tests "$@" |
    sed -E 's|^( +app.kubernetes.io/managed-by:) Helm$|\1 kustomize|' | target/gitops plain
}
objects --show-only templates/crds.yaml > charts/kustomize/crds.yaml
objects --set crds.install=false > charts/kustomize/rollcall.yaml
