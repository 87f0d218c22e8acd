//! A binding that others share: the leaver goes out of it, everybody else stays in it, and the identity that does it can do nothing
//! else, whatever rights it is given.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::revocation::{Action, Operation, Phase, StepOutcome, VerdictKind};
use rollcall::api::{Revocation, TrimmableSubjects, TrimmableSubjectsSpec, names};
use serde_json::{Value, json};

use crate::support::attempts::Try::{Create, Delete, DeleteByUid, Patch as Change};
use crate::support::attempts::*;
use crate::support::installation::{Consent, Installation};
use crate::support::objects::{object, overlay};
use crate::support::tokens::{mint_unbound, refused};
use crate::support::waiting::eventually;

const GROUP: &str = "rbac.authorization.k8s.io";

/// An installation with `rollcall trim`, whose target `apps` consented to it and whose target `web` did not.
async fn trimming(story: &str) -> Installation {
    let targets = [("apps", Consent::Trim), ("web", Consent::Accounts)];
    Installation::with(story, &targets, json!({"trim": {"enabled": true, "roles": ["view"]}})).await
}

fn bindings(rollcall: &Installation, target: &str) -> Api<RoleBinding> {
    Api::namespaced(rollcall.admin.clone(), &rollcall.target(target))
}

/// The user names in a binding.
async fn users(rollcall: &Installation, target: &str, name: &str) -> Vec<String> {
    let binding = bindings(rollcall, target).get(name).await.unwrap();
    binding.subjects.unwrap_or_default().into_iter().map(|subject| subject.name).collect()
}

/// What of person 7 remains, by what it is and why.
fn remaining(cut: &Revocation) -> BTreeMap<String, String> {
    let plan = cut.status.as_ref().unwrap().plan.as_ref().unwrap();
    plan.remaining.iter().map(|left| (left.what.clone(), left.why.clone())).collect()
}

/// Waits until the Person of 7 says this of their access.
async fn says(rollcall: &Installation, status: Status) {
    eventually(&format!("person 7 says Revoked={}", status.as_str()), || async {
        let conditions = rollcall.person("7").await?.status?.conditions;
        conditions.iter().any(|one| one.is(ConditionType::Revoked, status)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_leaver_goes_out_of_a_shared_binding_a_colleague_stays_and_a_pipeline_that_puts_them_back_is_named() {
    let rollcall = trimming("trimmed").await;
    let (_running, _trim) = (rollcall.run().await, rollcall.trim().await);
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    eventually("the list is there before anybody leaves, and holds rollcall trim to nothing", || async {
        let list: TrimmableSubjects = rollcall.api().get_opt(names::TRIM).await.unwrap()?;
        list.spec.subjects.is_empty().then_some(())
    })
    .await;
    let (leaver, colleague) = (rollcall.user("7"), rollcall.user("8"));
    let both = [leaver.clone(), colleague.clone()];
    let made = rollcall.bind_users("apps", "shared", &both).await;
    rollcall.bind_users("web", "shared", &both).await;
    assert!(rollcall.may_look(&leaver, "apps").await);

    rollcall.learn(&staff.clone().person("7").terminated()).await;
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;

    assert!(!rollcall.may_look(&leaver, "apps").await, "the leaver is refused");
    assert!(rollcall.may_look(&colleague, "apps").await, "the colleague is not");
    assert_eq!(users(&rollcall, "apps", "shared").await, std::slice::from_ref(&colleague));
    let status = cut.status.clone().unwrap();
    let verdicts: Vec<_> = status.verdicts.iter().map(|one| (one.target.action, one.verdict)).collect();
    assert_eq!(verdicts, [(Action::Trim, VerdictKind::Observed)], "{:?}", status.verdicts);
    assert_eq!(status.steps[0].outcome, StepOutcome::Done);
    let kept: Value = serde_json::from_str(&status.kept[0].manifest).unwrap();
    assert_eq!(kept["subjects"].as_array().unwrap().len(), 2, "what stood before is kept");
    let web = format!("RoleBinding {}/shared", rollcall.target("web"));
    let expected = BTreeMap::from([(web.clone(), "SharedBinding".to_owned())]);
    assert_eq!(remaining(&cut), expected, "without consent it remains as ever");
    assert_eq!(users(&rollcall, "web", "shared").await, both, "and is not touched");
    let live = bindings(&rollcall, "apps").get("shared").await.unwrap();
    assert_eq!((live.uid(), live.role_ref), (made.uid(), made.role_ref.clone()));
    eventually("nobody may be trimmed any more", || async {
        let list: TrimmableSubjects = rollcall.api().get(names::TRIM).await.unwrap();
        list.spec.subjects.is_empty().then_some(())
    })
    .await;

    // The edit that Rollcall may not make is printed, and a human makes it.
    says(&rollcall, Status::False).await;
    let record = format!("{}/7", rollcall.connection);
    let masked = rollcall.succeeds(&["why", &record]);
    assert!(!masked.contains(&leaver) && masked.contains("--unmask"), "{masked}");
    let answer = rollcall.succeeds(&["why", &record, "--unmask"]);
    let command = answer.lines().find(|line| line.contains("patch rolebinding shared")).expect("a command").trim();
    let patch = command.split_once("--patch '").unwrap().1.strip_suffix('\'').unwrap();
    let namespace = rollcall.target("web");
    let mut kubectl = rollcall.cluster.kubectl();
    kubectl.args(["--namespace", &namespace, "patch", "rolebinding", "shared", "--type=json", "--patch", patch]);
    assert!(kubectl.output().unwrap().status.success(), "{command}");
    assert_eq!(users(&rollcall, "web", "shared").await, std::slice::from_ref(&colleague));
    assert!(!kubectl.output().unwrap().status.success(), "a second time it takes nobody else out");
    says(&rollcall, Status::True).await;

    // A pipeline applies its manifest again.
    let subjects: Vec<Value> =
        both.iter().map(|user| json!({"kind": "User", "name": user, "apiGroup": GROUP})).collect();
    let manifest = json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "RoleBinding", "metadata": {"name": "shared"}, "subjects": subjects,
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "view"},
    });
    let pipeline = PatchParams::apply("argocd-controller").force();
    bindings(&rollcall, "apps").patch("shared", &pipeline, &Patch::Apply(&manifest)).await.unwrap();
    let told = eventually("what came back is reported with who wrote it", || async {
        let told = rollcall.revocations("7").await.pop()?;
        (!told.status.as_ref()?.returned.is_empty()).then_some(told)
    })
    .await;
    let returned = &told.status.as_ref().unwrap().returned;
    let by: Vec<_> = returned.iter().map(|one| (one.name.as_str(), one.uid.as_str(), one.by.as_deref())).collect();
    assert_eq!(by, [("shared", made.uid().unwrap().as_str(), Some("argocd-controller"))]);
    let apps = format!("RoleBinding {}/shared", rollcall.target("apps"));
    assert_eq!(remaining(&told).get(&apps).map(String::as_str), Some("PutBack"), "{:?}", remaining(&told));
    says(&rollcall, Status::False).await;
    bindings(&rollcall, "apps").delete("shared", &DeleteParams::default()).await.unwrap();
    says(&rollcall, Status::True).await;
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn of_two_who_leave_at_once_nobody_holds_the_other_and_the_last_ones_binding_is_deleted() {
    let rollcall = trimming("trimmed-two").await;
    let (_running, _trim) = (rollcall.run().await, rollcall.trim().await);
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": crate::support::installation::a_day(10)}})).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    let [seven, eight, nine] = ["7", "8", "9"].map(|id| rollcall.user(id));
    rollcall.bind_users("apps", "trio", &[seven.clone(), eight.clone(), nine.clone()]).await;
    rollcall.bind_users("apps", "pair", &[seven, eight]).await;
    rollcall.learn(&staff.clone().person("7").terminated().person("8").terminated()).await;
    for id in ["7", "8"] {
        let cut = rollcall.reaches(id, Operation::Cut, Phase::Revoked).await;
        assert!(remaining(&cut).is_empty(), "{id}: {:?}", remaining(&cut));
        assert!(!rollcall.may_look(&rollcall.user(id), "apps").await, "{id} is refused");
    }
    assert_eq!(users(&rollcall, "apps", "trio").await, [nine]);
    assert!(bindings(&rollcall, "apps").get_opt("pair").await.unwrap().is_none(), "nobody is left in it");
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn what_nobody_trims_keeps_nothing_else_from_being_revoked_and_says_what_to_do() {
    let rollcall = trimming("untrimmed").await;
    let _running = rollcall.run().await; // `rollcall trim` does not run
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    rollcall.account_of("7", "apps", "seven").await;
    let both = [rollcall.user("7"), rollcall.user("8")];
    rollcall.bind_users("apps", "shared", &both).await;
    let role = json!({"apiGroup": GROUP, "kind": "ClusterRole", "name": "edit"});
    let subjects: Vec<Value> =
        both.iter().map(|user| json!({"kind": "User", "name": user, "apiGroup": GROUP})).collect();
    let other: RoleBinding = object(json!({"metadata": {"name": "other"}, "subjects": subjects, "roleRef": role}));
    bindings(&rollcall, "apps").create(&PostParams::default(), &other).await.unwrap();
    let token = mint_unbound(&rollcall.admin, &rollcall.target("apps"), "seven").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;

    let cut = rollcall.seven_leaves(&staff).await;

    refused("the leaver's own token", &token).await;
    let shown = |name: &str, why: &str| (format!("RoleBinding {}/{name}", rollcall.target("apps")), why.to_owned());
    let expected = BTreeMap::from([shown("shared", "NotTrimmed"), shown("other", "MayNotBind")]);
    assert_eq!(remaining(&cut), expected);
    let status = cut.status.unwrap();
    let skipped = status.steps.iter().filter(|step| step.target.action == Action::Trim);
    assert!(skipped.clone().count() == 2 && skipped.clone().all(|step| step.outcome == StepOutcome::Skipped));
    assert!(status.verdicts.iter().all(|one| one.target.action == Action::Recreate), "{:?}", status.verdicts);
    assert_eq!(users(&rollcall, "apps", "shared").await, both, "nobody has touched it");
    says(&rollcall, Status::False).await;

    for name in ["shared", "other"] {
        bindings(&rollcall, "apps").delete(name, &DeleteParams::default()).await.unwrap();
    }
    says(&rollcall, Status::True).await;
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn a_chart_without_it_plans_no_trim() {
    let (rollcall, _running, staff) = Installation::with_seven("trimless", Consent::Accounts, json!({})).await;
    let both = [rollcall.user("7"), rollcall.user("8")];
    rollcall.bind_users("apps", "shared", &both).await;
    let cut = rollcall.seven_leaves(&staff).await;
    assert!(remaining(&cut).values().eq(["SharedBinding"]), "{:?}", remaining(&cut));
    let plan = cut.status.unwrap().plan.unwrap();
    assert!(plan.targets.iter().all(|target| target.action == Action::Recreate), "{:?}", plan.targets);
    assert_eq!(users(&rollcall, "apps", "shared").await, both);
}

const NEVER: &str = "rollcall trim never does this";
const LEASE: &str = "of what is no binding, rollcall trim writes only its Lease";
const PLACE: &str = "rollcall trim changes nothing in namespaces of the system and of Rollcall";
const NAME: &str =
    "rollcall trim changes no binding whose name starts with \"system:\", or with the label rollcall.dev/break-glass";
const REST: &str = "rollcall trim changes nothing of a binding but its subjects";
const EMPTY: &str = "a binding keeps a subject when it is trimmed";
const LISTED: &str =
    "a trimmed binding loses no subject but those that rollcall control has listed for it, and gains none";
const PUT_IN: &str = "rollcall trim takes subjects out of a binding, and puts none in";
/// What the list does not have is not put in, and nothing is.
const EITHER: &str = "either of these";
const LIST: &str = "only rollcall control writes the list of subjects that may be trimmed, and nobody deletes it";

fn subjects(of: &[&str]) -> Value {
    of.iter().map(|user| json!({"kind": "User", "name": user, "apiGroup": GROUP})).collect()
}

/// A binding of these users, with something over it.
fn binding(name: &str, of: &[&str], over: Value) -> Value {
    let mut made = json!({
        "metadata": {"name": name, "labels": {"team": "web"}, "annotations": {"note": "n"}}, "subjects": subjects(of),
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "view"},
    });
    overlay(&mut made, over);
    made
}

const ADA: &str = "oidc:ada@example.com";
const BEN: &str = "oidc:ben@example.com";
const EVE: &str = "oidc:eve@example.com";

/// Makes bindings, and has control list these users of each.
async fn listed(rollcall: &Installation, rows: &[(&str, Value, &[&str])]) {
    let mut subjects = BTreeMap::new();
    for (namespace, made, users) in rows {
        let api: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), namespace);
        let uid = api.create(&PostParams::default(), &object(made.clone())).await.unwrap().uid().unwrap();
        subjects.extend(users.iter().map(|user| (format!("{uid} {user}"), "p-7-cut".to_owned())));
    }
    let control = rollcall.cluster.acting_as(&rollcall.identity("control"), &["system:authenticated"]).await;
    let lists: Api<TrimmableSubjects> = Api::namespaced(control, &rollcall.namespace);
    let list = TrimmableSubjects::new(names::TRIM, TrimmableSubjectsSpec { subjects });
    lists.create(&PostParams::default(), &list).await.unwrap();
}

#[tokio::test]
async fn the_identity_that_trims_stolen_can_take_out_nobody_but_who_is_listed_and_change_nothing_else() {
    let rollcall = trimming("trim-cage").await;
    let (apps, web) = (rollcall.target("apps"), rollcall.target("web"));
    let kube_tools = format!("kube-{}", rollcall.release);
    rollcall.make_namespace(&kube_tools).await;
    let glass = json!({"metadata": {"labels": {names::BREAK_GLASS: "yes"}}});
    let all = [ADA, BEN, EVE];
    let three = |name: &str| binding(name, &all, json!({}));
    // Everybody else changes bindings also where the API server knows no list.
    let bindings: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &web);
    bindings.create(&PostParams::default(), &object(three("early"))).await.unwrap();
    let fewer = Patch::Merge(json!({"subjects": subjects(&[ADA])}));
    bindings.patch("early", &PatchParams::default(), &fewer).await.unwrap();
    listed(
        &rollcall,
        &[
            (&apps, three("shared"), &[ADA]),
            (&apps, three("unlisted"), &[]),
            (&apps, binding("gone", &[BEN], json!({})), &[ADA]),
            (&apps, three("cased"), &["oidc:Ada@example.com"]),
            (&apps, binding("system:shared", &all, json!({})), &[ADA]),
            (&apps, binding("glass", &all, glass), &[ADA]),
            (&apps, binding("alone", &[ADA], json!({})), &[ADA]),
            (&apps, binding("robot", &[ADA, "system:robot"], json!({})), &["system:robot"]),
            (&web, three("shared"), &[ADA]),
            (&kube_tools, three("shared"), &[ADA]),
            (&rollcall.namespace, three("shared"), &[ADA]),
        ],
    )
    .await;
    let out = |stay: &[&str]| json!({"subjects": subjects(stay)});
    let with = |mut change: Value, over: Value| {
        overlay(&mut change, over);
        change
    };
    let trimmed = || out(&[BEN, EVE]);
    with_its_own_rights(&rollcall, &apps, &web).await;

    every_right(&rollcall, &[rollcall.identity("trim")]).await;
    eventually("its rights are there, and the list is known", || async {
        let (layer, _) = attempt(&rollcall, "trim", &web, BINDINGS, &Change("shared", trimmed())).await;
        let (_, said) = attempt(&rollcall, "trim", &apps, BINDINGS, &Change("unlisted", trimmed())).await;
        (layer == "none" && said.contains(LISTED)).then_some(()) // with every right there is, the list alone decides
    })
    .await;
    let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"}]);
    let meta = |meta: Value| with(trimmed(), json!({ "metadata": meta }));
    let attacks = vec![
        ("adds a subject", &apps, "shared", out(&[ADA, BEN, EVE, "oidc:mallory@example.com"]), EITHER),
        ("adds one while it takes her out", &apps, "shared", out(&[BEN, EVE, "oidc:mallory@example.com"]), EITHER),
        ("puts somebody in her place", &apps, "shared", out(&["oidc:mallory@example.com", BEN, EVE]), EITHER),
        ("removes a colleague", &apps, "shared", out(&[ADA, EVE]), LISTED),
        ("removes two where one is allowed", &apps, "shared", out(&[EVE]), LISTED),
        ("turns the order round", &apps, "shared", out(&[EVE, BEN]), LISTED),
        ("of a binding where nobody is listed", &apps, "unlisted", trimmed(), LISTED),
        ("a name whose case differs", &apps, "cased", trimmed(), LISTED),
        ("a user of the system that is listed", &apps, "robot", out(&[ADA]), LISTED),
        ("puts in who is listed", &apps, "gone", out(&[BEN, ADA]), PUT_IN),
        ("takes out nobody", &apps, "shared", json!({"subjects": subjects(&all)}), PUT_IN),
        ("changes a label", &apps, "shared", meta(json!({"labels": {"team": "other"}})), REST),
        ("adds a label", &apps, "shared", meta(json!({"labels": {"new": "x"}})), REST),
        ("removes an annotation", &apps, "shared", meta(json!({"annotations": {"note": null}})), REST),
        ("adds an owner", &apps, "shared", meta(json!({"ownerReferences": owner})), REST),
        ("adds a finalizer", &apps, "shared", meta(json!({"finalizers": ["example.com/x"]})), REST),
        ("empties the binding", &apps, "alone", json!({"subjects": null}), EMPTY),
        ("the system's name", &apps, "system:shared", trimmed(), NAME),
        ("break-glass", &apps, "glass", trimmed(), NAME),
        ("the system's namespace", &kube_tools, "shared", trimmed(), PLACE),
        ("Rollcall's namespace", &rollcall.namespace, "shared", trimmed(), PLACE),
    ];
    let mut attacked = BTreeSet::new();
    for (what, namespace, name, change, rule) in attacks {
        let (layer, said) = attempt(&rollcall, "trim", namespace, BINDINGS, &Change(name, change)).await;
        let refused = if rule == EITHER { said.contains(LISTED) || said.contains(PUT_IN) } else { said.contains(rule) };
        assert!(layer == "policy" && refused, "{what}: {layer}: {said}");
        attacked.extend((rule != EITHER).then(|| rule.to_owned()));
    }
    let edit = with(trimmed(), json!({"roleRef": {"name": "cluster-admin"}}));
    let (layer, said) = attempt(&rollcall, "trim", &apps, BINDINGS, &Change("shared", edit)).await;
    assert!(layer == "policy" || layer == "schema", "changes the role: {layer}: {said}");
    let account = json!({"metadata": {"name": "new"}});
    for (what, namespace, resource, tried, rule) in [
        ("makes a binding", &apps, BINDINGS, Create(three("new")), NEVER),
        ("deletes a binding", &apps, BINDINGS, Delete("shared"), NEVER),
        ("deletes it by uid", &apps, BINDINGS, DeleteByUid("shared"), NEVER),
        ("makes a role", &apps, ROLES, Create(json!({"metadata": {"name": "new"}, "rules": []})), NEVER),
        ("makes an account", &apps, ACCOUNTS, Create(account.clone()), NEVER),
        ("a Lease elsewhere", &apps, LEASES, Create(account), LEASE),
    ] {
        let (layer, said) = attempt(&rollcall, "trim", namespace, resource, &tried).await;
        assert!(layer == "policy" && said.contains(rule), "{what}: {layer}: {said}");
        attacked.insert(rule.to_owned());
    }
    for who in ["admin", "revoke", "sync", "trim"] {
        let change = Change(names::TRIM, json!({"spec": {"subjects": {"x y": "r"}}}));
        let (layer, said) = attempt(&rollcall, who, &rollcall.namespace, TRIMMABLE, &change).await;
        let refused = layer == "rbac" || said.contains(LIST) || said.contains(NEVER);
        assert!(refused, "{who} lists somebody: {layer}: {said}");
        attacked.extend(said.contains(LIST).then(|| LIST.to_owned()));
    }
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(rollcall.admin.clone());
    let mut written = BTreeSet::new();
    for name in ["trim", "trimmable", "trim-list"] {
        let policy = policies.get(&format!("{}-{name}", rollcall.release)).await.unwrap();
        let rules = policy.spec.unwrap().validations.unwrap();
        written.extend(rules.into_iter().filter_map(|rule| rule.message));
    }
    assert_eq!(attacked, written, "every rule has its attack");
}

/// By its own rights it takes out who is listed, where that was consented to, of a listed role, and makes and deletes nothing.
async fn with_its_own_rights(rollcall: &Installation, apps: &str, web: &str) {
    let client = rollcall.cluster.acting_as(&rollcall.identity("trim"), &["system:authenticated"]).await;
    let rehearsal = PostParams { dry_run: true, ..PostParams::default() };
    let own = |namespace: &str| Api::<RoleBinding>::namespaced(client.clone(), namespace);
    let admin = |namespace: &str| Api::<RoleBinding>::namespaced(rollcall.admin.clone(), namespace);
    let mut shared = admin(apps).get("shared").await.unwrap();
    shared.subjects.as_mut().unwrap().remove(0);
    let own = &own;
    eventually("by its own rights it takes out who is listed", || {
        let (shared, rehearsal) = (shared.clone(), rehearsal.clone());
        async move { own(apps).replace("shared", &rehearsal, &shared).await.ok() }
    })
    .await;
    let mut elsewhere = admin(web).get("shared").await.unwrap();
    elsewhere.subjects.as_mut().unwrap().remove(0);
    let mut unlisted_role: RoleBinding = object(binding("edits", &[ADA, BEN], json!({"roleRef": {"name": "edit"}})));
    unlisted_role = admin(apps).create(&PostParams::default(), &unlisted_role).await.unwrap();
    unlisted_role.subjects.as_mut().unwrap().remove(0);
    let made: RoleBinding = object(binding("new", &[ADA, BEN], json!({})));
    let deleting = DeleteParams { dry_run: true, ..DeleteParams::default() };
    let forbidden = |what: &str, answer: kube::Result<()>| match answer {
        Err(kube::Error::Api(status)) if status.code == 403 => {}
        other => panic!("{what}: {other:?}"),
    };
    let replaced = own(web).replace("shared", &rehearsal, &elsewhere).await.map(drop);
    forbidden("a namespace that did not consent", replaced);
    let replaced = own(apps).replace("edits", &rehearsal, &unlisted_role).await.map(drop);
    forbidden("a role that is not listed", replaced);
    forbidden("it makes a binding", own(apps).create(&rehearsal, &made).await.map(drop));
    forbidden("it makes one by replacing nothing", own(apps).replace("new", &rehearsal, &made).await.map(drop));
    forbidden("it deletes a binding", own(apps).delete("shared", &deleting).await.map(drop));
}
