//! What was revoked is looked at again by later Jobs, a minute after and later; and what works again is an alarm.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicyBinding;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Secret};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::revocation::{Operation, Phase, Recheck, VerdictKind};
use rollcall::api::{FrozenNames, Revocation, names};
use serde_json::json;

use crate::support::installation::{Consent, Installation};
use crate::support::rotators::{Rotators, external_secrets};
use crate::support::waiting::{eventually, within};

/// The first minute, a Job that starts, and eight busy processes beside it.
const A_MINUTE: Duration = Duration::from_secs(180);

async fn recheck(rollcall: &Installation, id: &str) -> Option<Recheck> {
    let mut cuts =
        rollcall.revocations(id).await.into_iter().filter(|one| one.spec.operation == Operation::Cut && !one.spec.late);
    cuts.next_back()?.status?.recheck
}

/// The check that follows the one at this instant.
async fn checked_after(rollcall: &Installation, id: &str, before: Option<Timestamp>) -> Recheck {
    within(A_MINUTE, &format!("{id} is looked at again"), || async {
        recheck(rollcall, id).await.filter(|recheck| recheck.at > before)
    })
    .await
}

/// Moves the next check of a Revocation, as only the revoker may.
async fn due_now(rollcall: &Installation, cut: &Revocation) {
    let revoker = rollcall.cluster.acting_as(&rollcall.identity("revoke"), &["system:authenticated"]).await;
    let api: Api<Revocation> = Api::namespaced(revoker, &rollcall.namespace);
    let due = json!({"status": {"recheck": {"next": "2026-01-01T00:00:00Z"}}});
    api.patch_status(&cut.name_any(), &PatchParams::default(), &Patch::Merge(&due)).await.unwrap();
}

async fn jobs(rollcall: &Installation) -> usize {
    let jobs: Api<Job> = Api::namespaced(rollcall.admin.clone(), &rollcall.revoker_namespace());
    jobs.list(&ListParams::default().labels("rollcall.dev/part=revoke")).await.unwrap().items.len()
}

async fn says(rollcall: &Installation, id: &str, condition: ConditionType, status: Status) {
    eventually(&format!("{id} says {condition}={}", status.as_str()), || async {
        let of_person = rollcall.person(id).await?.status?.conditions;
        let of_cuts =
            rollcall.revocations(id).await.into_iter().filter_map(|one| one.status).flat_map(|one| one.conditions);
        of_person.into_iter().chain(of_cuts).any(|one| one.is(condition, status)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_was_revoked_is_looked_at_again_after_a_minute_and_access_that_is_back_is_an_alarm_until_it_is_gone() {
    let (rollcall, running, staff) = Installation::with_seven("rechecked", Consent::Accounts, json!({})).await;
    rollcall.account_of("8", "apps", "eight").await;
    let user = rollcall.user("7");
    rollcall.bind_users("apps", "views", std::slice::from_ref(&user)).await;
    rollcall.learn(&staff.person("7").terminated().person("8").terminated()).await;
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    rollcall.reaches("8", Operation::Cut, Phase::Revoked).await;
    let (before, acted_by) = (recheck(&rollcall, "7").await.unwrap(), jobs(&rollcall).await);
    let confirmed = cut.status.as_ref().unwrap().confirmed.unwrap();
    assert_eq!(before.next.unwrap().duration_since(confirmed).as_secs(), 60);
    assert_eq!((before.at, before.stage), (None, 0));

    drop(running); // whoever leads next starts the same Jobs
    let _running = rollcall.run().await;
    let first = checked_after(&rollcall, "7", None).await;
    assert_eq!((first.asked, first.unknown, first.refuted.len()), (3, 0, 0), "an account, a binding, a frozen name");
    assert_eq!(first.next.unwrap().duration_since(confirmed).as_secs(), 3600);
    assert!(first.at.unwrap().duration_since(confirmed).as_secs() >= 60, "{first:?}");
    checked_after(&rollcall, "8", None).await;
    assert!(
        jobs(&rollcall).await <= acted_by + 2,
        "a Job checks all that are due, and no Revocation has one of its own"
    );
    says(&rollcall, "7", ConditionType::Revoked, Status::True).await;

    // Somebody gives the right back, by a binding of another name: no watch of a place tells of that.
    rollcall.bind_users("apps", "other", std::slice::from_ref(&user)).await;
    due_now(&rollcall, &cut).await;
    let back = checked_after(&rollcall, "7", first.at).await;
    assert_eq!(back.refuted.len(), 1, "{back:?}");
    assert_eq!(back.refuted[0].verdict, VerdictKind::Refuted);
    assert!(back.refuted[0].how.contains("allowed again"), "{back:?}");
    assert!(back.next.unwrap().duration_since(back.at.unwrap()).as_secs() <= 3600, "looked at again within the hour");
    says(&rollcall, "7", ConditionType::Refuted, Status::True).await;
    says(&rollcall, "7", ConditionType::Revoked, Status::False).await;
    let sealed =
        rollcall.revocations("7").await.into_iter().find(|one| one.uid() == cut.uid()).unwrap().status.unwrap();
    assert_ne!(sealed.evidence, cut.status.as_ref().unwrap().evidence, "the alarm is sealed too");
    let why = rollcall.succeeds(&["why", &format!("{}/7", rollcall.connection)]);
    assert!(why.contains("access is back: 1 of what it ended works again"), "{why}");
    let events: Api<Event> = Api::namespaced(rollcall.admin.clone(), &rollcall.namespace);
    eventually("an Event tells it", || async {
        let all = events.list(&ListParams::default()).await.unwrap().items;
        let ours =
            |event: &&Event| event.reason.as_deref() == Some("WorksAgain") && event.type_.as_deref() == Some("Warning");
        let told = all.iter().find(ours)?;
        assert!(!told.message.as_ref()?.contains("example.com"), "{told:?}");
        Some(())
    })
    .await;

    // It is taken away again by hand.
    let bindings: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    bindings.delete("other", &DeleteParams::default()).await.unwrap();
    due_now(&rollcall, &cut).await;
    let gone = checked_after(&rollcall, "7", back.at).await;
    assert!(gone.refuted.is_empty(), "{gone:?}");
    says(&rollcall, "7", ConditionType::Refuted, Status::False).await;

    // Somebody takes the freeze out of force.
    let admin = rollcall.cluster.acting_as(&rollcall.identity("control"), &["system:authenticated"]).await;
    let lists: Api<FrozenNames> = Api::namespaced(admin, &rollcall.namespace);
    assert!(lists.get(names::FROZEN).await.unwrap().spec.names.contains_key(&user));
    let policies: Api<ValidatingAdmissionPolicyBinding> = Api::all(rollcall.admin.clone());
    policies.delete(&format!("{}-freeze", rollcall.release), &DeleteParams::default()).await.unwrap();
    due_now(&rollcall, &cut).await;
    let thawed = checked_after(&rollcall, "7", gone.at).await;
    assert_eq!(thawed.refuted.len(), 1, "{thawed:?}");
    assert!(thawed.refuted[0].how.contains("policy that freezes"), "{thawed:?}");
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn who_is_back_at_work_holds_rights_again_and_that_is_no_alarm() {
    let (rollcall, _running, staff) = Installation::with_seven("rechecked-back", Consent::Accounts, json!({})).await;
    let user = rollcall.user("7");
    rollcall.bind_users("apps", "views", std::slice::from_ref(&user)).await;
    rollcall.learn(&staff.clone().person("7").terminated()).await;
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;

    rollcall.learn(&staff.person("7").active()).await;
    rollcall.bind_users("apps", "views", std::slice::from_ref(&user)).await;
    due_now(&rollcall, &cut).await;
    let checked = checked_after(&rollcall, "7", None).await;
    assert_eq!((checked.asked, checked.refuted.len()), (2, 0), "{checked:?}");
}

/// A leaver whose three Secrets got new values: by external-secrets, by cert-manager, and by Rollcall.
async fn rotated(rollcall: &Installation) -> Revocation {
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"revocation": {"secrets": "Rotate"}})).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    let generate = json!({"metadata": {"annotations": {names::ROTATE: "Generate password=Password"}}, "stringData": {"username": "ada"}});
    rollcall.secret_of("7", "apps", "login", generate).await;
    rollcall.certificate("7", "apps", "site", "ca", "Always").await;
    let cut = rollcall.seven_leaves(&staff).await;
    let status = cut.status.as_ref().unwrap();
    let adopted = status.verdicts.iter().filter(|one| one.verdict == VerdictKind::Adopted).count();
    assert_eq!(adopted, 3, "{:?}", status.verdicts);
    cut
}

/// What is said of a Secret of which nothing can be told.
fn doubt(recheck: &Recheck, name: &str) -> String {
    let one = recheck.unproved.iter().find(|one| one.target.name == name);
    let one = one.unwrap_or_else(|| panic!("{name}: {recheck:?}"));
    assert_eq!(one.verdict, VerdictKind::Unknown);
    one.how.clone()
}

#[tokio::test]
async fn a_secret_that_got_a_new_value_is_looked_at_again_and_what_another_wrote_since_may_be_the_old_one() {
    let rollcall = Installation::new("rechecked-secrets", &[("apps", Consent::Rotate)]).await;
    let namespace = rollcall.target("apps");
    let _rotators = Rotators::start(&rollcall.admin, vec![namespace.clone()]).await;
    let _running = rollcall.run().await;
    let old = rollcall.external_secret("7", "apps", "db", "generator").await;
    let cut = rotated(&rollcall).await;
    let wrote = |name: &str| {
        let step = cut.status.as_ref().unwrap().steps.iter().find(|step| step.target.name == name).unwrap();
        step.rotation.clone().unwrap().written_by
    };
    assert_eq!(wrote("db").as_deref(), Some("external-secrets"));
    assert_eq!(wrote("site").as_deref(), Some("cert-manager-certificates-issuing"));

    // external-secrets fetches a newer value, and somebody writes a key of the other one that was not rotated.
    let secrets: Api<Secret> = Api::namespaced(rollcall.admin.clone(), &namespace);
    let first = secrets.get("db").await.unwrap();
    let note = json!({"metadata": {"annotations": {"force-sync": "once more"}}});
    external_secrets(&rollcall.admin, &namespace)
        .patch("db", &PatchParams::default(), &Patch::Merge(&note))
        .await
        .unwrap();
    eventually("external-secrets has fetched a newer value", || async {
        (secrets.get("db").await.unwrap().data != first.data).then_some(())
    })
    .await;
    let by = |manager: &str| PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
    let helms = json!({"stringData": {"username": "ada.l"}});
    secrets.patch("login", &by("helm"), &Patch::Merge(&helms)).await.unwrap();
    due_now(&rollcall, &cut).await;
    let good = checked_after(&rollcall, "7", None).await;
    assert_eq!((good.asked, good.unknown, good.refuted.len()), (4, 0, 0), "three Secrets and a frozen name: {good:?}");

    // A pipeline applies what it has in Git, and somebody makes a Secret of the same name.
    let applied = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "stringData": {"password": "as-in-git"}});
    secrets.patch("login", &PatchParams::apply("kustomize-controller").force(), &Patch::Apply(&applied)).await.unwrap();
    secrets.delete("site", &DeleteParams::default()).await.unwrap();
    rollcall.secret_of("7", "apps", "site", json!({"metadata": {"annotations": {names::OWNER: null}}})).await;
    due_now(&rollcall, &cut).await;
    let doubtful = checked_after(&rollcall, "7", good.at).await;
    assert_eq!((doubtful.unknown, doubtful.refuted.len()), (2, 0), "{doubtful:?}");
    assert!(doubt(&doubtful, "login").contains("kustomize-controller has written it since"), "{doubtful:?}");
    assert!(doubt(&doubtful, "site").contains("another Secret has its name"), "{doubtful:?}");
    eventually("the Person says so, and is called revoked all the same", || async {
        let conditions = rollcall.person("7").await?.status?.conditions;
        let revoked = conditions.into_iter().find(|one| one.is(ConditionType::Revoked, Status::True))?;
        revoked.message.contains("Of 2 of what was ended").then_some(())
    })
    .await;
    let why = rollcall.succeeds(&["why", &format!("{}/7", rollcall.connection)]);
    assert!(why.contains("2 of what it ended it cannot be told whether it still holds"), "{why}");

    // A backup brings back the very value of before, with all that external-secrets had noted on it.
    let backup = json!({"metadata": {"annotations": old.metadata.annotations}, "data": old.data});
    secrets.patch("db", &by("velero"), &Patch::Merge(&backup)).await.unwrap();
    due_now(&rollcall, &cut).await;
    let back = checked_after(&rollcall, "7", doubtful.at).await;
    assert_eq!((back.unknown, back.refuted.len()), (2, 1), "{back:?}");
    assert!(back.refuted[0].how.contains("the value that it had before"), "{back:?}");
    says(&rollcall, "7", ConditionType::Revoked, Status::False).await;
    says(&rollcall, "7", ConditionType::Refuted, Status::True).await;

    // The namespace takes its consent back.
    let consents: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &namespace);
    consents.delete(&format!("{}-revoke-rotate", rollcall.release), &DeleteParams::default()).await.unwrap();
    due_now(&rollcall, &cut).await;
    let blind = checked_after(&rollcall, "7", back.at).await;
    assert_eq!((blind.asked, blind.unknown, blind.refuted.len()), (4, 3, 0), "{blind:?}");
    assert!(doubt(&blind, "db").contains("taken its consent back"), "{blind:?}");
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn control_says_nothing_of_checks_and_the_revoker_nothing_else() {
    let (rollcall, _running, staff) = Installation::with_seven("rechecked-by", Consent::Accounts, json!({})).await;
    let cut = rollcall.seven_leaves(&staff).await;
    let lies = json!({"status": {"recheck": {"stage": 4, "next": null, "refuted": null}}});
    for who in ["control", "sync"] {
        let client = rollcall.cluster.acting_as(&rollcall.identity(who), &["system:masters"]).await;
        let api: Api<Revocation> = Api::namespaced(client, &rollcall.namespace);
        let refused =
            api.patch_status(&cut.name_any(), &PatchParams::default(), &Patch::Merge(&lies)).await.unwrap_err();
        assert!(refused.to_string().contains("ValidatingAdmissionPolicy"), "{who}: {refused}");
    }
}
