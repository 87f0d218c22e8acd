//! On leave: what somebody would change is refused, with whatever credential, until they are back; and then nothing is.

use std::collections::BTreeMap;
use std::time::Instant;

use axum::http::Request;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use rollcall::api::condition::{ConditionType, Reason, Status};
use rollcall::api::person::State;
use rollcall::api::revocation::{Operation, Phase, VerdictKind};
use rollcall::api::{FrozenNames, FrozenNamesSpec, Revocation, SyncPolicy, names};
use serde_json::{Value, json};

use crate::policies::{guarded, make};
use crate::support::attempts::Try::Create;
use crate::support::attempts::{BINDINGS, REVOCATIONS, ROLES, attempt, bind_role, each};
use crate::support::installation::{Consent, Installation, POLICY, Running, a_day, suffix};
use crate::support::objects::{object, overlay};
use crate::support::tokens::mint_unbound;
use crate::support::waiting::eventually;

const FROZEN: &str = "frozen by Rollcall";

/// The API server as somebody who may do everything reaches it, unless they are frozen.
pub async fn all_powerful(rollcall: &Installation, user: &str) -> Client {
    rollcall.cluster.acting_as(user, &["system:masters", "system:authenticated"]).await
}

fn said<T>(answer: kube::Result<T>) -> String {
    match answer {
        Ok(_) => "allowed".to_owned(),
        Err(kube::Error::Api(status)) => format!("{} {}", status.code, status.message),
        Err(other) => other.to_string(),
    }
}

pub fn refused(said: &str) -> bool {
    said.contains(FROZEN)
}

/// A request as it is on the wire, for what has no typed call or would open a stream.
async fn raw(client: &Client, method: &str, path: &str) -> String {
    let request = Request::builder().method(method).uri(path).body(Vec::new()).unwrap();
    said(client.request_text(request).await)
}

/// Everything that changes something, or reaches into a pod, as this client; and what was said of each.
pub async fn attempts(client: &Client, namespace: &str) -> Vec<(&'static str, String)> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let rehearse = PostParams { dry_run: true, ..PostParams::default() };
    let rehearsed = DeleteParams { dry_run: true, ..DeleteParams::default() };
    let map: ConfigMap = object(json!({"metadata": {"name": "new"}}));
    let token: TokenRequest = object(json!({"spec": {"audiences": []}}));
    let label = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    let patch = PatchParams { dry_run: true, ..PatchParams::default() };
    let pod = |part: &str| format!("/api/v1/namespaces/{namespace}/pods/none/{part}");
    vec![
        ("creates", said(maps.create(&rehearse, &map).await)),
        ("changes", said(maps.patch("kube-root-ca.crt", &patch, &label).await)),
        ("deletes", said(maps.delete("there", &rehearsed).await)),
        ("deletes all", said(maps.delete_collection(&rehearsed, &ListParams::default()).await)),
        ("asks for a token", said(accounts.create_token_request("seven", &rehearse, &token).await)),
        ("runs a command", raw(client, "POST", &pod("exec?command=id&stdout=true")).await),
        ("attaches", raw(client, "POST", &pod("attach?stdout=true")).await),
        ("forwards a port", raw(client, "POST", &pod("portforward?ports=80")).await),
        ("goes through a pod", raw(client, "GET", &pod("proxy/")).await),
    ]
}

/// The evidence verifies, and no user name is in it.
pub async fn evidence_names_nobody(rollcall: &Installation) {
    rollcall.evidence_verifies();
    let evidence = Api::<ConfigMap>::namespaced(rollcall.admin.clone(), &rollcall.namespace);
    for record in evidence.list(&ListParams::default().labels("rollcall.dev/part=evidence")).await.unwrap() {
        let text = serde_json::to_string(&record.data).unwrap();
        assert!(!text.contains("example.com"), "no user name is in the evidence: {text}");
    }
}

pub async fn make_map(rollcall: &Installation, namespace: &str, name: &str) {
    let map: ConfigMap = object(json!({"metadata": {"name": name}}));
    Api::namespaced(rollcall.admin.clone(), namespace).create(&PostParams::default(), &map).await.unwrap();
}

/// Binds the ClusterRole `edit` in a target to the account of that name.
async fn may_edit(rollcall: &Installation, target: &str, account: &str) {
    let namespace = rollcall.target(target);
    let binding: RoleBinding = object(json!({
        "metadata": {"name": format!("{account}-edits")},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
    }));
    Api::namespaced(rollcall.admin.clone(), &namespace).create(&PostParams::default(), &binding).await.unwrap();
}

/// A company of ten under a policy that freezes; nobody is on leave.
async fn freezing(story: &str, chart: Value, policy: Value) -> (Installation, Running) {
    let rollcall = Installation::with(story, &[("apps", Consent::Accounts)], chart).await;
    let running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    let mut spec = json!({"lifecycle": {"leave": "Freeze"}});
    overlay(&mut spec, policy);
    rollcall.policy(spec).await;
    rollcall.account_of("7", "apps", "seven").await;
    rollcall.learn(&rollcall.staff(1..11)).await;
    (rollcall, running)
}

#[tokio::test]
async fn who_is_on_leave_changes_nothing_with_any_credential_and_everything_again_once_they_are_back() {
    let (rollcall, _running) = freezing("leave", json!({}), json!({})).await;
    let (apps, staff) = (rollcall.target("apps"), rollcall.staff(1..11));
    may_edit(&rollcall, "apps", "seven").await;
    make_map(&rollcall, &apps, "there").await;
    let token = mint_unbound(&rollcall.admin, &apps, "seven").await;
    let account = rollcall.cluster.with_token(&token.0).await;
    let by_name = all_powerful(&rollcall, &rollcall.user("7")).await;
    let colleague = all_powerful(&rollcall, &rollcall.user("8")).await;

    rollcall.learn(&staff.clone().person("7").status("leave")).await;
    let freeze = rollcall.reaches("7", Operation::Freeze, Phase::Frozen).await;
    let status = freeze.status.clone().unwrap();
    assert!(freeze.spec.approval.is_none() && status.job.is_none(), "it waits for nobody, and has no Job");
    assert!(status.verdicts.len() == 2 && status.verdicts.iter().all(|one| one.verdict == VerdictKind::Implied));

    eventually("the API server has the list", || async {
        refused(&attempts(&by_name, &apps).await[0].1).then_some(())
    })
    .await;
    for (what, said) in attempts(&by_name, &apps).await {
        assert!(refused(&said), "{what}: {said}");
    }
    for (what, said) in attempts(&account, &apps).await.into_iter().take(5) {
        assert!(refused(&said) || said.starts_with("403"), "{what} with a token of the account: {said}");
    }
    assert!(refused(&attempts(&account, &apps).await[0].1), "with a token of the account");
    for (what, said) in attempts(&colleague, &apps).await {
        assert!(!refused(&said), "{what}, a colleague: {said}");
    }
    let maps: Api<ConfigMap> = Api::namespaced(by_name.clone(), &apps);
    assert!(!maps.list(&ListParams::default()).await.unwrap().items.is_empty(), "reads go on");
    let may_i: SelfSubjectAccessReview =
        object(json!({"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}));
    Api::all(by_name.clone()).create(&PostParams::default(), &may_i).await.expect("a question changes nothing");
    let says = rollcall.succeeds(&["why", &format!("{}/7", rollcall.connection)]);
    assert!(says.contains("is refused; they can still read"), "{says}");
    eventually("the Person says so", || async {
        let conditions = rollcall.person("7").await?.status?.conditions;
        conditions.iter().any(|one| one.is(ConditionType::Frozen, Status::True)).then_some(())
    })
    .await;

    rollcall.learn(&staff.clone().person("7").status("something else")).await; // cannot be told
    rollcall.becomes("7", State::Unknown, "Unmapped").await;
    assert!(refused(&attempts(&by_name, &apps).await[0].1), "what cannot be told lifts nothing");

    rollcall.learn(&staff.person("7").active()).await;
    let lifted = rollcall.reaches("7", Operation::Freeze, Phase::Lifted).await.status.unwrap();
    assert!(lifted.lifted.is_some() && lifted.evidence != status.evidence, "a record of its own");
    eventually("the API server has the list", || async {
        (!refused(&attempts(&by_name, &apps).await[0].1)).then_some(())
    })
    .await;
    for client in [&by_name, &account] {
        for (what, said) in attempts(client, &apps).await {
            assert!(!refused(&said), "{what}: {said}");
        }
    }
    let list: FrozenNames = rollcall.api().get(names::FROZEN).await.unwrap();
    assert!(list.spec.names.is_empty(), "nobody is left on the list");
    evidence_names_nobody(&rollcall).await;
}

#[tokio::test]
async fn two_on_leave_are_lifted_apart_and_what_a_colleague_got_meanwhile_is_free_at_once() {
    let (rollcall, _running) = freezing("apart", json!({}), json!({})).await;
    let (apps, staff) = (rollcall.target("apps"), rollcall.staff(1..11));
    let away = staff.clone().person("7").status("leave").person("8").status("suspended");
    rollcall.learn(&away).await;
    for id in ["7", "8"] {
        rollcall.reaches(id, Operation::Freeze, Phase::Frozen).await;
    }
    let clients =
        [all_powerful(&rollcall, &rollcall.user("7")).await, all_powerful(&rollcall, &rollcall.user("8")).await];
    let frozen = |client: &Client| {
        let (client, apps) = (client.clone(), apps.clone());
        async move { refused(&attempts(&client, &apps).await[0].1) }
    };
    eventually("both are frozen", || async { (frozen(&clients[0]).await && frozen(&clients[1]).await).then_some(()) })
        .await;
    rollcall.learn(&away.clone().person("7").active()).await;
    eventually("one of them is back", || async { (!frozen(&clients[0]).await).then_some(()) }).await;
    assert!(frozen(&clients[1]).await, "the other is not");

    let successor = away.person("7").active().person("11").email(&rollcall.address("8"));
    rollcall.learn(&successor).await;
    eventually("the colleague with that user name works", || async { (!frozen(&clients[1]).await).then_some(()) })
        .await;
    let freeze = rollcall.reaches("8", Operation::Freeze, Phase::Frozen).await.status.unwrap();
    assert_eq!((freeze.verdicts.len(), freeze.plan.unwrap().remaining.len()), (0, 1), "and the Revocation says so");
}

#[tokio::test]
async fn who_leaves_while_on_leave_is_cut_by_that_termination_and_stays_frozen() {
    let (rollcall, _running) = freezing("leaves-for-good", json!({}), json!({})).await;
    let (apps, staff) = (rollcall.target("apps"), rollcall.staff(1..11));
    rollcall.learn(&staff.clone().person("7").status("leave")).await;
    rollcall.reaches("7", Operation::Freeze, Phase::Frozen).await;
    rollcall.learn(&staff.clone().person("7").terminated()).await;
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    let by_name = all_powerful(&rollcall, &rollcall.user("7")).await;
    assert!(refused(&attempts(&by_name, &apps).await[0].1), "a certificate would work until it expires");
    rollcall.reaches("7", Operation::Freeze, Phase::Frozen).await;
    rollcall.learn(&staff.person("7").active()).await;
    rollcall.reaches("7", Operation::Freeze, Phase::Lifted).await;
}

#[tokio::test]
async fn a_freeze_waits_behind_every_gate_and_a_human_may_end_it() {
    let (rollcall, _running) = freezing("leave-gates", json!({}), json!({"limits": {"people": a_day(1)}})).await;
    let staff = rollcall.staff(1..11);
    let three = staff.clone().person("7").status("leave").person("8").status("leave").person("9").status("leave");
    rollcall.learn(&three).await;
    for id in ["7", "8", "9"] {
        rollcall.waits_for(id, "OverLimit").await;
    }
    let list: Option<FrozenNames> = rollcall.api().get_opt(names::FROZEN).await.unwrap();
    assert!(list.is_none(), "nobody is frozen: three at once are over the limit");
    let batch = rollcall.waits_for("7", "OverLimit").await.status.unwrap().gate.unwrap().batch.unwrap();
    rollcall.approve_batch(&batch);
    let freeze = rollcall.reaches("7", Operation::Freeze, Phase::Frozen).await;
    rollcall.reaches("9", Operation::Freeze, Phase::Frozen).await;
    assert!(freeze.spec.approval.is_some());

    let policies: Api<SyncPolicy> = rollcall.api();
    let protect = json!({"spec": {"protected": {"people": ["9"]}}});
    policies.patch(POLICY, &PatchParams::default(), &Patch::Merge(&protect)).await.unwrap();
    rollcall.reaches("9", Operation::Freeze, Phase::Lifted).await;
    rollcall.reaches("7", Operation::Freeze, Phase::Frozen).await;

    let keep = json!({"spec": {"lifecycle": {"leave": "Keep"}}});
    policies.patch(POLICY, &PatchParams::default(), &Patch::Merge(&keep)).await.unwrap();
    rollcall.settles(rollcall.poll().await).await;
    rollcall.reaches("7", Operation::Freeze, Phase::Lifted).await;
}

#[tokio::test]
async fn who_was_on_leave_before_the_policy_said_freeze_needs_approval() {
    let (rollcall, _running) = freezing("leave-baseline", json!({}), json!({"lifecycle": {"leave": "Keep"}})).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff.clone().person("7").status("leave")).await;
    let freeze = json!({"spec": {"lifecycle": {"leave": "Freeze"}}});
    let policies: Api<SyncPolicy> = rollcall.api();
    policies.patch(POLICY, &PatchParams::default(), &Patch::Merge(&freeze)).await.unwrap();
    rollcall.settles(rollcall.poll().await).await;
    let held = rollcall.waits_for("7", "Baseline").await;
    rollcall.approve(&held);
    let frozen = rollcall.reaches("7", Operation::Freeze, Phase::Frozen).await;
    rollcall.fails(&["reject", &frozen.name_any(), "--reason", "wrong"]); // an approval is final
}

#[tokio::test]
async fn a_break_glass_user_is_never_said_to_be_frozen_and_a_freeze_without_its_policy_is_none() {
    let word = suffix();
    let never = format!("oidc:glass-{word}@example.com");
    let (rollcall, _running) = freezing("glass", json!({"freeze": {"never": [never]}}), json!({})).await;
    let address = never.trim_start_matches("oidc:");
    let staff = rollcall.staff(1..11).person("8").email(address);
    rollcall.learn(&staff).await;
    rollcall.learn(&staff.clone().person("8").status("leave")).await;
    eventually("what is left alone is said", || async {
        let freeze = rollcall.revocations("8").await.into_iter().find(|one| one.spec.operation == Operation::Freeze)?;
        let status = freeze.status?;
        let why: Vec<_> = status.plan?.remaining.into_iter().map(|left| left.why).collect();
        let told = status.verdicts.iter().any(|verdict| verdict.target.name == never);
        (status.phase == Some(Phase::Frozen) && why == ["Protected"] && !told).then_some(())
    })
    .await;

    let gone = format!("{}-freeze", rollcall.release);
    let kinds = "validatingadmissionpolicybinding";
    rollcall.cluster.kubectl().args(["delete", kinds, &gone]).output().unwrap();
    rollcall.learn(&staff.person("7").status("leave")).await;
    eventually("a freeze without its policy is none", || async {
        let freeze = rollcall.revocations("7").await.into_iter().find(|one| one.spec.operation == Operation::Freeze)?;
        let status = freeze.status?;
        let waits = status.conditions.iter().any(|one| one.reason == Reason::FreezeNotInstalled.as_str());
        (waits && status.phase == Some(Phase::Held)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn each_rule_of_the_freeze_has_an_attack_that_it_alone_stops() {
    let word = suffix();
    let (never, frozen) = (format!("glass-{word}"), format!("fro.en-{word}"));
    let rollcall =
        Installation::with("freeze-rules", &[("apps", Consent::None)], json!({"freeze": {"never": [never]}})).await;
    let apps = rollcall.target("apps");
    let own = |namespace: &str| format!("system:serviceaccount:{namespace}:a");
    let revoker = rollcall.revoker_namespace();
    let names = [
        never.clone(),
        frozen.clone(),
        "system:kube-scheduler".to_owned(),
        own("kube-system"),
        own(&rollcall.namespace),
        own(&revoker),
        own(&apps),
    ];
    // So long as a list may be.
    let long: Vec<String> = (0..14_000).map(|n| format!("{n:09}-{frozen}")).collect();
    let names: BTreeMap<String, String> =
        names.iter().chain(&long).map(|name| (name.clone(), "r".to_owned())).collect();
    let list = FrozenNames::new(names::FROZEN, FrozenNamesSpec { names });
    let control = rollcall.cluster.acting_as(&rollcall.identity("control"), &["system:authenticated"]).await;
    let lists: Api<FrozenNames> = Api::namespaced(control, &rollcall.namespace);
    lists.create(&PostParams::default(), &list).await.unwrap();

    let creates = |user: String| {
        let (rollcall, apps) = (&rollcall, apps.clone());
        async move { attempts(&all_powerful(rollcall, &user).await, &apps).await.swap_remove(0).1 }
    };
    eventually("the API server has the list", || async { refused(&creates(frozen.clone()).await).then_some(()) }).await;
    for (what, user, expected) in [
        ("who is on the list", frozen.clone(), true),
        ("an account that is on the list", own(&apps), true),
        ("the last of a long list", long[13_999].clone(), true),
        ("a name that is a pattern of it", frozen.replace('.', "z"), false),
        ("a part of a name", frozen[1..].to_owned(), false),
        ("more than a name", format!("{frozen}x"), false),
        ("break-glass", never, false),
        ("the system", "system:kube-scheduler".to_owned(), false),
        ("an account of the system", own("kube-system"), false),
        ("an account of Rollcall", own(&rollcall.namespace), false),
        ("the revoker", own(&revoker), false),
    ] {
        let said = creates(user).await;
        assert_eq!(refused(&said), expected, "{what}: {said}");
    }
    let client = all_powerful(&rollcall, &long[13_999]).await;
    let began = Instant::now();
    for _ in 0..50 {
        raw(&client, "POST", &format!("/api/v1/namespaces/{apps}/pods/none/exec?command=id&stdout=true")).await;
    }
    println!("a refusal by the longest list: {:?} each", began.elapsed() / 50);

    lists.delete(names::FROZEN, &DeleteParams::default()).await.expect_err("control deletes no list");
}

#[tokio::test]
async fn a_human_ends_a_freeze_that_is_wrong_and_a_stop_lets_none_begin_or_end() {
    let (rollcall, _running) = freezing("leave-ends", json!({}), json!({})).await;
    let (apps, staff) = (rollcall.target("apps"), rollcall.staff(1..11));
    let by_name = all_powerful(&rollcall, &rollcall.user("7")).await;
    let away = staff.person("7").status("leave");
    rollcall.stop("rehearsal");
    rollcall.learn(&away).await;
    rollcall.waits_for("7", "GlobalStop").await;
    rollcall.go_on();
    rollcall.reaches("7", Operation::Freeze, Phase::Frozen).await;

    let list: Api<FrozenNames> = rollcall.api();
    rollcall.stop("rehearsal");
    rollcall.learn(&away.clone().person("7").active()).await;
    rollcall.becomes("7", State::Active, "Active").await;
    rollcall.reaches("7", Operation::Freeze, Phase::Frozen).await;
    assert!(refused(&attempts(&by_name, &apps).await[0].1), "a stop changes nothing");
    rollcall.go_on();
    rollcall.reaches("7", Operation::Freeze, Phase::Lifted).await;

    rollcall.learn(&away.clone().person("7").status("leave")).await;
    let freeze = eventually("the next leave is frozen", || async {
        let all = rollcall.revocations("7").await;
        all.into_iter().find(|one| one.status.as_ref().is_some_and(|status| status.phase == Some(Phase::Frozen)))
    })
    .await;
    let held = list.get(names::FROZEN).await.unwrap();
    let control = rollcall.cluster.acting_as(&rollcall.identity("control"), &["system:authenticated"]).await;
    let lists: Api<FrozenNames> = Api::namespaced(control, &rollcall.namespace);
    let emptied = FrozenNames { spec: FrozenNamesSpec::default(), ..held.clone() };
    lists.replace(names::FROZEN, &PostParams::default(), &emptied).await.unwrap();
    eventually("a list that was changed is put right", || async {
        (list.get(names::FROZEN).await.unwrap().spec == held.spec).then_some(())
    })
    .await;
    rollcall.succeeds(&["reject", &freeze.name_any(), "--reason", "works from home", "--yes"]);
    eventually("the API server has the list", || async {
        (!refused(&attempts(&by_name, &apps).await[0].1)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_cut_for_a_leave_revokes_and_says_at_the_return_what_it_could_not_undo() {
    let (rollcall, _running) = freezing("leave-cut", json!({}), json!({"lifecycle": {"leave": "Cut"}})).await;
    let (apps, staff) = (rollcall.target("apps"), rollcall.staff(1..11));
    rollcall.bind_users("apps", "seven-looks", &[rollcall.user("7")]).await;
    let token = mint_unbound(&rollcall.admin, &apps, "seven").await;
    rollcall.learn(&staff.clone().person("7").status("leave")).await;
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    crate::support::tokens::refused("seven", &token).await;
    let says = rollcall.succeeds(&["why", &format!("{}/7", rollcall.connection)]);
    assert!(says.contains("is revoked until they are back"), "{says}");

    rollcall.learn(&staff.person("7").active()).await;
    let not_undone = "1 account needs new tokens, 1 binding is to be created again from status.kept";
    eventually("the Revocation says what is left to do", || async {
        let cut = rollcall.revocations("7").await.into_iter().find(|one| one.spec.operation == Operation::Cut)?;
        cut.status?.conditions.iter().any(|one| one.message.contains(not_undone)).then_some(())
    })
    .await;
    let says = rollcall.succeeds(&["why", &format!("{}/7", rollcall.connection)]);
    assert!(says.contains(not_undone), "{says}");
    assert!(rollcall.get_account("apps", "seven").await.is_some(), "no removal follows");
    assert!(rollcall.revocations("7").await.iter().all(|one| one.spec.operation != Operation::Remove));
}

#[tokio::test]
async fn a_human_revokes_or_freezes_who_works_here_under_their_own_name_and_within_the_limits() {
    let (rollcall, _running) = freezing("ad-hoc", json!({}), json!({"limits": {"people": a_day(1)}})).await;
    let apps = rollcall.target("apps");
    let token = mint_unbound(&rollcall.admin, &apps, "seven").await;
    let record = |id: &str| format!("{}/{id}", rollcall.connection);
    rollcall.succeeds(&["revoke-now", &record("7"), "--reason", "lost laptop", "--yes"]);
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    crate::support::tokens::refused("seven", &token).await;
    assert!(cut.spec.by.is_some() && cut.spec.approval.is_none());
    rollcall.becomes("7", State::Active, "Active").await;

    rollcall.succeeds(&["revoke-now", &record("8"), "--reason", "under inquiry", "--freeze", "--yes"]);
    rollcall.approve(&rollcall.waits_for("8", "OverLimit").await);
    let freeze = rollcall.reaches("8", Operation::Freeze, Phase::Frozen).await;
    let client = all_powerful(&rollcall, &rollcall.user("8")).await;
    eventually("the API server has the list", || async { refused(&attempts(&client, &apps).await[0].1).then_some(()) })
        .await;
    rollcall.api::<Revocation>().delete(&freeze.name_any(), &DeleteParams::default()).await.unwrap();
    eventually("what it held is lifted", || async { (!refused(&attempts(&client, &apps).await[0].1)).then_some(()) })
        .await;
}

#[tokio::test]
async fn a_revocation_by_hand_is_made_by_those_who_may_declare_and_never_by_rollcall() {
    let rollcall = guarded("by-hand", &[]).await;
    let group = "rbac.authorization.k8s.io";
    let makers = json!([{"apiGroups": ["rollcall.dev"], "resources": ["revocations"], "verbs": ["create"]}]);
    make(&rollcall, ROLES, json!({"metadata": {"name": "maker"}, "rules": makers})).await;
    let ours = format!("system:serviceaccount:{}:pipeline", rollcall.namespace);
    let binding = json!({"metadata": {"name": "maker"}, "subjects": [{"kind": "User", "name": "maker", "apiGroup": group}],
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "maker"}});
    make(&rollcall, BINDINGS, binding).await;
    for who in ["declarer", &ours] {
        bind_role(&rollcall, who, "declarer").await;
    }
    let by_hand = |by: &str, operation: &str| {
        Create(json!({"metadata": {"name": "r"}, "spec": {
            "person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "AdHoc", "operation": operation,
            "due": "2026-01-01T00:00:00Z", "reason": "lost laptop", "by": by}}))
    };
    eventually("the roles are bound", || async {
        let tried = by_hand("declarer", "Cut");
        let (layer, _) = attempt(&rollcall, "declarer", &rollcall.namespace, REVOCATIONS, &tried).await;
        (layer == "none").then_some(())
    })
    .await;
    let control = rollcall.identity("control");
    let rows = vec![
        ("declarer", "freezes", REVOCATIONS, by_hand("declarer", "Freeze"), "none"),
        ("declarer", "in another's name", REVOCATIONS, by_hand("maker", "Cut"), "policy"),
        ("declarer", "removes for good", REVOCATIONS, by_hand("declarer", "Remove"), "policy"),
        ("maker", "without the verb", REVOCATIONS, by_hand("maker", "Cut"), "policy"),
        ("control", "by hand", REVOCATIONS, by_hand(&control, "Cut"), "policy"),
        (&ours, "by hand, although it may", REVOCATIONS, by_hand(&ours, "Cut"), "policy"),
        ("sync", "by hand", REVOCATIONS, by_hand("sync", "Cut"), "rbac"),
    ];
    each(&rollcall, &rollcall.namespace, rows).await;
}
