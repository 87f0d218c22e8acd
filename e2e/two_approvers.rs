//! Two people approve where the policy asks for it: neither alone opens anything, and nobody gives both.

use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use rollcall::api::Revocation;
use rollcall::api::names;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::{Value, json};

use crate::refusals::{human, planned, refusal};
use crate::support::installation::{Consent, Installation, a_day};
use crate::support::objects::object;
use crate::support::tokens::{mint_unbound, refused, still_works};
use crate::support::waiting::eventually;

/// An installation whose policy asks for two approvals, and holds every leaver.
async fn asking_for_two(
    story: &str,
) -> (Installation, crate::support::installation::Running, crate::support::people::People) {
    let policy = json!({"approval": {"approvers": 2}, "limits": {"people": a_day(0)}});
    Installation::with_seven(story, Consent::Accounts, policy).await
}

/// A command of Rollcall by somebody with every right.
fn by<'a>(user: &'a str, arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &["--as", user, "--as-group", "system:masters"]].concat()
}

#[tokio::test]
async fn a_batch_is_released_once_two_people_have_approved_it_and_by_neither_alone() {
    let (rollcall, _running, staff) = asking_for_two("two-approve").await;
    rollcall.account_of("6", "apps", "six").await;
    let token = mint_unbound(&rollcall.admin, &rollcall.target("apps"), "seven").await;
    rollcall.learn(&staff.clone().person("6").terminated().person("7").terminated()).await;
    rollcall.waits_for("6", "OverLimit").await;
    let batch = rollcall.waits_for("7", "OverLimit").await.status.unwrap().gate.unwrap().batch.unwrap();
    let approve = ["approve", "--batch", &batch, "--yes"];

    let said = rollcall.succeeds(&by("ada", &approve));
    assert!(
        said.contains("Two people have to approve it; none is given.") && said.contains("the first of two"),
        "{said}"
    );
    let half = eventually("the gate says that one of two is given", || async {
        let waits = rollcall.waits_for("7", "OverLimit").await;
        waits.status.as_ref()?.gate.as_ref()?.message.starts_with("One of two approvals is given").then_some(waits)
    })
    .await;
    assert_eq!(half.spec.approval.as_ref().unwrap().by, "ada");
    let said = rollcall.succeeds(&by("ada", &approve));
    assert!(said.contains("another person has to approve it too"), "{said}");
    let record = format!("{}/7", rollcall.connection);
    let why = rollcall.succeeds(&["why", &record]);
    assert!(why.contains("approved by ada; another person has to approve it too"), "{why}");
    assert!(still_works(&token, &rollcall.target("apps"), "seven").await, "one approval opens nothing");

    let said = rollcall.succeeds(&by("ben", &approve));
    assert!(said.contains("given by ada") && said.contains("approved as the second of two"), "{said}");
    for id in ["6", "7"] {
        let cut = rollcall.reaches(id, Operation::Cut, Phase::Revoked).await;
        let (first, second) = (cut.spec.approval.unwrap(), cut.spec.second_approval.unwrap());
        assert_eq!((first.by.as_str(), second.by.as_str()), ("ada", "ben"));
        assert_eq!(first.plan_hash, second.plan_hash);
    }
    refused("the leaver's token", &token).await;
    assert!(rollcall.succeeds(&["why", &record]).contains("approved by ada and ben"));
    let records = ListParams::default().labels(&format!("{}=evidence", names::PART));
    let records: Vec<ConfigMap> = rollcall.api().list(&records).await.unwrap().items;
    let read = |map: ConfigMap| serde_json::from_str::<Value>(&map.data.unwrap()["record.json"]).unwrap();
    let told: Vec<_> =
        records.into_iter().map(read).map(|one| (one["approver"].clone(), one["secondApprover"].clone())).collect();
    assert_eq!(told, vec![(json!("ada"), json!("ben")); 2]);
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn a_batch_with_one_of_two_approvals_can_be_rejected_and_that_be_taken_back() {
    let (rollcall, _running, staff) = asking_for_two("two-reject").await;
    rollcall.account_of("6", "apps", "six").await;
    let token = mint_unbound(&rollcall.admin, &rollcall.target("apps"), "seven").await;
    rollcall.learn(&staff.clone().person("6").terminated().person("7").terminated()).await;
    rollcall.waits_for("6", "OverLimit").await;
    let batch = rollcall.waits_for("7", "OverLimit").await.status.unwrap().gate.unwrap().batch.unwrap();
    rollcall.succeeds(&by("ada", &["approve", "--batch", &batch, "--yes"]));

    let said = rollcall.succeeds(&by("ben", &["reject", "--batch", &batch, "--reason", "wrong file", "--yes"]));
    assert!(said.contains("given by ada"), "who rejects sees who approved: {said}");
    for id in ["6", "7"] {
        let rejected = rollcall.waits_for(id, "Rejected").await;
        let (first, no) = (rejected.spec.approval.unwrap(), rejected.spec.rejection.unwrap());
        assert_eq!((first.by.as_str(), no.by.as_str()), ("ada", "ben"));
    }
    let said = rollcall.says(&by("eve", &["approve", "--batch", &batch, "--yes"]));
    assert!(!said.status.success(), "a rejection stands against a second approval");
    let record = format!("{}/7", rollcall.connection);
    let why = rollcall.succeeds(&["why", &record]);
    assert!(!why.contains("another person has to approve it too"), "{why}");
    assert!(still_works(&token, &rollcall.target("apps"), "seven").await, "nothing ended");

    rollcall.succeeds(&by("ben", &["reject", "--batch", &batch, "--undo", "--yes"]));
    for id in ["6", "7"] {
        let half = rollcall.waits_for(id, "OverLimit").await;
        assert_eq!(half.spec.approval.map(|first| first.by).as_deref(), Some("ada"), "the first one stands again");
    }
    let batch = rollcall.waits_for("7", "OverLimit").await.status.unwrap().gate.unwrap().batch.unwrap();
    rollcall.succeeds(&by("ben", &["approve", "--batch", &batch, "--yes"]));
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    assert_eq!(cut.spec.second_approval.unwrap().by, "ben");
    refused("the leaver's token", &token).await;
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn a_plan_that_changes_between_two_approvals_needs_both_again() {
    let (rollcall, _running, staff) = asking_for_two("two-changed").await;
    rollcall.account_of("7", "apps", "seven-more").await;
    rollcall.learn(&staff.clone().person("7").terminated()).await;
    let held = eventually("both accounts are in the plan", || async {
        let held = rollcall.waits_for("7", "OverLimit").await;
        (held.status.as_ref()?.plan.as_ref()?.targets.len() == 2).then_some(held)
    })
    .await;
    let (name, before) = (held.name_any(), held.status.unwrap().plan.unwrap().hash);
    rollcall.succeeds(&by("ada", &["approve", &name, "--yes"]));

    let accounts: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    accounts.delete("seven-more", &DeleteParams::default()).await.unwrap();
    eventually("the plan is another one", || async {
        let held = rollcall.waits_for("7", "OverLimit").await;
        (held.status?.plan?.hash != before).then_some(())
    })
    .await;
    let old = json!({"spec": {"secondApproval": {"planHash": before, "by": "ben", "at": jiff::Timestamp::now()}}});
    let stale = human(&rollcall, "ben").await.patch(&name, &PatchParams::default(), &Patch::Merge(&old)).await;
    let (layer, said) = refusal("a second approval of the plan before", stale);
    assert!(layer == "policy" && said.contains("is not the hash of the current plan"), "{said}");
    let said = rollcall.succeeds(&by("ben", &["approve", &name, "--yes"]));
    assert!(said.contains("the first of two"), "{said}");
    let waits = rollcall.waits_for("7", "OverLimit").await;
    assert_eq!((waits.spec.approval.unwrap().by.as_str(), waits.spec.second_approval), ("ben", None));
    rollcall.succeeds(&by("ada", &["approve", &name, "--yes"]));
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    assert_eq!(cut.status.unwrap().plan.unwrap().targets.len(), 1);
}

#[tokio::test]
async fn nobody_gives_both_approvals_nor_one_in_anothers_name_nor_about_themselves() {
    let rollcall = Installation::new("two-forged", &[]).await;
    let name = "r-1";
    let control = planned(&rollcall, name).await;
    let (hash, at) = ("a".repeat(64), "2026-01-01T00:00:00Z");
    let approval = |by: &str, hash: &str| json!({"planHash": hash, "by": by, "at": at});
    let second = |by: &str| json!({"spec": {"secondApproval": approval(by, &hash)}});
    let tries = async |what: &str, user: &str, change: Value| {
        let answer = human(&rollcall, user).await.patch(name, &PatchParams::default(), &Patch::Merge(&change)).await;
        refusal(what, answer)
    };
    let both = json!({"spec": {"approval": approval("ada", &hash), "secondApproval": approval("ben", &hash)}});
    for user in ["ada", "ben"] {
        assert_eq!(tries("a forged pair in one write", user, both.clone()).await.0, "policy");
    }
    assert_eq!(tries("a second without a first", "ben", second("ben")).await.0, "schema");
    let born = json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "Revocation", "metadata": {"name": "r-2"},
        "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
            "due": at, "reason": "left", "approval": approval("ada", &hash), "secondApproval": approval("ben", &hash)},
    });
    refusal("created with both", control.create(&PostParams::default(), &object::<Revocation>(born)).await);

    let ada = human(&rollcall, "ada").await;
    let first = Patch::Merge(json!({"spec": {"approval": approval("ada", &hash)}}));
    ada.patch(name, &PatchParams::default(), &first).await.expect("a first approval");
    let leaver = "oidc:leaver@example.com";
    for (what, user, change, layers) in [
        ("the same person twice", "ada", second("ada"), ["schema", "policy"]),
        ("one with another's name", "eve", second("ben"), ["policy", "policy"]),
        ("the first with another's name", "ada", second("ben"), ["policy", "policy"]),
        ("the leaver", leaver, second(leaver), ["policy", "policy"]),
        (
            "another plan",
            "ben",
            json!({"spec": {"secondApproval": approval("ben", &"b".repeat(64))}}),
            ["schema", "policy"],
        ),
        (
            "a first that goes with it",
            "ben",
            json!({"spec": {"approval": approval("eve", &hash), "secondApproval": approval("ben", &hash)}}),
            ["schema", "policy"],
        ),
    ] {
        let (layer, said) = tries(what, user, change).await;
        assert!(layers.contains(&layer), "{what}: {layer}: {said}");
    }
    let as_control = Patch::Merge(second(&rollcall.identity("control")));
    let by_control = control.patch(name, &PatchParams::default(), &as_control).await;
    assert_eq!(refusal("Rollcall itself", by_control).0, "policy");

    // Somebody who may patch and has not the verb.
    let role: ClusterRole = object(json!({"metadata": {"name": format!("{}-patcher", rollcall.release)},
        "rules": [{"apiGroups": ["rollcall.dev"], "resources": ["revocations"], "verbs": ["get", "patch"]}]}));
    let binding: ClusterRoleBinding = object(json!({"metadata": {"name": format!("{}-patcher", rollcall.release)},
        "subjects": [{"kind": "User", "name": "paul", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": format!("{}-patcher", rollcall.release)}}));
    Api::all(rollcall.admin.clone()).create(&PostParams::default(), &role).await.unwrap();
    Api::all(rollcall.admin.clone()).create(&PostParams::default(), &binding).await.unwrap();
    let paul = rollcall.cluster.acting_as("paul", &["system:authenticated"]).await;
    let paul: Api<Revocation> = Api::namespaced(paul, &rollcall.namespace);
    let said = eventually("paul may patch", || async {
        let answer = paul.patch(name, &PatchParams::default(), &Patch::Merge(second("paul"))).await;
        let (layer, said) = refusal("without the verb", answer);
        (layer == "policy").then_some(said)
    })
    .await;
    assert!(said.contains("needs the verb \"approve\""), "{said}");

    // After the first has expired, it is given again before the second.
    let gate = |reason: &str| json!({"status": {"gate": {"reason": reason, "message": ""}}});
    control.patch_status(name, &PatchParams::default(), &Patch::Merge(gate("ApprovalExpired"))).await.unwrap();
    let (layer, said) = tries("after expiry", "ben", second("ben")).await;
    assert!(layer == "policy" && said.contains("has expired"), "{said}");
    control.patch_status(name, &PatchParams::default(), &Patch::Merge(gate("Baseline"))).await.unwrap();

    // One of two is rejected while it waits for the other, and by nobody once it waits for something else.
    let no = |by: &str| json!({"spec": {"rejection": {"reason": "wrong file", "by": by}}});
    control.patch_status(name, &PatchParams::default(), &Patch::Merge(gate("Hold"))).await.unwrap();
    let (layer, said) = tries("rejected although it is approved", "ben", no("ben")).await;
    assert!(layer == "policy" && said.contains("an approval is final"), "{said}");
    control.patch_status(name, &PatchParams::default(), &Patch::Merge(gate("Baseline"))).await.unwrap();
    let both = json!({"spec": {"rejection": no("ben")["spec"]["rejection"], "secondApproval": approval("ben", &hash)}});
    assert_eq!(tries("rejected and approved at once", "ben", both).await.0, "schema");
    let rehearsal = PatchParams { dry_run: true, ..PatchParams::default() };
    human(&rollcall, "ben").await.patch(name, &rehearsal, &Patch::Merge(no("ben"))).await.expect("it still waits");

    let ben = human(&rollcall, "ben").await;
    ben.patch(name, &PatchParams::default(), &Patch::Merge(second("ben")))
        .await
        .expect("a second approval by somebody else");
    assert_eq!(tries("rejected after both", "eve", no("eve")).await.0, "schema");
    let (layer, _) = tries("a third takes its place", "eve", second("eve")).await;
    assert!(["schema", "policy"].contains(&layer));
    let (layer, _) = tries("it is taken away", "ben", json!({"spec": {"secondApproval": null}})).await;
    assert_eq!(layer, "schema");
}
