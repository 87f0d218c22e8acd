use serde_json::{Value, json};

use super::*;

fn policy(grant: &Value, over: &Value) -> SyncPolicy {
    let mut spec = json!({"connections": [{"name": "hq"}], "timeZones": {"default": "UTC"},
        "identity": {"usernames": ["'oidc:' + person.workEmail"]}, "grants": [grant]});
    spec.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "metadata": {"name": "everyone", "generation": 1}, "spec": spec,
        "status": {"conditions": [{"type": "Baseline", "status": "True", "reason": "Settled", "message": "",
            "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
    }))
    .unwrap()
}

fn sales() -> Value {
    json!({"name": "sales", "when": "person.department == 'Sales'",
        "bind": {"clusterRole": "view", "namespaces": ["crm"]}})
}

fn person(id: &str, department: &str, over: Value) -> Person {
    let address = format!("{id}@example.com");
    let mut person = json!({
        "metadata": {"name": format!("p-{id}"), "namespace": "rollcall", "uid": id},
        "spec": {"records": [{"connection": "hq", "id": id}]},
        "status": {
            "policy": "everyone",
            "aliases": [format!("email:{address}"), format!("user:oidc:{address}")],
            "profile": {"workEmail": address, "department": department},
            "employments": [{"connection": "hq", "id": id, "reportedStatus": "Active", "startDate": "2026-01-01"}],
            "employment": {"state": "Active", "since": "2026-01-01T00:00:00Z", "timeZone": "UTC", "why": "Active"},
        },
    });
    merge(&mut person, over);
    serde_json::from_value(person).unwrap()
}

fn merge(into: &mut Value, over: Value) {
    match (into, over) {
        (Value::Object(into), Value::Object(over)) => {
            over.into_iter().for_each(|(key, value)| merge(into.entry(key).or_insert(Value::Null), value));
        }
        (into, over) => *into = over,
    }
}

fn decided(policy: &SyncPolicy, people: &[Person], bindings: &[RoleBinding]) -> Decided {
    let now = "2026-03-10T12:00:00Z".parse().unwrap();
    decide("rollcall", policy, &people.iter().collect::<Vec<_>>(), bindings, now).unwrap()
}

/// What is made for the one person there is to grant something to.
fn made(decided: &Decided) -> Vec<RoleBinding> {
    let grants = decided.outcomes.iter().flat_map(|outcome| &outcome.make);
    grants.filter_map(|grant| decided.manifest("rollcall", "everyone", grant)).collect()
}

#[test]
fn a_binding_names_one_person_by_their_user_names_and_says_whose_it_is() {
    let people = [person("7", "Sales", json!({})), person("8", "Support", json!({}))];
    let found = decided(&policy(&sales(), &json!({})), &people, &[]);
    let [binding] = &made(&found)[..] else { panic!("one binding") };
    let shown = serde_json::to_value(binding).unwrap();
    assert_eq!(shown["subjects"], json!([{"apiGroup": RBAC, "kind": "User", "name": "oidc:7@example.com"}]));
    assert_eq!(shown["roleRef"], json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"}));
    let labels = json!({"rollcall.dev/part": "grant", "rollcall.dev/people": "rollcall", "rollcall.dev/policy": "everyone",
        "rollcall.dev/grant": "sales", "rollcall.dev/person": "p-7"});
    assert_eq!((&shown["metadata"]["labels"], &shown["metadata"]["namespace"]), (&labels, &json!("crm")));
}

#[test]
fn nobody_is_bound_whose_user_name_may_be_anothers_or_whom_hr_does_not_say() {
    let twin = person("9", "Support", json!({"status": {"aliases": ["user:oidc:7@example.com"]}}));
    let edited = json!({"spec": {"profile": {"department": "Sales"}}, "status": {"profile": {"department": null}}});
    let doubtful = json!({"doubts": [{"people": ["hq/7", "hq/9"], "key": "employeeNumber", "namesAgree": true}]});
    let cases = [
        ("works here", person("7", "Sales", json!({})), None, Value::Null, 1),
        ("another has the user name", person("7", "Sales", json!({})), Some(twin), Value::Null, 0),
        ("perhaps another's", person("7", "Sales", json!({})), None, doubtful, 0),
        (
            "not computed by sync",
            person("7", "Sales", json!({"status": {"aliases": ["user:other"]}})),
            None,
            Value::Null,
            0,
        ),
        ("entered by hand", person("7", "", edited), None, Value::Null, 0),
        ("on leave", person("7", "Sales", json!({"status": {"employment": {"state": "Leave"}}})), None, Value::Null, 0),
        ("of another policy", person("7", "Sales", json!({"status": {"policy": "other"}})), None, Value::Null, 0),
        (
            "held",
            person(
                "7",
                "Sales",
                json!({"spec": {"hold": {"reason": "r", "until": "2030-01-01T00:00:00Z", "by": "b"}}}),
            ),
            None,
            Value::Null,
            0,
        ),
        (
            "held until yesterday, and nobody lifted it",
            person(
                "7",
                "Sales",
                json!({"spec": {"hold": {"reason": "r", "until": "2026-03-09T12:00:00Z", "by": "b"}}}),
            ),
            None,
            Value::Null,
            1,
        ),
        ("a baseline is awaited", person("7", "Sales", json!({})), None, json!({"conditions": []}), 0),
    ];
    for (what, one, other, status, expected) in cases {
        let mut policy = serde_json::to_value(policy(&sales(), &json!({}))).unwrap();
        merge(&mut policy["status"], if status.is_null() { json!({}) } else { status });
        let people: Vec<_> = std::iter::once(one).chain(other).collect();
        let found = decided(&serde_json::from_value(policy).unwrap(), &people, &[]);
        assert_eq!(made(&found).len(), expected, "{what}");
    }
}

#[test]
fn a_binding_goes_once_the_cut_is_released_and_never_one_without_our_labels() {
    let seven = |over: Value| [person("7", "Sales", over)];
    let everyone = policy(&sales(), &json!({}));
    let mut binding = made(&decided(&everyone, &seven(json!({})), &[])).remove(0);
    binding.metadata.uid = Some("uid-1".into());
    let left = |access: Value| json!({"status": {"employment": {"state": "Terminated", "seen": "2026-03-01T00:00:00Z", "effective": "2026-03-01T00:00:00Z"}, "access": access}});
    let cut = format!("{}-cut", domain::roster::termination_id("p-7", "2026-03-01T00:00:00Z".parse().unwrap()));
    let cases = [
        ("works here", json!({}), 0),
        ("moved", json!({"status": {"profile": {"department": "Support"}}}), 1),
        ("the department is empty", json!({"status": {"profile": {"department": null}}}), 0),
        ("left, not planned", left(Value::Null), 0),
        ("left, held", left(json!({"state": "Held", "revocation": cut})), 0),
        ("left, released", left(json!({"state": "Released", "revocation": cut})), 1),
        ("left, of an earlier exit", left(json!({"state": "Revoked", "revocation": "p-7-0-cut"})), 0),
    ];
    for (what, over, removed) in cases {
        let outcome = decided(&everyone, &seven(over), std::slice::from_ref(&binding)).outcomes.remove(0);
        assert_eq!((outcome.remove.len(), outcome.keep.len()), (removed, 1 - removed), "{what}");
    }
    let no_rules = policy(&sales(), &json!({"grants": []}));
    assert_eq!(decided(&no_rules, &seven(json!({})), std::slice::from_ref(&binding)).outcomes[0].remove.len(), 1);
    for label in [names::PART, names::PEOPLE, names::POLICY, names::GRANT, names::PERSON] {
        let mut stripped = binding.clone();
        stripped.metadata.labels.as_mut().unwrap().remove(label);
        let outcomes = decided(&no_rules, &seven(json!({})), &[stripped]).outcomes;
        assert!(outcomes.is_empty(), "without {label} it is nobody's business here");
    }
}

#[test]
fn a_rule_that_cannot_be_followed_is_named_with_its_field() {
    let rule = |field: &str, value: Value| {
        let mut rule = sales();
        rule[field] = value;
        rule
    };
    let bind = |over: Value| rule("bind", over);
    let cases = [
        (rule("when", json!("person.")), "spec.grants[0].when: not a CEL expression"),
        (rule("when", json!("person.department")), "spec.grants[0].when: does not give true or false"),
        (
            rule("when", json!("person.title == 'x'")),
            "spec.grants[0].when: person.title must be Continuous in spec.fields",
        ),
        (bind(json!({"namespaces": ["crm"]})), "spec.grants[0].bind: write either"),
        (bind(json!({"role": "a", "namespaces": ["a/b"]})), "spec.grants[0].bind.namespaces: \"a/b\" is no name"),
    ];
    for (grant, expected) in cases {
        let found = Rules::of(&policy(&grant, &json!({}))).err().unwrap_or_default();
        assert!(found.starts_with(expected), "{found}");
    }
    let kept = policy(&rule("when", json!("person.title == 'x'")), &json!({"fields": {"title": "Continuous"}}));
    assert!(Rules::of(&kept).is_ok());
    let once = policy(&rule("when", json!("person.title == 'x'")), &json!({"fields": {"title": "Once"}}));
    assert!(Rules::of(&once).is_err(), "what a human may edit would be theirs to grant");
}

/// The binding that a rule makes for somebody, standing.
fn stands(policy: &SyncPolicy, people: &[Person]) -> RoleBinding {
    let mut binding = made(&decided(policy, people, &[])).remove(0);
    binding.metadata.uid = Some("uid-1".into());
    binding
}

#[test]
fn who_is_another_policys_by_now_loses_what_this_one_gave_and_nobody_does_while_that_cannot_be_told() {
    let everyone = policy(&sales(), &json!({}));
    let seven = |policy: &str, state: &str| {
        [person("7", "Sales", json!({"status": {"policy": policy, "employment": {"state": state}}}))]
    };
    let binding = stands(&everyone, &seven("everyone", "Active"));
    for (what, people, removed) in [
        ("handed over", seven("south", "Active"), 1),
        ("handed over, and on leave", seven("south", "Leave"), 1),
        ("in both scopes", seven("south", "Unknown"), 0),
        ("out of the other's scope", seven("south", "OutOfScope"), 0),
        ("ours", seven("everyone", "Active"), 0),
    ] {
        for rules in [everyone.clone(), policy(&sales(), &json!({"grants": []}))] {
            let removed = if rules.spec.grants.is_empty() && what == "ours" { 1 } else { removed };
            let outcome = decided(&rules, &people, std::slice::from_ref(&binding)).outcomes.remove(0);
            assert_eq!((outcome.remove.len(), outcome.make.len()), (removed, 0), "{what}");
        }
    }
}

#[test]
fn a_binding_to_which_somebody_added_a_colleague_is_not_ours_to_remove() {
    let everyone = policy(&sales(), &json!({}));
    let seven = [person("7", "Sales", json!({}))];
    let moved = [person("7", "Support", json!({}))];
    let binding = stands(&everyone, &seven);
    assert_eq!(decided(&everyone, &moved, std::slice::from_ref(&binding)).outcomes[0].remove.len(), 1);
    let change = |change: fn(&mut RoleBinding)| {
        let mut changed = binding.clone();
        change(&mut changed);
        changed
    };
    let subject = |kind: &str| Subject { kind: kind.into(), name: "oidc:8@example.com".into(), ..Subject::default() };
    let mut added = vec![binding.clone(), binding.clone()];
    added[0].subjects.as_mut().unwrap().push(subject("User"));
    added[1].subjects.as_mut().unwrap().push(subject("Group"));
    added.push(change(|one| one.role_ref.name = "edit".into()));
    added.push(change(|one| one.metadata.name = Some("by-hand".into())));
    added.push(change(|one| drop(one.metadata.labels.as_mut().unwrap().insert(names::PERSON.into(), "p-8".into()))));
    for (n, changed) in added.into_iter().enumerate() {
        let outcome = decided(&everyone, &moved, std::slice::from_ref(&changed)).outcomes.remove(0);
        assert!(outcome.remove.is_empty(), "{n}");
        let wanted = decided(&everyone, &seven, std::slice::from_ref(&changed)).outcomes.remove(0);
        assert_eq!(wanted.taken.len() + wanted.make.len(), 1, "{n}: and it does not stand for what the rule asks for");
    }
}

#[test]
fn nobody_is_bound_by_a_user_name_that_a_human_took_back() {
    let disowned = |alias: &str| [person("7", "Sales", json!({"spec": {"disowned": [alias]}}))];
    let everyone = policy(&sales(), &json!({}));
    assert_eq!(made(&decided(&everyone, &disowned("user:oidc:7@example.com"), &[])).len(), 0);
    assert_eq!(made(&decided(&everyone, &disowned("user:oidc:old@example.com"), &[])).len(), 1);
}

/// What somebody is granted by a rule over their account, and whether it goes if they have it; `account` is what the directory says of them.
fn by_account(when: &str, account: &Value, others: &str) -> (bool, bool) {
    let rule = json!({"name": "production", "when": when, "bind": {"clusterRole": "edit", "namespaces": ["crm"]}});
    let over = json!({"connections": [{"name": "hq"}, {"name": "okta", "role": "Corroborating"}],
        "fields": {"lastSignIn": "Continuous", "mfaEnrolled": "Continuous", "sso": "Continuous"}});
    let policy = policy(&rule, &over);
    let employments = |id: &str, account: &Value| {
        let mut okta = json!({"connection": "okta", "id": id, "reportedStatus": others});
        merge(&mut okta, account.clone());
        json!({"status": {"employments": [{"connection": "hq", "id": id, "reportedStatus": "Active"}, okta]}})
    };
    let of = |account: &Value| {
        let mut all = vec![person("7", "Sales", employments("7", account))];
        all.extend((20..30).map(|id| person(&id.to_string(), "Support", employments(&id.to_string(), &json!({})))));
        all
    };
    let has = json!({"reportedStatus": "Active", "account": {"lastSignIn": {"value": "2026-03-01", "since": "2026-03-01T00:00:00Z"},
        "mfaEnrolled": {"value": "Yes", "since": "2026-03-01T00:00:00Z"}}});
    let theirs = |outcome: &Outcome| outcome.make.iter().any(|grant| grant.person == "p-7");
    let found = decided(&policy, &of(account), &[]);
    let everybody = json!({"name": "production", "when": "person.department == 'Sales'",
        "bind": {"clusterRole": "edit", "namespaces": ["crm"]}});
    let standing = made(&decided(&self::policy(&everybody, &over), &of(&has), &[]));
    let with_uid = |mut one: RoleBinding| {
        one.metadata.uid = Some("u-1".into());
        one
    };
    let standing: Vec<_> = standing.into_iter().map(with_uid).collect();
    let later = decided(&policy, &of(account), &standing);
    (found.outcomes.iter().any(theirs), later.outcomes.iter().any(|outcome| !outcome.remove.is_empty()))
}

#[test]
fn what_is_not_known_of_an_account_neither_gives_nor_takes_a_role() {
    let since = "2026-03-01T00:00:00Z";
    let fact = |name: &str, value: &str| json!({"account": {name: {"value": value, "since": since}}});
    let off = json!({"reportedStatus": "Suspended"});
    let missing = json!({"missingSince": since, "account": {"mfaEnrolled": {"value": "Yes", "since": since}}});
    let mfa = "person.mfaEnrolled == 'Yes'";
    let cases = [
        ("enrolled", mfa, fact("mfaEnrolled", "Yes"), "Active", (true, false)),
        ("not enrolled", mfa, fact("mfaEnrolled", "No"), "Active", (false, true)),
        ("not known", mfa, json!({}), "Active", (false, false)),
        ("of another version", mfa, fact("mfaEnrolled", "Sometimes"), "Active", (false, false)),
        ("the account vanished", mfa, missing, "Active", (false, false)),
        ("not known, and asked", "has(person.mfaEnrolled) && person.id == '7'", json!({}), "Active", (false, false)),
        ("not known, or else", "person.sso == 'Yes' || person.id == '7'", json!({}), "Active", (false, false)),
        (
            "signed in since",
            "person.lastSignIn >= '2026-03-01'",
            fact("lastSignIn", "2026-03-02"),
            "Active",
            (true, false),
        ),
        (
            "not for long",
            "person.lastSignIn >= '2026-03-01'",
            fact("lastSignIn", "2026-02-01"),
            "Active",
            (false, true),
        ),
        ("on", "person.id == '7' && person.account == 'Enabled'", json!({}), "Active", (true, false)),
        ("off", "person.id == '7' && person.account == 'Enabled'", off.clone(), "Active", (false, true)),
        (
            "off, as everybody's is at once",
            "person.id == '7' && person.account == 'Enabled'",
            off,
            "Suspended",
            (false, false),
        ),
        (
            "a word that is not mapped",
            "person.id == '7' && person.account == 'Enabled'",
            json!({"reportedStatus": "Unmapped"}),
            "Active",
            (false, false),
        ),
    ];
    for (what, when, account, others, expected) in cases {
        assert_eq!(by_account(when, &account, others), expected, "{what}");
    }
}
