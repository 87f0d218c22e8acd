//! The chart's lesser walls: records, holds, accepted answers, the revoker's namespace, and each identity's own rights.
//!
//! `refusals` tells the greater ones. Every attack is a row: who tries what, and which layer says no.

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use rollcall::api::{Person, Revocation};
use serde_json::{Value, json};

use crate::support::attempts::Try::{Create, Delete, Patch as Change, Status};
use crate::support::attempts::*;
use crate::support::chart;
use crate::support::installation::{Consent, Installation};
use crate::support::objects::object;
use crate::support::waiting::eventually;

/// An installation with one Person.
pub async fn guarded(story: &str, targets: &[(&str, Consent)]) -> Installation {
    let rollcall = Installation::new(story, targets).await;
    make(
        &rollcall,
        PEOPLE,
        json!({"metadata": {"name": "p-7"}, "spec": {"records": [{"connection": "hq", "id": "7"}]}}),
    )
    .await;
    rollcall
}

/// Makes something in the operator's namespace, as an admin.
pub async fn make(rollcall: &Installation, what: Resource, body: Value) {
    let (group, version, kind, plural) = what;
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    let mut body = body;
    body["apiVersion"] = json!(resource.api_version);
    body["kind"] = json!(kind);
    let api: Api<DynamicObject> = Api::namespaced_with(rollcall.admin.clone(), &rollcall.namespace, &resource);
    api.create(&PostParams::default(), &object(body)).await.unwrap();
}

fn named(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}

fn frozen() -> Value {
    json!({"metadata": {"name": "rollcall-frozen"}, "spec": {"names": {"ada": "p-7-freeze"}}})
}

fn memory(kind: &str) -> Try<'static> {
    let annotations = json!({"kubernetes.io/service-account.name": "anything"});
    Create(json!({"metadata": {"name": "rollcall-memory-new", "annotations": annotations}, "type": kind}))
}

#[tokio::test]
async fn what_rollcall_remembers_is_written_by_the_one_that_keeps_it_and_by_nobody_else() {
    let rollcall = guarded("records", &[]).await;
    make(&rollcall, CONFIG_MAPS, json!({"metadata": {"name": "people"}, "data": {"people.csv": ""}})).await;
    make(&rollcall, SECRETS, json!({"metadata": {"name": "credential"}})).await;
    make(&rollcall, CONFIG_MAPS, json!({"metadata": {"name": "rollcall-stop"}, "data": {"reason": "why"}})).await;
    let stops: Api<k8s_openapi::api::core::v1::ConfigMap> = rollcall.api();
    let version = stops.get("rollcall-stop").await.unwrap().metadata.resource_version;
    let lifts = |version: Value| json!({"data": {"reason": "", "lifts": version}});
    let data = || json!({"data": {"key": "value"}});
    each(
        &rollcall,
        &rollcall.namespace,
        vec![
            ("control", "begins the ledger", CONFIG_MAPS, Create(named("rollcall-ledger")), "none"),
            ("control", "begins the list of frozen names", FROZEN, Create(frozen()), "none"),
            ("admin", "freezes somebody", FROZEN, Create(frozen()), "policy"),
            ("sync", "freezes somebody", FROZEN, Create(frozen()), "rbac"),
            ("revoke", "freezes somebody", FROZEN, Create(frozen()), "rbac"),
            ("control", "seals evidence", CONFIG_MAPS, Create(named("rollcall-evidence-1")), "none"),
            ("control", "moves the head", CONFIG_MAPS, Create(named("rollcall-evidence-head")), "none"),
            ("control", "writes the consents", CONFIG_MAPS, Create(named("rollcall-consents")), "none"),
            ("control", "remembers who owned what", CONFIG_MAPS, Create(named("rollcall-owners-0")), "none"),
            ("admin", "forges who owned what", CONFIG_MAPS, Create(named("rollcall-owners-0")), "policy"),
            ("revoke", "forges who owned what", CONFIG_MAPS, Create(named("rollcall-owners-0")), "rbac"),
            ("admin", "forges the ledger", CONFIG_MAPS, Create(named("rollcall-ledger")), "policy"),
            ("admin", "forges evidence", CONFIG_MAPS, Create(named("rollcall-evidence-1")), "policy"),
            ("sync", "forges evidence", CONFIG_MAPS, Create(named("rollcall-evidence-1")), "rbac"),
            ("revoke", "forges evidence", CONFIG_MAPS, Create(named("rollcall-evidence-1")), "rbac"),
            ("control", "lifts the stop", CONFIG_MAPS, Change("rollcall-stop", lifts(json!(version))), "policy"),
            ("control", "sets a stop", CONFIG_MAPS, Change("rollcall-stop", data()), "policy"),
            ("admin", "changes the reason", CONFIG_MAPS, Change("rollcall-stop", data()), "none"),
            (
                "admin",
                "lifts a stop that it does not name",
                CONFIG_MAPS,
                Change("rollcall-stop", lifts(json!(null))),
                "policy",
            ),
            ("admin", "lifts the stop", CONFIG_MAPS, Change("rollcall-stop", lifts(json!(version))), "none"),
            ("control", "writes the HR file", CONFIG_MAPS, Change("people", data()), "policy"),
            ("control", "deletes the HR file", CONFIG_MAPS, Delete("people"), "rbac"),
            ("sync", "keeps its memory", SECRETS, memory("rollcall.dev/memory"), "none"),
            ("sync", "makes another Secret", SECRETS, Create(named("other")), "policy"),
            ("sync", "makes itself another's token", SECRETS, memory("kubernetes.io/service-account-token"), "policy"),
            (
                "sync",
                "overwrites a credential",
                SECRETS,
                Change("credential", json!({"data": {"key": "dmFsdWU="}})),
                "policy",
            ),
            ("admin", "forges a memory", SECRETS, memory("rollcall.dev/memory"), "policy"),
            ("control", "reads nothing of Secrets, nor writes", SECRETS, Create(named("other")), "rbac"),
        ],
    )
    .await;
    let control = rollcall.cluster.acting_as(&rollcall.identity("control"), &["system:authenticated"]).await;
    let ledger = object::<DynamicObject>(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rollcall-ledger"}}),
    );
    let maps = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", "ConfigMap"), "configmaps");
    let maps: Api<DynamicObject> = Api::namespaced_with(control, &rollcall.namespace, &maps);
    maps.create(&PostParams::default(), &ledger).await.unwrap();
    each(
        &rollcall,
        &rollcall.namespace,
        vec![
            ("control", "counts", CONFIG_MAPS, Change("rollcall-ledger", data()), "none"),
            ("control", "deletes the ledger", CONFIG_MAPS, Delete("rollcall-ledger"), "rbac"),
            ("admin", "rewrites the ledger", CONFIG_MAPS, Change("rollcall-ledger", data()), "policy"),
            ("admin", "deletes the ledger", CONFIG_MAPS, Delete("rollcall-ledger"), "policy"),
        ],
    )
    .await;
}

#[tokio::test]
async fn control_removes_no_revocation_but_one_that_ended_well_and_is_in_the_evidence() {
    let rollcall = guarded("retention", &[]).await;
    let control = rollcall.cluster.acting_as(&rollcall.identity("control"), &["system:authenticated"]).await;
    let revocations: Api<Revocation> = Api::namespaced(control, &rollcall.namespace);
    let evidence = json!({"name": "rollcall-evidence-00000001", "hash": "h", "previous": "p"});
    for (name, status) in [
        ("held", json!({"phase": "Held", "evidence": evidence})),
        ("released", json!({"phase": "Released", "evidence": evidence})),
        ("failed", json!({"phase": "Failed", "evidence": evidence})),
        ("unsealed", json!({"phase": "Revoked"})),
        ("ended", json!({"phase": "Revoked", "evidence": evidence})),
        ("cancelled", json!({"phase": "Cancelled", "evidence": evidence})),
        ("lifted", json!({"phase": "Lifted", "evidence": evidence})),
    ] {
        let revocation = object(json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "Revocation", "metadata": {"name": name},
            "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination",
                "operation": "Cut", "due": "2026-01-01T00:00:00Z", "reason": "left"},
        }));
        revocations.create(&PostParams::default(), &revocation).await.unwrap();
        let status = Patch::Merge(json!({"status": status}));
        revocations.patch_status(name, &PatchParams::default(), &status).await.unwrap();
    }
    each(
        &rollcall,
        &rollcall.namespace,
        vec![
            ("control", "removes what waits", REVOCATIONS, Delete("held"), "policy"),
            ("control", "removes what acts", REVOCATIONS, Delete("released"), "policy"),
            ("control", "removes what failed", REVOCATIONS, Delete("failed"), "policy"),
            ("control", "removes what is in no record", REVOCATIONS, Delete("unsealed"), "policy"),
            ("control", "removes what ended well", REVOCATIONS, Delete("ended"), "none"),
            ("control", "removes what was cancelled", REVOCATIONS, Delete("cancelled"), "none"),
            ("control", "removes what was lifted", REVOCATIONS, Delete("lifted"), "none"),
            ("sync", "removes what ended well", REVOCATIONS, Delete("ended"), "rbac"),
            ("revoke", "removes what ended well", REVOCATIONS, Delete("ended"), "rbac"),
            ("admin", "removes what waits", REVOCATIONS, Delete("held"), "none"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_memory_goes_with_its_connection_and_nobody_else_deletes_it() {
    let rollcall = guarded("memory", &[]).await;
    let sync = rollcall.cluster.acting_as(&rollcall.identity("sync"), &["system:authenticated"]).await;
    let secrets: Api<k8s_openapi::api::core::v1::Secret> = Api::namespaced(sync, &rollcall.namespace);
    let secret = object(json!({"metadata": {"name": "rollcall-memory-hq"}, "type": "rollcall.dev/memory"}));
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    each(
        &rollcall,
        &rollcall.namespace,
        vec![
            ("sync", "deletes it", SECRETS, Delete("rollcall-memory-hq"), "rbac"),
            ("admin", "deletes it", SECRETS, Delete("rollcall-memory-hq"), "policy"),
            ("garbage collector", "deletes it", SECRETS, Delete("rollcall-memory-hq"), "none"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_hold_is_a_humans_in_their_own_name_and_nobodys_of_themself() {
    let rollcall = guarded("hold", &[]).await;
    let hold = json!({"reason": "under notice", "until": "2030-01-01T00:00:00Z", "by": "ada"});
    let held = |name: &str| json!({"metadata": {"name": name}, "spec": {"records": [{"connection": "hq", "id": "8"}], "hold": hold}});
    make(&rollcall, PEOPLE, held("p-8")).await;
    let sync = rollcall.cluster.acting_as(&rollcall.identity("sync"), &["system:authenticated"]).await;
    let grace = Patch::Merge(json!({"status": {"aliases": ["user:grace"]}}));
    let people: Api<Person> = Api::namespaced(sync, &rollcall.namespace);
    people.patch_status("p-8", &PatchParams::default(), &grace).await.unwrap();
    let ours = format!("system:serviceaccount:{}:pipeline", rollcall.namespace);
    every_right(&rollcall, &["grace".to_owned(), ours.clone()]).await;
    for who in ["grace", &ours] {
        eventually("every right is known", || async {
            let (layer, _) = attempt(&rollcall, who, &rollcall.namespace, PEOPLE, &Change("p-7", json!({}))).await;
            (layer == "none").then_some(())
        })
        .await;
    }
    for role in ["linker", "holder"] {
        bind_role(&rollcall, role, role).await;
    }
    let holds =
        |by: &str| json!({"spec": {"hold": {"reason": "a dispute", "until": "2031-01-01T00:00:00Z", "by": by}}});
    let lifts = || json!({"spec": {"hold": null}});
    let other = json!([{"connection": "hq", "id": "9"}]);
    each(
        &rollcall,
        &rollcall.namespace,
        vec![
            ("sync", "makes a held Person", PEOPLE, Create(held("p-9")), "policy"),
            ("sync", "sets a hold", PEOPLE, Change("p-7", json!({"spec": {"hold": hold}})), "policy"),
            ("sync", "lifts a hold", PEOPLE, Change("p-8", json!({"spec": {"hold": null}})), "policy"),
            (
                "sync",
                "imports a title",
                PEOPLE,
                Change("p-7", json!({"spec": {"profile": {"title": "Clerk"}}})),
                "none",
            ),
            ("sync", "changes records", PEOPLE, Change("p-7", json!({"spec": {"records": other}})), "policy"),
            ("sync", "labels a Person", PEOPLE, Change("p-7", json!({"metadata": {"labels": {"a": "b"}}})), "policy"),
            (
                "sync",
                "holds a Person back",
                PEOPLE,
                Change("p-7", json!({"metadata": {"finalizers": ["a/b"]}})),
                "policy",
            ),
            ("control", "imports a title", PEOPLE, Change("p-7", json!({"spec": {"profile": {"title": "x"}}})), "rbac"),
            ("sync", "writes a held Person's status", PEOPLE, Status("p-8", json!({"policy": "x"})), "none"),
            ("sync", "deletes a Person", PEOPLE, Delete("p-7"), "rbac"),
            ("control", "lifts a hold", PEOPLE, Change("p-8", json!({"spec": {"hold": null}})), "rbac"),
            ("admin", "writes a Person's status", PEOPLE, Status("p-7", json!({"policy": "x"})), "policy"),
            ("revoke", "writes a Person's status", PEOPLE, Status("p-7", json!({"policy": "x"})), "rbac"),
            ("admin", "sets a hold", PEOPLE, Change("p-7", json!({"spec": {"hold": hold}})), "none"),
            ("admin", "lifts what another has set", PEOPLE, Change("p-8", lifts()), "none"),
            ("grace", "holds a colleague", PEOPLE, Change("p-7", holds("grace")), "none"),
            ("grace", "holds a colleague in another's name", PEOPLE, Change("p-7", holds("ada")), "policy"),
            ("grace", "holds themself for longer", PEOPLE, Change("p-8", holds("grace")), "policy"),
            ("grace", "lifts the hold on themself", PEOPLE, Change("p-8", lifts()), "policy"),
            (
                "linker",
                "holds somebody, with the right to patch alone",
                PEOPLE,
                Change("p-7", holds("linker")),
                "policy",
            ),
            ("linker", "lifts a hold, with the right to patch alone", PEOPLE, Change("p-8", lifts()), "policy"),
            ("linker", "makes somebody who is held", PEOPLE, Create(held("p-9")), "policy"),
            ("holder", "holds somebody, with the role for it", PEOPLE, Change("p-7", holds("holder")), "none"),
            ("holder", "lifts a hold, with the role for it", PEOPLE, Change("p-8", lifts()), "none"),
            (&ours, "holds somebody", PEOPLE, Change("p-7", holds(&ours)), "policy"),
            (&ours, "lifts a hold", PEOPLE, Change("p-8", lifts()), "policy"),
            ("sync", "makes a Revocation", REVOCATIONS, Create(named("r")), "rbac"),
            ("sync", "deletes a Person", PEOPLE, Delete("p-7"), "rbac"),
            ("control", "deletes a Person", PEOPLE, Delete("p-7"), "rbac"),
            ("revoke", "deletes a Person", PEOPLE, Delete("p-7"), "rbac"),
        ],
    )
    .await;
}

#[tokio::test]
async fn which_records_are_one_humans_is_said_by_sync_and_by_those_who_may_link() {
    let rollcall = guarded("links", &[]).await;
    let ours = format!("system:serviceaccount:{}:pipeline", rollcall.namespace);
    for who in ["linker", &ours] {
        bind_role(&rollcall, who, "linker").await;
    }
    let group = "rbac.authorization.k8s.io";
    let rules = json!([{"apiGroups": ["rollcall.dev"], "resources": ["people"], "verbs": ["get", "create", "patch"]}]);
    make(&rollcall, ROLES, json!({"metadata": {"name": "editor"}, "rules": rules})).await;
    let editors = ["editor", &ours].map(|who| json!({"kind": "User", "name": who, "apiGroup": group}));
    let binding = json!({"metadata": {"name": "editor"}, "subjects": editors,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "editor"}});
    make(&rollcall, BINDINGS, binding).await;
    let of = |ids: &[&str]| ids.iter().map(|id| json!({"connection": "hq", "id": id})).collect::<Vec<_>>();
    let person = |name: &str| json!({"metadata": {"name": name}, "spec": {"records": of(&["9"])}});
    let linked = || json!({"spec": {"records": of(&["7", "9"])}});
    let of_other = |ids: &[&str]| json!({"spec": {"records": of(ids)}});
    let disowned = || json!({"spec": {"disowned": ["email:ben@example.com"]}});
    let labelled = json!({"metadata": {"labels": {"a": "b"}}});
    eventually("the roles are bound", || async {
        let (layer, _) =
            attempt(&rollcall, "editor", &rollcall.namespace, PEOPLE, &Change("p-7", labelled.clone())).await;
        (layer == "none").then_some(())
    })
    .await;
    each(
        &rollcall,
        &rollcall.namespace,
        vec![
            ("editor", "makes a Person of a colleague's record", PEOPLE, Create(person("p-9")), "policy"),
            ("editor", "links a colleague's record", PEOPLE, Change("p-7", linked()), "policy"),
            ("control", "links a record", PEOPLE, Change("p-7", linked()), "rbac"),
            ("revoke", "makes a Person", PEOPLE, Create(person("p-9")), "rbac"),
            (&ours, "links a record, although it may", PEOPLE, Change("p-7", linked()), "policy"),
            ("sync", "makes a Person", PEOPLE, Create(person("p-9")), "none"),
            ("sync", "adds a record that matches", PEOPLE, Change("p-7", linked()), "none"),
            ("sync", "puts another record first", PEOPLE, Change("p-7", of_other(&["9", "7"])), "policy"),
            ("sync", "takes the record away", PEOPLE, Change("p-7", of_other(&["9"])), "policy"),
            ("sync", "tells records apart", PEOPLE, Change("p-7", json!({"spec": {"apart": of(&["9"])}})), "policy"),
            ("sync", "labels a Person", PEOPLE, Change("p-7", labelled.clone()), "policy"),
            ("editor", "tells records apart", PEOPLE, Change("p-7", json!({"spec": {"apart": of(&["9"])}})), "policy"),
            ("linker", "tells records apart", PEOPLE, Change("p-7", json!({"spec": {"apart": of(&["9"])}})), "none"),
            ("linker", "links a record", PEOPLE, Change("p-7", linked()), "none"),
            ("linker", "takes it away", PEOPLE, Change("p-7", json!({"spec": {"records": of(&["7"])}})), "none"),
            ("editor", "takes an address back", PEOPLE, Change("p-7", disowned()), "policy"),
            ("sync", "takes an address back", PEOPLE, Change("p-7", disowned()), "policy"),
            ("linker", "takes an address back", PEOPLE, Change("p-7", disowned()), "none"),
            ("sync", "drops it", PEOPLE, Change("p-7", json!({"spec": {"disowned": null}})), "none"),
            (
                "linker",
                "links a record twice",
                PEOPLE,
                Change("p-7", json!({"spec": {"records": of(&["7", "7"])}})),
                "schema",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn an_answer_is_accepted_by_those_who_may_approve() {
    let rollcall = guarded("accept", &[]).await;
    rollcall.connect(json!({})).await;
    let hq = rollcall.connection.as_str();
    for role in ["approver", "viewer"] {
        bind_role(&rollcall, role, role).await;
    }
    let accepted = |value: Value| json!({"metadata": {"annotations": {"rollcall.dev/accept": value}}});
    let asked = json!({"metadata": {"annotations": {"rollcall.dev/requestedAt": "now"}}});
    make(&rollcall, CONFIG_MAPS, json!({"metadata": {"name": "rollcall-stop"}, "data": {"reason": "why"}})).await;
    each(
        &rollcall,
        &rollcall.namespace,
        vec![
            ("approver", "accepts", CONNECTIONS, Change(hq, accepted(json!("7f3a"))), "none"),
            ("viewer", "accepts", CONNECTIONS, Change(hq, accepted(json!("7f3a"))), "rbac"),
            ("sync", "accepts", CONNECTIONS, Change(hq, accepted(json!("7f3a"))), "rbac"),
            ("control", "accepts", CONNECTIONS, Change(hq, accepted(json!("7f3a"))), "rbac"),
            ("approver", "stops", CONFIG_MAPS, Change("rollcall-stop", json!({"data": {"reason": "why"}})), "none"),
            ("viewer", "stops", CONFIG_MAPS, Change("rollcall-stop", json!({"data": {"reason": "why"}})), "rbac"),
        ],
    )
    .await;
    make(
        &rollcall,
        ("rbac.authorization.k8s.io", "v1", "Role", "roles"),
        json!({
        "metadata": {"name": "gitops"},
        "rules": [{"apiGroups": ["rollcall.dev"], "resources": ["hrconnections"], "verbs": ["get", "patch"]}]}),
    )
    .await;
    for subject in ["pipeline", rollcall.identity("sync").as_str()] {
        let group = "rbac.authorization.k8s.io";
        make(
            &rollcall,
            BINDINGS,
            json!({
            "metadata": {"generateName": "gitops-"}, "subjects": [{"kind": "User", "name": subject, "apiGroup": group}],
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "gitops"}}),
        )
        .await;
    }
    for who in ["pipeline", "sync"] {
        eventually("a user who may write connections may ask for a read", || async {
            let tried = Change(hq, asked.clone());
            let (layer, _) = attempt(&rollcall, who, &rollcall.namespace, CONNECTIONS, &tried).await;
            (layer == "none").then_some(())
        })
        .await;
        let tried = Change(hq, accepted(json!("7f3a")));
        let (layer, said) = attempt(&rollcall, who, &rollcall.namespace, CONNECTIONS, &tried).await;
        assert_eq!(layer, "policy", "{who} accepts with the right to write connections, but not to approve: {said}");
    }
}

#[tokio::test]
async fn the_revokers_namespace_holds_nothing_but_its_jobs() {
    let rollcall = guarded("empty", &[]).await;
    let namespace = rollcall.revoker_namespace();
    let account = format!("{}-revoke", rollcall.release);
    let labels = json!({"a": "b"});
    let secure = json!({"allowPrivilegeEscalation": false, "runAsNonRoot": true, "runAsUser": 1,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}});
    let pod =
        json!({"serviceAccountName": account, "containers": [{"name": "x", "image": "x", "securityContext": secure}]});
    let template = json!({"metadata": {"labels": labels}, "spec": pod});
    let mut once = template.clone();
    once["spec"]["restartPolicy"] = json!("Never");
    let stolen = json!({"metadata": {"name": "x", "annotations": {"kubernetes.io/service-account.name": account}},
        "type": "kubernetes.io/service-account-token"});
    each(&rollcall, &namespace, vec![
        ("admin", "runs a pod as the revoker", PODS, Create(json!({"metadata": {"name": "x"}, "spec": pod})), "policy"),
        ("admin", "deploys", DEPLOYMENTS,
            Create(json!({"metadata": {"name": "x"}, "spec": {"selector": {"matchLabels": labels}, "template": template}})), "policy"),
        ("admin", "schedules", CRON_JOBS,
            Create(json!({"metadata": {"name": "x"}, "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": once}}}})), "policy"),
        ("admin", "puts a service in the API server's name", SERVICES,
            Create(json!({"metadata": {"name": "kubernetes"}, "spec": {"ports": [{"port": 443}]}})), "policy"),
        ("admin", "makes a token Secret", SECRETS, Create(stolen), "policy"),
        ("control", "runs a pod", PODS, Create(json!({"metadata": {"name": "x"}, "spec": pod})), "rbac"),
    ])
    .await;
}

#[tokio::test]
async fn only_a_node_gets_the_revokers_token() {
    let rollcall = guarded("minting", &[]).await;
    let strict = json!({"image": {"repository": "localhost/rollcall", "tag": "test"}, "crds": {"install": false}});
    chart::apply(
        rollcall.cluster,
        &chart::render(&rollcall.admin, &rollcall.release, &rollcall.namespace, &strict).await,
    );
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> =
        Api::namespaced(rollcall.admin.clone(), &rollcall.revoker_namespace());
    let request = object(json!({"spec": {"expirationSeconds": 600}}));
    let refused = eventually("an admin gets no token of the revoker", || async {
        let name = format!("{}-revoke", rollcall.release);
        accounts.create_token_request(&name, &PostParams::default(), &request).await.err()
    })
    .await;
    assert!(chart::refused_by_policy(&refused), "{refused}");
}

#[tokio::test]
async fn each_identity_has_its_own_rights_and_no_others() {
    let rollcall = guarded("rights", &[("apps", Consent::Accounts)]).await;
    let marked = |name: &str| json!({"metadata": {"name": name, "annotations": {"rollcall.dev/owner": "id:hq/7"}}});
    let lease = |command: &str| Create(named(&format!("{}-{command}", rollcall.release)));
    each(
        &rollcall,
        &rollcall.target("apps"),
        vec![
            ("revoke", "makes a marked account", ACCOUNTS, Create(marked("a")), "none"),
            ("revoke", "makes an account of nobody's", ACCOUNTS, Create(named("a")), "policy"),
            ("revoke", "marks an account", ACCOUNTS, Change("default", marked("default")), "rbac"),
            ("revoke", "reads or writes Secrets", SECRETS, Create(named("a")), "rbac"),
            ("revoke", "binds", BINDINGS, Create(named("a")), "rbac"),
            ("control", "makes an account", ACCOUNTS, Create(marked("a")), "rbac"),
            ("control", "deletes an account", ACCOUNTS, Delete("default"), "rbac"),
            ("sync", "deletes an account", ACCOUNTS, Delete("default"), "rbac"),
        ],
    )
    .await;
    each(
        &rollcall,
        &rollcall.namespace,
        vec![
            ("sync", "leads", LEASES, lease("sync"), "none"),
            ("control", "leads", LEASES, lease("control"), "none"),
            ("revoke", "leads", LEASES, lease("sync"), "rbac"),
            ("revoke", "makes an account", ACCOUNTS, Create(marked("a")), "rbac"),
        ],
    )
    .await;
    let other = guarded("neighbour", &[]).await;
    for who in ["sync", "control", "revoke"] {
        let client = other.cluster.acting_as(&other.identity(who), &["system:authenticated"]).await;
        let people: Api<rollcall::api::Person> = Api::namespaced(client, &rollcall.namespace);
        assert!(people.get("p-7").await.is_err(), "{who} of another installation reads this one's people");
    }
    let (layer, _) = attempt(&other, "revoke", &rollcall.target("apps"), ACCOUNTS, &Create(marked("a"))).await;
    assert_eq!(layer, "rbac", "this namespace consented to one installation, not to the other");
}

#[test]
fn the_chart_carries_the_kinds_as_they_are_generated() {
    let root = std::path::Path::new("");
    let read = |folder: &str| {
        let files = std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let mut all: Vec<_> =
            files.map(|file| (file.file_name().unwrap().to_owned(), std::fs::read_to_string(file).unwrap())).collect();
        all.sort();
        all
    };
    let (generated, carried) = (read("crds"), read("charts/rollcall/files/crds"));
    assert!(generated == carried, "run `make crds`");
}
