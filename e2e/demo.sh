#!/usr/bin/env bash
# The main job in front of a newcomer: an HR file says that somebody left; seconds later the API server refuses every
# token of theirs, with proof, and a colleague notices nothing. Ends with 1 if anything was not as it should be.
#
# `make demo` calls it. Wants CLUSTER, HELM, ROLLCALL (programs), IMAGE_TAR, KUBECONFIG (a cluster that has the image).
set -euo pipefail
cd "$(dirname "$0")/.."

image=${DEMO_IMAGE:-localhost/rollcall:demo}
failed=0
say() { printf '\n\033[1m── %s\033[0m\n' "$*"; }
k() { "$CLUSTER" kubectl "$@"; }
ours() { k --namespace rollcall "$@"; }
expect() { # what, expected, seen
  if [[ $2 == "$3" ]]; then printf '  ✓ %s: %s\n' "$1" "$3"; else printf '  ✗ %s: expected %s, saw %s\n' "$1" "$2" "${3:-nothing}"; failed=1; fi
}
# Waits for a condition: until "what" seconds command…, where the command succeeds once it holds.
until_holds() {
  local what=$1 end=$((SECONDS + $2)); shift 2
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= end)); then printf '  ✗ gave up waiting for: %s\n' "$what"; failed=1; return 1; fi
    sleep 0.2
  done
}
field() { ours get "$1" "$2" -o "jsonpath={$3}" 2>/dev/null || true; }
is_field() { [[ $(field "$1" "$2" "$3") == "$4" ]]; }
gone() { ! k --namespace team-a get serviceaccount "$1" >/dev/null 2>&1; }

# One plain HTTP request with a token: 201 says who it is, 401 refuses it. The token goes by standard input.
server=$(k config view --minify -o 'jsonpath={.clusters[0].cluster.server}')
whoami_code() {
  printf 'header = "Authorization: Bearer %s"\n' "$1" | curl --silent --insecure --output /dev/null --write-out '%{http_code}' --max-time 10 \
    --config - --request POST --header 'Content-Type: application/json' \
    --data '{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}' \
    "$server/apis/authentication.k8s.io/v1/selfsubjectreviews"
}
refused() { [[ $(whoami_code "$1") == 401 ]]; }

mint_legacy() { # account
  k --namespace team-a apply -f - >/dev/null <<EOF
{"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
 "metadata": {"name": "$1-token", "annotations": {"kubernetes.io/service-account.name": "$1"}}}
EOF
  until_holds "the token of $1-token" 20 has_token "$1-token"
  k --namespace team-a get secret "$1-token" -o 'jsonpath={.data.token}' | base64 --decode
}
has_token() { [[ -n $(k --namespace team-a get secret "$1" -o 'jsonpath={.data.token}') ]]; }
mint_bound() { # account: bound to a Secret, dies with it
  k --namespace team-a create secret generic "$1-anchor" --dry-run=client -o yaml | k apply -f - >/dev/null
  local uid; uid=$(k --namespace team-a get secret "$1-anchor" -o 'jsonpath={.metadata.uid}')
  k --namespace team-a create token "$1" --bound-object-kind Secret --bound-object-name "$1-anchor" --bound-object-uid "$uid"
}
mint_unbound() { k --namespace team-a create token "$1" --duration 24h; }

poll() { # ask for a poll now and wait until it was answered
  local at; at=$(date +%s%N)
  ours annotate hrconnection hq "rollcall.dev/requestedAt=$at" --overwrite >/dev/null
  until_holds "the poll" 60 is_field hrconnection hq .status.lastHandledReconcileAt "$at"
}
believed() { [[ $(field syncpolicy everyone '.status.connections[0].response') == "$(field hrconnection hq .status.lastTrusted.response)" && -n $(field syncpolicy everyone '.status.connections[0].response') ]]; }
settled() { # the policy has taken its baseline under the spec it has now
  [[ $(field syncpolicy everyone .status.observedGeneration) == "$(field syncpolicy everyone .metadata.generation)" ]] &&
    [[ $(field syncpolicy everyone '.status.conditions[?(@.type=="Baseline")].reason') == Settled ]] && believed
}

revoker_ready() { ours get configmap rollcall-consents -o 'jsonpath={.data.revoker\.json}' | grep -q '"ready":true'; }

say "1. Rollcall is installed; everybody in the file is employed, and the policy observes"
k apply -f examples/owned-accounts.yaml >/dev/null # makes team-a, which consents below
"$HELM" upgrade --install rollcall charts/rollcall --namespace rollcall --create-namespace --wait --timeout 3m \
  --set "image.repository=${image%:*}" --set "image.tag=${image##*:}" --set sync.replicas=1 --set control.replicas=1 \
  --set-json 'targets=[{"namespace":"team-a","accounts":true,"canaries":true}]' >/dev/null
k apply -f examples/hrconnection-csv.yaml -f examples/syncpolicy.yaml >/dev/null
until_holds "the connection's first poll" 90 is_field hrconnection hq '.status.conditions[?(@.type=="Trusted")].status' True
until_holds "the baseline" 60 settled
until_holds "the revoker to be proved able to run" 90 revoker_ready
ours get hrconnections,syncpolicies
ours get people
expect "people" 10 "$(ours get people -o name | wc -l)"
expect "the mode of examples/" Observe "$(field syncpolicy everyone .spec.mode)"

say "2. The policy enforces now, and removes what was cut after ten seconds; that is a new baseline"
before=$(field syncpolicy everyone .status.connections[0].baseline.fingerprint)
k apply -f examples/overlays/enforce -f examples/overlays/remove-soon/everyone.yaml >/dev/null
new_baseline() { [[ $(field syncpolicy everyone .status.connections[0].baseline.fingerprint) != "$before" ]] && settled; }
poll; until_holds "the new baseline" 60 new_baseline
expect "the mode" Enforce "$(field syncpolicy everyone .spec.mode)"
expect "leavers of the baseline" 0 "$(field syncpolicy everyone .status.connections[0].baseline.leavers)"

say "3. Three people hold tokens: a legacy Secret's, a bound one, an unbound one each; asked by plain HTTP"
declare -A token
for account in ada-laptop ben-scripts chen-notebook; do
  token[$account,legacy]=$(mint_legacy "$account")
  token[$account,bound]=$(mint_bound "$account")
  token[$account,unbound]=$(mint_unbound "$account")
done
for account in ada-laptop ben-scripts chen-notebook; do
  for kind in legacy bound unbound; do expect "$account, $kind token, before" 201 "$(whoami_code "${token[$account,$kind]}")"; done
done

say "4. The HR file says that 1001 has left"
left=$(date +%s.%N)
people=$(ours get configmap people -o 'jsonpath={.data.people\.csv}' | sed '/^1001,/s/,employed,/,left,/')
ours create configmap people --from-literal "people.csv=$people" --dry-run=client -o yaml | ours apply -f - >/dev/null
poll
person=$(ours get people -o 'jsonpath={range .items[?(@.spec.records[0].id=="1001")]}{.metadata.name}{end}')
terminated() { is_field person "$person" .status.employment.state Terminated; }
until_holds "the Person of 1001 to be terminated" 30 terminated
cut_name() { ours get revocations -l "rollcall.dev/person=$person" -o 'jsonpath={range .items[?(@.spec.operation=="Cut")]}{.metadata.name}{end}'; }
has_cut() { [[ -n $(cut_name) ]]; }
until_holds "the Revocation" 30 has_cut
cut=$(cut_name)
for kind in legacy bound unbound; do until_holds "the $kind token of ada-laptop to be refused" 60 refused "${token[ada-laptop,$kind]}" || true; done
until_refused=$(date +%s.%N)
ended() { [[ $(field revocation "$cut" .status.phase) =~ ^(Revoked|Failed)$ ]]; }
until_holds "the Revocation to end" 90 ended || true

say "5. Afterwards"
for account in ada-laptop ben-scripts chen-notebook; do
  [[ $account == ada-laptop ]] && code=401 || code=201
  for kind in legacy bound unbound; do expect "$account, $kind token, after" "$code" "$(whoami_code "${token[$account,$kind]}")"; done
done
expect "the Revocation" Revoked "$(field revocation "$cut" .status.phase)"
expect "ada-laptop's verdict" Observed "$(field revocation "$cut" '.status.verdicts[?(@.target.name=="ada-laptop")].verdict')"
# Not True: a shared binding and a workload's account still work, and the Person reports them.
person_says() { is_field person "$person" '.status.conditions[?(@.type=="Revoked")].reason' AccessRemains; }
until_holds "the Person to report what remains" 30 person_says || true
ours get person "$person"
ours get revocation "$cut"
printf '\nsteps and verdicts:\n'
ours get revocation "$cut" -o 'jsonpath={range .status.steps[*]}  {.target.action}{"\t"}{.target.namespace}/{.target.name}{"\t"}{.outcome}{"\n"}{end}{range .status.verdicts[*]}  {.verdict}{"\t"}{.target.namespace}/{.target.name}{"\t"}{.how}{"\n"}{end}'
printf 'left alone, and why:\n'
ours get revocation "$cut" -o 'jsonpath={range .status.plan.remaining[*]}  {.why}{"\t"}{.what}{"\n"}{end}'

say "6. Ten seconds later the account is removed for good"
until_holds "ada-laptop to be gone" 90 gone ada-laptop || true
gone ada-laptop && state=gone || state=there
expect "ada-laptop" gone "$state"
expect "her old legacy token" 401 "$(whoami_code "${token[ada-laptop,legacy]}")"

say "7. The evidence"
sealed() { [[ -n $(field revocation "$cut" .status.evidence.hash) ]]; }
until_holds "the seal" 30 sealed || true
if "$ROLLCALL" evidence verify --namespace rollcall; then :; else failed=1; fi

seconds=$(awk -v a="$left" -v b="$until_refused" 'BEGIN { printf "%.1f", b - a }')
stamp() { date --date "$1" +%s.%N; }
seen=$(field revocation "$cut" .status.instants.seen); verified=$(field revocation "$cut" .status.verified)
if [[ -n $seen && -n $verified ]]; then
  proof=$(awk -v a="$(stamp "$seen")" -v b="$(stamp "$verified")" 'BEGIN { printf "%.1f", b - a }')
  say "From the changed file to the last refused token: $seconds s. From seen to proved: $proof s."
else
  say "From the changed file to the last look at a token: $seconds s. There is no proof."
  failed=1
fi
if ((failed)); then printf '\nThe demo found something that is not as it should be (✗ above).\n'; exit 1; fi
printf '\nEverything was as it should be. Look around:  KUBECONFIG=%s %s kubectl -n rollcall get people\nEnd it with `make down`.\n' "$KUBECONFIG" "$CLUSTER"
