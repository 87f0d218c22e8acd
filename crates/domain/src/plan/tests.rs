//! The plan, told in tables: what is acted on, and what is left alone and why.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::ownership::tests::person;

/// A marked account `team-a/<name>` with the uid `uid-<name>`.
fn account(name: &str, owner: &str) -> Account {
    Account {
        namespace: "team-a".into(),
        name: name.into(),
        uid: format!("uid-{name}"),
        owner: owner.into(),
        next: crate::handover::Nominated::default(),
        purpose: None,
        break_glass: false,
    }
}

/// A RoleBinding `team-a/<name>`.
fn binding(name: &str, subjects: Vec<Subject>) -> Binding {
    Binding {
        kind: Kind::RoleBinding,
        namespace: "team-a".into(),
        name: name.into(),
        uid: format!("uid-{name}"),
        subjects,
        break_glass: false,
    }
}

fn user(id: &str) -> Subject {
    Subject::User(format!("oidc:{id}@example.com"))
}

fn of(name: &str) -> Subject {
    Subject::Account { namespace: "team-a".into(), name: name.into() }
}

/// `team-a` has consented and runs nothing; Rollcall lives in `rollcall`.
fn world(accounts: Vec<Account>, bindings: Vec<Binding>) -> ClusterInventory {
    ClusterInventory {
        accounts,
        bindings,
        consumers: BTreeMap::from([("team-a".into(), BTreeSet::new())]),
        consents: BTreeMap::from([("team-a".into(), Consent { accounts: true, canaries: true, ..Consent::default() })]),
        own_namespaces: vec!["rollcall".into()],
        ..ClusterInventory::default()
    }
}

fn everybody() -> Index {
    let mut twin = person("twin");
    twin.aliases.push("email:shared@example.com".into());
    let mut ada = person("ada");
    ada.aliases.push("email:shared@example.com".into());
    let next = PersonFacts { address: Some("eve@example.com".into()), ..person("eve-next") };
    Index::new(vec![ada, person("ben"), twin, person("eve"), next])
}

fn cut_of_ada(world: &ClusterInventory, protected: &Protected) -> Plan {
    let index = everybody();
    let ada = index.person("p-ada").unwrap().clone();
    cut(&ada, "rule", &index, world, protected)
}

#[test]
fn nothing_rests_on_a_mark_that_somebody_set_lately() {
    let accounts = || vec![account("laptop", "id:hq/ada"), account("bens", "id:hq/ada")];
    let bindings =
        || vec![binding("hers", vec![user("ada"), of("laptop")]), binding("his", vec![user("ada"), of("bens")])];
    let mut world = world(accounts(), bindings());
    world.fresh = BTreeSet::from(["uid-bens".to_owned()]);
    let plan = cut_of_ada(&world, &Protected::default());
    let targets: Vec<_> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(targets, ["hers", "laptop"]);
    let left: Vec<_> = plan.remaining.iter().map(|left| (left.what.as_str(), left.why)).collect();
    let expected = [
        ("RoleBinding team-a/his", RemainingReason::SharedBinding),
        ("ServiceAccount team-a/bens", RemainingReason::FreshMark),
    ];
    assert_eq!(left, expected);
    let index = everybody();
    let frozen = freeze(index.person("p-ada").unwrap(), "rule", &index, &world, &Protected::default());
    assert!(!frozen.targets.iter().any(|target| target.name == "bens"), "nor is it frozen");
}

#[test]
fn an_account_is_recycled_only_if_it_is_this_persons_alone_and_in_reach() {
    let ada = "ada@example.com";
    let edit = |change: fn(&mut Account)| {
        let mut account = account("laptop", ada);
        change(&mut account);
        account
    };
    let cases: Vec<(&str, Account, Option<RemainingReason>)> = vec![
        ("her own", account("laptop", ada), None),
        ("her own by HR id", account("laptop", "id:hq/ada"), None),
        ("of two people", account("laptop", "shared@example.com"), Some(RemainingReason::AmbiguousMark)),
        ("a namespace without consent", edit(|a| a.namespace = "team-b".into()), Some(RemainingReason::NoConsent)),
        ("kube-system", edit(|a| a.namespace = "kube-system".into()), Some(RemainingReason::SystemNamespace)),
        (
            "a team's namespace with the system's prefix",
            edit(|a| a.namespace = "kube-tools".into()),
            Some(RemainingReason::SystemNamespace),
        ),
        ("Rollcall's own namespace", edit(|a| a.namespace = "rollcall".into()), Some(RemainingReason::SystemNamespace)),
        ("the default account", edit(|a| a.name = "default".into()), Some(RemainingReason::DefaultAccount)),
        ("break-glass", edit(|a| a.break_glass = true), Some(RemainingReason::Protected)),
        (
            "a workload by annotation",
            edit(|a| a.purpose = Some("workload".into())),
            Some(RemainingReason::WorkloadAccount),
        ),
        ("what a pod runs as", edit(|a| a.name = "runner".into()), Some(RemainingReason::WorkloadAccount)),
        (
            "said to be personal",
            edit(|a| {
                a.name = "runner".into();
                a.purpose = Some("personal".into());
            }),
            None,
        ),
    ];
    for (what, account, reason) in cases {
        let mut world = world(vec![account], vec![]);
        world.consumers.insert("team-a".into(), BTreeSet::from(["runner".into()]));
        let plan = cut_of_ada(&world, &Protected::default());
        let left: Vec<RemainingReason> = plan.remaining.iter().map(|remaining| remaining.why).collect();
        assert_eq!(left, reason.into_iter().collect::<Vec<_>>(), "{what}");
        assert_eq!(plan.targets.len(), usize::from(reason.is_none()), "{what}");
    }
}

#[test]
fn accounts_that_something_runs_as_are_counted_though_they_are_said_to_be_personal() {
    let personal = |name: &str| Account { purpose: Some("personal".into()), ..account(name, "ada@example.com") };
    let accounts = vec![personal("runner"), account("laptop", "ada@example.com")];
    let mut world = world(accounts, vec![binding("runner", vec![user("ada")])]);
    for (what, consumers, expected) in [
        ("nothing runs", Some(vec![]), (3, 0)),
        ("a pod runs as one of them", Some(vec!["runner".to_owned()]), (3, 1)),
        ("nobody knows, so it may", None, (2, 1)),
    ] {
        world.consumers =
            consumers.map(|names| ("team-a".to_owned(), names.into_iter().collect())).into_iter().collect();
        let plan = cut_of_ada(&world, &Protected::default());
        assert_eq!((plan.targets.len(), plan.workloads), expected, "{what}");
    }
    let hash = |consumers: &[&str]| {
        let mut world = self::world(vec![personal("runner")], vec![]);
        world.consumers.insert("team-a".into(), consumers.iter().map(|name| (*name).to_owned()).collect());
        cut_of_ada(&world, &Protected::default()).hash
    };
    assert_eq!(hash(&[]), hash(&["runner"]), "a rollout voids no approval");
}

#[test]
fn nothing_of_a_colleague_is_even_mentioned() {
    let world = world(vec![account("bens", "ben@example.com")], vec![binding("bens", vec![user("ben")])]);
    let plan = cut_of_ada(&world, &Protected::default());
    assert_eq!((plan.targets.len(), plan.remaining.len()), (0, 0));
}

#[test]
fn an_account_whose_consumers_cannot_be_read_is_left_alone() {
    let mut world = world(vec![account("laptop", "ada@example.com")], vec![]);
    world.consumers.clear();
    assert_eq!(cut_of_ada(&world, &Protected::default()).remaining[0].why, RemainingReason::UnknownConsumers);
}

#[test]
fn what_the_policy_protects_is_left_alone() {
    let world = world(vec![account("laptop", "ada@example.com")], vec![binding("view", vec![user("ada")])]);
    let account = Protected { accounts: ["team-a/laptop".into()].into(), ..Protected::default() };
    let namespace = Protected { namespaces: ["team-a".into()].into(), ..Protected::default() };
    let count =
        |protected| (cut_of_ada(&world, &protected).targets.len(), cut_of_ada(&world, &protected).remaining.len());
    assert_eq!((count(account), count(namespace)), ((1, 1), (0, 2)));
}

#[test]
fn a_binding_is_deleted_only_if_every_subject_is_this_persons() {
    let mine = || account("laptop", "ada@example.com");
    let cases: Vec<(&str, Vec<Subject>, (usize, usize))> = vec![
        ("her user name", vec![user("ada")], (1, 0)),
        ("her user name and her account", vec![user("ada"), of("laptop")], (1, 0)),
        ("shared with a colleague", vec![user("ada"), user("ben")], (0, 1)),
        ("shared with a colleague's account", vec![user("ada"), of("bens")], (0, 1)),
        ("shared with a group", vec![user("ada"), Subject::Other], (0, 1)),
        ("shared with somebody nobody knows", vec![user("ada"), user("stranger")], (0, 1)),
        ("only her account: kept until the removal", vec![of("laptop")], (0, 0)),
        ("nobody", vec![], (0, 0)),
    ];
    for (what, subjects, expected) in cases {
        let world = world(vec![mine(), account("bens", "ben@example.com")], vec![binding("view", subjects)]);
        let plan = cut_of_ada(&world, &Protected::default());
        let unbound = plan.targets.iter().filter(|target| target.action == Action::Unbind).count();
        assert_eq!((unbound, plan.remaining.len()), expected, "{what}");
    }
}

#[test]
fn a_binding_of_a_human_whose_next_record_works_here_is_held_and_says_so() {
    let subjects = |more: Vec<Subject>| vec![binding("view", [vec![user("eve")], more].concat())];
    let cases = [
        ("alone", subjects(vec![]), RemainingReason::WorksHere),
        ("with the next record's user name", subjects(vec![user("eve-next")]), RemainingReason::WorksHere),
        ("shared with a colleague", subjects(vec![user("ben")]), RemainingReason::SharedBinding),
    ];
    for (what, bindings, expected) in cases {
        let world = world(vec![account("eves", "id:hq/eve"), account("next", "id:hq/eve-next")], bindings);
        let index = everybody();
        let eve = index.person("p-eve").unwrap().clone();
        let plan = cut(&eve, "rule", &index, &world, &Protected::default());
        let left: Vec<RemainingReason> = plan.remaining.iter().map(|remaining| remaining.why).collect();
        assert_eq!(
            (left, plan.targets.len()),
            (vec![expected, RemainingReason::WorksHere, RemainingReason::WorksHere], 0),
            "{what}"
        );
    }
}

#[test]
fn what_protects_one_record_protects_what_all_records_of_the_human_own() {
    let left = |id: &str| PersonFacts {
        left: Some(jiff::Timestamp::UNIX_EPOCH),
        address: Some("eve@example.com".into()),
        ..person(id)
    };
    let index = Index::new(vec![left("eve"), left("eve-next"), person("ben")]);
    let world = world(vec![account("laptop", "id:hq/eve")], vec![binding("view", vec![user("eve")])]);
    let eve = index.person("p-eve").unwrap().clone();
    for (who, expected) in [("ben", (2, 0)), ("eve-next", (0, 2))] {
        let protected = Protected { people: [who.to_owned()].into(), ..Protected::default() };
        let plan = cut(&eve, "rule", &index, &world, &protected);
        assert_eq!((plan.targets.len(), plan.remaining.len()), expected, "{who} is protected");
    }
}

#[test]
fn rights_go_before_accounts() {
    let world = world(vec![account("a", "ada@example.com")], vec![binding("z", vec![user("ada")])]);
    let actions: Vec<Action> = cut_of_ada(&world, &Protected::default()).targets.iter().map(|t| t.action).collect();
    assert_eq!(actions, [Action::Unbind, Action::Recreate]);
}

#[test]
fn a_removal_takes_what_the_cut_recycled_and_the_bindings_of_nobody_else() {
    let index = everybody();
    let ada = index.person("p-ada").unwrap().clone();
    let world = world(
        vec![account("laptop", "ada@example.com"), account("new", "ada@example.com")],
        vec![binding("laptop-view", vec![of("laptop")]), binding("both", vec![of("laptop"), of("new")])],
    );
    let plan = remove(&ada, "rule", &["uid-laptop".into()].into(), &index, &world, &Protected::default());
    let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(names, ["laptop-view", "laptop"]);
}

/// A removal of `team-a/laptop`, which a cut recreated and two bindings bind, while its annotation names `owner`.
fn removal_of_laptop(owner: &str) -> Plan {
    let mut known = vec![person("ada"), person("ben"), person("twin")];
    known[0].aliases.push("email:shared@example.com".into());
    known[2].aliases.push("email:shared@example.com".into());
    let index = Index::new(known);
    let ada = index.person("p-ada").unwrap().clone();
    let world = world(
        vec![account("laptop", owner)],
        vec![binding("alone", vec![of("laptop")]), binding("with-ben", vec![of("laptop"), user("ben")])],
    );
    remove(&ada, "rule", &["uid-laptop".into()].into(), &index, &world, &Protected::default())
}

#[test]
fn an_account_that_was_handed_over_keeps_its_bindings_too() {
    for (what, mark, why) in [
        ("to a colleague", "ben@example.com", RemainingReason::HandedOver),
        ("to a team HR does not know", "team@example.com", RemainingReason::HandedOver),
        ("to nobody", "", RemainingReason::HandedOver),
        ("to two people", "shared@example.com", RemainingReason::AmbiguousMark),
    ] {
        let plan = removal_of_laptop(mark);
        assert_eq!(plan.targets, [], "{what}");
        assert_eq!(plan.remaining.iter().map(|remaining| remaining.why).collect::<Vec<_>>(), [why], "{what}");
    }
    let theirs = removal_of_laptop("id:hq/ada");
    assert_eq!(theirs.targets.iter().map(|target| target.name.as_str()).collect::<Vec<_>>(), ["alone", "laptop"]);
}

#[test]
fn what_the_revokers_policy_would_refuse_is_never_planned() {
    let in_kube_tools = || Subject::Account { namespace: "kube-tools".into(), name: "ci".into() };
    let mut ci = account("ci", "ada@example.com");
    ci.namespace = "kube-tools".into();
    ci.purpose = Some("personal".into());
    let mut rollcalls = account("own", "ada@example.com");
    rollcalls.namespace = "rollcall".into();
    rollcalls.purpose = Some("personal".into());
    for (what, name, subjects) in [
        ("a name of the system's", "system:ada", vec![user("ada")]),
        ("an account in a namespace of the system", "mixed", vec![user("ada"), in_kube_tools()]),
        (
            "an account of Rollcall's",
            "mixed",
            vec![user("ada"), Subject::Account { namespace: "rollcall".into(), name: "own".into() }],
        ),
    ] {
        let world = world(vec![ci.clone(), rollcalls.clone()], vec![binding(name, subjects)]);
        let plan = cut_of_ada(&world, &Protected::default());
        assert_eq!((plan.targets.len(), plan.remaining.len()), (0, 3), "{what}");
    }
}

#[test]
fn an_object_that_no_plan_has_room_for_remains_and_stops_nothing() {
    let named = |length: usize| binding(&"x".repeat(length), vec![user("ada")]);
    let world = world(
        vec![account("laptop", "ada@example.com")],
        vec![named(MAX_NAME_LEN), named(MAX_NAME_LEN + 1), named(200_000)],
    );
    let plan = cut_of_ada(&world, &Protected::default());
    assert_eq!(plan.targets.len(), 2);
    assert_eq!(
        plan.remaining.iter().map(|remaining| remaining.why).collect::<Vec<_>>(),
        [RemainingReason::NameTooLong; 2]
    );
}

#[test]
fn a_pile_of_long_names_pushes_no_account_out_of_the_plan() {
    let pile = (0..300).map(|n| binding(&format!("{n:03}{}", "\u{1}".repeat(1000)), vec![user("ada")])).collect();
    let mut world = world(vec![account("zz", "ada@example.com")], pile);
    world.bindings.push(binding("short", vec![user("ada")]));
    let plan = cut_of_ada(&world, &Protected::default());
    let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    assert!(names.contains(&"zz") && names.contains(&"short"), "what matters comes first");
    assert!(plan.targets.iter().map(|target| written(&target.name)).sum::<usize>() <= ALL_NAMES);
    assert_eq!(plan.remaining.iter().map(|remaining| remaining.why).collect::<Vec<_>>(), [RemainingReason::PlanFull]);
}

#[test]
fn the_hash_covers_what_is_done_to_which_uid_and_nothing_else() {
    let base = cut_of_ada(&world(vec![account("laptop", "ada@example.com")], vec![]), &Protected::default());
    let mut rolled_out = world(vec![account("laptop", "ada@example.com")], vec![]);
    rolled_out.consumers.insert("team-a".into(), BTreeSet::from(["another".into()]));
    let mut replaced = world(vec![account("laptop", "ada@example.com")], vec![]);
    replaced.accounts[0].uid = "another".into();
    let index = everybody();
    let ada = index.person("p-ada").unwrap();
    assert_eq!(cut_of_ada(&rolled_out, &Protected::default()).hash, base.hash, "a rollout");
    assert_ne!(cut_of_ada(&replaced, &Protected::default()).hash, base.hash, "another uid");
    assert_ne!(hash(&ada.uid, "another rule", Operation::Cut, &base.targets), base.hash, "another rule");
    assert_ne!(hash(&ada.uid, "rule", Operation::Remove, &base.targets), base.hash, "another operation");
    assert_ne!(hash("another", "rule", Operation::Cut, &base.targets), base.hash, "another person");
}

#[test]
fn reasons_are_spelled_as_they_always_were() {
    use RemainingReason as R;
    for (reason, spelled) in [
        (R::SharedBinding, "SharedBinding"),
        (R::AmbiguousMark, "AmbiguousMark"),
        (R::WorksHere, "WorksHere"),
        (R::HandedOver, "HandedOver"),
        (R::NameTooLong, "NameTooLong"),
        (R::WorkloadAccount, "WorkloadAccount"),
        (R::UnknownConsumers, "UnknownConsumers"),
        (R::NoConsent, "NoConsent"),
        (R::SystemNamespace, "SystemNamespace"),
        (R::Protected, "Protected"),
        (R::DefaultAccount, "DefaultAccount"),
        (R::PlanFull, "PlanFull"),
        (R::NoLongerLeft, "NoLongerLeft"),
        (R::StillAllowed, "StillAllowed"),
        (R::NotTrimmed, "NotTrimmed"),
        (R::MayNotBind, "MayNotBind"),
        (R::PutBack, "PutBack"),
        (R::FreshMark, "FreshMark"),
        (R::ChangedBeforeExit, "ChangedBeforeExit"),
        (R::OwnedByNamespace, "OwnedByNamespace"),
        (R::OwnedByLabel, "OwnedByLabel"),
        (R::OwnedByManager, "OwnedByManager"),
        (R::OwnedByCatalogue, "OwnedByCatalogue"),
        (R::SourcesDisagree, "SourcesDisagree"),
        (R::SourcesUnread, "SourcesUnread"),
        (R::SecretContents, "SecretContents"),
        (R::NoConsentToRotate, "NoConsentToRotate"),
        (R::NothingRotates, "NothingRotates"),
        (R::SecretGone, "SecretGone"),
        (R::KeyStays, "KeyStays"),
        (R::Unchanged, "Unchanged"),
        (R::NotRotated, "NotRotated"),
        (R::NotAdopted, "NotAdopted"),
    ] {
        assert_eq!(reason.as_str(), spelled);
    }
}

#[test]
fn a_freeze_takes_user_names_that_are_this_persons_alone_and_their_personal_accounts() {
    let with = |id: &str, names: &[&str]| {
        let mut one = person(id);
        one.aliases = names.iter().map(|name| format!("user:{name}")).collect();
        one
    };
    let ada = with("ada", &["oidc:ada@example.com", "shared@example.com", "system:ada", "ada\nben", "old", "gone"]);
    let gone = PersonFacts { left: Some(jiff::Timestamp::UNIX_EPOCH), ..with("gone", &["gone"]) };
    let index = Index::new(vec![ada.clone(), with("ben", &["shared@example.com", "Old"]), gone]);
    let world = world(vec![account("laptop", "id:hq/ada"), account("bens", "id:hq/ben")], vec![]);
    let plan = super::freeze(&ada, "everyone/leave", &index, &world, &Protected::default());
    let names: Vec<_> = plan.targets.iter().map(super::frozen_name).collect();
    assert_eq!(names, ["system:serviceaccount:team-a:laptop", "gone", "oidc:ada@example.com", "old"]);
    let left: Vec<_> = plan.remaining.iter().map(|left| (left.what.as_str(), left.why)).collect();
    assert_eq!(
        left,
        [
            ("user name 2 of status.plan.usernames", RemainingReason::AmbiguousMark),
            ("user name 3 of status.plan.usernames", RemainingReason::SystemNamespace),
            ("user name 4 of status.plan.usernames", RemainingReason::NameTooLong),
        ]
    );
    let nobody = super::freeze(&with("eve", &[]), "everyone/leave", &index, &world, &Protected::default());
    assert_eq!(nobody.targets, []);
}

#[test]
fn a_freeze_lets_go_of_what_is_a_colleagues_by_now_and_takes_nothing_more() {
    let mut ada = person("ada");
    ada.aliases = vec!["user:ada@example.com".into(), "user:a.example".into()];
    let draw = |people: Vec<PersonFacts>, ada: &PersonFacts| {
        let world = world(vec![], vec![]);
        super::freeze(ada, "everyone/leave", &Index::new(people), &world, &Protected::default())
    };
    let before = draw(vec![ada.clone()], &ada);
    let mut ben = person("ben");
    ben.aliases = vec!["user:Ada@example.com".into()];
    ada.aliases.push("user:new".into());
    let now = draw(vec![ada.clone(), ben], &ada);
    let still: Vec<_> = super::still_theirs(&before.targets, &now.targets).map(super::frozen_name).collect();
    assert_eq!(still, ["a.example"]);
}
