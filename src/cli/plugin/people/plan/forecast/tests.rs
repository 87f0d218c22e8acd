use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::certificates::{Certificate, Signed};
use super::*;
use crate::control::owned::{Owned, Since};
use crate::kube::inventory::{Workload, Workloads};
use domain::ledger::Ledger;
use domain::plan::{Account, Binding, Consent, Subject};
use domain::rbac::{Rbac, RoleBound, Rule, Who};
use domain::rotation::adoption::{Maker, Workload as Replaced, WorkloadKind};
use domain::waves;

fn now() -> Timestamp {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

fn person(id: &str, over: Value) -> Person {
    let mut written = json!({
        "metadata": {"name": format!("p-{id}"), "namespace": "rollcall", "uid": format!("u-{id}")},
        "spec": {"records": [{"connection": "hq", "id": id}]},
        "status": {
            "policy": "everyone", "aliases": [format!("user:oidc:{id}@example.com")],
            "employment": {"state": "Active", "since": "2026-01-01T00:00:00Z", "timeZone": "UTC", "why": "Active"},
        },
    });
    for (key, value) in over.as_object().unwrap() {
        let (part, key) = key.split_once('.').unwrap();
        written[part][key] = value.clone();
    }
    serde_json::from_value(written).unwrap()
}

fn policy(over: Value) -> SyncPolicy {
    let mut written = json!({
        "metadata": {"name": "everyone", "generation": 1},
        "spec": {"mode": "Enforce", "connections": [{"name": "hq"}], "timeZones": {"default": "UTC"}},
        "status": {
            "people": {"Active": 100},
            "conditions": [{"type": "Baseline", "status": "True", "reason": "Settled", "message": "", "observedGeneration": 1,
                            "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        },
    });
    for (key, value) in over.as_object().unwrap() {
        written["spec"][key] = value.clone();
    }
    serde_json::from_value(written).unwrap()
}

fn account(namespace: &str, name: &str, owner: &str) -> Account {
    let uid = format!("u-{namespace}-{name}");
    Account {
        namespace: namespace.into(),
        name: name.into(),
        uid,
        owner: owner.into(),
        next: domain::handover::Nominated::default(),
        purpose: None,
        break_glass: false,
    }
}

fn binding(name: &str, subjects: &[Subject]) -> Binding {
    let uid = format!("u-{name}");
    let (kind, namespace) = (Kind::RoleBinding, "apps".to_owned());
    Binding { kind, namespace, name: name.into(), uid, subjects: subjects.to_vec(), break_glass: false }
}

fn user(id: &str) -> Subject {
    Subject::User(format!("oidc:{id}@example.com"))
}

/// A cluster in which person 7 owns `laptop` and `web`, which a Deployment runs as, and is bound alone and with 8.
fn cluster(people: &[Person]) -> Seen {
    let mut owned = Owned::default();
    for facts in people.iter().map(convert::known_by) {
        owned.person(&facts.name.clone(), Some(facts));
    }
    for object in
        [account("apps", "laptop", "id:hq/7"), account("apps", "web", "id:hq/7"), account("far", "ci", "id:hq/7")]
    {
        owned.account(&(object.namespace.clone(), object.name.clone()), Some(Since { object, at: None }));
    }
    let of_laptop = Subject::Account { namespace: "apps".into(), name: "laptop".into() };
    for object in [
        binding("alone", &[user("7")]),
        binding("shared", &[user("7"), user("8")]),
        binding("laptop", std::slice::from_ref(&of_laptop)),
    ] {
        owned.binding(&(object.kind, object.namespace.clone(), object.name.clone()), Some(Since { object, at: None }));
    }
    let workload = |kind: &'static str, name: &str, controlled| Workload {
        kind: kind.into(),
        name: name.into(),
        controlled,
        uses: Workloads { accounts: ["web".to_owned()].into(), secrets: BTreeSet::new() },
    };
    Seen {
        owned,
        consents: [("apps".to_owned(), (Consent { accounts: true, ..Consent::default() }, false))].into(),
        workloads: [("apps".to_owned(), vec![workload("Pod", "web-1", true), workload("Deployment", "web", false)])]
            .into(),
        rbac: Some(Rbac::default()),
        secrets: Some(Vec::new()),
        certificates: Some(Vec::new()),
        ledger: Some(Ledger::default()),
        own_namespaces: vec!["rollcall".into()],
        ..Seen::default()
    }
}

fn forecast(person: &Person, policy: &SyncPolicy, seen: &Seen) -> Forecast {
    of(&View { person, policy, changed: false, revocations: &[], seen, now: now() })
}

fn ended(forecast: &Forecast) -> Vec<(&str, &str, Dead)> {
    forecast.ends.iter().map(|end| (end.what.as_str(), end.action.as_str(), end.dead)).collect()
}

fn left(forecast: &Forecast) -> BTreeMap<&str, &str> {
    forecast.remaining.iter().map(|left| (left.what.as_str(), left.why.as_str())).collect()
}

#[test]
fn somebody_who_works_here_is_told_what_would_end_and_what_would_remain() {
    let people = [person("7", json!({})), person("8", json!({}))];
    let forecast = forecast(&people[0], &policy(json!({})), &cluster(&people));
    let expected = [
        ("User oidc:7@example.com", "Freeze", Dead::AtTheCut),
        ("RoleBinding apps/alone", "Unbind", Dead::AtTheCut),
        ("ServiceAccount apps/laptop", "Recreate", Dead::AtTheCut),
        ("RoleBinding apps/laptop", "Unbind", Dead::AfterRemoveAfter),
        ("ServiceAccount apps/laptop", "Delete", Dead::AfterRemoveAfter),
    ];
    assert_eq!(ended(&forecast), expected);
    let expected = [
        ("RoleBinding apps/shared", "SharedBinding"),
        ("ServiceAccount apps/web", "WorkloadAccount"),
        ("ServiceAccount far/ci", "NoConsent"),
        ("open watches, exec, attach and port-forward", "OpenSessions"),
    ];
    assert_eq!(left(&forecast), expected.into());
    let web = forecast.remaining.iter().find(|left| left.what.ends_with("apps/web")).unwrap();
    assert_eq!(web.consumers, ["Deployment web"], "and not the pod that it made");
    assert!(forecast.gates.is_empty(), "{:?}", forecast.gates);
    assert_eq!(forecast.plan.len(), 64);
}

#[test]
fn every_gate_that_would_hold_it_is_told_and_what_only_an_approval_opens_waits_for_one() {
    let hold = json!({"reason": "law", "until": "2026-04-01T00:00:00Z", "by": "admin"});
    let none = json!([{"window": "24h", "percent": 0, "atLeast": 0}]);
    let baseline = json!({"state": "Terminated", "since": "2026-01-01T00:00:00Z", "timeZone": "UTC", "why": "Terminated", "baseline": true});
    let cases = [
        ("nothing", json!({}), json!({}), vec![], Dead::AtTheCut),
        ("observed", json!({}), json!({"mode": "Observe"}), vec!["Observe"], Dead::Held),
        (
            "held, protected and observed",
            json!({"spec.hold": hold}),
            json!({"mode": "Observe", "protected": {"people": ["hq/7"]}}),
            vec!["Hold", "Protected", "Observe"],
            Dead::Held,
        ),
        ("over the limit", json!({}), json!({"limits": {"people": none}}), vec!["OverLimit"], Dead::AfterApproval),
        ("left before", json!({"status.employment": baseline}), json!({}), vec!["Baseline"], Dead::AfterApproval),
        (
            "observed, and over the limit",
            json!({}),
            json!({"mode": "Observe", "limits": {"people": none}}),
            vec!["Observe", "OverLimit"],
            Dead::Held,
        ),
    ];
    for (what, of_person, of_policy, gates, dead) in cases {
        let people = [person("7", of_person), person("8", json!({}))];
        let forecast = forecast(&people[0], &policy(of_policy), &cluster(&people));
        let shut: Vec<_> = forecast.gates.iter().map(|gate| gate.reason.as_str()).collect();
        assert_eq!(shut, gates, "{what}");
        assert_eq!(forecast.ends.first().unwrap().dead, dead, "{what}");
    }
}

#[test]
fn a_policy_that_is_not_applied_yet_is_unsettled_and_protects_as_it_says() {
    let people = [person("7", json!({})), person("8", json!({}))];
    let seen = cluster(&people);
    let policy = policy(json!({"protected": {"namespaces": ["apps"]}}));
    let view = View { person: &people[0], policy: &policy, changed: true, revocations: &[], seen: &seen, now: now() };
    let forecast = of(&view);
    assert_eq!(ended(&forecast), [("User oidc:7@example.com", "Freeze", Dead::Held)]);
    assert_eq!(left(&forecast)["ServiceAccount apps/laptop"], "Protected");
    assert_eq!(forecast.gates.first().unwrap().reason, "Unsettled");
}

#[test]
fn a_certificate_is_told_with_its_end_and_with_what_its_groups_give() {
    let end = |text: &str| Signed::Until(Some(text.parse().unwrap()));
    let certificate = |request: &str, requestor: &str, user: &str, groups: &[&str], signed| Certificate {
        request: request.into(),
        requestor: requestor.into(),
        user: Some(user.into()),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        signed,
    };
    let (seven, eight) = ("oidc:7@example.com", "oidc:8@example.com");
    let people = [person("7", json!({})), person("8", json!({}))];
    let mut seen = cluster(&people);
    seen.certificates = Some(vec![
        certificate("mine", "admin", "oidc:7@EXAMPLE.com", &["ops"], end("2026-06-01T00:00:00Z")),
        certificate("account", seven, "system:serviceaccount:apps:laptop", &[], end("2026-06-01T00:00:00Z")),
        certificate("over", seven, seven, &["old"], end("2026-03-01T00:00:00Z")),
        certificate("other", seven, "oidc:somebody", &[], end("2026-06-01T00:00:00Z")),
        certificate("root", seven, seven, &["system:masters"], end("2027-01-01T00:00:00Z")),
        certificate("waits", seven, seven, &["late"], Signed::NotYet),
        certificate("eights", eight, eight, &["ops"], end("2026-12-01T00:00:00Z")),
    ]);
    let bound = |name: &str, group: &str| RoleBound {
        namespace: "apps".into(),
        name: name.into(),
        role: (String::new(), "view".into()),
        subjects: vec![Who::Group(group.into())],
    };
    seen.rbac = Some(Rbac {
        roles: BTreeMap::new(),
        bindings: vec![bound("ops", "ops"), bound("old", "old"), bound("late", "late"), bound("dev", "dev")],
    });
    let forecast = forecast(&people[0], &policy(json!({})), &seen);
    let beyond: Vec<_> = forecast
        .remaining
        .iter()
        .filter(|left| left.what.starts_with("Cert") || left.why == "ThroughGroup")
        .map(|left| (left.what.as_str(), left.why.as_str(), left.until.map(|until| format!("{until:.0}"))))
        .collect();
    let june = || Some("2026-06-01T00:00:00Z".to_owned());
    let expected = [
        ("CertificateSigningRequest mine", "ClientCertificate", june()),
        ("CertificateSigningRequest account", "ClientCertificate", june()),
        ("CertificateSigningRequest other", "CertificateOfAnotherName", june()),
        ("CertificateSigningRequest root", "SystemMasters", Some("2027-01-01T00:00:00Z".to_owned())),
        ("CertificateSigningRequest waits", "CertificateRequested", None),
        ("RoleBinding apps/ops", "ThroughGroup", june()),
    ];
    assert_eq!(beyond, expected);
}

#[test]
fn secrets_they_own_remain_and_those_they_could_read_are_counted_by_namespace() {
    let people = [person("7", json!({})), person("8", json!({}))];
    let mut seen = cluster(&people);
    let secret = |namespace: &str, name: &str, notes: Value| {
        serde_json::from_value(json!({"namespace": namespace, "name": name, "annotations": notes})).unwrap()
    };
    seen.secrets = Some(vec![
        secret("apps", "registry", json!({"rollcall.dev/owner": "id:hq/7"})),
        secret("apps", "eights", json!({"rollcall.dev/owner": "id:hq/8"})),
        secret(
            "apps",
            "token",
            json!({"rollcall.dev/owner": "id:hq/7", "kubernetes.io/service-account.name": "laptop"}),
        ),
        secret("apps", "plain", json!({})),
        secret("kube-system", "bootstrap-token-abcdef", json!({"rollcall.dev/owner": "id:hq/7"})),
        secret("vault", "db", json!({})),
    ]);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let reads = |names: &[&str]| {
        vec![Rule { verbs: words(&["get"]), groups: words(&[""]), resources: words(&["secrets"]), names: words(names) }]
    };
    let bound = |namespace: &str, role: &str, who: Who| RoleBound {
        namespace: namespace.into(),
        name: "b".into(),
        role: (String::new(), role.into()),
        subjects: vec![who],
    };
    seen.rbac = Some(Rbac {
        roles: [((String::new(), "all".into()), reads(&[])), ((String::new(), "db".into()), reads(&["db"]))].into(),
        bindings: vec![
            bound("apps", "all", Who::Account { namespace: "apps".into(), name: "laptop".into() }),
            bound("vault", "db", Who::User("oidc:7@example.com".into())),
            bound("rollcall", "all", Who::User("oidc:8@example.com".into())),
        ],
    });
    let forecast = forecast(&people[0], &policy(json!({})), &seen);
    let secrets: Vec<_> = left(&forecast).into_iter().filter(|(what, _)| what.starts_with("Secret")).collect();
    let expected =
        [("Secret apps/registry", "SecretContents"), ("Secret kube-system/bootstrap-token-abcdef", "BootstrapToken")];
    assert_eq!(secrets, expected);
    let place = |tier, namespace: &str, name: Option<&str>, secrets| Readable {
        tier,
        namespace: Some(namespace.into()),
        name: name.map(str::to_owned),
        secrets,
    };
    assert_eq!(
        forecast.readable,
        [place("Named", "vault", Some("db"), None), place("Namespace", "apps", None, Some(4))]
    );
    seen.rbac.as_mut().unwrap().bindings.push(bound("", "all", Who::Group("system:authenticated".into())));
    let everywhere = Readable { tier: "Cluster", namespace: None, name: None, secrets: Some(6) };
    assert_eq!(super::beyond::readable(&seen, &convert::known_by(&people[0])), [everywhere]);
}

#[test]
fn the_page_says_what_ends_what_remains_and_what_holds_it() {
    let people = [person("7", json!({})), person("8", json!({}))];
    let mut seen = cluster(&people);
    seen.notes.push("You may not list Secrets.".to_owned());
    let forecast = forecast(&people[0], &policy(json!({"mode": "Observe"})), &seen);
    insta::assert_snapshot!(super::super::print::page(&forecast));
}

#[test]
fn pods_in_which_a_session_may_be_open_are_told_with_what_makes_them_and_what_covers_them() {
    let people = [person("7", json!({})), person("8", json!({}))];
    let seven = Who::User("oidc:7@example.com".into());
    let role = ("apps".to_owned(), "runs".to_owned());
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let exec =
        Rule { verbs: words(&["create"]), groups: words(&[""]), resources: words(&["pods/exec"]), names: vec![] };
    let bound = RoleBound { namespace: "apps".into(), name: "runs".into(), role: role.clone(), subjects: vec![seven] };
    let web = Replaced { kind: WorkloadKind::Deployment, name: "web".into(), uid: "w".into() };
    let pod = |name: &str, maker: Maker| waves::Pod {
        name: name.into(),
        uid: format!("u-{name}"),
        created: now(),
        maker,
        ready: true,
        ending: false,
        break_glass: false,
    };
    let consent = Consent { accounts: true, workloads: true, ..Consent::default() };
    let mut seen = Seen {
        rbac: Some(Rbac { roles: [(role, vec![exec])].into(), bindings: vec![bound] }),
        consents: [("apps".to_owned(), (consent, false))].into(),
        ..cluster(&people)
    };
    seen.inside.pods.insert("apps".into(), vec![pod("web-1", Maker::Workload(web)), pod("debug", Maker::Nobody)]);
    let budget = vec!["PodDisruptionBudget web (1 may go now)".to_owned()];
    seen.inside.budgets.insert(("apps".into(), "web-1".into()), budget);
    let evicts = policy(json!({"revocation": {"sessions": "Evict"}}));

    let told = forecast(&people[0], &evicts, &seen);

    let of_pods = |told: &Forecast| told.ends.iter().filter(|end| end.action == "Evict").cloned().collect::<Vec<_>>();
    let ends = of_pods(&told);
    assert_eq!(ends.len(), 1);
    assert_eq!((ends[0].what.as_str(), ends[0].dead), ("Pod apps/web-1", Dead::AfterApproval));
    assert_eq!(ends[0].consumers, ["Deployment web", "PodDisruptionBudget web (1 may go now)"]);
    assert_eq!(left(&told).get("Pod apps/debug"), Some(&"OpenSessions"));
    assert!(of_pods(&forecast(&people[0], &policy(json!({})), &seen)).is_empty(), "the policy reports");
    assert!(of_pods(&forecast(&people[1], &evicts, &seen)).is_empty(), "a colleague could open none");
}
