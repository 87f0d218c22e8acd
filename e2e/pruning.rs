//! Evidence that was kept long enough is exported and deleted, by a human with a right of their own and by nobody else.

use std::fs;
use std::path::PathBuf;

use domain::evidence::{self, Head, Prune, RecordBody, Start};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, PostParams};
use rollcall::api::names;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::{Value, json};

use crate::support::attempts::Try::{Create, Delete, DeleteByUid, Patch as Change};
use crate::support::attempts::*;
use crate::support::chart::{apply, refused_by_policy};
use crate::support::installation::{Consent, Installation, a_day};
use crate::support::objects::{object, overlay};
use crate::support::waiting::eventually;

/// Seals so many records long ago, as control, and gives the head after each.
pub async fn sealed_long_ago(rollcall: &Installation, records: u64) -> Vec<Head> {
    let control = rollcall.cluster.acting_as(&rollcall.identity("control"), &["system:authenticated"]).await;
    let maps: Api<ConfigMap> = Api::namespaced(control, &rollcall.namespace);
    let mut heads = vec![Head::genesis()];
    for index in 1..=records {
        let body: RecordBody = object(json!({
            "revocation": format!("long-gone-{index}"), "operation": "Cut", "phase": "Revoked", "person": "p", "subject": "s",
            "policy": "everyone", "rule": "r", "steps": [], "verdicts": [], "remaining": [], "instants": {},
            "sealed": "2024-01-01T00:00:00Z",
        }));
        let record = evidence::chain(heads.last().unwrap(), body).unwrap();
        let labels = json!({names::PART: evidence::PART, names::REVOCATION: format!("uid-{index}")});
        let map = object(json!({
            "metadata": {"name": evidence::name(index), "labels": labels},
            "data": {evidence::KEY: record.text}, "immutable": true,
        }));
        maps.create(&PostParams::default(), &map).await.unwrap();
        heads.push(record.head);
    }
    let head = object(json!({"metadata": {"name": names::EVIDENCE_HEAD}, "data": heads.last().unwrap().data()}));
    maps.create(&PostParams::default(), &head).await.unwrap();
    heads
}

/// Binds a ClusterRole of the release to users, and waits until each of them may read ConfigMaps.
async fn bind(rollcall: &Installation, role: &str, users: &[&str]) {
    let group = "rbac.authorization.k8s.io";
    let subjects: Vec<Value> =
        users.iter().map(|user| json!({"kind": "User", "name": user, "apiGroup": group})).collect();
    let binding = object::<RoleBinding>(json!({
        "metadata": {"name": role}, "subjects": subjects,
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
    }));
    rollcall.api().create(&PostParams::default(), &binding).await.unwrap();
    for user in users {
        let client = rollcall.cluster.acting_as(user, &["system:authenticated"]).await;
        let maps: Api<ConfigMap> = Api::namespaced(client, &rollcall.namespace);
        eventually(&format!("{user} may read"), || async { maps.get_opt("any").await.ok() }).await;
    }
}

/// A folder of the story's own.
fn folder(rollcall: &Installation) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-evidence", rollcall.namespace))
}

/// Names of the records that are in the cluster.
async fn standing(rollcall: &Installation) -> Vec<String> {
    let maps = rollcall.api::<ConfigMap>().list(&Default::default()).await.unwrap().items;
    let mut names: Vec<String> = maps.into_iter().filter_map(|map| map.metadata.name).collect();
    names.retain(|name| name.starts_with("rollcall-evidence-0"));
    names.sort();
    names
}

#[tokio::test]
async fn old_evidence_goes_into_a_folder_and_out_of_the_cluster_and_the_chain_goes_on() {
    let rollcall = Installation::new("pruning", &[("apps", Consent::Accounts)]).await;
    let heads = sealed_long_ago(&rollcall, 4).await;
    bind(&rollcall, &format!("{}-pruner", rollcall.release), &["carol"]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": a_day(10)}})).await;
    rollcall.account_of("7", "apps", "seven").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    let staff = staff.person("7").terminated();
    rollcall.learn(&staff).await;
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    rollcall.evidence_verifies();
    let dir = folder(&rollcall);
    let out = dir.to_string_lossy().into_owned();
    let prune = ["evidence", "prune", "--older-than", "400d", "--dir", &out, "--as", "carol"];

    rollcall.succeeds(&[&prune[..], &["--dry-run"]].concat());
    assert_eq!((standing(&rollcall).await.len(), dir.exists()), (5, false), "a dry run changes nothing");
    rollcall.succeeds(&[&prune[..], &["--yes"]].concat());

    assert_eq!(standing(&rollcall).await, [evidence::name(5)]);
    let start = rollcall.api::<ConfigMap>().get(names::EVIDENCE_START).await.unwrap().data.unwrap();
    let newest = Start::read(&start).unwrap().newest;
    assert_eq!((newest.from, &newest.last, newest.by.as_str()), (1, &heads[4], "carol"));
    let said = rollcall.succeeds(&["evidence", "verify"]);
    assert!(said.contains("1 record verifies") && said.contains("1 to 4 were pruned by carol on "), "{said}");
    let said = rollcall.succeeds(&["evidence", "verify", "--dir", &out]);
    assert!(said.contains("5 records verify"), "the folder has all of it: {said}");

    rollcall.learn(&staff.person("6").terminated()).await;
    rollcall.reaches("6", Operation::Cut, Phase::Revoked).await;
    assert_eq!(standing(&rollcall).await, [evidence::name(5), evidence::name(6)]);
    rollcall.evidence_verifies();
    rollcall.succeeds(&[&prune[..], &["--yes"]].concat());
    let said = rollcall.succeeds(&["evidence", "verify", "--dir", &out]);
    assert!(said.contains("6 records verify"), "{said}");
    assert_eq!(standing(&rollcall).await.len(), 2, "nothing more is old enough");
    fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn a_prune_that_was_interrupted_is_no_tampering_and_is_finished_by_the_next() {
    let rollcall = Installation::new("halfway", &[]).await;
    let heads = sealed_long_ago(&rollcall, 5).await;
    bind(&rollcall, &format!("{}-pruner", rollcall.release), &["carol"]).await;
    let newest =
        Prune { from: 1, last: heads[3].clone(), at: "2026-11-01T08:00:00Z".parse().unwrap(), by: "carol".into() };
    let carol = rollcall.cluster.acting_as("carol", &["system:authenticated"]).await;
    let maps: Api<ConfigMap> = Api::namespaced(carol, &rollcall.namespace);
    let marker = json!({"metadata": {"name": names::EVIDENCE_START}, "data": Start::after(None, newest).data()});
    maps.create(&PostParams::default(), &object(marker)).await.unwrap(); // and here carol's machine died

    let said = rollcall.succeeds(&["evidence", "verify"]);
    assert!(said.contains("5 records verify") && said.contains("3 of them are still there"), "{said}");
    let dir = folder(&rollcall);
    let out = dir.to_string_lossy().into_owned();
    rollcall.succeeds(&["evidence", "prune", "--older-than", "400d", "--dir", &out, "--as", "carol", "--yes"]);

    assert_eq!(standing(&rollcall).await, [evidence::name(5)]);
    let start = Start::read(&maps.get(names::EVIDENCE_START).await.unwrap().data.unwrap()).unwrap();
    assert_eq!((start.newest.from, start.newest.last, start.earlier.len()), (4, heads[4].clone(), 1));
    rollcall.evidence_verifies();
    rollcall.succeeds(&["evidence", "verify", "--dir", &out]);
    fs::remove_dir_all(dir).unwrap();
}

/// The marker of a prune up to this record, as somebody writes it.
fn marker(from: u64, last: &Head, by: &str, before: Option<&Start>) -> Start {
    let at: Timestamp = "2026-11-01T08:00:00Z".parse().unwrap();
    Start::after(before, Prune { from, last: last.clone(), at, by: by.into() })
}

/// It as an object, with something laid over its data.
fn written(start: &Start, over: Value) -> Value {
    let mut data = json!(start.data());
    overlay(&mut data, over);
    json!({"metadata": {"name": names::EVIDENCE_START}, "data": data})
}

#[tokio::test]
async fn evidence_is_deleted_by_those_who_may_prune_and_by_none_of_rollcalls_own() {
    let rollcall = Installation::new("pruners", &[]).await;
    let heads = sealed_long_ago(&rollcall, 3).await;
    let ours = format!("system:serviceaccount:{}:pipeline", rollcall.namespace);
    let (sync, control) = (rollcall.identity("sync"), rollcall.identity("control"));
    bind(&rollcall, &format!("{}-pruner", rollcall.release), &["carol", &ours, &sync, &control]).await;
    bind(&rollcall, "edit", &["editor"]).await;
    let people: ConfigMap = object(json!({"metadata": {"name": "people"}, "data": {"people.csv": ""}}));
    rollcall.api().create(&PostParams::default(), &people).await.unwrap();
    let record = "rollcall-evidence-00000001";
    let start = |by: &str| Create(written(&marker(1, &heads[2], by, None), json!({})));
    let over = |over: Value| Create(written(&marker(1, &heads[2], "carol", None), over));
    let named = |name: &str| Create(json!({"metadata": {"name": name}}));
    each(
        &rollcall,
        &rollcall.namespace,
        vec![
            ("carol", "prunes a record", CONFIG_MAPS, DeleteByUid(record), "none"),
            ("carol", "deletes whatever is called so", CONFIG_MAPS, Delete(record), "policy"),
            ("admin", "deletes all ConfigMaps", CONFIG_MAPS, Delete(record), "policy"),
            ("carol", "deletes the head", CONFIG_MAPS, DeleteByUid("rollcall-evidence-head"), "policy"),
            ("carol", "writes a record", CONFIG_MAPS, named("rollcall-evidence-00000004"), "policy"),
            ("carol", "deletes the HR file", CONFIG_MAPS, DeleteByUid("people"), "policy"),
            ("carol", "makes an HR file", CONFIG_MAPS, named("people-2"), "policy"),
            ("carol", "writes the HR file", CONFIG_MAPS, Change("people", json!({"data": {"a": "b"}})), "rbac"),
            ("editor", "deletes a record", CONFIG_MAPS, DeleteByUid(record), "policy"),
            ("editor", "deletes another ConfigMap", CONFIG_MAPS, DeleteByUid("people"), "none"),
            ("editor", "writes the marker", CONFIG_MAPS, start("editor"), "policy"),
            (&ours, "deletes a record, although it may prune", CONFIG_MAPS, DeleteByUid(record), "policy"),
            (&ours, "writes the marker, although it may prune", CONFIG_MAPS, start(&ours), "policy"),
            ("sync", "deletes a record, although it may prune", CONFIG_MAPS, DeleteByUid(record), "policy"),
            ("control", "deletes a record, although it may prune", CONFIG_MAPS, DeleteByUid(record), "policy"),
            ("control", "writes the marker", CONFIG_MAPS, start(&control), "policy"),
            ("revoke", "deletes a record", CONFIG_MAPS, DeleteByUid(record), "rbac"),
            ("carol", "prunes in another's name", CONFIG_MAPS, start("ada"), "policy"),
            ("carol", "tells of no first record", CONFIG_MAPS, over(json!({"from": "2"})), "policy"),
            ("carol", "tells of no index", CONFIG_MAPS, over(json!({"index": "02"})), "policy"),
            ("carol", "tells of no hash", CONFIG_MAPS, over(json!({"hash": "x"})), "policy"),
            ("carol", "tells of no instant", CONFIG_MAPS, over(json!({"at": "2026-13-01T00:00:00Z"})), "policy"),
            ("carol", "tells of a fraction", CONFIG_MAPS, over(json!({"at": "2026-11-01T00:00:00.5Z"})), "policy"),
            ("carol", "tells of a prune that never was", CONFIG_MAPS, over(json!({"earlier": "1 1 x"})), "policy"),
            ("carol", "begins the marker", CONFIG_MAPS, start("carol"), "none"),
        ],
    )
    .await;
}

#[tokio::test]
async fn the_start_of_the_evidence_only_moves_on_and_keeps_what_was_told() {
    let rollcall = Installation::new("marker", &[]).await;
    let heads = sealed_long_ago(&rollcall, 5).await;
    let pruner = format!("{}-pruner", rollcall.release);
    bind(&rollcall, &pruner, &["carol", "dave"]).await;
    let first = marker(1, &heads[2], "carol", None);
    let carol = rollcall.cluster.acting_as("carol", &["system:authenticated"]).await;
    let maps: Api<ConfigMap> = Api::namespaced(carol, &rollcall.namespace);
    maps.create(&PostParams::default(), &object(written(&first, json!({})))).await.unwrap();
    let name = names::EVIDENCE_START;
    let second = marker(3, &heads[3], "dave", Some(&first));
    let replaced = async |by: Value| {
        // RBAC lets a pruner patch nothing
        let client = rollcall.cluster.acting_as("dave", &["system:authenticated"]).await;
        let maps: Api<ConfigMap> = Api::namespaced(client, &rollcall.namespace);
        let params = PostParams { dry_run: true, ..PostParams::default() };
        maps.replace(name, &params, &object(by)).await.map(drop)
    };
    replaced(written(&second, json!({}))).await.expect("dave moves it on");
    for (what, start, over) in [
        ("turns it back", &marker(3, &heads[1], "dave", Some(&first)), json!({})),
        ("leaves it where it is", &marker(3, &heads[2], "dave", Some(&first)), json!({})),
        ("moves it on in another's name", &marker(3, &heads[3], "carol", Some(&first)), json!({})),
        ("forgets the first prune", &marker(3, &heads[3], "dave", None), json!({})),
        ("claims to have pruned all of it", &second, json!({"from": "1"})),
        ("leaves a gap", &second, json!({"from": "4"})),
        ("tells another story", &second, json!({"earlier": "1 2 2026-11-01T08:00:00Z x dave"})),
    ] {
        let refused = replaced(written(start, over)).await.expect_err(what);
        assert!(refused_by_policy(&refused), "dave {what}: {refused}");
    }
    let mut fixed = written(&second, json!({}));
    fixed["immutable"] = json!(true);
    let refused = replaced(fixed).await.expect_err("dave makes it immutable");
    assert!(refused_by_policy(&refused), "{refused}");
    each(
        &rollcall,
        &rollcall.namespace,
        vec![
            ("carol", "deletes the marker", CONFIG_MAPS, DeleteByUid(name), "policy"),
            ("admin", "deletes the marker", CONFIG_MAPS, DeleteByUid(name), "policy"),
            (
                "admin",
                "turns it back",
                CONFIG_MAPS,
                Change(name, json!({"data": {"index": "1", "by": "ada"}})),
                "policy",
            ),
            ("control", "moves it on", CONFIG_MAPS, Change(name, json!({"data": {"index": "3"}})), "policy"),
        ],
    )
    .await;
}

#[tokio::test]
async fn of_more_than_a_hundred_prunes_the_oldest_are_forgotten() {
    let rollcall = Installation::new("hundred", &[]).await;
    bind(&rollcall, &format!("{}-pruner", rollcall.release), &["carol"]).await;
    let carol = rollcall.cluster.acting_as("carol", &["system:authenticated"]).await;
    let maps: Api<ConfigMap> = Api::namespaced(carol, &rollcall.namespace);
    let head = |index: u64| Head { index, hash: evidence::hash(&index.to_string()) };
    let mut start = marker(1, &head(1), "carol", None);
    maps.create(&PostParams::default(), &object(written(&start, json!({})))).await.unwrap();
    for index in 2..=103 {
        start = marker(index, &head(index), "carol", Some(&start));
        maps.replace(names::EVIDENCE_START, &PostParams::default(), &object(written(&start, json!({})))).await.unwrap();
    }
    let told = Start::read(&maps.get(names::EVIDENCE_START).await.unwrap().data.unwrap()).unwrap();
    assert_eq!((told.earlier.len(), told.earlier.last().unwrap().from), (100, 3));
    let mut cut = marker(104, &head(104), "carol", Some(&start));
    cut.earlier.truncate(99);
    let cut = maps.replace(names::EVIDENCE_START, &PostParams::default(), &object(written(&cut, json!({})))).await;
    assert!(refused_by_policy(&cut.expect_err("one more is forgotten")));
}

#[tokio::test]
async fn the_example_prunes_under_an_account_of_another_namespace() {
    let rollcall = Installation::new("archive", &[]).await;
    sealed_long_ago(&rollcall, 3).await;
    let text = fs::read_to_string("examples/evidence-prune.yaml").unwrap();
    let text = text.replace("rollcall-pruner", &format!("{}-pruner", rollcall.release));
    let text = text.replace("name: rollcall-archive", &format!("name: {}", rollcall.target("archive")));
    apply(rollcall.cluster, &text.replace("namespace: rollcall", &format!("namespace: {}", rollcall.namespace)));
    let jobs: Api<CronJob> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("archive"));
    let pod = jobs.get("evidence-prune").await.unwrap().spec.unwrap().job_template.spec.unwrap().template.spec.unwrap();
    let dir = folder(&rollcall);
    let here = |argument: &String| argument.replace("/evidence", &dir.to_string_lossy());
    let mut arguments: Vec<String> = pod.containers[0].args.iter().flatten().map(here).collect();
    let account = format!("system:serviceaccount:{}:{}", rollcall.target("archive"), pod.service_account_name.unwrap());
    arguments.extend(["--as".to_owned(), account]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();

    eventually("the account is bound", || async { rollcall.says(&arguments).status.success().then_some(()) }).await;

    assert_eq!(standing(&rollcall).await, [evidence::name(3)]);
    rollcall.evidence_verifies();
    fs::remove_dir_all(dir).unwrap();
}
