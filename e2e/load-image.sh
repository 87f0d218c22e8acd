#!/usr/bin/env bash
# Brings the demo's image to the nodes of somebody's own cluster, or says what to do. `make demo DEMO_KUBECONFIG=FILE` calls it.
#
# Wants CLUSTER (for kubectl), KUBECONFIG, and DEMO_IMAGE if the cluster pulls the image from a registry.
set -euo pipefail
archive=$1

if [[ -n ${DEMO_IMAGE:-} ]]; then
  echo "The cluster pulls $DEMO_IMAGE."
  exit 0
fi
context=$("$CLUSTER" kubectl config current-context)
has() { command -v "$1" >/dev/null; }
case $context in
  kind-*) has kind && exec kind load image-archive "$archive" --name "${context#kind-}" ;;
  k3d-*) has k3d && exec k3d image import "$archive" --cluster "${context#k3d-}" ;;
  minikube*) has minikube && exec minikube image load "$archive" --profile "$context" ;;
  docker-desktop | orbstack) has docker && exec docker load --input "$archive" ;;
esac
cat >&2 <<END
The nodes of "$context" need the image localhost/rollcall:demo, which is in $archive. Either push it to a registry
that they can pull from, and name it:

  docker load --input $archive
  docker tag localhost/rollcall:demo registry.example.com/rollcall:demo
  docker push registry.example.com/rollcall:demo
  make demo DEMO_KUBECONFIG=$KUBECONFIG DEMO_IMAGE=registry.example.com/rollcall:demo

or load it on each node: ctr --namespace k8s.io images import $archive, and name it: DEMO_IMAGE=localhost/rollcall:demo
END
exit 1
