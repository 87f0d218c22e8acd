//! What a pass over people of whom nothing is new costs: the roster alone, without a cluster.

use std::collections::BTreeMap;
use std::time::Instant;

use domain::employee::{Employee, HrId, Manager, ReportedStatus, Status, Text};
use domain::field::SharedText;
use domain::roster::{self, Access, Baseline, KnownPerson, RosterPass, Rules, TrustedResponse};
use domain::timezone::Zones;
use jiff::{SignedDuration, Timestamp};

use super::Figure;
use super::reading::{PEOPLE, asked, median};

const RUNS: usize = 7;

/// The figure of this file.
pub fn figures() -> Vec<Figure> {
    vec![Figure {
        figure: "roster pass of 100,000 with no change",
        value: asked(&["roster"])[0],
        unit: "ms",
        bar: Some(("at most", 150.0)),
    }]
}

/// How many milliseconds a pass takes that finds everybody as they are: the median of some.
pub fn pass() -> f64 {
    let employees = employees();
    let zones = Zones::new("Europe/Madrid", &BTreeMap::from([("Oslo".to_owned(), "Europe/Oslo".to_owned())])).unwrap();
    let mut now: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
    let known = known(pass_over(&[], &employees, &zones, now));
    assert_eq!(known.len(), PEOPLE);
    let took = |_| {
        now += SignedDuration::from_hours(1);
        let begun = Instant::now();
        let pass = pass_over(&known, &employees, &zones, now);
        let took = begun.elapsed();
        assert_eq!(pass.changes.len(), 0);
        took.as_secs_f64() * 1e3
    };
    median((0..RUNS).map(took).collect())
}

fn pass_over(known: &[KnownPerson], employees: &[Employee], zones: &Zones, now: Timestamp) -> RosterPass {
    let rules = Rules {
        usernames: Box::new(|_, employee| vec![format!("oidc:{}", employee.work_email)]),
        baseline: Box::new(|_| Baseline::Settled),
        ..Rules::of("rollcall", "everyone", zones)
    };
    roster::next(known, &[TrustedResponse { connection: "hq", employees, taken: now, part: false }], &rules, now)
}

/// Invented people of forty departments in three places; one in fifty has left.
fn employees() -> Vec<Employee> {
    let shared = |text: &str| SharedText::new(text.into());
    let departments: Vec<SharedText> = (0..40).map(|n| shared(&format!("Department {n}"))).collect();
    let entities: Vec<SharedText> = (0..5).map(|n| shared(&format!("Example {n} S.L."))).collect();
    let places: Vec<SharedText> = ["Madrid", "Oslo", "Lima"].map(shared).into();
    let employee = |n: usize| {
        let status = if n.is_multiple_of(50) { Status::Terminated } else { Status::Active };
        let id = HrId(format!("{n:08}"));
        let address = format!("Ada.{n}@example.com");
        let mut employee = Employee::new(id, format!("Ada{n} Example"), address, ReportedStatus::Mapped(status));
        employee.start = "2020-03-01".parse().ok();
        employee.last_day = "2026-01-31".parse().ok().filter(|_| status == Status::Terminated);
        employee.manager = Some(Manager::Id(HrId(format!("{:08}", n / 10))));
        for (text, all) in [(Text::Department, &departments), (Text::LegalEntity, &entities), (Text::Location, &places)]
        {
            employee.texts.share(text, Some(all[n % all.len()].clone()));
        }
        employee
    };
    (0..PEOPLE).map(employee).collect()
}

/// What stands once everybody is written.
fn known(pass: RosterPass) -> Vec<KnownPerson> {
    let person = |change: roster::Change| KnownPerson {
        name: change.name,
        records: change.records,
        apart: Vec::new(),
        disowned: Vec::new(),
        entry: Some(change.entry),
        declared: None,
        reviewed: None,
        access: Access::Stands,
    };
    pass.changes.into_iter().map(person).collect()
}
