use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn person(turns: &[(u32, &str, i64)]) -> Arc<Person> {
    let turns: Vec<Value> =
        turns.iter().map(|(number, turn, second)| json!({"number": number, "turn": turn, "at": at(*second)})).collect();
    Arc::new(
        serde_json::from_value(json!({
            "metadata": {"name": "p-7", "uid": "a7"},
            "spec": {"records": [{"connection": "hq", "id": "7"}], "profile": {"displayName": "Ada Example"}},
            "status": {"policy": "everyone", "turns": turns, "aliases": ["email:ada@example.com"],
                "profile": {"workEmail": "ada@example.com"}},
        }))
        .unwrap(),
    )
}

fn revocation(status: Value) -> Arc<Revocation> {
    Arc::new(
        serde_json::from_value(json!({
            "metadata": {"name": "p-7-cut", "uid": "b7", "creationTimestamp": at(100)},
            "spec": {"person": "p-7", "personUid": "a7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                "due": at(100), "reason": "id:hq/7 left", "by": "ada@example.com"},
            "status": status,
        }))
        .unwrap(),
    )
}

fn kinds(waiting: &[Waiting]) -> Vec<&str> {
    waiting.iter().flat_map(|one| &one.events).map(|due| due.event.kind.as_str()).collect()
}

/// What came of a Revocation of this status: kind, attempt and time.
fn of(status: Value) -> Vec<(String, i64)> {
    let told = waiting(&[], &[revocation(status)], &Told::default());
    let events = told.into_iter().flat_map(|one| one.events).map(|due| due.event);
    events.map(|event| (event.kind.replace("revocation.", ""), event.time.unwrap().as_second())).collect()
}

#[test]
fn turns_and_ends_of_one_person_wait_in_the_order_in_which_they_came() {
    let person = person(&[(1, "Joined", 10), (2, "Terminated", 90)]);
    let cut = revocation(json!({
        "phase": "Revoked", "instants": {"released": at(101)}, "verified": at(103), "remainingCount": 0,
    }));
    let mut told = Told::default();
    let all = waiting(std::slice::from_ref(&person), std::slice::from_ref(&cut), &told);
    assert_eq!(all.len(), 1, "one person, one queue");
    let expected = ["person.joined", "person.terminated", "revocation.released", "revocation.revoked"];
    assert_eq!(kinds(&all), expected);

    // What was told does not wait, and all else does.
    for due in all.into_iter().flat_map(|one| one.events).take(3) {
        told.note(&due.uid, due.mark);
    }
    assert_eq!(kinds(&waiting(&[person], &[cut], &told)), ["revocation.revoked"]);
}

#[test]
fn a_clock_that_was_put_back_changes_no_order() {
    let turned_back = person(&[(1, "OnLeave", 500), (2, "Back", 90), (3, "Moved", 95)]);
    assert_eq!(
        kinds(&waiting(&[turned_back], &[], &Told::default())),
        ["person.on-leave", "person.back", "person.moved"]
    );
}

#[test]
fn an_event_says_ids_and_words_of_ours_and_is_the_same_each_time() {
    let cut = revocation(json!({
        "phase": "Failed", "acted": at(102), "remainingCount": 2,
        "plan": {"hash": "h", "targets": [], "usernames": ["oidc:ada@example.com"]},
        "verdicts": [{"target": {"action": "Unbind", "kind": "RoleBinding", "namespace": "ada-dev", "name": "ada", "uid": "c", "why": "user:oidc:ada@example.com"},
            "verdict": "Refuted", "how": "ada may still", "at": at(102)}],
    }));
    let all = |person: Arc<Person>| waiting(&[person], std::slice::from_ref(&cut), &Told::default());
    let events: Vec<Event> =
        all(person(&[(4, "Terminated", 90)])).remove(0).events.into_iter().map(|due| due.event).collect();
    let json: Vec<Value> = events.iter().map(|event| event.json("https://cluster.example.com/rollcall")).collect();
    assert_eq!(
        json[0],
        json!({
            "specversion": "1.0", "id": events[0].id, "source": "https://cluster.example.com/rollcall",
            "type": "dev.rollcall.person.terminated.v1", "subject": "p-7", "time": at(90), "datacontenttype": "application/json",
            "data": {"person": "p-7", "uid": "a7", "records": ["hq/7"], "policy": "everyone", "turn": "terminated", "number": 4},
        })
    );
    assert_eq!(
        json[1]["data"],
        json!({
            "revocation": "p-7-cut", "uid": "b7", "person": "p-7", "records": ["hq/7"], "policy": "everyone", "operation": "Cut",
            "trigger": "Termination", "what": "failed", "attempt": 0, "remaining": 2,
            "verdicts": {"observed": 0, "implied": 0, "adopted": 0, "refuted": 1, "unknown": 0},
        })
    );
    let text = serde_json::to_string(&json).unwrap().to_lowercase();
    assert!(!text.contains("ada"), "{text}");
    let again = all(person(&[(4, "Terminated", 90)])).remove(0).events;
    assert_eq!(again.iter().map(|due| &due.event).collect::<Vec<_>>(), events.iter().collect::<Vec<_>>());
    assert_ne!(events[0].id, all(person(&[(5, "Terminated", 90)])).remove(0).events[0].event.id);
}

#[test]
fn what_came_of_a_revocation_is_told_one_thing_after_another() {
    let named =
        |all: &[(&str, i64)]| all.iter().map(|(kind, second)| ((*kind).to_owned(), *second)).collect::<Vec<_>>();
    let released = json!({"released": at(101)});
    for (situation, status, expected) in [
        ("it waits", json!({"phase": "Held"}), named(&[])),
        ("it was let go", json!({"phase": "Released", "instants": released}), named(&[("released", 101)])),
        ("it was taken back", json!({"phase": "Cancelled"}), named(&[("cancelled", 100)])),
        (
            "it failed, and then did not",
            json!({"phase": "Revoked", "attempt": 2, "instants": released, "acted": at(140), "verified": at(150)}),
            named(&[("released", 101), ("failed", 101), ("failed", 101), ("revoked", 150)]),
        ),
        (
            "a freeze that was lifted",
            json!({"phase": "Lifted", "instants": released, "acted": at(102), "lifted": at(200)}),
            named(&[("released", 101), ("frozen", 102), ("lifted", 200)]),
        ),
        (
            "something works again",
            json!({"phase": "Revoked", "verified": at(103), "recheck": {"stage": 1, "at": at(170), "refuted": [{
                "target": {"action": "Unbind", "kind": "RoleBinding", "namespace": "n", "name": "b", "uid": "c", "why": "w"},
                "verdict": "Refuted", "how": "h", "at": at(170)}]}}),
            named(&[("revoked", 103), ("refuted", 170)]),
        ),
        (
            "something came back, twice",
            json!({"phase": "Revoked", "verified": at(103), "returned": [
                {"kind": "RoleBinding", "namespace": "n", "name": "b", "uid": "c", "at": at(180)},
                {"kind": "RoleBinding", "namespace": "n", "name": "b", "uid": "c", "at": at(190)}]}),
            named(&[("revoked", 103), ("returned", 180), ("returned", 190)]),
        ),
    ] {
        assert_eq!(of(status), expected, "{situation}");
    }
}

#[test]
fn turns_that_are_gone_are_counted_and_a_person_made_later_is_not_meant() {
    let mut told = Told::default();
    told.note("a7", Mark::Turn(2));
    let late = waiting(&[person(&[(5, "OnLeave", 1), (6, "Back", 2)])], &[], &told);
    assert_eq!(late[0].lost, 2, "3 and 4");
    assert_eq!(waiting(&[person(&[(3, "OnLeave", 1)])], &[], &told)[0].lost, 0);

    let mut other = person(&[]).as_ref().clone();
    other.metadata.uid = Some("a8".to_owned());
    let all = waiting(&[Arc::new(other)], &[revocation(json!({"phase": "Cancelled"}))], &Told::default());
    assert_eq!(all[0].events[0].event.data["records"], json!([]), "another human's records are not told");
}

#[test]
fn the_page_lists_every_type_of_event() {
    const PAGE: &str = include_str!("../../../docs/signals.md");
    let turns = domain::turns::Turn::ALL.iter().map(|turn| format!("person.{}", turn.word()));
    let ends = ["released", "revoked", "failed", "cancelled", "frozen", "lifted", "refuted", "returned"];
    let all: Vec<String> = turns.chain(ends.map(|end| format!("revocation.{end}"))).collect();
    for kind in &all {
        assert!(PAGE.contains(&format!("| `dev.rollcall.{kind}.v1` |")), "{kind} in docs/signals.md");
    }
    assert_eq!(PAGE.matches("| `dev.rollcall.").count(), all.len(), "and no other");
}
