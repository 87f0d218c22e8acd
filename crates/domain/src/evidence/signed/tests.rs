use super::super::tests::body;
use super::super::{chain, name, verify};
use super::*;

type Records = Vec<(String, String)>;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_pem(&SigningKey::pem_of(&[seed; 32])).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A chain of so many records about `person`, and the head after each.
fn chained(length: u64, person: &str) -> (Records, Vec<Head>) {
    let (mut records, mut heads) = (Vec::new(), vec![Head::genesis()]);
    for index in 1..=length {
        let sealed = chain(heads.last().unwrap(), body(&format!("{person}-{index}"))).unwrap();
        records.push((name(index), sealed.text));
        heads.push(sealed.head);
    }
    (records, heads)
}

fn sign(head: &Head, by: &SigningKey) -> SignedHead {
    SignedHead::sign(head, "home", by, at(i64::try_from(head.index).unwrap())).unwrap()
}

/// Checks a chain that hangs together against signed heads.
fn check(
    records: &Records,
    heads: &[SignedHead],
    keys: Option<&Keys>,
    given: &SigningKey,
) -> Result<u64, Vec<Distrust>> {
    let none = Head::genesis();
    let end = verify(records.clone(), None, &none).unwrap().head;
    let texts = records.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let chained = Chained::new(texts, &none, &end);
    let named: Vec<(String, &SignedHead)> = heads.iter().map(|head| (head.place(), head)).collect();
    let named = named.iter().map(|(name, head)| (name.as_str(), *head));
    trusted(&chained, named, keys, &given.public()).map(|newest| newest.index)
}

#[test]
fn a_signed_chain_is_trusted_by_its_key_alone() {
    let (records, heads) = chained(4, "p");
    let signed = [sign(&heads[2], &key(1)), sign(&heads[4], &key(1))];
    assert_eq!(check(&records, &signed, None, &key(1)), Ok(4));
    let unknown = |head: &SignedHead| Distrust::UnknownKey { name: head.place(), key: key(1).public().id() };
    let wrong = Err(vec![unknown(&signed[0]), unknown(&signed[1]), Distrust::NoHead]);
    assert_eq!(check(&records, &signed, None, &key(2)), wrong, "another key");
}

#[test]
fn a_forged_chain_with_the_old_signatures_is_refused() {
    let (_, heads) = chained(4, "p");
    let (forged, forged_heads) = chained(4, "q");
    let old = [sign(&heads[2], &key(1)), sign(&heads[4], &key(1))];
    let other = |head: &SignedHead| Distrust::OtherRecord { name: head.place(), index: head.index };
    assert_eq!(check(&forged, &old, None, &key(1)), Err(vec![other(&old[0]), other(&old[1])]));

    let mut renamed = old[1].clone(); // the old signature, over the new hash
    renamed.hash.clone_from(&forged_heads[4].hash);
    let found = check(&forged, std::slice::from_ref(&renamed), None, &key(1));
    assert_eq!(found, Err(vec![Distrust::Forged { name: renamed.place() }, Distrust::NoHead]));

    let own = SignedHead { key: key(1).public().id(), ..sign(&forged_heads[4], &key(9)) }; // by the forger's key, in our name
    let found = check(&forged, std::slice::from_ref(&own), None, &key(1));
    assert_eq!(found, Err(vec![Distrust::Forged { name: own.place() }, Distrust::NoHead]));
}

#[test]
fn a_chain_that_was_cut_off_is_refused_given_a_later_signed_head() {
    let (mut records, heads) = chained(4, "p");
    records.truncate(2);
    let signed = [sign(&heads[2], &key(1)), sign(&heads[4], &key(1))];
    let cut = Distrust::CutOff { name: signed[1].place(), index: 4, end: 2 };
    assert_eq!(check(&records, &signed, None, &key(1)), Err(vec![cut]));
    assert_eq!(check(&records, &signed[..1], None, &key(1)), Ok(2), "nothing shows it without that head");
}

#[test]
fn records_after_the_last_signed_head_are_named() {
    let (records, heads) = chained(4, "p");
    let found = check(&records, &[sign(&heads[2], &key(1))], None, &key(1));
    assert_eq!(found, Err(vec![Distrust::Unsigned { from: 3, to: 4 }]));
}

/// Keys 1, 2 and 3, the second taking over after record 2, signed by the first; the third after record 3, as `third` says.
fn keys(heads: &[Head], third: impl Fn(KeyEntry) -> KeyEntry) -> Keys {
    let entry = |seed, after: usize| KeyEntry::new("home", &key(seed).public(), &heads[after], at(1));
    let keys = vec![entry(1, 0), entry(2, 2).signed_by(&key(1)).unwrap(), third(entry(3, 3))];
    Keys { installation: "home".into(), keys }
}

#[test]
fn a_key_that_the_trusted_one_signed_is_trusted_after_it() {
    let (records, heads) = chained(4, "p");
    let good = keys(&heads, |third| third.signed_by(&key(2)).unwrap());
    let signed = [sign(&heads[2], &key(1)), sign(&heads[3], &key(2)), sign(&heads[4], &key(3))];
    for given in [1, 2, 3] {
        assert_eq!(check(&records, &signed, Some(&good), &key(given)), Ok(4), "key {given}");
    }
    assert!(check(&records, &signed, None, &key(1)).is_err(), "nothing shows who took over");
    let written = Keys::read(&good.text().unwrap());
    assert_eq!(written, Some(good), "as exported");
}

#[test]
fn a_key_that_nobody_signed_is_not_trusted_however_it_got_there() {
    let (records, heads) = chained(4, "p");
    let signed = [sign(&heads[2], &key(1)), sign(&heads[4], &key(3))];
    let stranger = Distrust::UnknownKey { name: signed[1].place(), key: key(3).public().id() };
    type Third = fn(KeyEntry) -> KeyEntry;
    let cases: [(&str, Third); 4] = [
        ("the key before it was lost", |third| third),
        ("it signed itself", |third| third.signed_by(&key(3)).unwrap()),
        ("a key two before it signed", |third| third.signed_by(&key(1)).unwrap()),
        ("what was signed was changed", |third| KeyEntry {
            after: Head::genesis(),
            ..third.signed_by(&key(2)).unwrap()
        }),
    ];
    for (situation, third) in cases {
        let found = check(&records, &signed, Some(&keys(&heads, third)), &key(1));
        assert_eq!(found, Err(vec![stranger.clone(), Distrust::Unsigned { from: 3, to: 4 }]), "{situation}");
        assert_eq!(check(&records, &signed, Some(&keys(&heads, third)), &key(3)), Ok(4), "{situation}: its own holder");
    }
}

#[test]
fn a_key_that_another_took_over_from_signs_nothing_later() {
    let (records, heads) = chained(4, "p");
    let good = keys(&heads, |third| third.signed_by(&key(2)).unwrap());
    let stolen = sign(&heads[4], &key(1));
    let found = check(&records, &[stolen.clone(), sign(&heads[4], &key(3))], Some(&good), &key(1));
    let late = Distrust::AfterHandover { name: stolen.place(), key: key(1).public().id(), until: 2 };
    assert_eq!(found, Err(vec![late]));
}

#[test]
fn a_signed_head_of_another_installation_with_the_same_key_is_named() {
    let (records, heads) = chained(2, "p");
    let other = SignedHead::sign(&heads[2], "elsewhere", &key(1), at(9)).unwrap();
    let found = check(&records, &[sign(&heads[1], &key(1)), other.clone()], None, &key(1)).unwrap_err();
    assert_eq!(found[0], Distrust::OtherInstallation { name: other.place() });
}

#[test]
fn a_signed_key_is_no_signed_head() {
    let (_, heads) = chained(2, "p");
    let entry = KeyEntry::new("home", &key(2).public(), &heads[2], at(1)).signed_by(&key(1)).unwrap();
    assert_eq!(SignedHead::read(&canonical(&entry).unwrap()), None);
    let signed = sign(&heads[2], &key(1));
    assert_eq!(SignedHead::read(&signed.text().unwrap()), Some(signed.clone()));
    assert_eq!(SignedHead::read(&signed.text().unwrap().replace("evidenceHead", "evidenceKey")), None);
}

#[test]
fn signed_heads_of_pruned_records_are_left_out_and_that_of_the_last_one_is_compared() {
    let (records, heads) = chained(4, "p");
    let signed = [sign(&heads[1], &key(1)), sign(&heads[2], &key(1)), sign(&heads[4], &key(1))];
    let named: Vec<(String, &SignedHead)> = signed.iter().map(|head| (head.place(), head)).collect();
    let check = |start: &Head| {
        let kept = records.iter().skip(2).map(|(name, text)| (name.as_str(), text.as_str()));
        compare(&Chained::new(kept, start, &heads[4]), named.iter().map(|(name, head)| (name.as_str(), *head)))
    };
    assert_eq!(check(&heads[2]), []);
    let other = Head { index: 2, hash: GENESIS.to_owned() };
    assert_eq!(check(&other), [Distrust::OtherRecord { name: signed[1].place(), index: 2 }]);
}
