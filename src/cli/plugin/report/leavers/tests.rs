use jiff::civil::date;
use serde_json::{Value, json};

use super::*;

const QUARTER: Days = Days { from: date(2026, 1, 1), to: date(2026, 3, 31) };

fn now() -> Timestamp {
    "2026-04-01T00:00:00Z".parse().unwrap()
}

fn person(id: &str, left: Option<&str>) -> Person {
    let day = left.map_or(Value::Null, |day| json!(day));
    let instant = left.map_or(Value::Null, |day| json!(format!("{day}T23:00:00Z")));
    serde_json::from_value(json!({
        "metadata": {"name": format!("p-{id}"), "namespace": "rollcall", "uid": id},
        "spec": {"records": [{"connection": "hq", "id": id}]},
        "status": {
            "policy": "everyone",
            "employment": {"state": if left.is_some() { "Terminated" } else { "Active" }, "since": "2026-01-01T00:00:00Z",
                "timeZone": "UTC", "why": "", "lastDay": day, "effective": instant, "seen": instant},
            "profile": {"displayName": "Ada", "workEmail": format!("{id}@example.com")},
        },
    }))
    .unwrap()
}

fn revocation(id: &str, operation: &str, trigger: &str, status: Value) -> Revocation {
    let name = format!("p-{id}-{}", operation.to_lowercase());
    serde_json::from_value(json!({
        "metadata": {"name": name, "uid": name},
        "spec": {"person": format!("p-{id}"), "personUid": id, "policy": "everyone", "trigger": trigger, "operation": operation,
            "due": "2026-03-01T00:00:00Z", "reason": "left", "approval": {"planHash": "a".repeat(64), "by": "grace", "at": "2026-03-01T00:00:00Z"}},
        "status": status,
    }))
    .unwrap()
}

fn target() -> Value {
    json!({"action": "Recreate", "kind": "ServiceAccount", "namespace": "apps", "name": "ci", "uid": "u", "why": "annotated"})
}

/// The status of a cut that was seen with the last day of `person` of that day.
fn revoked(day: &str, seconds: [u32; 3]) -> Value {
    let [acted, verified, confirmed] = seconds.map(|second| format!("{day}T23:00:{second:02}Z"));
    json!({
        "phase": "Revoked",
        "plan": {"hash": "a".repeat(64), "targets": [target()], "remaining": [
            {"what": "RoleBinding apps/team", "why": "SharedBinding", "advice": "edit it", "until": "2027-01-01T00:00:00Z"},
            {"what": "certificate", "why": "ClientCertificate", "advice": "wait", "until": "2026-03-15T00:00:00Z"}]},
        "instants": {"effective": format!("{day}T23:00:00Z"), "seen": format!("{day}T23:00:00Z"), "released": acted},
        "steps": [{"target": target(), "outcome": "Done", "at": acted}],
        "verdicts": [{"target": target(), "verdict": "Observed", "how": "", "at": verified}],
        "acted": acted, "verified": verified, "confirmed": confirmed,
        "evidence": {"name": "rollcall-evidence-00000001", "hash": "h", "previous": "p"},
    })
}

/// The record of a Revocation, which no longer has to be there.
fn sealed(index: u64, person: &str, day: &str, phase: &str, gate: Option<&str>) -> Record {
    let (operation, instant) = ("Cut", format!("{day}T23:00:00Z"));
    let object = json!({"kind": "ServiceAccount", "namespace": "apps", "name": "ci", "uid": "u"});
    let done = phase == "Revoked";
    serde_json::from_value(json!({
        "version": 1, "index": index, "previous": "p", "revocation": format!("{person}-cut"), "operation": operation, "phase": phase,
        "person": person, "subject": "s", "policy": "everyone", "rule": "r", "approver": "grace", "gate": gate,
        "steps": if done { json!([{"object": object, "action": "Recreate", "outcome": "Done", "at": instant}]) } else { json!([]) },
        "verdicts": [], "remaining": [{"what": "RoleBinding apps/team", "why": "SharedBinding"}],
        "instants": {"effective": instant, "seen": instant, "verified": done.then_some(format!("{day}T23:00:04Z"))},
        "lastDay": day, "sealed": instant,
    }))
    .unwrap()
}

fn world(people: Vec<Person>, revocations: Vec<Revocation>) -> World {
    World { people, revocations, ..World::default() }
}

fn outcomes(rows: &[Row]) -> Vec<(&str, &str)> {
    rows.iter().map(|row| (row.person.as_str(), row.outcome.as_str())).collect()
}

#[test]
fn a_leaver_is_told_with_all_that_an_auditor_asks() {
    let world = world(
        vec![person("7", Some("2026-02-28"))],
        vec![revocation("7", "Cut", "Termination", revoked("2026-02-28", [1, 4, 15]))],
    );
    let rows = rows(&world, &[], QUARTER, now());
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((row.records.as_slice(), row.last_day), (&["hq/7".to_owned()][..], Some(date(2026, 2, 28))));
    assert_eq!((row.outcome.as_str(), row.reported_after, row.verified_after), ("Revoked", Some(0), Some(4)));
    assert_eq!(row.revoked, ["Recreate ServiceAccount apps/ci: Done, Observed"]);
    let remain: Vec<_> = row.remaining.iter().map(remains).collect();
    assert_eq!(remain, ["RoleBinding apps/team: SharedBinding, until 2027-01-01T00:00:00Z"], "not what has run out");
    assert_eq!(
        (row.approvers.as_slice(), row.evidence.as_slice()),
        (&["grace".to_owned()][..], &["rollcall-evidence-00000001".to_owned()][..])
    );
    assert!(!serde_json::to_string(&row.clone().masked()).unwrap().contains("Ada"));
}

#[test]
fn each_leaver_of_the_period_is_told_whatever_became_of_them() {
    let held = json!({"phase": "Held", "gate": {"reason": "OverLimit", "message": ""},
        "instants": {"effective": "2026-03-02T23:00:00Z", "seen": "2026-03-02T23:00:00Z"}});
    let mut nothing = revoked("2026-03-03", [1, 4, 15]);
    nothing["steps"] = json!([]);
    nothing["verified"] = Value::Null;
    let people = vec![
        person("1", Some("2026-03-01")),
        person("2", Some("2026-03-02")),
        person("3", Some("2026-03-03")),
        person("4", Some("2026-03-04")),
        person("5", Some("2026-04-01")),
        person("6", None),
        person("8", Some("2026-03-08")),
    ];
    let leave =
        revocation("6", "Freeze", "Leave", json!({"phase": "Frozen", "instants": {"seen": "2026-03-01T00:00:00Z"}}));
    let revocations = vec![
        revocation("2", "Cut", "Termination", held),
        revocation("3", "Cut", "Termination", nothing),
        revocation("8", "Cut", "Termination", Value::Null),
        leave,
    ];
    let records =
        [sealed(1, "p-4", "2026-03-04", "Held", Some("Protected")), sealed(2, "p-9", "2026-03-05", "Revoked", None)];
    let found = rows(&world(people, revocations), &records, QUARTER, now());
    let expected = [
        ("p-1", "NoRevocation"),
        ("p-2", "Held: OverLimit"),
        ("p-3", "NothingToRevoke"),
        ("p-4", "Held: Protected"),
        ("p-9", "Revoked"), // erased: the evidence alone still tells of it
        ("p-8", "UnderWay"),
    ];
    assert_eq!(outcomes(&found), expected);
}

#[test]
fn a_folder_of_evidence_tells_each_termination_once_by_its_newest_record() {
    let records = [
        sealed(1, "p-1", "2026-03-01", "Held", Some("OverLimit")),
        sealed(2, "p-2", "2026-03-01", "Failed", None),
        sealed(3, "p-1", "2026-03-01", "Revoked", None),
        sealed(4, "p-1", "2026-03-20", "Revoked", None), // hired again, and left again
    ];
    let found = rows(&World::default(), &records, QUARTER, now());
    assert_eq!(outcomes(&found), [("p-1", "Revoked"), ("p-2", "Failed"), ("p-1", "Revoked")]);
    assert_eq!(found[0].evidence, ["rollcall-evidence-00000001", "rollcall-evidence-00000003"]);
    assert_eq!((found[0].verified_after, found[0].records.len()), (Some(4), 0));
}

#[test]
fn what_one_of_several_has_not_proved_is_not_called_verified() {
    let mut late = revoked("2026-02-28", [1, 4, 15]);
    late["verified"] = Value::Null;
    late["phase"] = json!("Released");
    let mut second = revocation("7", "Cut", "Termination", late);
    second.metadata.name = Some("p-7-late-abc-cut".into());
    let first = revocation("7", "Cut", "Termination", revoked("2026-02-28", [1, 4, 15]));
    let found = rows(&world(vec![person("7", Some("2026-02-28"))], vec![first, second]), &[], QUARTER, now());
    assert_eq!((found[0].outcome.as_str(), found[0].verified), ("UnderWay", None));
}

#[test]
fn a_removal_that_is_still_to_come_does_not_make_a_cut_less_done() {
    let cut = revocation("7", "Cut", "Termination", revoked("2026-02-28", [1, 4, 15]));
    let instants = json!({"effective": "2026-02-28T23:00:00Z", "seen": "2026-02-28T23:00:00Z"});
    let removal = json!({"phase": "Held", "gate": {"reason": "NotDue", "message": ""}, "instants": instants});
    let removal = revocation("7", "Remove", "Termination", removal);
    let found = rows(&world(vec![person("7", Some("2026-02-28"))], vec![cut, removal]), &[], QUARTER, now());
    assert_eq!((found[0].outcome.as_str(), found[0].verified_after), ("Revoked", Some(4)));
}

#[test]
fn a_duration_is_told_in_the_unit_that_reads() {
    for (seconds, expected) in [(4, "4 s"), (119, "119 s"), (600, "10 min"), (7_200, "2 h"), (200_000, "2 d")] {
        assert_eq!(duration(Some(seconds)), [expected]);
    }
}
