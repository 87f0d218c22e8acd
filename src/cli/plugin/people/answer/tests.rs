//! What is said of somebody, from the objects as they are; and how that reads.

use serde_json::{Value, json};

use super::*;
use crate::api::merge;
use crate::cli::plugin::people::owned::{Thing, Whose};
use crate::cli::plugin::people::words;
use domain::roster;

pub fn now() -> Timestamp {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

fn policy(over: &Value) -> SyncPolicy {
    let condition = json!({"type": "Baseline", "status": "True", "reason": "Settled", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let taken = ["hq", "contractors"].map(|name| json!({"name": name, "response": format!("7f3a-{name}")}));
    let mut policy = json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "SyncPolicy", "metadata": {"name": "everyone", "namespace": "rollcall"},
        "spec": {"mode": "Enforce", "connections": [{"name": "hq"}, {"name": "contractors"}], "timeZones": {"default": "Europe/Madrid"}},
        "status": {"conditions": [condition], "connections": taken},
    });
    merge(&mut policy, over);
    serde_json::from_value(policy).unwrap()
}

fn connection(name: &str, over: &Value) -> HRConnection {
    let mut connection = json!({
        "metadata": {"name": name, "namespace": "rollcall"},
        "spec": {"source": {"file": {"from": {"configMap": {"name": "people", "key": "people.csv"}}}}},
        "status": {
            "lastTrusted": {"time": "2026-03-10T11:00:00Z", "response": format!("7f3a-{name}"), "employees": 2, "statuses": {},
                "highWater": 2, "source": "s"},
            "nextRun": "2026-03-10T13:00:00Z",
        },
    });
    merge(&mut connection, over);
    serde_json::from_value(connection).unwrap()
}

/// What a record reports, and what follows from it alone.
fn employment(record: &str, status: &str, days: [Option<&str>; 2], why: Why) -> Value {
    let (connection, id) = record.split_once('/').unwrap();
    let since = "2026-01-07T09:00:00Z";
    let state = why.state();
    let left = (state == State::Terminated).then_some("2026-03-09T23:00:00Z");
    let announced = days[1].filter(|_| matches!(state, State::Active | State::PreHire));
    json!({
        "connection": connection, "id": id, "reportedStatus": status, "startDate": days[0], "lastWorkingDay": days[1],
        "announced": announced, "announcedAt": announced.map(|_| since),
        "byItself": {"state": state.as_str(), "since": since, "timeZone": "Europe/Madrid", "why": why.as_str(), "lastDay": days[1],
            "effective": left, "seen": left},
    })
}

/// A Person of these records, of which the first decides; `why` is what follows from them together.
pub fn person(employments: &[Value], why: Why) -> Person {
    let records: Vec<_> =
        employments.iter().map(|one| json!({"connection": one["connection"], "id": one["id"]})).collect();
    let mut employments = employments.to_vec();
    let mut together = employments[0]["byItself"].clone();
    together["state"] = json!(why.state().as_str());
    together["why"] = json!(why.as_str());
    if why.state() == State::Terminated {
        together["run"] = json!("r-1");
    }
    if let [one] = &mut employments[..] {
        one["byItself"] = Value::Null;
    }
    serde_json::from_value(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "Person",
        "metadata": {"name": "p-7", "namespace": "rollcall", "uid": "u-7"}, "spec": {"records": records},
        "status": {"policy": "everyone", "employments": employments, "employment": together,
            "profile": {"displayName": "Ada Example", "workEmail": "ada@example.com"}},
    }))
    .unwrap()
}

fn with(mut person: Person, over: &Value) -> Person {
    let mut value = serde_json::to_value(&person).unwrap();
    merge(&mut value, over);
    person = serde_json::from_value(value).unwrap();
    person
}

fn active() -> Person {
    person(&[employment("hq/7", "Active", [Some("2020-01-01"), None], Why::Active)], Why::Active)
}

fn gone() -> Person {
    person(
        &[employment("hq/7", "Terminated", [Some("2020-01-01"), Some("2026-03-09")], Why::Terminated)],
        Why::Terminated,
    )
}

/// A contract that has ended, and the employment after it.
fn hired() -> Person {
    let employed = employment("hq/7", "Active", [Some("2026-02-02"), None], Why::Active);
    let contract =
        employment("contractors/c7", "Terminated", [Some("2024-05-01"), Some("2026-01-31")], Why::Terminated);
    person(&[employed, contract], Why::Active)
}

/// The cut of the present termination.
fn cut(status: &Value) -> Revocation {
    let name = format!("{}-cut", roster::termination_id("p-7", "2026-03-09T23:00:00Z".parse().unwrap()));
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
            "due": "2026-03-09T23:00:00Z", "reason": "left"},
        "status": status,
    }))
    .unwrap()
}

fn held(gate: &str, batch: Option<&str>) -> Revocation {
    let message = "6 people are leaving, 2 are allowed.";
    let plan = json!({"hash": "h", "targets": [], "remaining": []});
    cut(&json!({"phase": "Held", "gate": {"reason": gate, "message": message, "batch": batch}, "plan": plan}))
}

fn world(revocations: Vec<Revocation>) -> World {
    let connections = ["hq", "contractors"].map(|name| connection(name, &json!({}))).into();
    World { people: vec![], revocations, policies: vec![policy(&json!({}))], connections }
}

fn decided(world: &World, person: &Person) -> Answer {
    decide(world, person, Owned::Things(vec![]), now())
}

/// A mover whose review is open, who gets something by a rule, and of whom an address was taken back.
#[test]
fn why_says_what_moved_which_review_is_open_which_rules_grant_and_what_is_disputed() {
    let rule = |name: &str, when: &str| json!({"name": name, "when": when, "bind": {"clusterRole": "view", "namespaces": ["apps"]}});
    let rules = [rule("sales", "person.department == 'Sales'"), rule("tools", "person.department == 'Tools'")];
    let identity = json!({"usernames": ["'oidc:' + person.workEmail"]});
    let review = json!({"since": "2026-03-01T09:00:00Z", "fields": ["department"], "due": "2026-03-15T09:00:00Z"});
    let mover = with(
        active(),
        &json!({"status": {
            "profile": {"department": "Sales"}, "aliases": ["email:ada@example.com", "user:oidc:ada@example.com"],
            "moves": {"last": {"at": "2026-03-01T09:00:00Z", "fields": ["department"]}, "review": review},
            "aliasDates": [{"alias": "email:ada@example.com", "disputed": true}],
        }}),
    );
    let mut world = world(vec![]);
    world.policies = vec![policy(&json!({"spec": {"grants": rules, "identity": identity}}))];
    world.people = vec![mover.clone()];
    let answer = |unmask| {
        let text = words::answer(&decided(&world, &mover), unmask);
        let from = text.find("They moved").expect("a move");
        text[from..].split("\nWhat happens").next().unwrap_or_default().to_owned()
    };
    insta::assert_snapshot!(answer(false), @r"
    They moved at 2026-03-01T09:00:00Z: department.
    A review of their access is open, due 2026-03-15T09:00:00Z: kubectl rollcall review p-7. Nothing ends by it.
    Rules of the policy (spec.grants) that give them something: sales.
    1 of their addresses and user names are disputed: disowned, and HR still has them.
    ");
    assert!(answer(true).ends_with("HR still has them: email:ada@example.com."));
    world.policies = vec![policy(&json!({"spec": {"grants": [rule("sales", "person.")]}}))];
    let broken = words::answer(&decided(&world, &mover), false);
    assert!(broken.contains("The rules of the policy cannot be followed: spec.grants[0].when: "), "{broken}");
}

#[test]
fn each_record_says_whether_it_keeps_the_person() {
    let begins = employment("hq/7", "Active", [Some("2026-04-01"), None], Why::StartsLater);
    let ended = employment("contractors/c7", "Terminated", [None, Some("2026-03-01")], Why::Terminated);
    let unnamed = with(
        active(),
        &json!({"spec": {"records": [{"connection": "hq", "id": "7"}, {"connection": "hq", "id": "x"}, {"connection": "old", "id": "1"}]}}),
    );
    let cases = [
        ("the employment after a contract", hired(), vec![Role::Keeps(State::Active), Role::Ended]),
        ("an employment to come", person(&[begins, ended], Why::Terminated), vec![Role::Begins, Role::Ended]),
        (
            "on leave",
            person(&[employment("hq/7", "Leave", [None, None], Why::OnLeave)], Why::OnLeave),
            vec![Role::Keeps(State::Leave)],
        ),
        (
            "cannot be told",
            person(&[employment("hq/7", "Unmapped", [None, None], Why::Unmapped)], Why::Unmapped),
            vec![Role::CannotTell],
        ),
        ("has left", gone(), vec![Role::Ended]),
        ("linked, and never named", unnamed, vec![Role::Keeps(State::Active), Role::NeverNamed, Role::NotRead]),
    ];
    for (what, person, expected) in cases {
        let roles: Vec<_> = decided(&world(vec![]), &person).says.iter().map(|says| says.role).collect();
        assert_eq!(roles, expected, "{what}");
    }
}

#[test]
fn whose_word_it_is_and_how_new_is_told_of_each_connection() {
    let condition = |status: &str, reason: &str| json!([{"type": "Trusted", "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-03-10T11:30:00Z"}]);
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let attempt = |response: Value| json!({"time": "2026-03-10T11:30:00Z", "outcome": "Shrunk", "response": response});
    let cases = [
        ("fresh", json!({}), Freshness::Fresh(at("2026-03-10T11:00:00Z")), None, true),
        (
            "stale",
            json!({"lastTrusted": {"time": "2026-03-01T11:00:00Z"}}),
            Freshness::Stale(at("2026-03-01T11:00:00Z")),
            None,
            true,
        ),
        ("never trusted", json!({"lastTrusted": null}), Freshness::NeverTrusted, None, false),
        (
            "trusted anew since",
            json!({"lastTrusted": {"response": "new"}}),
            Freshness::Fresh(at("2026-03-10T11:00:00Z")),
            None,
            false,
        ),
        (
            "held",
            json!({"conditions": condition("False", "Shrunk"), "lastAttempt": attempt(json!("9b00"))}),
            Freshness::Fresh(at("2026-03-10T11:00:00Z")),
            Some((Some(Reason::Shrunk), Some("9b00".to_owned()))),
            true,
        ),
        (
            "no whole response",
            json!({"conditions": condition("False", "TimedOut"), "lastAttempt": attempt(json!(null))}),
            Freshness::Fresh(at("2026-03-10T11:00:00Z")),
            Some((Some(Reason::TimedOut), None)),
            true,
        ),
    ];
    for (what, over, freshness, held, dated) in cases {
        let mut world = world(vec![]);
        world.connections = vec![connection("hq", &json!({"status": over}))];
        let answer = decided(&world, &active());
        let hq = &answer.sources[0];
        assert_eq!((hq.name.as_str(), hq.freshness, &hq.held), ("hq", freshness, &held), "{what}");
        assert_eq!(answer.sources[1].freshness, Freshness::Gone, "{what}: the policy names it too");
        let word = answer.says[0].word.as_ref().unwrap();
        assert_eq!((word.response.as_str(), word.read.is_some()), ("7f3a-hq", dated), "{what}");
    }
}

#[test]
fn what_can_be_done_is_what_would_let_it_go_on() {
    let name = || held("Late", None).name_any();
    let shown = |reason: &str| json!({"status": {"conditions": [{"type": "Revoked", "status": "False", "reason": reason, "message": "", "lastTransitionTime": "2026-03-10T00:00:00Z"}]}});
    let left = |status: Value| vec![cut(&status)];
    let thing = json!([{"what": "RoleBinding apps/shared", "why": "SharedBinding", "advice": "remove the subject"}]);
    let failing = |why: Why| person(&[employment("hq/7", "Active", [None, Some("2026-03-01")], why)], why);
    let record = || "hq/7".to_owned();
    let cases = [
        ("works here", active(), vec![], vec![]),
        ("two records, one ended", hired(), vec![], vec![]),
        ("a contradiction", failing(Why::Contradiction), vec![], vec![Command::CorrectInHr(record())]),
        ("another human", failing(Why::Conflict), vec![], vec![Command::CorrectInHr(record())]),
        ("no meaning", failing(Why::Unmapped), vec![], vec![Command::MapStatuses("hq".into())]),
        ("over the limits", gone(), vec![held("OverLimit", Some("b1"))], vec![Command::ApproveBatch("b1".into())]),
        ("a baseline", gone(), vec![held("Baseline", None)], vec![Command::Approve(name())]),
        ("rejected", gone(), vec![held("Rejected", None)], vec![Command::Unreject(name())]),
        ("stopped", gone(), vec![held("GlobalStop", None)], vec![Command::LiftStop]),
        ("under a hold", gone(), vec![held("Hold", None)], vec![Command::LiftHold("p-7".into())]),
        ("observed", gone(), vec![held("Observe", None)], vec![Command::Policy("everyone".into())]),
        ("being counted", gone(), vec![held("Uncounted", None)], vec![]),
        ("failed", gone(), left(json!({"phase": "Failed"})), vec![Command::Retry(name())]),
        ("released", gone(), left(json!({"phase": "Released"})), vec![]),
        (
            "something remains",
            gone(),
            left(json!({"phase": "Revoked", "remaining": thing})),
            vec![Command::Revocation(name())],
        ),
        (
            "is out",
            with(gone(), &shown("Refused")),
            left(json!({"phase": "Revoked"})),
            vec![Command::Erase("p-7".into())],
        ),
        (
            "out, and a removal waits",
            with(gone(), &shown("Refused")),
            vec![cut(&json!({"phase": "Revoked"})), held("NotDue", None)],
            vec![],
        ),
        ("a word of another version", gone(), vec![held("PhaseOfTheMoon", None)], vec![]),
    ];
    for (what, person, revocations, expected) in cases {
        assert_eq!(decided(&world(revocations), &person).commands, expected, "{what}");
    }
    let mut stale = world(vec![]);
    let trusted = json!({"status": {"lastTrusted": {"time": "2026-03-01T11:00:00Z"}}});
    stale.connections = vec![connection("hq", &json!({})), connection("contractors", &trusted)];
    assert_eq!(decided(&stale, &active()).commands, [Command::Connection("contractors".into())]);
}

#[test]
fn every_gate_is_opened_by_somebody_or_by_itself() {
    use crate::api::condition::table::CONDITIONS;
    let gates = CONDITIONS.iter().find(|section| section.heading == "Gates").unwrap();
    // With a new response, a new look, or time.
    let by_itself =
        [Reason::Withdrawn, Reason::Unknown, Reason::NotDue, Reason::Untrusted, Reason::Uncounted, Reason::BeforeHooks];
    for reason in gates.rows.iter().flat_map(|row| row.reasons) {
        let commands = decided(&world(vec![held(reason.as_str(), None)]), &gone()).commands;
        assert_eq!(commands.is_empty(), by_itself.contains(reason), "{reason}: {commands:?}");
    }
}

#[test]
fn a_policy_that_is_not_ready_not_settled_or_gone_is_named() {
    let not_ready = json!({"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "TooManyPeople", "message": "m", "lastTransitionTime": "2026-03-10T00:00:00Z"},
        {"type": "Baseline", "status": "True", "reason": "Settled", "message": "", "lastTransitionTime": "2026-03-10T00:00:00Z"}]}});
    let cases = [
        ("well", vec![policy(&json!({}))], "Policy everyone (Enforce) manages them.", 0),
        ("observes", vec![policy(&json!({"spec": {"mode": "Observe"}}))], "(Observe: it plans and reports", 0),
        ("not settled", vec![policy(&json!({"status": {"conditions": []}}))], "Its baseline is not settled", 1),
        ("not ready", vec![policy(&not_ready)], "It is not ready: TooManyPeople: m", 1),
        ("gone", vec![], "The policy everyone that managed them is gone", 1),
    ];
    for (what, policies, expected, commands) in cases {
        let world = World { policies, ..world(vec![]) };
        let answer = decided(&world, &active());
        let said = words::answer(&answer, false);
        assert!(said.contains(expected), "{what}: {said}");
        let named = answer.commands.iter().filter(|one| **one == Command::Policy("everyone".into())).count();
        assert_eq!(named, commands, "{what}: {:?}", answer.commands);
    }
}

#[test]
fn an_erasable_leaver_is_one_of_whom_nothing_waits() {
    let shown = json!({"status": {"conditions": [{"type": "Revoked", "status": "True", "reason": "Refused", "message": "", "lastTransitionTime": "2026-03-10T00:00:00Z"}]}});
    for (phase, expected) in [("Revoked", 1), ("Cancelled", 1), ("Held", 0), ("Released", 0)] {
        let answer = decided(&world(vec![cut(&json!({"phase": phase}))]), &with(gone(), &shown));
        assert_eq!(answer.commands.len(), expected, "{phase}");
    }
}

#[test]
fn what_comes_is_told_in_its_order() {
    let leaving =
        person(&[employment("hq/7", "Active", [None, Some("2026-03-31")], Why::LeavesLater)], Why::LeavesLater);
    let hold = json!({"spec": {"hold": {"reason": "law", "until": "2026-03-20T00:00:00Z", "by": "admin"}}});
    let due = |status: Value| {
        let mut removal = cut(&status);
        removal.metadata.name = removal.metadata.name.map(|name| name.replace("-cut", "-remove"));
        removal.spec.operation = Operation::Remove;
        removal.spec.due = "2026-03-13T08:00:00Z".parse().unwrap();
        removal
    };
    let until = json!([{"what": "token", "why": "Unbound", "advice": "", "until": "2026-03-12T00:00:00Z"}]);
    let cases = [
        ("works here", active(), vec![], vec!["2026-03-10T13:00:00Z"]),
        (
            "leaves, after a hold",
            with(leaving, &hold),
            vec![],
            vec!["2026-03-10T13:00:00Z", "2026-03-20T00:00:00Z", "2026-03-31T22:00:00Z"],
        ),
        (
            "is removed later",
            gone(),
            vec![cut(&json!({"phase": "Revoked", "remaining": until})), due(json!({"phase": "Held"}))],
            vec!["2026-03-10T13:00:00Z", "2026-03-12T00:00:00Z", "2026-03-13T08:00:00Z"],
        ),
    ];
    for (what, person, revocations, expected) in cases {
        let answer = decided(&world(revocations), &person);
        let at: Vec<_> = answer.next.iter().map(|next| next.at().to_string()).collect();
        assert_eq!(at, expected, "{what}: {:?}", answer.next);
    }
}

#[test]
fn the_answer_names_ids_alone_unless_names_are_asked_for() {
    let answer = decided(&world(vec![]), &hired());
    assert!(words::answer(&answer, true).contains("Ada Example, ada@example.com"));
    let masked = words::answer(&answer, false);
    assert!(!masked.contains("Ada") && !masked.contains("ada@"), "{masked}");
}

#[test]
fn the_command_that_takes_them_out_of_a_shared_binding_stands_by_what_remains_and_names_them_only_when_asked_to() {
    let what = "RoleBinding apps/shared";
    let thing = json!([{"what": what, "why": "SharedBinding", "advice": "remove the subject"}]);
    let edit = Some("kubectl --namespace apps patch rolebinding shared … ada@example.com".to_owned());
    let things = vec![Thing { what: what.into(), whose: Whose::Theirs, edit }];
    let told = world(vec![cut(&json!({"phase": "Revoked", "remaining": thing}))]);
    let answer = decide(&told, &gone(), Owned::Things(things), now());
    let (shown, masked) = (words::answer(&answer, true), words::answer(&answer, false));
    assert!(shown.contains("patch rolebinding shared … ada@example.com"), "{shown}");
    assert!(masked.contains("with --unmask, the command") && !masked.contains("ada@"), "{masked}");
}

#[test]
fn the_answer_is_said_in_plain_sentences() {
    let contract = employment("contractors/c7", "Active", [Some("2024-05-01"), Some("2026-03-31")], Why::LeavesLater);
    let employed = employment("hq/7", "Active", [Some("2026-04-01"), None], Why::StartsLater);
    let hired_soon = person(&[contract, employed], Why::NextFollows);
    let things = vec![Thing { what: "ServiceAccount apps/ci".into(), whose: Whose::Theirs, edit: None }];
    let soon = decide(&world(vec![]), &hired_soon, Owned::Things(things), now());
    insta::assert_snapshot!("why_a_contractor_who_is_hired_is_still_active", words::answer(&soon, false));

    let shown = json!({"status": {"conditions": [{"type": "Revoked", "status": "False", "reason": "Held",
        "message": "Access stands; revocation p-7-cut is held: 6 people are leaving, 2 are allowed.", "lastTransitionTime": "2026-03-10T00:00:00Z"}]}});
    let leaving = person(
        &[employment("hq/7", "Active", [Some("2020-01-01"), Some("2026-03-31")], Why::LeavesLater)],
        Why::LeavesLater,
    );
    let later = decided(&world(vec![]), &leaving);
    insta::assert_snapshot!("why_somebody_leaves_later", words::answer(&later, false));

    let mut stale = world(vec![held("OverLimit", Some("b1"))]);
    let over = json!({"status": {"conditions": [{"type": "Trusted", "status": "False", "reason": "Shrunk", "message": "", "lastTransitionTime": "2026-03-10T11:30:00Z"}],
        "lastTrusted": {"time": "2026-03-01T11:00:00Z"}, "lastAttempt": {"time": "2026-03-10T11:30:00Z", "outcome": "Shrunk", "response": "9b00"}}});
    stale.connections = vec![connection("hq", &over)];
    let held = decide(&stale, &with(gone(), &shown), Owned::NotAllowed, now());
    insta::assert_snapshot!("why_a_leaver_over_the_limits_is_still_in", words::answer(&held, false));
}
