//! Where a leaver may have sessions open, as the cut of their termination says it; and what the Revocation that evicts pods for it is called.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::api::Revocation;
use crate::api::revocation::{Phase, RevocationStatus};
use domain::sessions::Places;

/// What a Revocation that evicts pods is called, after its termination, and what the cut is.
const EVICTS: &str = "-late-sessions-cut";
const CUT: &str = "-cut";

/// Name of the Revocation that evicts pods, of those of a termination.
#[must_use]
pub fn evicting(termination: &str) -> String {
    format!("{termination}{EVICTS}")
}

/// Whether a Revocation evicts pods, and does nothing else.
#[must_use]
pub fn evicts(revocation: &Revocation) -> bool {
    revocation.spec.late && cut_of(revocation).is_some()
}

/// Name of the cut that says which pods a Revocation evicts; none of one that evicts none.
#[must_use]
pub fn cut_of(evicting: &Revocation) -> Option<String> {
    let termination = evicting.metadata.name.as_deref()?.strip_suffix(EVICTS)?;
    Some(format!("{termination}{CUT}"))
}

/// Where sessions may be open, and since when none can be opened: once a cut is over, every user name that it freezes is frozen, and it
/// was found out before the rights went.
#[must_use]
pub fn sessions(cut: &Revocation) -> Option<(Places, Timestamp)> {
    let status = cut.status.as_ref().filter(|status| matches!(status.phase, Some(Phase::Revoked | Phase::Failed)))?;
    let frozen = frozen(status)?;
    let written = status.exposure.as_ref()?.sessions.as_ref()?;
    Some((written.into(), frozen))
}

/// Since when every user name of the plan is frozen.
fn frozen(status: &RevocationStatus) -> Option<Timestamp> {
    let freeze = status.freeze.as_ref().filter(|freeze| freeze.stands())?;
    let names: BTreeSet<&str> = freeze.verdicts.iter().map(|verdict| verdict.target.name.as_str()).collect();
    let planned = &status.plan.as_ref()?.freezes;
    let all = !planned.is_empty() && planned.iter().all(|name| names.contains(name.name.as_str()));
    freeze.acted.filter(|_| all)
}
