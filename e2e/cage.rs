//! The revoker's cage, rule by rule: each has an attack that only this rule refuses, whatever rights the revoker is given.

use std::collections::BTreeSet;

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Client, Resource, ResourceExt};
use rollcall::api::{Revocation, names};
use serde_json::{Value, json};

use crate::support::attempts::every_right;
use crate::support::installation::{Consent, Installation};
use crate::support::objects::{object, overlay};

const NEVER: &str = "the revoker never does this";
const SYSTEM: &str = "the revoker writes nothing in system namespaces and in its own";
const OWN: &str = "in Rollcall's namespace the revoker writes only its part of a Revocation's status, and events";
const ELSEWHERE: &str = "the revoker writes only the Revocations of its own installation";
const NAME: &str = "the revoker touches nothing whose name starts with \"system:\"";
const BREAK_GLASS: &str = "the object has the label rollcall.dev/break-glass; the revoker never touches it";
const DEFAULT: &str = "the revoker never touches the account \"default\" of a namespace";
const UNMARKED: &str =
    "the account has no owner annotation (rollcall.dev/owner); the revoker touches only owned accounts";
const CANARY: &str = "a probe token lives for at most 600 seconds";
const BY_UID: &str = "the revoker deletes only by uid";
const SUBJECTS: &str =
    "a binding with a group, a system subject, an account of Rollcall, or no subject never belongs to one leaver alone";

/// What a rehearsed call was refused with.
fn said<T>(answer: kube::Result<T>) -> String {
    match answer {
        Ok(_) => "not refused".to_owned(),
        Err(kube::Error::Api(status)) => status.message.clone(),
        Err(other) => other.to_string(),
    }
}

/// Makes an object as an admin, and rehearses its deletion by uid as the revoker.
async fn deleted<K>(admin: &Api<K>, revoker: &Api<K>, made: Value) -> String
where
    K: Resource + Clone + serde::de::DeserializeOwned + serde::Serialize + std::fmt::Debug,
{
    let object = admin.create(&PostParams::default(), &object(made)).await.unwrap();
    said(revoker.delete(&object.name_any(), &rehearsed(object.uid())).await)
}

fn rehearsed(uid: Option<String>) -> DeleteParams {
    let preconditions = uid.map(|uid| Preconditions { uid: Some(uid), resource_version: None });
    DeleteParams { dry_run: true, preconditions, ..DeleteParams::default() }
}

/// The revoker with every right there is.
async fn unbound_revoker(rollcall: &Installation) -> Client {
    every_right(rollcall, &[rollcall.identity("revoke")]).await;
    rollcall.cluster.acting_as(&rollcall.identity("revoke"), &["system:authenticated"]).await
}

fn account(name: &str, over: Value) -> Value {
    let mut account = json!({"metadata": {"name": name, "annotations": {names::OWNER: "id:hq/7"}}});
    overlay(&mut account, over);
    account
}

fn binding(name: &str, subjects: Value) -> Value {
    json!({
        "metadata": {"name": name}, "subjects": subjects,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    })
}

fn subject(kind: &str, name: &str) -> Value {
    json!({"kind": kind, "name": name, "apiGroup": "rbac.authorization.k8s.io"})
}

#[tokio::test]
async fn each_rule_of_the_cage_stops_an_attack_that_no_other_rule_stops() {
    let rollcall = Installation::with("caged", &[("apps", Consent::Canaries)], json!({"clusterBindings": true})).await;
    let revoker = unbound_revoker(&rollcall).await;
    let (apps, kube_tools) = (rollcall.target("apps"), format!("kube-{}", rollcall.release));
    rollcall.make_namespace(&kube_tools).await;
    let accounts = |client: &Client, namespace: &str| Api::<ServiceAccount>::namespaced(client.clone(), namespace);
    let bindings = |client: &Client| Api::<RoleBinding>::namespaced(client.clone(), &apps);
    let (admin, labelled) = (&rollcall.admin, json!({"metadata": {"labels": {names::BREAK_GLASS: "yes"}}}));
    let rehearsal = PostParams { dry_run: true, ..PostParams::default() };
    let ada = || subject("User", "oidc:ada@example.com");

    let marked = account("marked", json!({}));
    assert_eq!(deleted(&accounts(admin, &apps), &accounts(&revoker, &apps), marked).await, "not refused");
    let fine = binding("fine", json!([ada()]));
    assert_eq!(deleted(&bindings(admin), &bindings(&revoker), fine).await, "not refused");

    let mut rows = Vec::new();
    let secret: Secret = object(json!({"metadata": {"name": "new"}}));
    let secrets: Api<Secret> = Api::namespaced(revoker.clone(), &apps);
    rows.push(("a Secret", NEVER, said(secrets.create(&rehearsal, &secret).await)));
    for (what, namespace, made, rule) in [
        ("a team's kube-* namespace", &kube_tools, account("a", json!({})), SYSTEM),
        ("its own namespace", &rollcall.revoker_namespace(), account("a", json!({})), SYSTEM),
        ("Rollcall's namespace", &rollcall.namespace, account("a", json!({})), OWN),
        ("break-glass", &apps, account("glass", labelled), BREAK_GLASS),
        ("no mark", &apps, json!({"metadata": {"name": "bare"}}), UNMARKED),
    ] {
        rows.push((what, rule, deleted(&accounts(admin, namespace), &accounts(&revoker, namespace), made).await));
    }
    let mark = Patch::Merge(json!({"metadata": {"annotations": {names::OWNER: "id:hq/7"}}}));
    let default = accounts(admin, &apps).patch("default", &PatchParams::default(), &mark).await.unwrap();
    let answer = accounts(&revoker, &apps).delete("default", &rehearsed(default.uid())).await;
    rows.push(("the account `default`", DEFAULT, said(answer)));
    rows.push(("not by uid", BY_UID, said(accounts(&revoker, &apps).delete("marked", &rehearsed(None)).await)));

    let own = |name: &str| format!("system:serviceaccount:{}:{name}", rollcall.namespace);
    let in_namespace = |namespace: &str| json!({"kind": "ServiceAccount", "name": "a", "namespace": namespace});
    for (name, subjects) in [
        ("a-group", json!([ada(), subject("Group", "team")])),
        ("a-system-user", json!([ada(), subject("User", "system:kube-scheduler")])),
        ("an-account-of-the-system", json!([ada(), in_namespace("kube-system")])),
        ("an-account-of-the-system-by-user", json!([subject("User", "system:serviceaccount:kube-system:a")])),
        ("an-account-of-rollcall", json!([ada(), in_namespace(&rollcall.namespace)])),
        ("an-account-of-rollcall-by-user", json!([subject("User", &own("a"))])),
        ("the-revoker-by-user", json!([subject("User", &rollcall.identity("revoke"))])),
        ("nobody", json!([])),
    ] {
        let refused = deleted(&bindings(admin), &bindings(&revoker), binding(name, subjects)).await;
        rows.push((name, SUBJECTS, refused));
    }
    let system = deleted(&bindings(admin), &bindings(&revoker), binding("system:ada", json!([ada()]))).await;
    rows.push(("a name of the system", NAME, system));

    let long: TokenRequest = object(json!({"spec": {"expirationSeconds": 3600, "audiences": []}}));
    let answer = accounts(&revoker, &apps).create_token_request("marked", &rehearsal, &long).await;
    rows.push(("a canary that lives for an hour", CANARY, said(answer)));

    let foreign: Revocation = object(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "Revocation", "metadata": {"name": "foreign"},
        "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
            "due": "2026-01-01T00:00:00Z", "reason": "left"},
    }));
    Api::namespaced(admin.clone(), &apps).create(&PostParams::default(), &foreign).await.unwrap();
    let theirs: Api<Revocation> = Api::namespaced(revoker.clone(), &apps);
    let finished = Patch::Merge(json!({"status": {"finished": "Revoked"}}));
    let rehearse = PatchParams { dry_run: true, ..PatchParams::default() };
    let answer = theirs.patch_status("foreign", &rehearse, &finished).await;
    rows.push(("a Revocation of another installation", ELSEWHERE, said(answer)));

    for (what, rule, said) in &rows {
        assert!(said.contains(rule), "{what}: {said}");
    }
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(rollcall.admin.clone());
    let cage = policies.get(&format!("{}-revoker-cage", rollcall.release)).await.unwrap();
    let rules = cage.spec.unwrap().validations.unwrap();
    let written: BTreeSet<String> = rules.into_iter().filter_map(|rule| rule.message).collect();
    let attacked: BTreeSet<String> = rows.iter().map(|(_, rule, _)| (*rule).to_owned()).collect();
    assert_eq!(attacked, written, "every rule has its attack");
}
