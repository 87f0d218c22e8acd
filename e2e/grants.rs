//! Grants: a joiner gets a binding, a mover another one, a leaver none, and nobody else's is touched; by an identity that can do
//! nothing else, whatever rights it is given.

use std::collections::BTreeSet;

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams, PostParams};
use rollcall::api::revocation::{Operation, Phase};
use rollcall::api::{SyncPolicy, names};
use serde_json::{Value, json};

use crate::support::attempts::Try::{Create, Delete, DeleteByUid, Patch as Change};
use crate::support::attempts::*;
use crate::support::installation::{Consent, Installation, POLICY};
use crate::support::objects::object;
use crate::support::waiting::eventually;

pub fn rule(name: &str, department: &str, namespace: &str) -> Value {
    json!({"name": name, "when": format!("person.department == '{department}'"),
        "bind": {"clusterRole": "view", "namespaces": [namespace]}})
}

/// An installation with `rollcall grant` for the targets `crm` and `apps`.
pub async fn granting(story: &str) -> Installation {
    let mut rollcall = Installation::new(story, &[("apps", Consent::Accounts), ("crm", Consent::Accounts)]).await;
    let grants =
        json!({"enabled": true, "roles": ["view"], "namespaces": [rollcall.target("apps"), rollcall.target("crm")]});
    rollcall.add_values(json!({ "grants": grants })).await;
    rollcall
}

/// Waits until these are the people with a granted binding in a target.
pub async fn granted(rollcall: &Installation, target: &str, ids: &[&str]) {
    let api: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &rollcall.target(target));
    let expected: BTreeSet<String> = ids.iter().map(|id| rollcall.user(id)).collect();
    eventually(&format!("{ids:?} are bound in {target}"), || async {
        let all = api.list(&Default::default()).await.unwrap().items;
        let ours = all.into_iter().filter(|one| one.labels().get(names::PART).is_some_and(|part| part == "grant"));
        let users = ours.flat_map(|one| one.subjects.unwrap_or_default()).map(|subject| subject.name);
        (users.collect::<BTreeSet<_>>() == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_joiner_is_bound_a_mover_elsewhere_and_a_leaver_nowhere_and_nobody_elses_binding_is_touched() {
    let rollcall = granting("grants").await;
    let (_running, _grant) = (rollcall.run().await, rollcall.grant(&["apps", "crm"]).await);
    rollcall.connect(json!({})).await;
    let grants =
        json!([rule("sales", "Sales", &rollcall.target("crm")), rule("makers", "Making", &rollcall.target("apps"))]);
    rollcall.policy(json!({"grants": grants, "lifecycle": {"move": {"then": "Review"}}})).await;
    rollcall.bind_users("crm", "by-hand", &[rollcall.user("7"), rollcall.user("1")]).await;
    let staff = || rollcall.staff(1..11).everybody_in("Board");
    rollcall.learn(&staff()).await;
    granted(&rollcall, "crm", &[]).await;

    let joined = || staff().person("7").department("Sales").person("8").department("Sales");
    rollcall.learn(&joined()).await;
    granted(&rollcall, "crm", &["7", "8"]).await;
    assert!(rollcall.may_look(&rollcall.user("8"), "crm").await);
    let printed = rollcall.succeeds(&["grants", "-o", "yaml"]);
    assert!(printed.contains(&rollcall.user("7")) && printed.matches("kind: RoleBinding").count() == 2, "{printed}");
    let table = rollcall.succeeds(&["grants"]);
    assert!(table.contains("stands") && !table.contains('@'), "no user name but in manifests: {table}");

    rollcall.learn(&joined().person("8").department("Making")).await;
    granted(&rollcall, "crm", &["7"]).await;
    granted(&rollcall, "apps", &["8"]).await;
    let record = format!("{}/8", rollcall.connection);
    assert!(rollcall.succeeds(&["review", &record]).contains("RoleBinding"), "the mover is reviewed");
    rollcall.succeeds(&["review", &record, "--keep", "--reason", "new team", "--yes"]);

    let api: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("crm"));
    let ours = |one: &RoleBinding| one.labels().contains_key(names::GRANT);
    let seven = api.list(&Default::default()).await.unwrap().items.into_iter().find(ours).unwrap();
    api.delete(&seven.name_any(), &Default::default()).await.unwrap();
    granted(&rollcall, "crm", &["7"]).await; // what was removed by hand comes back

    rollcall.learn(&joined().person("8").department("Making").person("7").terminated()).await;
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    granted(&rollcall, "crm", &[]).await;
    granted(&rollcall, "apps", &["8"]).await;
    let by_hand = api.get("by-hand").await.unwrap();
    assert_eq!(by_hand.subjects.unwrap().len(), 2, "a binding that is not ours is never touched");
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn a_rule_that_would_bind_many_waits_until_a_human_names_exactly_them() {
    let rollcall = granting("typo").await;
    let (_running, _grant) = (rollcall.run().await, rollcall.grant(&["apps", "crm"]).await);
    rollcall.connect(json!({})).await;
    let always =
        json!({"name": "all", "when": "true", "bind": {"clusterRole": "view", "namespaces": [rollcall.target("crm")]}});
    rollcall.policy(json!({"grants": [always]})).await;
    rollcall.learn(&rollcall.staff(1..13)).await;
    let mark = format!("{}=", names::APPROVE_GRANTS);
    let table = eventually("the rule is held", || async {
        let table = rollcall.succeeds(&["grants"]);
        table.contains(&mark).then_some(table)
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    granted(&rollcall, "crm", &[]).await;
    let digest = table.split(&mark).nth(1).unwrap().split_whitespace().next().unwrap();
    let approve = Patch::Merge(json!({"metadata": {"annotations": {names::APPROVE_GRANTS: digest}}}));
    rollcall.api::<SyncPolicy>().patch(POLICY, &PatchParams::default(), &approve).await.unwrap();
    let all: Vec<String> = (1..13).map(|id| id.to_string()).collect();
    granted(&rollcall, "crm", &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

const NEVER: &str = "rollcall grant never does this";
const ELSEWHERE: &str = "of what is no binding, rollcall grant writes only its Lease and events";
const PLACE: &str = "rollcall grant binds only in the namespaces of the value grants.namespaces";
const LABELS: &str = "rollcall grant touches only bindings with its own labels";
const ROLES: &str = "rollcall grant binds only the roles of the value grants.roles";
const PEOPLE_ALONE: &str = "rollcall grant binds people alone, by their user names";
const BY_UID: &str = "rollcall grant deletes only by uid";

#[tokio::test]
async fn each_rule_of_its_policy_stops_an_attack_that_no_other_rule_stops_whatever_rights_it_has() {
    let rollcall = granting("grant-cage").await;
    let group = "rbac.authorization.k8s.io";
    let (crm, other) = (rollcall.target("crm"), format!("{}-other", rollcall.release));
    rollcall.make_namespace(&other).await;
    let labels = json!({names::PART: "grant", names::PEOPLE: rollcall.namespace, names::POLICY: "everyone",
        names::GRANT: "sales", names::PERSON: "p-7"});
    let binding = |name: &str, over: Value| {
        let mut made = json!({
            "metadata": {"name": name, "labels": labels},
            "subjects": [{"kind": "User", "name": "oidc:ada@example.com", "apiGroup": group}],
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "view"},
        });
        crate::support::objects::overlay(&mut made, over);
        made
    };
    let role = |name: &str| json!({"roleRef": {"name": name}});
    let without = |label: &str| json!({"metadata": {"labels": {label: "x"}}});
    let subjects = |kind: &str, name: &str| {
        let account = json!([{"kind": kind, "name": name, "namespace": crm}]);
        let named = json!([{"kind": kind, "name": name, "apiGroup": group}]);
        json!({"subjects": if kind == "ServiceAccount" { account } else { named }})
    };
    let made = |name: &str, over: Value| Create(binding(name, over));
    let admin: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &crm);
    let foreign = json!({"metadata": {"labels": {names::PEOPLE: "another"}}});
    for made in [binding("ours", json!({})), binding("foreign", foreign.clone())] {
        admin.create(&PostParams::default(), &object(made)).await.unwrap();
    }

    let (layer, _) = attempt(&rollcall, "grant", &crm, BINDINGS, &made("new", json!({}))).await;
    assert_eq!(layer, "none", "by its own rights it binds a listed role");
    let (layer, _) = attempt(&rollcall, "grant", &other, BINDINGS, &made("new", json!({}))).await;
    assert_eq!(layer, "rbac", "nowhere else");
    let (layer, said) = attempt(&rollcall, "grant", &crm, BINDINGS, &made("new", role("edit"))).await;
    assert!(layer == "rbac" || layer == "policy", "no other role: {said}");

    every_right(&rollcall, &[rollcall.identity("grant")]).await;
    let own_role = json!({"metadata": {"name": "new"}, "rules": []});
    let attacks = vec![
        (&crm, BINDINGS, Change("ours", json!({"metadata": {"annotations": {"a": "b"}}})), NEVER),
        (&crm, crate::support::attempts::ROLES, Create(own_role), NEVER),
        (&crm, SECRETS, Create(json!({"metadata": {"name": "new"}})), NEVER),
        (&crm, LEASES, Create(json!({"metadata": {"name": "new"}})), ELSEWHERE),
        (&other, BINDINGS, made("new", json!({})), PLACE),
        (&crm, BINDINGS, made("new", without(names::PART)), LABELS),
        (&crm, BINDINGS, made("new", foreign), LABELS),
        (&crm, BINDINGS, made("new", json!({"metadata": {"labels": {names::PERSON: ""}}})), LABELS),
        (&crm, BINDINGS, made("new", json!({"metadata": {"labels": {names::GRANT: ""}}})), LABELS),
        (&crm, BINDINGS, DeleteByUid("foreign"), LABELS),
        (&crm, BINDINGS, made("new", role("edit")), ROLES),
        (&crm, BINDINGS, made("new", subjects("Group", "team")), PEOPLE_ALONE),
        (&crm, BINDINGS, made("new", subjects("ServiceAccount", "default")), PEOPLE_ALONE),
        (&crm, BINDINGS, made("new", subjects("User", "system:admin")), PEOPLE_ALONE),
        (&crm, BINDINGS, made("new", json!({"subjects": []})), PEOPLE_ALONE),
        (&crm, BINDINGS, Delete("ours"), BY_UID),
    ];
    eventually("its rights are there", || async {
        let (layer, _) = attempt(&rollcall, "grant", &other, BINDINGS, &made("new", json!({}))).await;
        (layer == "policy").then_some(())
    })
    .await;
    let mut attacked = BTreeSet::new();
    for (namespace, what, tried, rule) in attacks {
        let (layer, said) = attempt(&rollcall, "grant", namespace, what, &tried).await;
        assert!(layer == "policy" && said.contains(rule), "{rule}: {layer}: {said}");
        attacked.insert(rule.to_owned());
    }
    let (layer, said) = attempt(&rollcall, "grant", &crm, BINDINGS, &DeleteByUid("ours")).await;
    assert_eq!(layer, "none", "{said}");
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(rollcall.admin.clone());
    let cage = policies.get(&format!("{}-grant", rollcall.release)).await.unwrap();
    let rules = cage.spec.unwrap().validations.unwrap();
    let written: BTreeSet<String> = rules.into_iter().filter_map(|rule| rule.message).collect();
    assert_eq!(attacked, written, "every rule has its attack");
}
