//! Fields of a profile: what follows HR, what is imported once, and what is kept nowhere.

use super::*;
use crate::profile::{FieldMode, ProfileField};

fn world(fields: &[(&str, FieldMode)]) -> ClusterInventory {
    ClusterInventory { fields: Arc::new(modes(fields)), ..ClusterInventory::settled() }
}

fn modes(fields: &[(&str, FieldMode)]) -> Modes {
    let named = |(name, mode): &(&str, FieldMode)| (ProfileField::named(name).unwrap(), *mode);
    Modes::default().with(fields.iter().map(named))
}

fn clerk(title: &str) -> Employee {
    employee("1").with(Text::Title, title).with(Text::Phone, "1").department("Sales")
}

impl ClusterInventory {
    /// A human edits what was imported.
    fn edit_profile(&mut self, id: &str, text: Text, value: Option<&str>) {
        let person = self.known.get_mut(&HrId(id.to_owned())).unwrap();
        person.entry.as_mut().unwrap().once.get_or_insert_default().profile.texts.set(text, value.map(Box::from));
    }

    fn once(&self, text: Text) -> Option<&str> {
        self.entry("1").once.as_ref()?.profile.texts.get(text)
    }

    fn follows(&self, text: Text) -> Option<&str> {
        self.entry("1").profile.texts.get(text)
    }
}

#[test]
fn once_stays_as_humans_edit_it_continuous_follows_and_never_is_kept_nowhere() {
    let mut world = world(&[("title", FieldMode::Once)]);
    world.poll(&[clerk("Clerk")], noon());
    assert_eq!((world.once(Text::Title), world.follows(Text::Title)), (Some("Clerk"), None));
    assert_eq!((world.once(Text::Phone), world.follows(Text::Phone)), (None, None));
    world.edit_profile("1", Text::Title, Some("Head clerk"));
    let moved = clerk("Manager").department("Tools");
    world.poll(std::slice::from_ref(&moved), noon());
    assert_eq!((world.once(Text::Title), world.follows(Text::Department)), (Some("Head clerk"), Some("Tools")));
    world.edit_profile("1", Text::Title, None);
    assert!(world.poll(&[moved], noon()).changes.is_empty(), "what a human took away is not imported again");
    assert_eq!(world.once(Text::Title), None);
}

#[test]
fn once_is_imported_the_first_time_that_hr_gives_it_and_never_over_what_a_human_entered() {
    let mut world = world(&[("title", FieldMode::Once), ("phone", FieldMode::Once)]);
    world.poll(&[employee("1")], noon());
    assert!(world.entry("1").once.is_none());
    world.edit_profile("1", Text::Phone, Some("2"));
    world.poll(&[clerk("Clerk")], noon());
    assert_eq!((world.once(Text::Title), world.once(Text::Phone)), (Some("Clerk"), Some("2")));
    assert_eq!(world.entry("1").once.as_ref().unwrap().fields.len(), 1, "what a human entered is not called imported");
    world.fields = Arc::default();
    world.poll(&[clerk("Clerk")], noon());
    assert_eq!((world.once(Text::Title), world.once(Text::Phone)), (None, Some("2")), "the human's own stays");
}

#[test]
fn a_changed_mode_moves_overwrites_or_removes_also_of_those_whom_no_response_names() {
    let mut world = world(&[("title", FieldMode::Continuous)]);
    world.poll(&[clerk("Clerk")], noon());
    world.fields = Arc::new(modes(&[("title", FieldMode::Once)]));
    world.midnight(noon());
    assert_eq!((world.once(Text::Title), world.follows(Text::Title)), (Some("Clerk"), None), "it moves");
    world.edit_profile("1", Text::Title, Some("Head clerk"));
    world.fields = Arc::new(modes(&[("title", FieldMode::Continuous), ("department", FieldMode::Never)]));
    world.poll(&[clerk("Manager")], noon());
    assert_eq!((world.once(Text::Title), world.follows(Text::Title)), (None, Some("Manager")), "HR's word stands");
    assert_eq!(world.follows(Text::Department), None);
    world.fields = Arc::new(modes(&[("title", FieldMode::Never)]));
    world.midnight(noon());
    assert_eq!(world.follows(Text::Title), None);
}

#[test]
fn a_location_that_the_policy_does_not_know_is_left_blank() {
    let mut world = world(&[("location", FieldMode::Continuous)]);
    for (location, kept) in [("Melbourne", Some("Melbourne")), ("Mellbourne", None)] {
        let plan = world.poll(&[employee("1").location(location)], noon());
        assert_eq!(world.follows(Text::Location), kept, "{location}");
        assert_eq!(plan.unmatched, Some(u32::from(kept.is_none())), "and counted");
    }
}

#[test]
fn a_name_that_is_not_kept_as_hr_gives_it_vouches_for_nobody() {
    let ada = employee("1").start("2020-01-01");
    let again = Employee { work_email: "other@example.com".into(), ..employee("1").start("2026-01-01") };
    for (mode, conflicts) in [(FieldMode::Continuous, false), (FieldMode::Never, true), (FieldMode::Once, true)] {
        let mut world = world(&[("displayName", mode)]);
        world.poll(std::slice::from_ref(&ada), noon());
        world.poll(std::slice::from_ref(&again), noon());
        assert_eq!(world.entry("1").employment.why == Why::Conflict, conflicts, "{mode:?}");
    }
}

#[test]
fn who_is_handed_over_keeps_what_a_human_edited_although_the_new_policy_does_not_import_it() {
    for mode in [FieldMode::Continuous, FieldMode::Never] {
        let mut world = world(&[("title", FieldMode::Once)]);
        world.poll(&[clerk("Clerk")], noon());
        world.edit_profile("1", Text::Title, Some("Head clerk"));
        (world.policy, world.fields) = ("contractors", Arc::new(modes(&[("title", mode)])));
        world.poll(&[clerk("Manager")], noon());
        assert_eq!(world.once(Text::Title), Some("Head clerk"), "{mode:?}");
        assert_eq!(world.follows(Text::Title), Some("Manager").filter(|_| mode == FieldMode::Continuous));
        assert!(world.poll(&[clerk("Manager")], noon()).changes.is_empty(), "{mode:?}: it stays");
    }
}

#[test]
fn who_is_handed_over_keeps_no_second_copy_of_what_hr_says() {
    let mut world = world(&[("title", FieldMode::Once)]);
    world.poll(&[clerk("Clerk")], noon());
    (world.policy, world.fields) = ("contractors", Arc::new(modes(&[("title", FieldMode::Continuous)])));
    world.poll(&[clerk("Clerk")], noon());
    assert_eq!((world.once(Text::Title), world.follows(Text::Title)), (None, Some("Clerk")));
}
