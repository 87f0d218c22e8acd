//! A leave that the policy acts on: when one begins, how long it lasts, and what ends it.
//!
//! Suspended counts as on leave. What cannot be told neither begins a leave nor ends one; nor does a termination end it:
//! what was frozen stays so until the person works here again.

use jiff::Timestamp;

use super::{EmploymentState, OnLeave, RosterEntry, Rules};
use crate::lifecycle::State;

/// The leave of somebody whose employment is this now; none of who is not on one, or where the policy leaves them alone.
///
/// Somebody who was not known before, was out of scope, had left, or is of another policy needs approval: nobody saw them go on leave, and
/// whether a leaver is still in scope may have been told long ago. While a connection is stale nobody does, since it might say that
/// they work.
pub(super) fn next(
    before: Option<&RosterEntry>,
    employment: &EmploymentState,
    rules: &Rules<'_>,
    now: Timestamp,
) -> Option<Box<OnLeave>> {
    if !rules.terms.acts_on_leave {
        return None;
    }
    let ours = before.filter(|before| before.policy == rules.policy);
    let known = || ours.and_then(|before| before.leave.clone());
    match employment.state {
        State::Active | State::PreHire | State::OutOfScope => None,
        State::Unknown | State::Terminated => known(),
        State::Leave | State::Suspended => known().or_else(|| {
            let worked =
                |before: &RosterEntry| before.employment.out.is_none() && before.employment.state != State::Terminated;
            let unseen = !ours.is_some_and(worked);
            (!rules.stale).then(|| Box::new(OnLeave { run: None, baseline: unseen, seen: now }))
        }),
    }
}
