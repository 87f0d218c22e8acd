use super::*;

fn person(state: &str) -> Person {
    serde_json::from_value(json!({
        "metadata": {"name": "p-7", "namespace": "rollcall", "uid": "u-7"},
        "spec": {"records": [{"connection": "hq", "id": "7"}]},
        "status": {"employment": {"state": state, "since": "2026-03-01T09:00:00Z", "timeZone": "UTC", "why": "Active"}},
    }))
    .unwrap()
}

fn target(action: &str, kind: &str, name: &str, uid: &str) -> Value {
    json!({"action": action, "kind": kind, "namespace": "apps", "name": name, "uid": uid, "why": "theirs"})
}

fn binding(name: &str, users: &[&str]) -> Value {
    let subjects: Vec<_> = users.iter().map(|user| json!({"kind": "User", "name": user})).collect();
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"namespace": "apps", "name": name}, "subjects": subjects,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}})
}

fn account(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": "apps", "name": name}})
}

fn kept(uid: &str, manifest: &Value) -> Value {
    let manifest = manifest.to_string();
    let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(manifest.as_bytes()));
    json!({"uid": uid, "manifest": manifest, "sha256": sha256})
}

fn revocation(name: &str, steps: &[(Value, &str)], kept: &[Value]) -> Revocation {
    let steps: Vec<_> = steps
        .iter()
        .map(|(target, outcome)| json!({"target": target, "outcome": outcome, "at": "2026-03-01T09:00:00Z"}))
        .collect();
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
            "due": "2026-03-01T09:00:00Z", "reason": "r"},
        "status": {"plan": {"hash": "h", "targets": [], "usernames": ["ada"]}, "steps": steps, "kept": kept},
    }))
    .unwrap()
}

#[test]
fn what_was_deleted_is_created_again_accounts_first_and_what_was_recreated_is_there() {
    let cut = revocation(
        "p-7-1-cut",
        &[
            (target("Unbind", "RoleBinding", "mine", "b"), "Done"),
            (target("Trim", "RoleBinding", "ours", "s"), "Done"),
            (target("Recreate", "ServiceAccount", "laptop", "a"), "Done"),
            (target("Unbind", "RoleBinding", "gone", "g"), "AlreadyGone"),
        ],
        &[
            kept("b", &binding("mine", &["ada"])),
            kept("s", &binding("ours", &["ada", "ben"])),
            kept("a", &account("laptop")),
        ],
    );
    let removal = revocation("p-7-1-remove", &[(target("Delete", "ServiceAccount", "laptop", "a2"), "Done")], &[]);
    let (items, refused) = items(&person("Active"), &[cut, removal]);
    let rows: Vec<_> = items.iter().map(|item| item.row().join(" | ")).collect();
    assert_eq!(
        (rows, refused),
        (
            vec![
                "create | ServiceAccount apps/laptop | - | -".to_owned(),
                "create | RoleBinding apps/mine | ClusterRole edit | User ada".to_owned(),
                "put back | RoleBinding apps/ours | ClusterRole edit | User ada".to_owned(),
            ],
            vec![]
        )
    );
}

#[test]
fn a_manifest_that_is_not_what_was_kept_of_this_object_for_this_person_creates_nothing() {
    let step = || (target("Unbind", "RoleBinding", "mine", "b"), "Done");
    let mut changed = kept("b", &binding("mine", &["ada"]));
    changed["manifest"] = binding("mine", &["ada"]).to_string().replace("edit", "cluster-admin").into();
    let mut of_group = binding("mine", &["ada"]);
    of_group["subjects"][0]["kind"] = "Group".into();
    for (what, kept, expected) in [
        ("changed since", changed, "its kept manifest was changed since"),
        ("another object", kept("b", &binding("admins", &["ada"])), "its kept manifest is of another object"),
        ("another kind", kept("b", &account("mine")), "its kept manifest is of another object"),
        ("another user", kept("b", &binding("mine", &["ada", "mallory"])), "its kept manifest names somebody else"),
        ("a group", kept("b", &of_group), "its kept manifest names somebody else"),
        ("not kept", kept("other", &binding("other", &["ada"])), "its manifest was not kept: it was too large"),
    ] {
        let (items, refused) = items(&person("Active"), &[revocation("p-7-1-cut", &[step()], &[kept])]);
        assert_eq!((items.len(), refused), (0, vec![format!("RoleBinding apps/mine: {expected}")]), "{what}");
    }
    let mut of_another = revocation("p-7-1-cut", &[step()], &[kept("b", &binding("mine", &["ada"]))]);
    of_another.spec.person_uid = "made anew".to_owned();
    assert_eq!(items(&person("Active"), &[of_another]).0.len(), 0, "a Person that was made anew is another one");
}

#[test]
fn nothing_is_given_back_to_who_has_left() {
    for (state, expected) in [("Active", true), ("Leave", true), ("Unknown", true), ("Terminated", false)] {
        assert_eq!(works_here(&person(state)).is_ok(), expected, "{state}");
    }
}

#[test]
fn a_shared_binding_gets_back_only_the_names_that_were_taken_out_and_are_missing() {
    let item = Item {
        target: serde_json::from_value(target("Trim", "RoleBinding", "ours", "s")).unwrap(),
        manifest: binding("ours", &["ada", "ben", "carl"]),
        names: ["ada".to_owned()].into(),
    };
    let mut live = binding("ours", &["ben", "dora"]);
    live["metadata"]["resourceVersion"] = "5".into();
    let patch = item.put_back(&live).unwrap();
    assert_eq!(
        targets::users(&patch).collect::<Vec<_>>(),
        ["ben", "dora", "ada"],
        "carl was taken out by somebody else"
    );
    assert_eq!(patch["metadata"]["resourceVersion"], "5");
    assert!(item.put_back(&binding("ours", &["ada"])).is_none());
}
