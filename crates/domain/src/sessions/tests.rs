use super::*;
use crate::plan::Consent;
use crate::rbac::{RoleBound, Rule};
use crate::rotation::adoption::Workload;

const FROZEN: i64 = 1_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn rule(verbs: &[&str], resources: &[&str], names: &[&str]) -> Rule {
    let all = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Rule { verbs: all(verbs), groups: vec![String::new()], resources: all(resources), names: all(names) }
}

/// Ada, bound to one role in each of these places; and Ben, and a group, who may everything everywhere.
fn places(bound: Vec<(&str, Rule)>) -> Places {
    let ada = Who::User("oidc:ada@example.com".into());
    let others = vec![Who::User("oidc:ben@example.com".into()), Who::Group("ops".into())];
    let mut rbac = Rbac::default();
    let mut bind = |namespace: &str, rule: Rule, subjects: Vec<Who>| {
        let role = (namespace.to_owned(), format!("role-{}", rbac.bindings.len()));
        rbac.roles.insert(role.clone(), vec![rule]);
        rbac.bindings.push(RoleBound { namespace: namespace.into(), name: role.1.clone(), role, subjects });
    };
    bound.into_iter().for_each(|(namespace, rule)| bind(namespace, rule, vec![ada.clone()]));
    bind("", rule(&["*"], &["*"], &[]), others);
    Places::of(&rbac, &BTreeSet::from([ada]))
}

fn workload(kind: WorkloadKind) -> Maker {
    Maker::Workload(Workload { kind, name: "web".into(), uid: "w".into() })
}

fn pod(name: &str, created: i64, maker: Maker) -> Pod {
    Pod {
        name: name.into(),
        uid: format!("u-{name}"),
        created: at(created),
        maker,
        ready: true,
        ending: false,
        break_glass: false,
    }
}

fn web(name: &str) -> Pod {
    pod(name, 1, workload(WorkloadKind::Deployment))
}

fn many(number: usize) -> Vec<Pod> {
    (0..number).map(|at| web(&format!("web-{at:03}"))).collect()
}

fn exec(names: &[&str]) -> Rule {
    rule(&["create"], &["pods/exec"], names)
}

fn picked(places: &Places, pods: Vec<(&str, Vec<Pod>)>) -> (Vec<String>, Vec<String>) {
    let pods = pods.into_iter().map(|(namespace, pods)| (namespace.to_owned(), pods)).collect();
    let Picked { targets, remaining, .. } = pick(places, &pods, at(FROZEN));
    let names = targets.into_iter().map(|one| format!("{}/{}", one.namespace, one.name)).collect();
    (names, remaining.into_iter().map(|one| format!("{} {}", one.why.as_str(), one.what)).collect())
}

#[test]
fn a_session_may_be_open_where_their_own_user_name_could_open_one() {
    let named = |names: &[(&str, &str)]| {
        let named = names.iter().map(|(namespace, name)| ((*namespace).to_owned(), (*name).to_owned())).collect();
        Reach { named, ..Reach::default() }
    };
    let all_of = |namespace: &str| Reach { namespaces: [namespace.to_owned()].into(), ..Reach::default() };
    let everywhere = || Reach { everywhere: true, ..Reach::default() };
    for (what, bound, pods, nodes) in [
        ("nothing is bound to her", vec![], Reach::default(), false),
        ("she may look", vec![("apps", rule(&["get", "list"], &["pods", "pods/log"], &[]))], Reach::default(), false),
        ("exec", vec![("apps", exec(&[]))], all_of("apps"), false),
        ("attach, by a WebSocket", vec![("apps", rule(&["get"], &["pods/attach"], &[]))], all_of("apps"), false),
        ("port-forward", vec![("apps", rule(&["create"], &["pods/portforward"], &[]))], all_of("apps"), false),
        (
            "a container of her own",
            vec![("apps", rule(&["patch"], &["pods/ephemeralcontainers"], &[]))],
            all_of("apps"),
            false,
        ),
        (
            "to read which there are",
            vec![("apps", rule(&["get"], &["pods/ephemeralcontainers"], &[]))],
            Reach::default(),
            false,
        ),
        ("one pod", vec![("apps", exec(&["web-1"]))], named(&[("apps", "web-1")]), false),
        ("one pod, and all of them", vec![("apps", exec(&["web-1"])), ("apps", exec(&[]))], all_of("apps"), false),
        ("a name in every namespace", vec![("", exec(&["web-1"]))], named(&[("", "web-1")]), false),
        ("everywhere", vec![("", rule(&["*"], &["*"], &[]))], everywhere(), true),
        ("nodes", vec![("", rule(&["create"], &["nodes/proxy"], &[]))], Reach::default(), true),
        ("one node", vec![("", rule(&["get"], &["nodes/proxy"], &["n1"]))], Reach::default(), true),
        (
            "nodes, by a role that is bound in a namespace",
            vec![("apps", rule(&["get"], &["nodes/proxy"], &[]))],
            Reach::default(),
            false,
        ),
    ] {
        assert_eq!(places(bound), Places { pods, nodes, more: 0 }, "{what}");
    }
}

#[test]
fn what_is_written_down_is_bounded_and_says_how_much_it_leaves_out() {
    let spaces: Vec<String> = (0..MAX_PLACES + 3).map(|number| format!("n-{number:03}")).collect();
    let found = places(spaces.iter().map(|namespace| (namespace.as_str(), exec(&[]))).collect());
    assert_eq!((found.pods.namespaces.len(), found.more), (MAX_PLACES, 3));
    let (_, left) = picked(&found, vec![]);
    assert_eq!(left.len(), MAX_ROWS + 1, "{left:?}");
}

#[test]
fn only_pods_that_come_back_and_were_there_before_the_freeze_are_evicted() {
    let other = |kind: &str| Maker::Other(kind.into(), "it".into());
    let glass = Pod { break_glass: true, ..web("glass") };
    let cases = vec![
        ("of a Deployment", web("p"), true, false),
        ("of a StatefulSet", pod("p", 1, workload(WorkloadKind::StatefulSet)), true, false),
        ("of a ReplicaSet alone", pod("p", 1, other("ReplicaSet")), true, false),
        ("of a ReplicationController", pod("p", 1, other("ReplicationController")), true, false),
        ("of a DaemonSet", pod("p", 1, workload(WorkloadKind::DaemonSet)), false, true),
        ("of a Job", pod("p", 1, other("Job")), false, true),
        ("a static pod, which its node makes", pod("p", 1, other("Node")), false, true),
        ("that nothing makes again", pod("p", 1, Maker::Nobody), false, true),
        ("with the break-glass label", Pod { name: "p".into(), ..glass }, false, true),
        ("of the second of the freeze", pod("p", FROZEN, workload(WorkloadKind::Deployment)), true, false),
        ("that began after it", pod("p", FROZEN + 6, workload(WorkloadKind::Deployment)), false, false),
        ("that began after it, of nobody", pod("p", FROZEN + 6, Maker::Nobody), false, false),
    ];
    for (what, one, evicted, remains) in cases {
        let (targets, left) = picked(&places(vec![("apps", exec(&[]))]), vec![("apps", vec![one])]);
        assert_eq!((targets.len(), left.len()), (usize::from(evicted), usize::from(remains)), "{what}");
        assert!(left.iter().all(|row| row == "OpenSessions Pod apps/p"), "{what}: {left:?}");
    }
}

#[test]
fn a_right_to_one_pod_is_of_that_pod_and_a_place_that_was_not_looked_at_remains() {
    let two = || vec![web("web-1"), web("web-2")];
    let one = places(vec![("apps", exec(&["web-1"])), ("far", exec(&["db-0"])), ("other", exec(&[]))]);
    let (targets, left) = picked(&one, vec![("apps", two()), ("bens", two())]);
    assert_eq!(targets, ["apps/web-1"]);
    assert_eq!(left, ["OpenSessions Pod far/db-0", "OpenSessions pods of namespace other"]);
    let named = places(vec![("", exec(&["web-1"]))]);
    let (targets, left) = picked(&named, vec![("apps", two())]);
    assert_eq!((targets, left), (vec!["apps/web-1".into()], vec!["OpenSessions pods of all other namespaces".into()]));
    let nodes = places(vec![("", rule(&["get"], &["nodes/proxy"], &[]))]);
    let (targets, left) = picked(&nodes, vec![("apps", two())]);
    assert_eq!((targets, left), (vec![], vec!["OpenSessions pods of every node, by nodes/proxy".into()]));
}

#[test]
fn nobody_has_a_cluster_evicted_and_many_pods_of_one_workload_shield_no_other() {
    let all = places(vec![("", exec(&[])), ("large", exec(&[]))]);
    let (targets, left) = picked(&all, vec![("large", many(60)), ("a", many(5)), ("b", many(4)), ("c", many(5_000))]);
    assert_eq!(targets.len(), 64, "what names a namespace goes first, then the few");
    assert_eq!(targets.iter().filter(|name| name.starts_with("b/")).count(), 4, "{targets:?}");
    let rows = [
        "OpenSessions pods of all other namespaces",
        "TooManyPods pods of namespace a",
        "TooManyPods pods of namespace c",
    ];
    assert_eq!(left, rows);
    let decoys =
        many(MAX_PODS + 1).into_iter().chain([pod("real", 1, Maker::Other("ReplicaSet".into(), "api".into()))]);
    let (targets, left) = picked(&places(vec![("apps", exec(&[]))]), vec![("apps", decoys.collect())]);
    assert_eq!((targets, left), (vec!["apps/real".to_owned()], vec!["TooManyPods pods of namespace apps".to_owned()]));
}

#[test]
fn the_workloads_of_what_is_evicted_are_counted() {
    let other = Pod { maker: Maker::Other("ReplicaSet".into(), "api".into()), ..web("api-1") };
    let pods = BTreeMap::from([("apps".to_owned(), vec![web("web-1"), web("web-2"), other])]);
    let found = pick(&places(vec![("apps", exec(&[]))]), &pods, at(FROZEN));
    assert_eq!((found.targets.len(), found.workloads), (3, 2));
    let why = "a session of theirs may be open in it, and Deployment web makes it again";
    assert!(found.targets.iter().any(|one| one.why == why), "{found:?}");
}

#[test]
fn pods_are_evicted_only_where_the_namespace_consents_and_nothing_protects_it() {
    let consent = |workloads: bool| Consent { accounts: true, workloads, ..Consent::default() };
    let consents = ["apps", "kube-system", "rollcall", "kept"].map(|name| (name.to_owned(), consent(true)));
    let world = ClusterInventory {
        consents: consents.into_iter().chain([("plain".to_owned(), consent(false))]).collect(),
        own_namespaces: vec!["rollcall".into()],
        ..ClusterInventory::default()
    };
    let protected = Protected { namespaces: ["kept".to_owned()].into(), ..Protected::default() };
    for (namespace, expected) in [
        ("apps", true),
        ("plain", false),
        ("other", false),
        ("kube-system", false),
        ("rollcall", false),
        ("kept", false),
    ] {
        assert_eq!(may_evict_in(namespace, &world, &protected), expected, "{namespace}");
    }
}
