use serde_json::{Value, json};

use super::*;
use crate::api::merge;
use crate::sync::owned::Watched as _;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, Subject};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn day(number: i64) -> Timestamp {
    Timestamp::from_second(number * 86_400).unwrap()
}

/// A status of somebody who left on day 9 and is out, with changes.
fn status(over: &Value) -> PersonStatus {
    let mut status = json!({
        "policy": "everyone",
        "employment": {"state": "Terminated", "since": day(9), "seen": day(9), "effective": day(9), "timeZone": "UTC", "why": "Terminated"},
        "aliases": ["email:ada@example.com", "user:oidc:ada@example.com"],
        "profile": {"displayName": "Ada Example", "workEmail": "ada@example.com"},
        "access": {"state": "Revoked", "revocation": "p-7-0-cut", "remaining": 0},
        "salt": "5a17",
    });
    merge(&mut status, over);
    serde_json::from_value(status).unwrap()
}

fn person(status: PersonStatus, hold: bool) -> Person {
    let hold = hold.then(|| json!({"reason": "law", "until": day(900), "by": "admin"}));
    let mut person: Person = serde_json::from_value(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "Person",
        "metadata": {"name": "p-7", "namespace": "rollcall", "uid": "u-7"},
        "spec": {"records": [{"connection": "hq", "id": "7"}], "hold": hold},
    }))
    .unwrap();
    person.status = Some(status);
    person
}

/// A cut that acted on day 10.
fn cut(phase: &str) -> Revocation {
    serde_json::from_value(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "Revocation", "metadata": {"name": "p-7-0-cut"},
        "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
            "due": day(9), "reason": "left"},
        "status": {"phase": phase, "acted": day(10), "confirmed": day(10)},
    }))
    .unwrap()
}

/// What there is in a cluster in which one binding names this user.
fn bound(user: &str) -> OwnedKeys {
    let subject = Subject { kind: "User".into(), name: user.into(), ..Subject::default() };
    let mut binding = ClusterRoleBinding { subjects: Some(vec![subject]), ..ClusterRoleBinding::default() };
    binding.metadata.name = Some("admins".into());
    OwnedKeys { bindings: [binding.keep()].into(), ..OwnedKeys::default() }
}

#[test]
fn names_go_on_time_and_only_of_somebody_who_is_out_and_owns_nothing() {
    let nothing = || Some(OwnedKeys::default());
    let plain = || json!({});
    let revoked = || vec![cut("Revoked")];
    let cases = [
        ("the day before", plain(), false, revoked(), nothing(), 99, Stays::Everything),
        ("the day", plain(), false, revoked(), nothing(), 100, Stays::Identifiers),
        ("its Revocations have gone too", plain(), false, vec![], nothing(), 100, Stays::Ids),
        (
            "cancelled, and done anew",
            plain(),
            false,
            vec![cut("Cancelled"), cut("Revoked")],
            nothing(),
            100,
            Stays::Identifiers,
        ),
        ("another one waits", plain(), false, vec![cut("Revoked"), cut("Held")], nothing(), 900, Stays::Everything),
        ("another one acts", plain(), false, vec![cut("Revoked"), cut("Released")], nothing(), 900, Stays::Everything),
        ("another one failed", plain(), false, vec![cut("Revoked"), cut("Failed")], nothing(), 900, Stays::Everything),
        ("under a hold", plain(), true, revoked(), nothing(), 900, Stays::Everything),
        (
            "a binding names them",
            plain(),
            false,
            revoked(),
            Some(bound("oidc:Ada@example.com")),
            900,
            Stays::Everything,
        ),
        (
            "a binding names somebody else",
            plain(),
            false,
            revoked(),
            Some(bound("oidc:eve@example.com")),
            900,
            Stays::Identifiers,
        ),
        ("who owns what is not known", plain(), false, revoked(), None, 900, Stays::Everything),
        ("something remains", json!({"access": {"remaining": 1}}), false, revoked(), nothing(), 900, Stays::Everything),
        ("access stands", json!({"access": {"state": "Kept"}}), false, revoked(), nothing(), 900, Stays::Everything),
        ("nothing was planned", json!({"access": null}), false, vec![], nothing(), 900, Stays::Everything),
        (
            "seen later than it acted",
            json!({"employment": {"seen": day(20)}}),
            false,
            revoked(),
            nothing(),
            100,
            Stays::Everything,
        ),
        ("works here", json!({"employment": {"state": "Active"}}), false, revoked(), nothing(), 900, Stays::Everything),
        (
            "cannot be told",
            json!({"employment": {"state": "Unknown"}}),
            false,
            revoked(),
            nothing(),
            900,
            Stays::Everything,
        ),
        (
            "owns a Secret",
            json!({}),
            false,
            revoked(),
            Some(OwnedKeys {
                holders: [domain::marks::digest("email:ada@example.com")].into(),
                ..OwnedKeys::default()
            }),
            900,
            Stays::Everything,
        ),
        (
            "out of scope",
            json!({"employment": {"state": "OutOfScope"}}),
            false,
            revoked(),
            nothing(),
            900,
            Stays::Everything,
        ),
    ];
    for (what, over, hold, told, owned, today, expected) in cases {
        let retention = Retention::new(Some(DAY * 90), owned.as_ref());
        let status = status(&over);
        let told: Vec<&Revocation> = told.iter().collect();
        let stays = retention.stays(&status, &person(status.clone(), hold), &told, day(today));
        assert_eq!(stays, expected, "{what}");
    }
    let unreadable = Retention::new(None, None);
    assert_eq!(
        unreadable.stays(&status(&json!({})), &person(status(&json!({})), false), &[], day(900)),
        Stays::Everything
    );
}

#[test]
fn what_stays_are_ids_and_dates_and_the_salt_that_the_evidence_needs() {
    let owned = OwnedKeys::default();
    let retention = Retention::new(Some(DAY * 90), Some(&owned));
    for (told, aliases) in [(vec![cut("Revoked")], 2), (vec![], 0)] {
        let before = status(&json!({"profile": {"title": "Engineer", "manager": "p-8"}}));
        let (mut after, mut edited) = (before.clone(), Some(Box::<Profile>::default()));
        let told: Vec<_> = told.iter().collect();
        retention.apply(&mut after, &mut edited, Some(&person(before.clone(), false)), &told, day(900));
        assert_eq!(edited, None, "what was imported once goes with it");
        let address = Profile { work_email: Some("ada@example.com".into()), ..Profile::default() };
        assert_eq!((&after.profile, after.aliases.len()), (&Some(address).filter(|_| aliases > 0), aliases));
        let rest = PersonStatus { profile: None, aliases: vec![], ..before };
        assert_eq!(PersonStatus { profile: None, aliases: vec![], ..after }, rest, "nothing else has changed");
    }
}

#[test]
fn an_id_that_comes_back_without_an_address_of_the_leaver_has_nothing_of_theirs() {
    let retention = Retention::new(Some(DAY * 90), None);
    let nameless = status(&json!({"profile": {"displayName": null}}));
    let says = |name: &str, address: Value| json!({"displayName": name, "workEmail": address});
    let old = ["email:ada@example.com", "user:oidc:ada@example.com"].map(str::to_owned);
    let eve = "email:eve@example.com".to_owned();
    let hired = |state: &str, profile: Value, new: &[String]| {
        let mut hired = status(&json!({"employment": {"state": state}}));
        hired.profile = Some(serde_json::from_value(profile).unwrap());
        hired.aliases.extend_from_slice(new);
        hired
    };
    let new = std::slice::from_ref(&eve);
    let both = [old.to_vec(), vec![eve.clone()]].concat();
    let works = status(&json!({"employment": {"state": "Active"}, "profile": {"displayName": null}}));
    let cases = [
        (
            "another address",
            &nameless,
            hired("Active", says("Eve Example", json!("eve@example.com")), new),
            vec![eve.clone()],
        ),
        ("no address", &nameless, hired("Unknown", says("Eve Example", json!(null)), &[]), vec![]),
        ("their address", &nameless, hired("Active", says("Ada Example", json!("Ada@example.com")), &[]), old.to_vec()),
        (
            "a source without names",
            &nameless,
            hired("Active", json!({"workEmail": "eve@example.com"}), new),
            both.clone(),
        ),
        ("a leaver still", &nameless, hired("Terminated", says("Ada", json!("eve@example.com")), new), both.clone()),
        (
            "named before",
            &status(&json!({})),
            hired("Active", says("Ada Married", json!("eve@example.com")), new),
            both.clone(),
        ),
        ("worked here, without a name", &works, hired("Active", says("Ada", json!("eve@example.com")), new), both),
    ];
    for (what, before, mut after, expected) in cases {
        retention.apply(&mut after, &mut None, Some(&person(before.clone(), false)), &[], day(900));
        assert_eq!(after.aliases, expected, "{what}");
    }
}

#[test]
fn what_a_human_took_back_goes_with_the_last_that_is_personal_of_a_leaver() {
    let bare = || status(&json!({"aliases": [], "profile": null}));
    let mut person = person(bare(), false);
    assert!(!Retention::forgets(&person, &bare()), "nothing was taken back");
    person.spec.disowned = vec!["email:ben@example.com".into()];
    assert!(Retention::forgets(&person, &bare()));
    assert!(!Retention::forgets(&person, &status(&json!({}))), "names are kept still");
    let back = status(&json!({"aliases": [], "profile": null, "employment": {"state": "Active"}}));
    assert!(!Retention::forgets(&person, &back), "who works here");
}
