//! A leaver in their last week, who may edit their namespace, and does what they can to keep an account or to harm a colleague.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use rollcall::api::revocation::{Operation, Phase, TargetKind};
use rollcall::api::{Revocation, names};
use serde_json::{Value, json};

use crate::ownership::{annotated, bind};
use crate::refusals::refusal;
use crate::support::installation::{Consent, Installation};
use crate::support::objects::object;
use crate::support::tokens::{mint_unbound, refused, still_works};
use crate::support::waiting::eventually;

/// Waits until an account stands for so long that a mark set on it is not taken for one it was made with.
pub async fn until_it_stands(rollcall: &Installation, account: &ServiceAccount) {
    let made: Timestamp = account.creation_timestamp().unwrap().0;
    rollcall.until(made + SignedDuration::from_secs(13)).await;
}

/// Waits until the first cut of a person is in this phase, and gives it.
pub async fn first_cut(rollcall: &Installation, id: &str, phase: Phase) -> Revocation {
    eventually(&format!("the first cut of {id} is {phase:?}"), || async {
        let cuts = rollcall.revocations(id).await;
        let cut = cuts.into_iter().find(|one| one.spec.operation == Operation::Cut && !one.spec.late)?;
        (cut.status.as_ref()?.phase == Some(phase)).then_some(cut)
    })
    .await
}

/// What a plan leaves alone: reason and object.
pub fn left(revocation: &Revocation) -> BTreeSet<String> {
    let plan = revocation.status.as_ref().and_then(|status| status.plan.as_ref());
    plan.into_iter().flat_map(|plan| &plan.remaining).map(|left| format!("{} {}", left.why, left.what)).collect()
}

/// Names of the accounts that a plan acts on.
pub fn accounts_of(revocation: &Revocation) -> Vec<String> {
    let plan = revocation.status.as_ref().and_then(|status| status.plan.as_ref());
    let targets = plan.into_iter().flat_map(|plan| &plan.targets);
    targets.filter(|target| target.kind == TargetKind::ServiceAccount).map(|target| target.name.clone()).collect()
}

/// What the memory holds of this namespace's accounts.
async fn remembers(rollcall: &Installation, place: &str) {
    eventually(&format!("control remembers {place}"), || async {
        let params = ListParams::default().labels("rollcall.dev/part=owners");
        let maps = rollcall.api::<ConfigMap>().list(&params).await.unwrap().items;
        let holds = |map: &ConfigMap| map.data.as_ref().is_some_and(|data| data["owners.json"].contains(place));
        maps.iter().any(holds).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_leaver_who_may_edit_their_namespace_sheds_nothing_and_harms_nobody() {
    let rollcall = Installation::new("shed", &[("apps", Consent::Accounts)]).await;
    let apps = rollcall.target("apps");
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let colleagues = rollcall.account("apps", "colleagues", None).await;
    let theirs = mint_unbound(&rollcall.admin, &apps, "colleagues").await;
    for account in ["kept", "bare", "handed", "deleted"] {
        rollcall.account_of("7", "apps", account).await;
    }
    rollcall.account_of("8", "apps", "eights").await;
    bind(&rollcall, "apps", "edit", &rollcall.user("7")).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    until_it_stands(&rollcall, &colleagues).await;

    // The last week.
    let seven = rollcall.cluster.acting_as(&rollcall.user("7"), &["system:authenticated"]).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(seven, &apps);
    let glass = json!({"metadata": {"labels": {names::BREAK_GLASS: "yes"}}});
    for (what, account, change) in [
        ("takes their name off", "kept", annotated(json!({names::OWNER: null}))),
        ("puts a colleague's name on", "kept", annotated(json!({names::OWNER: rollcall.mark("8")}))),
        ("calls it a workload's", "kept", annotated(json!({names::PURPOSE: "workload"}))),
        ("calls it break-glass", "kept", glass),
        ("puts their name on a colleague's", "eights", annotated(json!({names::OWNER: rollcall.mark("7")}))),
    ] {
        let answer = accounts.patch(account, &PatchParams::default(), &Patch::Merge(&change)).await;
        assert_eq!(refusal(what, answer).0, "policy", "{what}");
    }
    for (name, owner) in [("bare", json!(null)), ("handed", json!({names::OWNER: rollcall.mark("8")}))] {
        accounts.delete(name, &DeleteParams::default()).await.unwrap();
        let again = object(json!({"metadata": {"name": name, "annotations": owner}}));
        accounts.create(&PostParams::default(), &again).await.unwrap();
    }
    accounts.delete("deleted", &DeleteParams::default()).await.unwrap();
    let mine = annotated(json!({names::OWNER: rollcall.mark("7")}));
    accounts.patch("colleagues", &PatchParams::default(), &Patch::Merge(&mine)).await.unwrap();
    let handed = mint_unbound(&rollcall.admin, &apps, "handed").await;
    let kept = mint_unbound(&rollcall.admin, &apps, "kept").await;

    rollcall.learn(&staff.person("7").terminated()).await;
    let cut = first_cut(&rollcall, "7", Phase::Revoked).await;
    refused("what they kept", &kept).await;
    assert_eq!(accounts_of(&cut), ["kept"]);
    let expected = [
        format!("ChangedBeforeExit ServiceAccount {apps}/bare"),
        format!("ChangedBeforeExit ServiceAccount {apps}/handed"),
    ];
    let late = rollcall.waits_for("7", "Late").await;
    assert_eq!(accounts_of(&late), ["colleagues"]);
    let why = &late.status.as_ref().unwrap().plan.as_ref().unwrap().targets[0].why;
    assert!(why.contains("ask who set it"), "{why}");
    eventually("what waits for an approval is not told twice", || async {
        let cut = rollcall.api::<Revocation>().get(&cut.name_any()).await.unwrap();
        (left(&cut) == BTreeSet::from(expected.clone())).then_some(())
    })
    .await;
    rollcall.succeeds(&["reject", &late.name_any(), "--reason", "it is the team's", "--yes"]);
    assert!(still_works(&theirs, &apps, "colleagues").await, "the colleague's account");
    assert!(still_works(&handed, &apps, "handed").await, "nobody acts on a guess");

    // An admin ends what was shed: the account is deleted, and made again for who uses it.
    let admins: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &apps);
    for name in ["bare", "handed"] {
        admins.delete(name, &DeleteParams::default()).await.unwrap();
        rollcall.account_of("8", "apps", name).await;
    }
    eventually("nothing remains", || async {
        let cut = rollcall.api::<Revocation>().get(&cut.name_any()).await.unwrap();
        left(&cut).is_empty().then_some(())
    })
    .await;
}

/// Changes the owner of an account as an admin, who may.
async fn owns(rollcall: &Installation, account: &str, owner: Value) {
    let accounts: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    let change = annotated(json!({names::OWNER: owner}));
    accounts.patch(account, &PatchParams::default(), &Patch::Merge(&change)).await.unwrap();
}

#[tokio::test]
async fn what_changed_while_nobody_looked_is_found_by_what_was_kept() {
    let rollcall = Installation::new("asleep", &[("apps", Consent::Accounts)]).await;
    let (_sync, _revoker) = (rollcall.sync().await, rollcall.revoker());
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let old = rollcall.account("apps", "old", None).await;
    until_it_stands(&rollcall, &old).await;
    owns(&rollcall, "old", json!(rollcall.mark("7"))).await; // before the memory begins, so that it is taken as it is
    rollcall.account_of("7", "apps", "removed").await;
    rollcall.account_of("7", "apps", "moved").await;
    rollcall.account_of("7", "apps", "gone").await;
    let bystander = rollcall.account("apps", "bystander", None).await;
    let control = rollcall.control().await;
    remembers(&rollcall, &format!("{}/gone", rollcall.target("apps"))).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    until_it_stands(&rollcall, &bystander).await;
    drop(control);

    owns(&rollcall, "removed", json!(null)).await;
    owns(&rollcall, "moved", json!(rollcall.mark("8"))).await;
    owns(&rollcall, "bystander", json!(rollcall.mark("7"))).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    accounts.delete("gone", &DeleteParams::default()).await.unwrap();
    let _control = rollcall.control().await;
    rollcall.account("apps", "gone", None).await; // made again only after control has seen that it went

    rollcall.learn(&staff.person("7").terminated()).await;
    let cut = first_cut(&rollcall, "7", Phase::Revoked).await;
    assert_eq!(accounts_of(&cut), ["old"]);
    let found: Vec<String> = left(&cut).into_iter().filter(|left| left.starts_with("Changed")).collect();
    let apps = rollcall.target("apps");
    assert_eq!(
        found,
        ["gone", "moved", "removed"].map(|name| format!("ChangedBeforeExit ServiceAccount {apps}/{name}"))
    );
    assert_eq!(accounts_of(&rollcall.waits_for("7", "Late").await), ["bystander"]);
}

#[tokio::test]
async fn what_a_cut_made_again_and_was_handed_over_is_not_called_shed() {
    let (rollcall, _running, staff) = Installation::with_seven("passed", Consent::Accounts, json!({})).await;
    rollcall.seven_leaves(&staff).await;
    owns(&rollcall, "seven", json!(rollcall.mark("8"))).await;
    let apps = rollcall.target("apps");
    let token = mint_unbound(&rollcall.admin, &apps, "seven").await;
    rollcall.learn(&staff.clone().person("7").active()).await;
    rollcall.bind_users("apps", "sevens", &[rollcall.user("7")]).await;

    rollcall.learn(&staff.person("7").terminated()).await;
    let second = eventually("the second exit is over", || async {
        let cuts = rollcall.revocations("7").await.into_iter();
        let cut = cuts.filter(|one| one.spec.operation == Operation::Cut).nth(1)?;
        (cut.status.as_ref()?.phase == Some(Phase::Revoked)).then_some(cut)
    })
    .await;
    assert_eq!(left(&second), BTreeSet::new());
    assert!(still_works(&token, &apps, "seven").await);
}
