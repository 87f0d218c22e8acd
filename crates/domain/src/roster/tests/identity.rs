//! What a directory knows of accounts: it stands with the record, and decides nothing of anybody.

use super::*;
use crate::account::{Fact, Said, Value};
use crate::identity::Finding;
use crate::profile::{FieldMode, ProfileField};
use crate::roster::MatchKey;

const PEOPLE: std::ops::RangeInclusive<u32> = 1..=10;

/// Ten people, a directory that has all of them, and a policy that keeps second factors and sign-ins.
fn world() -> ClusterInventory {
    let mut world = ClusterInventory::settled();
    world.roles.insert("okta", Role::Corroborating);
    world.matching = Matching { keys: vec![MatchKey::WorkEmail], ..Matching::default() };
    let kept = [Fact::LastSignIn, Fact::MfaEnrolled].map(|fact| (ProfileField::Account(fact), FieldMode::Continuous));
    world.fields = Arc::new(Modes::default().with(kept));
    let plan = told(&world, &people(PEOPLE), &directory(|_, said| said), noon());
    world.write(&plan, usize::MAX);
    world
}

/// Their accounts, all on, with a second factor and a sign-in, and what is said otherwise of each.
fn directory(otherwise: impl Fn(u32, Employee) -> Employee) -> Vec<Employee> {
    let said = Said::default().with(Fact::MfaEnrolled, Value::Yes);
    let said = said.with(Fact::LastSignIn, Value::On(jiff::civil::date(2026, 3, 9))).with(Fact::Sso, Value::No);
    let account =
        |id: u32| Employee { id: HrId(format!("o{id}")), account: Some(Box::new(said)), ..employee(&id.to_string()) };
    PEOPLE.map(|id| otherwise(id, account(id))).collect()
}

fn told(world: &ClusterInventory, hq: &[Employee], okta: &[Employee], now: Timestamp) -> RosterPass {
    let answer = |connection, employees| TrustedResponse { connection, employees, taken: now, part: false };
    world.planned_over(&[answer("hq", hq), answer("okta", okta)], now)
}

fn known(entry: &RosterEntry) -> Vec<(Fact, String)> {
    let account = entry.employments[1].account.as_deref();
    let of = |fact| Some((fact, account?.get(fact)?.0.to_string()));
    Fact::ALL.into_iter().filter_map(of).collect()
}

#[test]
fn what_the_policy_keeps_stands_with_the_record_and_the_same_again_writes_nobody() {
    let world = world();
    let kept = vec![(Fact::LastSignIn, "2026-03-09".to_owned()), (Fact::MfaEnrolled, "Yes".to_owned())];
    assert_eq!(known(world.entry("7")), kept, "and nothing of single sign-on, which no policy keeps");
    let again = told(&world, &people(PEOPLE), &directory(|_, said| said), noon() + SignedDuration::from_hours(5));
    assert_eq!(again.changes.len(), 0);
}

#[test]
fn a_lying_directory_ends_nobody_and_writes_no_fact_of_anybody() {
    let without = |fact: Fact| {
        directory(move |_, mut said| {
            said.account.as_mut().unwrap().set(fact, None);
            said
        })
    };
    let off = |_: u32, said: Employee| said.reported_status(ReportedStatus::Mapped(Status::Suspended));
    let cases = [
        ("second factors are gone", without(Fact::MfaEnrolled), 0),
        ("sign-ins are refused", without(Fact::LastSignIn), 0),
        ("nothing is said of accounts", directory(|_, said| Employee { account: None, ..said }), 0),
        ("all are off at once", directory(off), 10),
        ("all have left, it says", directory(|_, said| said.terminated()), 10),
    ];
    for (what, okta, written) in cases {
        let mut world = world();
        let before: Vec<_> = PEOPLE.map(|id| known(world.entry(&id.to_string()))).collect();
        let plan = told(&world, &people(PEOPLE), &okta, noon() + SignedDuration::from_hours(1));
        assert_eq!(plan.changes.len(), written, "{what}: what the record says is shown");
        assert!(plan.runs.iter().all(|run| run.leavers == 0), "{what}");
        world.write(&plan, usize::MAX);
        for (id, before) in PEOPLE.zip(before) {
            assert_eq!(world.state(&id.to_string()), State::Active, "{what}");
            assert_eq!(known(world.entry(&id.to_string())), before, "{what}");
        }
        let findings = plan.identity.unwrap();
        assert_eq!(findings.people, BTreeMap::new(), "{what}");
        assert_eq!(findings.not_believed.len(), usize::from(written > 0), "{what}");
    }
}

#[test]
fn who_has_no_second_factor_any_more_while_others_have_is_not_known_to_have_one() {
    let mut world = world();
    let okta = directory(|id, said| if id == 7 { Employee { account: None, ..said } } else { said });
    let plan = told(&world, &people(PEOPLE), &okta, noon() + SignedDuration::from_hours(1));
    world.write(&plan, usize::MAX);
    assert_eq!((plan.changes.len(), known(world.entry("7"))), (1, vec![]));
}

#[test]
fn leavers_who_are_on_workers_without_an_account_and_accounts_without_a_human_are_found() {
    let mut world = world();
    let later = noon() + SignedDuration::from_hours(48);
    let mut hq = people(PEOPLE);
    hq[0] = hq[0].clone().terminated();
    let mut okta = directory(|_, said| said);
    let nobodys = |id: &str, status| employee(id).reported_status(ReportedStatus::Mapped(status));
    okta.extend([nobodys("x1", Status::Active), nobodys("x2", Status::Suspended)]);
    hq.push(employee("11"));
    let first = told(&world, &hq, &okta, noon() + SignedDuration::from_hours(1));
    assert_eq!(first.identity.as_ref().unwrap().people, BTreeMap::new(), "within the day");
    world.write(&first, usize::MAX);
    let findings = told(&world, &hq, &okta, later).identity.unwrap();
    assert_eq!(findings.people, BTreeMap::from([(Finding::LeaverEnabled, 1), (Finding::NoAccount, 1)]));
    let orphans = findings.orphans.unwrap();
    let first: Vec<_> = orphans.first.iter().map(ToString::to_string).collect();
    assert_eq!((orphans.accounts, first), (1, vec!["okta/x1".to_owned()]), "one that is off harms nobody");
}
