//! Which modes of fields are in force: a change that takes values away is announced before it takes effect. Pure.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, Unit};

use crate::api::Person;
use crate::api::policy::Fields;
use crate::sync::convert;
use domain::profile::{Loss, Modes};

/// How long a change that takes values away is announced.
const ANNOUNCED: SignedDuration = SignedDuration::from_hours(1);

/// What is in force, and what is said of it.
#[derive(Debug)]
pub struct InForce {
    /// The modes.
    pub modes: Modes,
    /// What the status says.
    pub shown: Fields,
    /// What a changed mode takes away: later, or with this pass.
    pub losses: Vec<Loss>,
}

impl InForce {
    /// What this pass takes away, in words; none where nothing is.
    #[must_use]
    pub fn lost(&self) -> Option<String> {
        (self.shown.next.is_none() && !self.losses.is_empty()).then(|| in_words(&self.losses))
    }

    /// What will be taken away, in words, and when.
    #[must_use]
    pub fn announced(&self) -> Option<(String, Timestamp)> {
        Some((in_words(&self.losses), self.shown.next_at?))
    }
}

/// Finds out which modes are in force. What is lost is counted only where the modes are not those of the last pass.
pub fn in_force(wanted: &Modes, before: Option<&Fields>, ours: &[&Arc<Person>], now: Timestamp) -> InForce {
    let written = wanted.written();
    let settled = |modes: Modes, losses| {
        let shown = Fields { in_force: modes.written(), ..Fields::default() };
        InForce { modes, shown, losses }
    };
    if before.is_some_and(|before| before.in_force == written && before.next.is_none()) {
        return settled(wanted.clone(), Vec::new());
    }
    let losses = losses(wanted, ours.iter().map(|person| &***person));
    let announced = before.filter(|before| before.next.as_ref() == Some(&written)).and_then(|before| before.next_at);
    if losses.is_empty() || announced.is_some_and(|at| at <= now) {
        return settled(wanted.clone(), losses);
    }
    let at = announced.unwrap_or_else(|| now.round(Unit::Second).unwrap_or(now) + ANNOUNCED);
    let modes = wanted.without(&losses);
    let shown = Fields { in_force: modes.written(), next: Some(written), next_at: Some(at) };
    InForce { modes, shown, losses }
}

/// What these modes take away of what is kept of these people.
pub fn losses<'a>(wanted: &Modes, ours: impl Iterator<Item = &'a Person>) -> Vec<Loss> {
    let kept: Vec<_> = ours.filter_map(|person| convert::known(person).entry).collect();
    wanted.losses(kept.iter().map(|entry| (&entry.profile, entry.once.as_deref())))
}

/// `title: Once to Continuous, values of 12 people are overwritten with HR's; …`.
#[must_use]
pub fn in_words(losses: &[Loss]) -> String {
    let all: Vec<_> = losses.iter().map(ToString::to_string).collect();
    all.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::profile::{FieldMode, ProfileField};

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    fn modes(mode: FieldMode) -> Modes {
        Modes::default().with([(ProfileField::named("title").unwrap(), mode)])
    }

    fn clerk() -> Arc<Person> {
        let person = serde_json::json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "Person", "metadata": {"name": "p-1"},
            "spec": {"records": [{"connection": "hq", "id": "7"}]},
            "status": {
                "policy": "everyone", "profile": {"title": "Clerk"},
                "employments": [{"connection": "hq", "id": "7", "reportedStatus": "Active"}],
                "employment": {"state": "Active", "since": "2026-03-01T00:00:00Z", "timeZone": "UTC", "why": "Active"},
            },
        });
        Arc::new(serde_json::from_value(person).unwrap())
    }

    #[test]
    fn what_takes_values_away_is_announced_for_an_hour_and_then_done() {
        let (clerk, never) = (clerk(), modes(FieldMode::Never));
        let announced = in_force(&never, None, &[&clerk], at(0));
        assert_eq!(announced.modes, modes(FieldMode::Continuous), "also what an earlier version kept");
        let (words, due) = announced.announced().unwrap();
        assert_eq!((words.as_str(), due), ("title: Continuous to Never, values of 1 people are removed", at(60)));
        let again = in_force(&never, Some(&announced.shown), &[&clerk], at(59));
        assert_eq!((again.announced().unwrap().1, again.lost()), (at(60), None), "it does not begin anew");
        let done = in_force(&never, Some(&again.shown), &[&clerk], at(60));
        assert!(done.lost().is_some() && done.announced().is_none());
        assert_eq!(done.modes, never);
    }

    #[test]
    fn what_takes_nothing_away_is_in_force_at_once_and_a_change_taken_back_ends_the_announcement() {
        let clerk = clerk();
        assert!(in_force(&modes(FieldMode::Never), None, &[], at(0)).announced().is_none(), "nobody has one");
        let once = in_force(&modes(FieldMode::Once), None, &[&clerk], at(0));
        assert_eq!((once.shown.in_force.as_str(), once.announced()), ("title=Once", None), "it moves");
        let announced = in_force(&modes(FieldMode::Never), None, &[&clerk], at(0));
        let back = in_force(&modes(FieldMode::Continuous), Some(&announced.shown), &[&clerk], at(30));
        assert_eq!((back.shown.in_force.as_str(), back.shown.next), ("title=Continuous", None));
    }
}
