//! Where two features meet: a freeze and a Person that is deleted, a freeze and a name that was taken back, a human's word and the
//! one it is about, grants and a handover, grants and a hand-made change.

use std::sync::Arc;

use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use rollcall::api::person::State;
use rollcall::api::revocation::{Operation, Phase};
use rollcall::api::{FrozenNames, Person, Revocation, SyncPolicy, names};
use serde_json::{Value, json};

use crate::grants::{granted, granting, rule};
use crate::refusals::refusal;
use crate::support::installation::{Consent, Installation, POLICY};
use crate::support::objects::object;
use crate::support::proxy::{Fault, Proxy};
use crate::support::waiting::eventually;

async fn frozen_names(rollcall: &Installation) -> Vec<String> {
    let list: Option<FrozenNames> = rollcall.api().get_opt(names::FROZEN).await.unwrap();
    list.map(|list| list.spec.names.into_keys().collect()).unwrap_or_default()
}

fn freezes() -> Value {
    json!({"lifecycle": {"leave": "Freeze"}})
}

#[tokio::test]
async fn a_freeze_whose_person_was_deleted_ends_once_they_work_here_again() {
    let rollcall = Installation::new("anew", &[("apps", Consent::None)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(freezes()).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    let away = staff.clone().person("7").status("leave");
    rollcall.learn(&away).await;
    let freeze = rollcall.reaches("7", Operation::Freeze, Phase::Frozen).await;
    let (people, revocations): (Api<Person>, Api<Revocation>) = (rollcall.api(), rollcall.api());
    people.delete(&freeze.spec.person, &DeleteParams::default()).await.unwrap();
    rollcall.learn(&away).await;
    eventually("the Person is made anew", || async {
        people.get_opt(&freeze.spec.person).await.unwrap()?.status?.employment
    })
    .await;
    let phase = || async { revocations.get(&freeze.name_any()).await.unwrap().status.unwrap().phase };
    assert_eq!(phase().await, Some(Phase::Frozen), "on leave still: it stays");
    assert!(frozen_names(&rollcall).await.contains(&rollcall.user("7")));

    rollcall.learn(&staff).await;
    eventually("it is lifted", || async { (phase().await == Some(Phase::Lifted)).then_some(()) }).await;
    eventually("nobody is on the list", || async { frozen_names(&rollcall).await.is_empty().then_some(()) }).await;
}

#[tokio::test]
async fn a_name_that_a_human_took_back_is_not_frozen_and_nothing_it_names_is_cut_while_hr_has_it_still() {
    let rollcall = Installation::new("disputed", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(freezes()).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    let theirs = format!("contractor-{}", rollcall.address("7")); // of somebody whom no HR system knows
    let typo = staff.person("7").email(&theirs);
    rollcall.learn(&typo).await;
    rollcall.account("apps", "contractors", Some(&format!("email:{theirs}"))).await;
    rollcall.learn(&typo.clone().person("7").status("leave")).await;
    rollcall.reaches("7", Operation::Freeze, Phase::Frozen).await;
    let user = format!("oidc:{theirs}");
    assert!(frozen_names(&rollcall).await.contains(&user));

    let record = format!("{}/7", rollcall.connection);
    rollcall.succeeds(&["disown", &record, &theirs, "--yes"]);
    eventually("the contractor is free, and 7 is not", || async {
        let names = frozen_names(&rollcall).await;
        (!names.contains(&user) && names.contains(&rollcall.user("7"))).then_some(())
    })
    .await;
    let before = rollcall.get_account("apps", "contractors").await.unwrap().uid();
    rollcall.learn(&typo.person("7").terminated()).await;
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    assert_eq!(rollcall.get_account("apps", "contractors").await.unwrap().uid(), before, "it is left alone");
    let remaining = cut.status.unwrap().plan.unwrap().remaining;
    assert_eq!(remaining.iter().map(|one| one.why.as_str()).collect::<Vec<_>>(), ["AmbiguousMark"]);
}

#[tokio::test]
async fn nobody_takes_back_that_they_leave_and_no_revocation_by_hand_goes_by_another_policy() {
    let rollcall = Installation::new("own-word", &[("apps", Consent::None)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    // It observes, or the freeze of the leaver would refuse them first.
    rollcall.policy(json!({"mode": "Observe", "protected": {"people": ["8"]}})).await;
    rollcall.policy_over("lax", &rollcall.connection, json!({"scope": {"include": {"departments": ["Nobody"]}}})).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    let record = format!("{}/7", rollcall.connection);
    rollcall.succeeds(&["leave-now", &record, "--reason", "walked out", "--yes"]);
    rollcall.becomes("7", State::Terminated, "Declared").await;
    let seven = rollcall.person("7").await.unwrap();
    let own = rollcall.cluster.acting_as(&rollcall.user("7"), &["system:masters", "system:authenticated"]).await;
    let own: Api<Person> = Api::namespaced(own, &rollcall.namespace);
    for word in [json!(null), json!({"lastDay": "2099-01-01", "by": rollcall.user("7")})] {
        let patch = Patch::Merge(json!({"spec": {"declared": word}}));
        let answer = own.patch(&seven.name_any(), &PatchParams::default(), &patch).await;
        let (layer, said) = refusal("of themself", answer);
        assert!(layer == "policy" && said.contains("themself"), "{said}");
    }

    let eight = rollcall.person("8").await.unwrap();
    let by = "ada";
    let admin = rollcall.cluster.acting_as(by, &["system:masters", "system:authenticated"]).await;
    let made: Revocation = object(json!({"metadata": {"name": format!("{}-adhoc-freeze", eight.name_any())}, "spec": {
        "person": eight.name_any(), "personUid": eight.uid(), "policy": "lax", "trigger": "AdHoc", "operation": "Freeze",
        "due": "2026-01-01T00:00:00Z", "reason": "round the protection", "by": by}}));
    Api::namespaced(admin, &rollcall.namespace).create(&PostParams::default(), &made).await.unwrap();
    rollcall.waits_for("8", "Unknown").await;
    assert!(frozen_names(&rollcall).await.is_empty());
}

#[tokio::test]
async fn who_leaves_is_revoked_also_where_the_api_server_has_no_list_of_frozen_names() {
    let rollcall = Installation::new("no-list", &[("apps", Consent::Accounts)]).await;
    let proxy = Arc::new(Proxy::open().await);
    proxy.fails_by(Fault::NoFrozenNames);
    let (_sync, _node) = (rollcall.sync().await, rollcall.revoker());
    let _control = rollcall.control_through(&proxy).await;
    rollcall.connect(json!({})).await;
    rollcall.policy(freezes()).await;
    rollcall.account_of("7", "apps", "seven").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.learn(&staff.person("7").terminated().person("8").status("leave")).await;
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    eventually("the freeze says why it waits", || async {
        let status = rollcall.revocations("8").await.pop()?.status?;
        let waits = status.conditions.iter().any(|one| one.message.contains("the kind FrozenNames"));
        (waits && status.phase == Some(Phase::Held)).then_some(())
    })
    .await;
    proxy.fails_by(Fault::None);
    rollcall.reaches("8", Operation::Freeze, Phase::Frozen).await;
}

#[tokio::test]
async fn what_a_policy_gave_goes_with_a_handover_and_what_somebody_changed_is_left_to_them() {
    let rollcall = granting("handed").await;
    let proxy = Arc::new(Proxy::open().await);
    let (_running, _grant) = (rollcall.run().await, rollcall.grant_through(&["apps", "crm"], &proxy).await);
    rollcall.connect(json!({})).await;
    let (crm, apps) = (rollcall.target("crm"), rollcall.target("apps"));
    let spec = |department: &str, namespace: &str| json!({"scope": {"include": {"departments": [department]}}, "grants": [rule("all", department, namespace)]});
    rollcall.policy(spec("North", &crm)).await;
    rollcall.policy_over("south", &rollcall.connection, spec("South", &apps)).await;
    let staff =
        rollcall.staff(1..11).everybody_in("Board").person("7").department("North").person("8").department("North");
    rollcall.learn(&staff).await;
    granted(&rollcall, "crm", &["7", "8"]).await;
    let calls = proxy.calls();
    let made: Vec<usize> =
        (0..calls.len()).filter(|n| calls[*n].starts_with("POST") && calls[*n].ends_with("/rolebindings")).collect();
    for made in &made {
        assert!(
            calls[..*made].iter().rev().take(2).any(|call| call.contains("GET") && call.contains("/people/")),
            "{calls:?}"
        );
    }
    assert!(made.len() >= 2);

    // Somebody adds a colleague to what 8 was given.
    let api: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &crm);
    let of_eight = |one: &RoleBinding| one.subjects.iter().flatten().any(|subject| subject.name == rollcall.user("8"));
    let eight = api.list(&Default::default()).await.unwrap().items.into_iter().find(of_eight).unwrap();
    let group = "rbac.authorization.k8s.io";
    let both: Vec<Value> =
        ["8", "9"].iter().map(|id| json!({"kind": "User", "name": rollcall.user(id), "apiGroup": group})).collect();
    api.patch(&eight.name_any(), &PatchParams::default(), &Patch::Merge(json!({"subjects": both}))).await.unwrap();

    rollcall.learn(&staff.person("7").department("South").person("8").department("South")).await;
    granted(&rollcall, "apps", &["7", "8"]).await;
    granted(&rollcall, "crm", &["8", "9"]).await; // 7 lost it; what 9 was given by hand is not ours to take
    let policies: Api<SyncPolicy> = rollcall.api();
    assert!(policies.get(POLICY).await.is_ok());
}
