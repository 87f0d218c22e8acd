use super::ask::ACCOUNTS;
use super::*;

fn grants() -> Grants {
    Grants::new(&Options {
        namespace: "rollcall".into(),
        instance: "rollcall".into(),
        revoker_namespace: "rollcall-revoker".into(),
        revoker_account: "rollcall-revoke".into(),
        ..Options::default()
    })
}

fn role(kind: &str, name: &str) -> RoleRef {
    RoleRef { kind: kind.into(), name: name.into(), ..RoleRef::default() }
}

fn account(namespace: &str, name: &str) -> Subject {
    Subject {
        kind: "ServiceAccount".into(),
        name: name.into(),
        namespace: Some(namespace.into()),
        ..Subject::default()
    }
}

fn group(name: &str) -> Subject {
    Subject { kind: "Group".into(), name: name.into(), ..Subject::default() }
}

#[test]
fn a_namespace_is_asked_again_when_a_binding_that_names_the_revoker_or_control_changes_and_for_no_other() {
    let cases = [
        ("the revoker", account("rollcall-revoker", "rollcall-revoke"), true),
        ("control", account("rollcall", "rollcall-control"), true),
        ("who trims", account("rollcall", "rollcall-trim"), true),
        ("every account there is", group("system:serviceaccounts"), true),
        ("an account of the same name elsewhere", account("apps", "rollcall-revoke"), false),
        ("a group of people", group("admins"), false),
    ];
    for (what, subject, expected) in cases {
        let mut grants = grants();
        let subjects = [subject];
        assert_eq!(grants.binding("apps", "b", Some((&role("ClusterRole", "r"), &subjects))), expected, "{what}");
        assert!(!grants.binding("apps", "b", Some((&role("ClusterRole", "r"), &subjects))), "{what}, seen again");
        assert_eq!(grants.binding("apps", "b", None), expected, "{what}, gone");
    }
}

#[test]
fn a_role_is_asked_about_again_where_a_binding_names_it_once_it_is_another() {
    let mut grants = grants();
    let revoker = [account("rollcall-revoker", "rollcall-revoke")];
    grants.binding("apps", "b", Some((&role("ClusterRole", "r"), &revoker)));
    grants.binding("web", "b", Some((&role("Role", "r"), &revoker)));
    grants.stale = Stale::default();
    assert!(!grants.role("", "r", "1"), "it is only learnt");
    assert!(!grants.role("", "r", "1"));
    assert!(!grants.role("", "other", "2"));
    assert!(grants.role("", "r", "2"));
    assert_eq!(grants.stale.namespaces, BTreeSet::from(["apps".to_owned()]));
}

#[test]
fn a_binding_of_the_whole_cluster_has_everything_asked_again() {
    let mut grants = grants();
    grants.binding("", "b", Some((&role("ClusterRole", "r"), &[account("rollcall-revoker", "rollcall-revoke")])));
    assert!(grants.stale.all);
}

#[test]
fn the_table_has_room_for_itself_and_counts_what_it_leaves_out() {
    let row = |n: usize| Row {
        namespace: format!("{n:063}"),
        accounts: false,
        canaries: false,
        trim: false,
        rotate: false,
        workloads: false,
        secrets: false,
        missing: ACCOUNTS.map(|(verb, _, resource)| format!("{verb} {resource}")).to_vec(),
    };
    let rows: Vec<Row> = (0..10_000).map(row).collect();
    let data = table(&rows);
    assert!(data.values().map(String::len).sum::<usize>() < 1024 * 1024);
    let kept: Vec<Row> = serde_json::from_str(&data[KEY]).unwrap();
    assert_eq!(kept.len() + data[OMITTED].parse::<usize>().unwrap(), rows.len());
    assert!(!table(&rows[..1]).contains_key(OMITTED));
}
