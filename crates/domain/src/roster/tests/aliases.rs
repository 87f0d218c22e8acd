//! What somebody is known by: from when to when, and what a human took back.

use super::records::answer;
use super::*;

fn addressed(address: &str) -> Employee {
    Employee { work_email: address.into(), ..employee("7") }
}

fn later(hours: i64) -> Timestamp {
    noon() + SignedDuration::from_hours(hours)
}

impl ClusterInventory {
    fn disown(&mut self, aliases: &[&str]) {
        let person = self.known.get_mut(&HrId("7".into())).unwrap();
        person.disowned = aliases.iter().map(ToString::to_string).collect();
    }

    /// Each alias of an address, with the hours from when and to when it held.
    fn addresses(&self) -> Vec<(String, Option<i64>, Option<i64>, bool)> {
        let entry = self.entry("7");
        let hours = |at: Option<Timestamp>| at.map(|at| at.duration_since(noon()).as_hours());
        let dates = |alias: &String| entry.alias_dates.iter().find(|dates| dates.alias == *alias);
        let shown = |alias: &String| {
            let address = alias.strip_prefix("email:")?.trim_end_matches("@example.com").to_owned();
            let dates = dates(alias);
            let (since, until) = (dates.and_then(|dates| dates.since), dates.and_then(|dates| dates.until));
            Some((address, hours(since), hours(until), dates.is_some_and(|dates| dates.disputed)))
        };
        entry.aliases.iter().filter_map(shown).collect()
    }
}

fn shown(
    address: &str,
    since: Option<i64>,
    until: Option<i64>,
    disputed: bool,
) -> (String, Option<i64>, Option<i64>, bool) {
    (address.to_owned(), since, until, disputed)
}

#[test]
fn each_alias_carries_from_when_to_when_it_was_reported_and_only_those_that_were_not_always() {
    let mut world = ClusterInventory::settled();
    world.poll(&[addressed("ada@example.com")], noon());
    assert!(world.entry("7").alias_dates.is_empty(), "what they always had is not written twice");
    world.poll(&[addressed("bob@example.com")], later(1));
    assert_eq!(world.addresses(), [shown("ada", None, Some(1), false), shown("bob", Some(1), None, false)]);
    assert!(world.poll(&[addressed("bob@example.com")], later(2)).changes.is_empty(), "it is said once");
    world.poll(&[addressed("ada@example.com")], later(4));
    assert_eq!(world.addresses(), [shown("ada", None, None, false), shown("bob", Some(1), Some(4), false)]);
}

#[test]
fn what_no_longer_holds_is_told_only_where_every_record_was_read() {
    let mut world = ClusterInventory::settled();
    world.poll(&[addressed("ada@example.com")], noon());
    let record = RecordKey { connection: "sub".into(), id: HrId("s7".into()) };
    world.known.get_mut(&HrId("7".into())).unwrap().records.push(record);
    let sub = [Employee { work_email: "sub@example.com".into(), ..employee("s7") }];
    let hq = [addressed("bob@example.com")];
    for (answers, ada) in [
        (vec![answer("hq", &hq, later(1))], None),
        (vec![answer("hq", &hq, later(2)), answer("sub", &sub, later(2))], Some(2)),
    ] {
        let plan = world.planned_over(&answers, answers[0].taken);
        world.write(&plan, usize::MAX);
        assert_eq!(world.addresses()[0], shown("ada", None, ada, false));
    }
}

#[test]
fn what_a_human_took_back_goes_and_comes_back_by_nothing_but_hr_saying_it_again() {
    let typo = "email:bob@example.com";
    let mut world = ClusterInventory::settled();
    world.poll(&[addressed("bob@example.com")], noon());
    world.disown(&[typo]);
    world.midnight(later(1));
    assert_eq!(world.addresses(), [shown("bob", None, None, true)], "HR says so still: it counts, and is said");
    world.poll(&[addressed("bob@example.com")], later(2));
    assert_eq!(world.addresses(), [shown("bob", None, None, true)]);
    world.poll(&[addressed("ada@example.com")], later(3));
    assert_eq!(world.addresses(), [shown("ada", Some(3), None, false)], "once HR was corrected");
    assert!(world.poll(&[addressed("ada@example.com")], later(4)).changes.is_empty());
    world.midnight(later(5));
    assert_eq!(world.addresses().len(), 1, "nor by what was stored");
    world.poll(&[addressed("bob@example.com")], later(6));
    assert!(world.addresses().contains(&shown("bob", Some(6), None, true)), "HR says it again: the two differ");
    let users = &world.entry("7").aliases;
    assert!(users.contains(&"user:oidc:bob@example.com".to_owned()), "each is taken back by itself");
}

#[test]
fn what_was_taken_back_after_hr_was_corrected_goes_at_once() {
    let mut world = ClusterInventory::settled();
    world.poll(&[addressed("bob@example.com")], noon());
    world.poll(&[addressed("ada@example.com")], later(1));
    world.disown(&["email:bob@example.com"]);
    world.midnight(later(2));
    assert_eq!(world.addresses(), [shown("ada", Some(1), None, false)], "without an answer");
}
