//! What a hand-over asks of somebody.

use crate::api::{Person, SyncPolicy, person};
use domain::handover::{Colleague, Rule};

/// What a hand-over asks of a Person; none without an HR record.
#[must_use]
pub fn colleague(person: &Person) -> Option<Colleague> {
    let first = person.spec.records.first()?;
    let status = person.status.as_ref()?;
    let active = status.employment.as_ref().is_some_and(|employment| employment.state == person::State::Active);
    Some(Colleague {
        works: active && person.spec.hold.is_none(),
        manager: status.profile.as_ref().and_then(|profile| profile.manager.clone()),
        owner: format!("id:{}/{}", first.connection, first.id),
    })
}

/// Where a policy looks for the next owner.
#[must_use]
pub fn handover(policy: &SyncPolicy) -> Vec<Rule> {
    policy.spec.handover.iter().copied().map(Rule::from).collect()
}
