//! Accounts of a leaver that workloads run as: handed over to who comes next, once approved, with every pod replaced as budgets let it; and
//! whoever steals the revoker gives nobody an account.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::{Eviction, PodDisruptionBudget};
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams, PostParams};
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::revocation::{Action, Operation, Phase, Remaining, StepOutcome, VerdictKind};
use rollcall::api::{RecreatableAccounts, RecreatableAccountsSpec, names};
use serde_json::{Value, json};

use crate::support::attempts::Try::{Create, Patch as Change};
use crate::support::attempts::*;
use crate::support::installation::{Consent, Installation, Running, a_day};
use crate::support::leaks;
use crate::support::objects::object;
use crate::support::people::People;
use crate::support::rotators::Node;
use crate::support::tokens::{mint_bound_to_pod, mint_unbound, refused, still_works};
use crate::support::waiting::eventually;
use crate::support::workloads::{deployment, late, make, pod_spec, reaches, ready};

fn once(account: &str) -> Value {
    let mut spec = pod_spec(account);
    spec["restartPolicy"] = json!("Never");
    spec
}

/// Ten people, of whom 8 is the manager of 7, and 9 of 8; and a policy that removes at once what it removes.
async fn company(story: &str, targets: &[(&str, Consent)]) -> (Installation, Running, Node, People) {
    let rollcall = Installation::new(story, targets).await;
    let node = Node::start(&rollcall.admin, targets.iter().map(|(name, _)| rollcall.target(name)).collect());
    let running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    let limits = json!({"people": a_day(10)});
    rollcall.policy(json!({"lifecycle": {"termination": {"removeAfter": "0s"}}, "limits": limits})).await;
    let managed = |people: People, id: &str, by: &str| people.person(id).column("managerEmail", &rollcall.address(by));
    let staff = managed(managed(rollcall.staff(1..11), "7", "8"), "8", "9");
    rollcall.learn(&staff).await;
    (rollcall, running, node, staff)
}

/// What of a person remains, by the newest plan that tells, with its advice.
async fn remaining(rollcall: &Installation, id: &str) -> BTreeMap<String, (String, String)> {
    let all = rollcall.revocations(id).await;
    let left: Vec<Remaining> = all.into_iter().filter_map(|one| Some(one.status?.plan?.remaining)).flatten().collect();
    left.into_iter().map(|left| (left.what.rsplit('/').next().unwrap().to_owned(), (left.why, left.advice))).collect()
}

async fn says(rollcall: &Installation, id: &str, status: Status) {
    eventually(&format!("person {id} says Revoked={}", status.as_str()), || async {
        let conditions = rollcall.person(id).await?.status?.conditions;
        conditions.iter().any(|one| one.is(ConditionType::Revoked, status)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_workloads_run_as_goes_to_who_is_left_once_approved_and_every_pod_is_replaced() {
    let targets = [("apps", Consent::Workloads), ("far", Consent::Accounts)];
    let (rollcall, _running, _node, staff) = company("handover", &targets).await;
    let apps = rollcall.target("apps");
    let before = rollcall.account_of("7", "apps", "web").await;
    rollcall.account_of("7", "far", "batch").await;
    rollcall.account_of("10", "apps", "lonely").await;
    deployment(&rollcall, "apps", "web", "web", 1).await;
    deployment(&rollcall, "apps", "lonely", "lonely", 1).await;
    deployment(&rollcall, "far", "batch", "batch", 1).await;
    let template = json!({"spec": once("web")});
    make::<Job>(&rollcall, "apps", json!({"metadata": {"name": "import"}, "spec": {"template": template}})).await;
    let nightly = json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}});
    make::<CronJob>(&rollcall, "apps", json!({"metadata": {"name": "nightly"}, "spec": nightly})).await;
    make::<Pod>(&rollcall, "apps", json!({"metadata": {"name": "debug"}, "spec": pod_spec("web")})).await;
    let pods = ready(&rollcall, "apps", 6).await;
    ready(&rollcall, "far", 2).await;
    let of_web = pods.keys().find(|name| name.starts_with("web-")).unwrap();
    let tokens = [
        mint_unbound(&rollcall.admin, &apps, "web").await,
        mint_bound_to_pod(&rollcall.admin, &apps, "web", of_web).await,
    ];
    let forecast = rollcall.succeeds(&["plan", &format!("{}/7", rollcall.connection)]);
    assert!(forecast.contains("HandOver"), "{forecast}");

    let gone = ["7", "8", "10"].into_iter().fold(staff, |staff, id| staff.person(id).terminated());
    rollcall.learn(&gone).await;
    let late = late(&rollcall, "7", "-late-handover-").await;

    let plan = late.status.clone().unwrap().plan.unwrap();
    let shown: Vec<_> = plan.targets.iter().map(|one| (one.action, one.name.as_str(), one.heir.clone())).collect();
    assert_eq!(shown, [(Action::HandOver, "web", Some(rollcall.mark("9")))], "8 left too, and 9 is next");
    for token in &tokens {
        assert!(still_works(token, &apps, "web").await, "nothing acts before somebody approves");
    }
    says(&rollcall, "7", Status::False).await;
    let left = eventually("what nobody consented to says who is next", || async {
        remaining(&rollcall, "7").await.remove("batch")
    })
    .await;
    let command = format!("kubectl rollcall own {}/batch --owner {}", rollcall.target("far"), rollcall.mark("9"));
    assert!(left.0 == "WorkloadAccount" && left.1.contains(&command), "{left:?}");
    let vacant =
        eventually("nobody is left to own it", || async { remaining(&rollcall, "10").await.remove("lonely") }).await;
    assert_eq!(vacant.0, "OwnerVacant");

    rollcall.approve(&late);
    let status = reaches(&rollcall, &late.name_any(), Phase::Revoked).await;

    for token in &tokens {
        refused("every token of before", token).await;
    }
    let after = rollcall.get_account("apps", "web").await.unwrap();
    assert_ne!(after.uid(), before.uid());
    assert_eq!(after.annotations()[names::OWNER], rollcall.mark("9"));
    let step = status.steps.iter().find(|step| step.target.name == "web").unwrap();
    let message = step.message.clone().unwrap();
    assert_eq!(step.outcome, StepOutcome::Done, "{message}");
    assert!(message.contains("all 2 pods that ran as it were replaced"), "{message}");
    assert!(message.contains("Job import (1), Pod debug"), "{message}");
    assert_eq!(status.verdicts.iter().map(|one| one.verdict).collect::<Vec<_>>(), [VerdictKind::Observed]);
    let now = ready(&rollcall, "apps", 6).await;
    let kept: BTreeSet<&str> =
        now.iter().filter(|(name, uid)| pods.get(*name) == Some(uid)).map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        kept.iter().filter(|name| name.starts_with("web-")).count(),
        0,
        "every pod of the Deployment is another one"
    );
    assert!(kept.contains("debug") && kept.iter().any(|name| name.starts_with("import-")), "{kept:?}");
    assert_eq!(kept.iter().filter(|name| name.starts_with("lonely-")).count(), 2, "nobody else's pods are touched");
    let crons: Api<CronJob> = Api::namespaced(rollcall.admin.clone(), &apps);
    assert_ne!(crons.get("nightly").await.unwrap().spec.unwrap().suspend, Some(true), "it runs on, as the new account");
    for name in ["web", "batch"] {
        let target = if name == "web" { "apps" } else { "far" };
        assert!(rollcall.get_account(target, name).await.is_some(), "{name} is removed with nobody");
    }
    assert!(
        rollcall.revocations("7").await.iter().all(|one| one.spec.operation == Operation::Cut),
        "and no removal follows"
    );
    let forbidden: Vec<(&str, String)> = tokens.iter().map(|token| ("a token", token.0.clone())).collect();
    assert_eq!(leaks::places(&rollcall, &forbidden).await, Vec::<String>::new());
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn where_a_budget_lets_nothing_go_nothing_is_changed_and_nothing_is_called_revoked() {
    let (rollcall, _running, _node, staff) = company("budget", &[("apps", Consent::Workloads)]).await;
    let apps = rollcall.target("apps");
    let before = rollcall.account_of("7", "apps", "web").await;
    deployment(&rollcall, "apps", "web", "web", 2).await;
    let pods = ready(&rollcall, "apps", 2).await;
    let token = mint_unbound(&rollcall.admin, &apps, "web").await;
    rollcall.learn(&staff.person("7").terminated()).await;
    let late = late(&rollcall, "7", "-late-handover-").await;
    assert_eq!(late.status.clone().unwrap().plan.unwrap().targets[0].heir, Some(rollcall.mark("8")));

    rollcall.approve(&late);
    let status = reaches(&rollcall, &late.name_any(), Phase::Failed).await;

    let step = &status.steps[0];
    let message = step.message.clone().unwrap();
    assert_eq!(step.outcome, StepOutcome::Failed, "{message}");
    assert!(message.contains("nothing was changed: a PodDisruptionBudget does not let Pod web-"), "{message}");
    assert_eq!(status.verdicts[0].verdict, VerdictKind::Refuted);
    assert!(still_works(&token, &apps, "web").await, "it works as before, and so does what runs as it");
    let same = rollcall.get_account("apps", "web").await.unwrap();
    assert_eq!((same.uid(), same.annotations()[names::OWNER].clone()), (before.uid(), rollcall.mark("7")));
    assert_eq!(ready(&rollcall, "apps", 2).await, pods);
    says(&rollcall, "7", Status::False).await;

    let budgets: Api<PodDisruptionBudget> = Api::namespaced(rollcall.admin.clone(), &apps);
    let room = Patch::Merge(json!({"spec": {"minAvailable": 1}}));
    budgets.patch("web", &PatchParams::default(), &room).await.unwrap();
    rollcall.succeeds(&["retry", &late.name_any()]);
    reaches(&rollcall, &late.name_any(), Phase::Revoked).await;
    refused("once there is room", &token).await;
    assert_eq!(rollcall.get_account("apps", "web").await.unwrap().annotations()[names::OWNER], rollcall.mark("8"));
    let now = ready(&rollcall, "apps", 2).await;
    assert!(now.keys().all(|name| !pods.contains_key(name)));
    says(&rollcall, "7", Status::True).await;
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn who_left_after_the_approval_gets_nothing_and_the_next_one_waits_for_another_approval() {
    let (rollcall, _running, _node, staff) = company("heir-left", &[("apps", Consent::Workloads)]).await;
    let before = rollcall.account_of("7", "apps", "web").await;
    deployment(&rollcall, "apps", "web", "web", 1).await;
    ready(&rollcall, "apps", 2).await;
    let staff = staff.person("7").terminated();
    rollcall.learn(&staff).await;
    let first = late(&rollcall, "7", "-late-handover-").await;
    assert_eq!(first.status.clone().unwrap().plan.unwrap().targets[0].heir, Some(rollcall.mark("8")));
    rollcall.stop("while the next owner leaves");
    rollcall.approve(&first);
    rollcall.learn(&staff.person("8").terminated()).await;
    rollcall.go_on();
    let status = reaches(&rollcall, &first.name_any(), Phase::Revoked).await;
    assert_eq!(status.steps[0].outcome, StepOutcome::Skipped, "{:?}", status.steps[0]);
    assert_eq!(rollcall.get_account("apps", "web").await.unwrap().uid(), before.uid());
    says(&rollcall, "7", Status::False).await;
    let next = eventually("the next owner is asked for", || async {
        let all = rollcall.revocations("7").await;
        let all: Vec<_> = all.into_iter().filter(|one| one.name_any() != first.name_any()).collect();
        all.into_iter().find(|one| {
            let plan = one.status.as_ref().and_then(|status| status.plan.as_ref());
            plan.is_some_and(|plan| plan.targets.iter().any(|target| target.heir == Some(rollcall.mark("9"))))
        })
    })
    .await;
    assert!(next.spec.approval.is_none(), "nobody approved that one");
}

const LISTED: &str = "the revoker makes an account only as rollcall control has listed it, with that owner";
const WHERE: &str =
    "the revoker has pods evicted only where rollcall control has listed that pod, or an account that is handed over";
const BY_UID: &str = "the revoker has pods evicted only by uid";
const LIST: &str = "only rollcall control writes the list of accounts that may be made again, and nobody deletes it";

#[tokio::test]
async fn the_revoker_stolen_makes_nobody_an_owner_but_who_is_listed_and_evicts_nothing_elsewhere() {
    let targets = [("apps", Consent::Workloads), ("idle", Consent::Workloads), ("plain", Consent::Accounts)];
    let rollcall = Installation::new("recreate-cage", &targets).await;
    let (apps, idle, plain) = (rollcall.target("apps"), rollcall.target("idle"), rollcall.target("plain"));
    let control = rollcall.cluster.acting_as(&rollcall.identity("control"), &["system:authenticated"]).await;
    let lists: Api<RecreatableAccounts> = Api::namespaced(control, &rollcall.namespace);
    let owners = BTreeMap::from([(format!("{apps}/web"), "id:hq/8".to_owned())]);
    let list = RecreatableAccounts::new(names::RECREATE, RecreatableAccountsSpec { owners, ..Default::default() });
    let created = PostParams::default();
    eventually("the API server knows control's rights", || async { lists.create(&created, &list).await.ok() }).await;
    for namespace in [&apps, &idle] {
        let pods: Api<Pod> = Api::namespaced(rollcall.admin.clone(), namespace);
        let pod: Pod = object(json!({"metadata": {"name": "p"}, "spec": pod_spec("default")}));
        eventually("the namespace has its account", || async { pods.create(&created, &pod).await.ok() }).await;
    }
    let account =
        |name: &str, owner: &str| Create(json!({"metadata": {"name": name, "annotations": {names::OWNER: owner}}}));
    let mut attacked = BTreeSet::new();
    eventually("the API server has the list", || async {
        let (_, said) = attempt(&rollcall, "revoke", &apps, ACCOUNTS, &account("web", "id:hq/7")).await;
        said.contains(LISTED).then_some(())
    })
    .await;
    // With its own rights, and with every right there is: the policy is what holds.
    for unbound in [false, true] {
        if unbound {
            every_right(&rollcall, &[rollcall.identity("revoke")]).await;
        }
        for (what, namespace, tried, expected) in [
            ("what is listed", &apps, account("web", "id:hq/8"), None),
            ("as somebody else's", &apps, account("web", "id:hq/9"), Some(LISTED)),
            ("as the leaver's", &apps, account("web", "id:hq/7"), Some(LISTED)),
            ("as another name of the same human", &apps, account("web", "id:hq/8 "), Some(LISTED)),
            ("another account", &apps, account("new", "id:hq/8"), Some(LISTED)),
            (
                "a name that nobody chose",
                &apps,
                Create(json!({"metadata": {"generateName": "web", "annotations": {names::OWNER: "id:hq/8"}}})),
                Some(LISTED),
            ),
            ("the same where nothing is listed", &idle, account("web", "id:hq/8"), Some(LISTED)),
        ] {
            let (layer, said) = attempt(&rollcall, "revoke", namespace, ACCOUNTS, &tried).await;
            match expected {
                None => assert_eq!(layer, "none", "{what}: {said}"),
                Some(rule) => assert!(layer == "policy" && said.contains(rule), "{what}: {layer}: {said}"),
            }
            attacked.extend(expected.map(str::to_owned));
        }
        for (what, namespace, by_uid, expected) in [
            ("where something is listed", &apps, true, None),
            ("not by uid", &apps, false, Some(BY_UID)),
            ("where nothing is", &idle, true, Some(WHERE)),
        ] {
            let said = evicts(&rollcall, namespace, by_uid).await;
            match expected {
                None => assert_eq!(said, "", "{what}"),
                Some(rule) => assert!(said.contains(rule), "{what}: {said}"),
            }
            attacked.extend(expected.map(str::to_owned));
        }
    }
    let (layer, said) = attempt(&rollcall, "revoke", &plain, ACCOUNTS, &account("laptop", "id:hq/7")).await;
    assert!(layer == "none" || said.contains(LISTED), "{layer}: {said}");
    for who in ["admin", "revoke", "sync"] {
        let change = Change(names::RECREATE, json!({"spec": {"owners": {"x/y": "id:hq/7"}}}));
        let (layer, said) = attempt(&rollcall, who, &rollcall.namespace, RECREATABLE, &change).await;
        let refused = layer == "rbac" || said.contains(LIST) || said.contains("the revoker never does this");
        assert!(refused, "{who} lists somebody: {layer}: {said}");
        attacked.extend(said.contains(LIST).then(|| LIST.to_owned()));
    }
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(rollcall.admin.clone());
    let mut written = BTreeSet::new();
    for name in ["recreate", "recreate-list"] {
        let policy = policies.get(&format!("{}-{name}", rollcall.release)).await.unwrap();
        written.extend(policy.spec.unwrap().validations.unwrap().into_iter().filter_map(|rule| rule.message));
    }
    assert_eq!(attacked, written, "every rule has its attack");
}

/// What the revoker is told when it rehearses an eviction; nothing where it may.
async fn evicts(rollcall: &Installation, namespace: &str, by_uid: bool) -> String {
    let admin: Api<Pod> = Api::namespaced(rollcall.admin.clone(), namespace);
    let uid = admin.get("p").await.unwrap().uid();
    let options = by_uid.then(|| json!({"preconditions": {"uid": uid}}));
    let eviction: Eviction = object(json!({"metadata": {"name": "p"}, "deleteOptions": options}));
    let client = rollcall.cluster.acting_as(&rollcall.identity("revoke"), &["system:authenticated"]).await;
    let pods: Api<Pod> = Api::namespaced(client, namespace);
    let rehearsal = PostParams { dry_run: true, ..PostParams::default() };
    match pods.create_subresource::<_, Value>("eviction", "p", &rehearsal, &eviction).await {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}
