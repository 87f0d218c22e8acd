use super::*;

mod pruned;

pub fn body(person: &str) -> RecordBody {
    let account = Object {
        kind: "ServiceAccount".into(),
        namespace: "team-a".into(),
        name: "deployer".into(),
        uid: "0b1f".into(),
    };
    RecordBody {
        revocation: format!("{person}-cut"),
        operation: "Cut".into(),
        phase: "Revoked".into(),
        attempt: 0,
        person: person.into(),
        subject: subject("salt-of-p7", "hq", &HrId("7".into())),
        policy: "everyone".into(),
        rule: hash("rule"),
        plan: Some(hash("plan")),
        approver: Some("oidc:grace@example.com".into()),
        second_approver: None,
        rejecter: None,
        gate: None,
        steps: vec![Step {
            object: account.clone(),
            action: "Recreate".into(),
            outcome: "Done".into(),
            at: Timestamp::UNIX_EPOCH,
        }],
        verdicts: vec![Verdict { object: account, verdict: "Observed".into(), at: Timestamp::UNIX_EPOCH }],
        remaining: vec![Remaining { what: "RoleBinding team-a/shared".into(), why: "SharedBinding".into() }],
        hooks: Vec::new(),
        recheck: None,
        instants: Instants { seen: Some(Timestamp::UNIX_EPOCH), ..Instants::default() },
        last_day: None,
        sealed: Timestamp::UNIX_EPOCH,
    }
}

/// A whole chain: name and text of each record, and its head.
fn sealed(people: u64) -> (Vec<(String, String)>, Head) {
    let mut head = Head::genesis();
    let mut records = Vec::new();
    for person in 1..=people {
        let sealed = chain(&head, body(&format!("p-{person}"))).unwrap();
        records.push((name(sealed.record.index), sealed.text));
        head = sealed.head;
    }
    (records, head)
}

fn changed(n: u64, by: u64) -> Broken {
    Broken::Changed { name: name(n), by: name(by) }
}

#[test]
fn an_untouched_chain_verifies_in_any_order_with_and_without_its_head() {
    for length in [0, 1, 5] {
        let (mut records, head) = sealed(length);
        records.reverse();
        let whole = Summary { records: length, pruned: 0, loose: 0, head: head.clone() };
        let none = Head::genesis();
        assert_eq!(verify(records.clone(), Some(&head), &none), Ok(whole.clone()), "{length} records with the head");
        assert_eq!(verify(records, None, &none), Ok(whole), "{length} records without it");
    }
}

#[test]
fn each_kind_of_tampering_is_named() {
    type Tamper = fn(&mut Vec<(String, String)>, &mut Head);
    let cases: Vec<(&str, Tamper, Vec<Broken>)> = vec![
        (
            "a verdict was changed in the middle",
            |records, _| records[1].1 = records[1].1.replace("Observed", "Refuted!"),
            vec![changed(2, 3)],
        ),
        ("a blank was added", |records, _| records[1].1.push(' '), vec![changed(2, 3)]),
        (
            "the last record was changed",
            |records, _| records[4].1 = records[4].1.replace("Observed", "Implied"),
            vec![Broken::HeadMismatch { index: 5 }],
        ),
        (
            "the previous hash of a record was changed: that record is the changed one, the one before it is not blamed",
            |records, _| {
                let hash = hash(&records[1].1);
                records[2].1 = records[2].1.replace(&hash, GENESIS);
            },
            vec![changed(3, 4), Broken::WrongPrevious { name: name(3) }],
        ),
        (
            "the first record follows something",
            |records, head| {
                let forged = Head { index: 0, hash: hash("elsewhere") };
                let sealed = chain(&forged, body("p-1")).unwrap();
                *records = vec![(name(1), sealed.text)];
                *head = sealed.head;
            },
            vec![Broken::WrongPrevious { name: name(1) }],
        ),
        (
            "a record is missing in the middle",
            |records, _| drop(records.remove(2)),
            vec![Broken::Missing { from: 3, to: 3 }],
        ),
        ("the first two are missing", |records, _| drop(records.drain(..2)), vec![Broken::Missing { from: 1, to: 2 }]),
        ("the end was cut off", |records, _| records.truncate(3), vec![Broken::Missing { from: 4, to: 5 }]),
        ("everything is gone but the head", |records, _| records.clear(), vec![Broken::Missing { from: 1, to: 5 }]),
        (
            "two records stand in one place",
            |records, _| {
                let before = Head { index: 1, hash: hash(&records[0].1) };
                records.push(("copy".into(), chain(&before, body("p-9")).unwrap().text));
            },
            vec![
                Broken::Misnamed { name: "copy".into(), index: 2 },
                Broken::Fork { index: 2, names: vec![name(2), "copy".into()] },
            ],
        ),
        (
            "two records have changed names",
            |records, _| {
                let first = records[0].0.clone();
                records[0].0 = std::mem::replace(&mut records[1].0, first);
            },
            vec![Broken::Misnamed { name: name(2), index: 1 }, Broken::Misnamed { name: name(1), index: 2 }],
        ),
        (
            "the head was turned back",
            |records, head| *head = Head { index: 4, hash: hash(&records[3].1) },
            vec![Broken::AfterHead { name: name(5) }],
        ),
        ("the head names another hash", |_, head| head.hash = hash("forged"), vec![Broken::HeadMismatch { index: 5 }]),
        (
            "the head was emptied",
            |records, head| {
                records.clear();
                head.index = 0;
            },
            vec![Broken::HeadMismatch { index: 0 }],
        ),
        (
            "a record is not JSON",
            |records, _| records[4].1 = "gone".into(),
            vec![Broken::Unreadable { name: name(5) }, Broken::Missing { from: 5, to: 5 }],
        ),
        (
            "a record has no place",
            |records, _| records.push(("zero".into(), format!(r#"{{"index":0,"previous":"{GENESIS}"}}"#))),
            vec![Broken::Unreadable { name: "zero".into() }],
        ),
        (
            "a record was put far beyond the end",
            |records, _| {
                let far = format!(r#"{{"index":{},"previous":"{GENESIS}"}}"#, u64::MAX);
                records.push((name(u64::MAX), far));
            },
            vec![Broken::Missing { from: 6, to: u64::MAX - 1 }, Broken::AfterHead { name: name(u64::MAX) }],
        ),
    ];
    for (situation, tamper, expected) in cases {
        let (mut records, mut head) = sealed(5);
        let before = (records.clone(), head.clone());
        tamper(&mut records, &mut head);
        assert_ne!((&records, &head), (&before.0, &before.1), "{situation}: the case changes nothing");
        assert_eq!(verify(records, Some(&head), &Head::genesis()), Err(expected), "{situation}");
    }
}

#[test]
fn without_a_head_changed_bytes_are_still_found_before_the_last_record() {
    let (mut records, _) = sealed(3);
    records[0].1 = records[0].1.replace("Done", "Skipped");
    assert_eq!(verify(records, None, &Head::genesis()), Err(vec![changed(1, 2)]));
}

#[test]
fn a_record_is_canonical_and_reads_back_as_it_was() {
    let sealed = chain(&Head::genesis(), body("p-1")).unwrap();
    assert_eq!(serde_json_canonicalizer::pipe(&sealed.text).unwrap(), sealed.text);
    assert_eq!(serde_json::from_str::<Record>(&sealed.text).unwrap(), sealed.record);
    insta::assert_snapshot!(sealed.text);
}

#[test]
fn a_record_keeps_neither_the_hr_id_nor_the_salt() {
    let text = chain(&Head::genesis(), body("p-1")).unwrap().text;
    assert!(!text.contains("salt-of-p7"));
    assert!(!text.contains("hq"));
}

#[test]
fn the_subject_tells_apart_what_only_joins_to_the_same_letters() {
    let id = |id: &str| HrId(id.into());
    let subjects = [subject("s", "hq", &id("17")), subject("s", "hq1", &id("7")), subject("sh", "q", &id("17"))];
    assert_eq!(std::collections::BTreeSet::from(subjects.clone()).len(), 3);
    assert_ne!(subject("s", "hq", &id("17")), subject("t", "hq", &id("17")));
    assert!(is_hash(&subjects[0]));
}

#[test]
fn the_head_reads_back_from_its_config_map_and_nothing_else_does() {
    let (_, head) = sealed(2);
    assert_eq!(Head::read(&head.data()), Some(head.clone()));
    for (key, value) in [("index", "two"), ("index", "-1"), ("hash", ""), ("hash", "ABC"), ("hash", &"G".repeat(64))] {
        let mut data = head.data();
        data.insert(key.into(), value.into());
        assert_eq!(Head::read(&data), None, "{key}: {value}");
    }
    assert_eq!(Head::read(&BTreeMap::new()), None);
}

#[test]
fn a_record_found_in_the_next_place_is_followed_only_if_it_follows_the_head() {
    let (records, _) = sealed(3);
    let head = |records: &[(String, String)], n: usize| Head { index: n as u64, hash: hash(&records[n - 1].1) };
    assert_eq!(follow(&head(&records, 1), &records[1].1), Some(head(&records, 2)));
    assert_eq!(follow(&Head::genesis(), &records[0].1), Some(head(&records, 1)));
    assert_eq!(follow(&head(&records, 1), &records[2].1), None, "a record of another place");
    assert_eq!(follow(&Head { index: 1, hash: hash("other") }, &records[1].1), None, "a record after another one");
    assert_eq!(follow(&head(&records, 1), ""), None, "no record at all");
}

#[test]
fn what_ended_without_its_record_is_named() {
    let (records, _) = sealed(2);
    let records: Vec<(&str, &str)> = records.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let record = |n: usize| Some((records[n - 1].0.to_owned(), hash(records[n - 1].1)));
    let ended =
        |revocation: &str, phase: &str, record| Closed { revocation: revocation.into(), phase: phase.into(), record };
    let cases = [
        ("sealed", ended("p-1-cut", "Revoked", record(1)), None),
        ("no seal", ended("p-1-cut", "Revoked", None), Some("is not sealed")),
        ("a record of another", ended("p-1-cut", "Revoked", record(2)), Some("of another Revocation")),
        ("a record of an earlier end", ended("p-1-cut", "Failed", record(1)), Some("of another end")),
        ("another hash", ended("p-1-cut", "Revoked", Some((name(1), hash("x")))), Some("hash is another")),
        ("a record that is gone", ended("p-1-cut", "Revoked", Some((name(9), hash("x")))), Some("no such record")),
    ];
    for (situation, ended, expected) in cases {
        let found = closed([ended], records.clone(), &Head::genesis());
        match expected {
            None => assert_eq!(found, [], "{situation}"),
            Some(words) => assert!(found.len() == 1 && found[0].to_string().contains(words), "{situation}: {found:?}"),
        }
    }
}
