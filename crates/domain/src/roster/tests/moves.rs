//! Movers: what a pass makes of changed departments and managers.

use super::*;
use crate::moves::{MoveField, in_words};
use crate::profile::{FieldMode, ProfileField};

const A_WEEK: SignedDuration = SignedDuration::from_hours(24 * 7);

fn terms(review: bool) -> MoveTerms {
    MoveTerms { on: MoveField::USUAL.into(), review: review.then_some(A_WEEK), ..MoveTerms::default() }
}

/// People with these ids, of one department, under a policy that looks at moves.
fn world(ids: std::ops::RangeInclusive<u32>, review: bool) -> ClusterInventory {
    let mut world = ClusterInventory { moves: terms(review), ..ClusterInventory::settled() };
    world.poll(&all_of(ids, "Sales"), noon());
    world
}

fn all_of(ids: std::ops::RangeInclusive<u32>, department: &str) -> Vec<Employee> {
    people(ids).into_iter().map(|one| one.department(department)).collect()
}

fn in_days(days: i64) -> Timestamp {
    noon() + SignedDuration::from_hours(24 * days)
}

impl ClusterInventory {
    fn moved(&self, id: &str) -> Option<(Timestamp, String)> {
        let last = self.entry(id).moves.as_ref()?.last.as_ref()?;
        Some((last.at, in_words(&last.fields)))
    }

    fn review(&self, id: &str) -> Option<(Timestamp, String)> {
        let review = self.entry(id).moves.as_ref()?.review.as_ref()?;
        Some((review.due, in_words(&review.fields)))
    }

    fn answer_review(&mut self, id: &str) {
        let person = self.known.get_mut(&HrId(id.to_owned())).unwrap();
        let moves = person.entry.as_ref().unwrap().moves.as_ref().unwrap();
        person.reviewed = Some(moves.review.as_ref().unwrap().since);
    }
}

#[test]
fn who_moves_is_news_once_and_everybody_else_is_not_written() {
    let mut world = world(1..=3, false);
    assert!(world.entry("1").moves.is_none(), "what is kept is not remembered a second time");
    let mut staff = all_of(1..=3, "Sales");
    staff[0] = employee("1").department("Support");
    let plan = world.poll(&staff, in_days(1));
    assert_eq!((plan.changes.len(), world.event(&plan, "1")), (1, Some(LifecycleEvent::Moved)));
    assert_eq!((plan.moves.moved, plan.moves.reviews), (1, 0));
    assert_eq!(world.moved("1"), Some((in_days(1), "department".into())));
    assert!(world.poll(&staff, in_days(2)).changes.is_empty());
    assert!(world.midnight(in_days(3)).changes.is_empty());
    assert_eq!(world.plan(None, in_days(32)).moves.moved, 0, "it is no longer recent");
}

#[test]
fn a_review_has_a_due_day_that_a_second_move_leaves_as_it_is_and_ends_nothing_when_it_passes() {
    let mut world = world(1..=3, true);
    let mut staff = all_of(1..=3, "Sales");
    staff[0] = employee("1").department("Support");
    let plan = world.poll(&staff, in_days(1));
    assert_eq!((plan.moves.reviews, plan.wake), (1, Some(in_days(8))));
    staff[0] = Employee { manager: Some(Manager::Id(HrId("2".into()))), ..employee("1").department("Support") };
    world.poll(&staff, in_days(2));
    assert_eq!(world.review("1"), Some((in_days(8), "department".into())), "a first manager is no move");
    staff[0] = Employee { manager: Some(Manager::Id(HrId("3".into()))), ..employee("1").department("Support") };
    world.poll(&staff, in_days(3));
    assert_eq!(world.review("1"), Some((in_days(8), "department, manager".into())));
    let overdue = world.poll(&staff, in_days(9));
    assert_eq!((overdue.moves.overdue, overdue.changes.len(), world.state("1")), (1, 0, State::Active));

    world.answer_review("1");
    let answered = world.poll(&staff, in_days(9));
    assert_eq!((answered.moves.reviews, world.review("1")), (0, None));
    staff[0] = employee("1").department("Tools");
    world.poll(&staff, in_days(10));
    assert_eq!(world.review("1"), Some((in_days(17), "department".into())), "the next one is another");
    staff[0] = employee("1").department("Tools").terminated();
    world.poll(&staff, in_days(11));
    assert!(world.entry("1").moves.is_none(), "a leaver's access ends: there is nothing to review");
}

#[test]
fn a_new_policy_a_new_source_and_a_field_looked_at_for_the_first_time_move_nobody() {
    let moved = vec![employee("1").department("Support").with(Text::Title, "Clerk")];
    for (what, change) in [
        ("a baseline", (|world| world.baseline = Baseline::Now) as fn(&mut ClusterInventory)),
        ("another policy", |world| world.policy = "another"),
        ("nothing is looked at", |world| world.moves.on.clear()),
        ("another field", |world| world.moves.on = vec![MoveField::Title]),
    ] {
        let mut world = world(1..=3, true);
        change(&mut world);
        let plan = world.changes(&moved, in_days(1));
        assert_eq!((plan.moves.moved, world.event(&plan, "1")), (0, None), "{what}");
    }
}

#[test]
fn a_field_that_is_not_kept_is_compared_by_a_digest() {
    for mode in [FieldMode::Never, FieldMode::Once] {
        let mut world = ClusterInventory { moves: terms(false), ..ClusterInventory::settled() };
        world.fields = Arc::new(Modes::default().with([(ProfileField::named("department").unwrap(), mode)]));
        world.poll(&all_of(1..=2, "Sales"), noon());
        assert!(world.entry("1").profile.texts.get(Text::Department).is_none());
        assert!(world.poll(&all_of(1..=2, "sales "), in_days(1)).changes.is_empty());
        let plan = world.poll(&[employee("1").department("Support"), employee("2").department("Sales")], in_days(1));
        assert_eq!((plan.moves.moved, world.moved("1").is_some(), world.moved("2")), (1, true, None), "{mode:?}");
    }
}

#[test]
fn many_moves_at_once_wait_for_a_human_or_for_the_values_to_turn_back() {
    let shifted = || all_of(1..=12, "Column 7");
    let held = || {
        let mut world = world(1..=12, true);
        let plan = world.poll(&shifted(), in_days(1));
        let many = plan.moves.many.clone().expect("twelve of twelve");
        assert_eq!((many.people, plan.moves.reviews, world.moved("1")), (12, 0, None));
        assert_eq!(world.event(&plan, "1"), None);
        let again = world.poll(&shifted(), in_days(1));
        assert_eq!(
            (again.changes.len(), again.moves.many),
            (0, Some(many.clone())),
            "it stays, and nothing is written"
        );
        (world, many.digest)
    };
    let (mut world, _) = held();
    let back = world.poll(&all_of(1..=12, "Sales"), in_days(2));
    assert_eq!((back.moves.many, world.entry("1").moves.is_none()), (None, true), "the values turned back");

    let (mut world, digest) = held();
    world.moves.accepted = Some("another".into());
    assert!(world.poll(&shifted(), in_days(2)).moves.many.is_some(), "exactly these are accepted");
    world.moves.accepted = Some(digest);
    let accepted = world.poll(&shifted(), in_days(2));
    assert_eq!((accepted.moves.many, accepted.moves.reviews, accepted.moves.moved), (None, 12, 12));
    assert!(accepted.changes.iter().all(|change| change.event.is_none()), "one decision, and not an event for each");

    let (mut world, digest) = held();
    world.moves.ignored = Some(digest);
    let ignored = world.poll(&shifted(), in_days(2));
    assert_eq!((ignored.moves.many, ignored.moves.reviews, ignored.moves.moved), (None, 0, 0));
    let mut staff = shifted();
    staff[0] = employee("1").department("Support");
    assert_eq!(world.poll(&staff, in_days(3)).moves.reviews, 1, "what comes next is compared with what is now");
}
