//! What stays of somebody who left, once nobody needs it any more: names go first, then addresses and user names.
//!
//! The Person itself stays, with its HR ids, its dates and its salt: a mark that names one of the ids must go on to mean
//! this human, who has left, and nobody else. Sync deletes no Person, and so needs no right to: whoever reads HR systems
//! could otherwise undo a hold, or a link that a human made. `kubectl rollcall erase` deletes it, with a human's rights.

use std::cell::OnceCell;
use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::owned::OwnedKeys;
use crate::api::person::{PersonStatus, Profile, State};
use crate::api::revocation::{Phase, Revocation};
use crate::api::{Person, convert};
use domain::ownership::{comparable, email_key};

/// How long what is personal is kept under a policy, and what in the cluster names people.
pub struct Retention<'a> {
    /// Time since the access ended; none where it cannot be read, which keeps everything.
    after: Option<SignedDuration>,
    /// What can be somebody's; none where that is not known.
    owned: Option<&'a OwnedKeys>,
    /// Everything that it names, once somebody is asked about.
    named: OnceCell<HashSet<String>>,
}

/// How much of a Person stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stays {
    /// All of it.
    Everything,
    /// All but what is for showing, and what is known of accounts. By addresses and user names what comes back is recognised, as long as there are
    /// Revocations to report it; by the current address, whose records are one human's.
    Identifiers,
    /// HR ids, dates, and what happened to their access.
    Ids,
}

impl<'a> Retention<'a> {
    /// What a policy says, and what is somebody's now.
    #[must_use]
    pub const fn new(after: Option<SignedDuration>, owned: Option<&'a OwnedKeys>) -> Self {
        Self { after, owned, named: OnceCell::new() }
    }

    /// Whether anything of a Person may be kept too long: they have left, and something is there to go.
    #[must_use]
    pub fn concerns(status: &PersonStatus, edited: Option<&Profile>) -> bool {
        let left = status.employment.as_ref().is_some_and(|employment| employment.state == State::Terminated);
        let account = || status.employments.iter().any(|one| one.account.is_some());
        left && (status.profile.is_some() || edited.is_some() || !status.aliases.is_empty() || account())
    }

    /// Takes out of a status, and of the profile in the spec, what need not stay. `told` are the Person's Revocations.
    ///
    /// # Guarantees    nothing goes of somebody who works here, is held, owns anything, or whose access has not ended
    pub fn apply(
        &self,
        status: &mut PersonStatus,
        edited: &mut Option<Box<Profile>>,
        person: Option<&Person>,
        told: &[&Revocation],
        now: Timestamp,
    ) {
        let Some(person) = person else { return };
        match self.stays(status, person, told, now) {
            Stays::Everything => came_back(person.status.as_ref(), status),
            Stays::Identifiers => {
                *edited = None;
                status.employments.iter_mut().for_each(|one| one.account = None);
                let address = status.profile.take().and_then(|profile| profile.work_email);
                let only = |address| Profile { work_email: Some(address), ..Profile::default() };
                status.profile = address.map(only);
            }
            Stays::Ids => {
                *edited = None;
                status.employments.iter_mut().for_each(|one| one.account = None);
                status.profile = None;
                status.aliases.clear();
                status.alias_dates.clear();
            }
        }
    }

    /// Whether what a human took back may go from the spec too: nothing is left that could come back by it.
    #[must_use]
    pub fn forgets(person: &Person, status: &PersonStatus) -> bool {
        let left = status.employment.as_ref().is_some_and(|employment| employment.state == State::Terminated);
        left && status.aliases.is_empty() && status.profile.is_none() && !person.spec.disowned.is_empty()
    }

    fn stays(&self, status: &PersonStatus, person: &Person, told: &[&Revocation], now: Timestamp) -> Stays {
        let left = status.employment.as_ref().filter(|employment| employment.state == State::Terminated);
        let (Some(left), Some(after)) = (left, self.after) else { return Stays::Everything };
        let ended = status
            .access
            .as_ref()
            .is_some_and(|access| access.state == Phase::Revoked.as_str() && access.remaining == 0);
        let over = |revocation: &&Revocation| {
            let phase = revocation.status.as_ref().and_then(|status| status.phase);
            matches!(phase, Some(Phase::Revoked | Phase::Cancelled | Phase::Frozen | Phase::Lifted))
        };
        if !ended || !told.iter().all(over) || person.spec.hold.is_some() {
            return Stays::Everything;
        }
        let acted = told.iter().filter_map(|told| told.status.as_ref()).flat_map(|told| [told.acted, told.confirmed]);
        let last = acted.chain([left.seen, left.effective]).flatten().max();
        let passed = last.and_then(|last| last.checked_add(after).ok()).is_some_and(|until| until <= now);
        match (passed && !self.may_own(status, person), told.is_empty()) {
            (false, _) => Stays::Everything,
            (true, false) => Stays::Identifiers,
            (true, true) => Stays::Ids,
        }
    }

    /// Whether anything in the cluster names them, or that cannot be told.
    fn may_own(&self, status: &PersonStatus, person: &Person) -> bool {
        let Some(owned) = self.owned else { return true };
        let named = self.named.get_or_init(|| owned.keys());
        let known = convert::known_by(person);
        known
            .keys()
            .chain(status.aliases.iter().map(|alias| comparable(alias)))
            .any(|key| named.contains(&key) || owned.holds_secret(&key))
    }
}

/// Somebody is no longer a leaver, whose name has gone, so that nobody can compare it with what HR says now. Unless HR gives an
/// address that the leaver had, the id may be another human's by now: what the leaver was known by must not become theirs.
fn came_back(before: Option<&PersonStatus>, status: &mut PersonStatus) {
    let left = |status: &PersonStatus| {
        status.employment.as_ref().is_some_and(|employment| employment.state == State::Terminated)
    };
    let named = |status: &PersonStatus| status.profile.as_ref().is_some_and(|profile| profile.display_name.is_some());
    let Some(before) = before.filter(|before| left(before) && !named(before)) else { return };
    if left(status) || !named(status) {
        return; // a source without names says nothing new
    }
    let address = status.profile.as_ref().and_then(|profile| profile.work_email.as_ref());
    let address = address.map(|address| email_key(address.trim()));
    if !address.is_some_and(|address| before.aliases.contains(&address)) {
        status.aliases.retain(|alias| !before.aliases.contains(alias));
        status.alias_dates.retain(|dates| status.aliases.contains(&dates.alias));
    }
}

#[cfg(test)]
mod tests;
