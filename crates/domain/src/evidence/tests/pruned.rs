//! A chain whose beginning was pruned: nothing that a prune does is taken for tampering, and nothing else passes for a prune.

use super::*;

type Records = Vec<(String, String)>;

/// Five records and their head; and the marker of a prune up to the third.
fn five() -> (Records, Head, Head) {
    let (records, head) = sealed(5);
    let start = Head { index: 3, hash: hash(&records[2].1) };
    (records, head, start)
}

#[test]
fn what_a_prune_leaves_verifies_also_where_it_was_interrupted_and_in_every_copy() {
    type Leave = fn(&mut Records);
    let cases: Vec<(&str, Leave, (u64, u64, u64))> = vec![
        ("a whole prune", |records| drop(records.drain(..3)), (2, 0, 0)),
        ("the marker stands and nothing is deleted yet", |_| {}, (5, 3, 0)),
        ("the oldest is deleted", |records| drop(records.remove(0)), (4, 2, 0)),
        ("all but one are deleted", |records| drop(records.drain(..2)), (3, 1, 0)),
        ("a folder that was exported to before and after", |records| drop(records.drain(1..3)), (2, 0, 1)),
        ("one in the middle of what was pruned is gone", |records| drop(records.remove(1)), (3, 1, 1)),
    ];
    for (situation, leave, (records, pruned, loose)) in cases {
        let (mut left, head, start) = five();
        leave(&mut left);
        let whole = Summary { records, pruned, loose, head: head.clone() };
        assert_eq!(verify(left.clone(), Some(&head), &start), Ok(whole.clone()), "{situation}");
        assert_eq!(verify(left, None, &start), Ok(whole), "{situation}, without a head");
    }
}

#[test]
fn what_no_prune_does_is_named() {
    type Tamper = fn(&mut Records, &mut Head, &mut Head);
    let index = 3;
    let cases: Vec<(&str, Tamper, Vec<Broken>)> = vec![
        ("the marker is gone", |_, _, start| *start = Head::genesis(), vec![Broken::Missing { from: 1, to: 3 }]),
        (
            "the marker was turned back",
            |_, _, start| *start = Head { index: 2, hash: start.hash.clone() },
            vec![Broken::Missing { from: 3, to: 3 }],
        ),
        (
            "the marker names another hash",
            |_, _, start| start.hash = hash("forged"),
            vec![Broken::StartMismatch { index }],
        ),
        (
            "the marker was moved on, with the hash that it had",
            |_, _, start| start.index = 4,
            vec![Broken::StartMismatch { index: 4 }],
        ),
        (
            "a record behind the marker is gone",
            |records, _, _| drop(records.remove(0)),
            vec![Broken::Missing { from: 4, to: 4 }],
        ),
        ("the last record is gone", |records, _, _| drop(records.pop()), vec![Broken::Missing { from: 5, to: 5 }]),
        (
            "everything is gone, and the marker says that it was pruned",
            |records, head, start| {
                records.clear();
                *start = head.clone();
            },
            vec![Broken::StartBeyondEnd { index: 5 }],
        ),
        (
            "the marker lies beyond the head",
            |records, _, start| {
                records.clear();
                start.index = 900;
            },
            vec![Broken::StartBeyondEnd { index: 900 }],
        ),
        (
            "the first record that was kept was changed",
            |records, _, _| records[0].1 = records[0].1.replace("Observed", "Implied"),
            vec![changed(4, 5)],
        ),
        (
            "its previous hash was changed: the marker is not blamed",
            |records, _, start| records[0].1 = records[0].1.replace(&start.hash, GENESIS),
            vec![changed(4, 5), Broken::WrongPrevious { name: name(4) }],
        ),
        (
            "a pruned record that is still there was changed",
            |records, _, _| {
                let (whole, _) = sealed(3);
                records.extend(whole.into_iter().skip(1));
                records[3].1 = records[3].1.replace("Observed", "Implied");
            },
            vec![changed(3, 4)],
        ),
        (
            "one of several pruned records that are still there was changed",
            |records, _, _| {
                let (whole, _) = sealed(3);
                records.extend(whole);
                records[3].1 = records[3].1.replace("Observed", "Implied");
            },
            vec![changed(2, 3)],
        ),
        (
            "another record stands where a pruned one was",
            |records, _, _| {
                records.push((name(3), chain(&Head { index: 2, hash: hash("x") }, body("p-9")).unwrap().text))
            },
            vec![changed(3, 4)],
        ),
    ];
    for (situation, tamper, expected) in cases {
        let (mut records, mut head, mut start) = five();
        records.drain(..3);
        let before = (records.clone(), head.clone(), start.clone());
        tamper(&mut records, &mut head, &mut start);
        assert_ne!(
            (&records, &head, &start),
            (&before.0, &before.1, &before.2),
            "{situation}: the case changes nothing"
        );
        assert_eq!(verify(records, Some(&head), &start), Err(expected), "{situation}");
    }
}

#[test]
fn without_a_head_the_marker_still_says_where_the_chain_begins() {
    let (mut records, _, mut start) = five();
    records.drain(..3);
    start.hash = hash("forged");
    assert_eq!(verify(records, None, &start), Err(vec![Broken::StartMismatch { index: 3 }]));
    assert_eq!(verify(Records::new(), None, &start), Err(vec![Broken::StartBeyondEnd { index: 3 }]));
}

#[test]
fn a_revocation_whose_record_was_pruned_counts_as_sealed() {
    let (records, _, start) = five();
    let left: Vec<(&str, &str)> = records.iter().skip(3).map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let ended = |name: String, text: &str| Closed {
        revocation: "p-1-cut".into(),
        phase: "Revoked".into(),
        record: Some((name, hash(text))),
    };
    let cases = [
        ("pruned", name(1), true),
        ("the last that was pruned", name(3), true),
        ("one behind it, which is of another", name(4), false),
        ("one that never was", name(6), false),
        ("no name of a record", "rollcall-evidence-1".to_owned(), false),
        ("the head", "rollcall-evidence-head".to_owned(), false),
    ];
    for (situation, name, counts) in cases {
        let found = closed([ended(name, &records[0].1)], left.clone(), &start);
        assert_eq!(found.is_empty(), counts, "{situation}: {found:?}");
    }
    let there: Vec<(&str, &str)> = records.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let found = closed([ended(name(2), &records[1].1)], there, &start);
    assert_eq!(found.len(), 1, "one that is still there is read: it is of another Revocation");
    let unsealed = Closed { revocation: "p-1-cut".into(), phase: "Revoked".into(), record: None };
    assert_eq!(closed([unsealed], left, &start).len(), 1, "one that names none");
}
