//! The gate: may this plan be carried out now? The first gate that stops is the one that is shown.
//!
//! Only `gate` makes a `Released` plan, and the revoker acts on nothing else. It is another process: it passes this
//! gate again on its own live reads.

use jiff::{SignedDuration, Timestamp};

use super::ledger::{Allowance, Over, Scope};
use super::plan::Plan;

/// What is known when a plan knocks. All of it was read live.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The reason of the global stop, or that it could not be read.
    pub stopped: Option<String>,
    /// Whether the person's employments have ended, as the Person says now.
    pub leaver_status: LeaverStatus,
    /// A human's hold on the person.
    pub hold: Option<Hold>,
    /// Whether the policy protects the person.
    pub protected: bool,
    /// Whether somebody who may approve said no to it.
    pub rejected: bool,
    /// Whether the policy enforces.
    pub enforce: bool,
    /// Whether its baseline is taken under the spec it has now: until then nobody knows who had left before it.
    pub settled: bool,
    /// The earliest instant.
    pub due: Timestamp,
    /// Whether the connection's newest answer is trusted. Only a removal waits for it.
    pub trusted: bool,
    /// Whether this is a removal, whose cut was released before: it is counted, and needs no approval of a baseline.
    pub removal: bool,
    /// Whether the revoker has begun: half a cut would leave an account deleted and not made again.
    pub begun: bool,
    /// Whether the Person came with a baseline, or into sight or scope as a leaver, or leaves it with the company.
    pub baseline: bool,
    /// Whether the answer that says they leave would also put them out of scope.
    pub leaves_scope: bool,
    /// Whether it was found after the first plan of this termination: acts only once approved.
    pub late: bool,
    /// What the ledger says of the plan that is counted.
    pub allowance: Allowance,
    /// Hash of that plan: of any other, nothing was counted.
    pub counted: String,
    /// What somebody approved.
    pub approved: Option<Approval>,
    /// How long an approval lasts.
    pub approvals_last: SignedDuration,
    /// Whether the revoker has taken it: an approval that was acted on does not expire.
    pub claimed: bool,
}

/// A human's yes to one plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The plan's hash.
    pub plan: String,
    /// When, by the approver's clock; of two, the earlier one.
    pub at: Timestamp,
    /// Whether everybody approved who has to: where two have to, one alone opens nothing.
    pub whole: bool,
}

/// How far the approver's clock may be ahead.
const AHEAD: SignedDuration = SignedDuration::from_mins(10);

/// What an approval is worth for a plan now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approved {
    /// Nobody approved this plan, or one of two.
    No,
    /// Somebody did.
    Yes,
    /// Somebody did, and nothing was done in time.
    Expired,
}

impl Facts {
    /// Whether the plan of this hash is approved, and still is.
    #[must_use]
    pub fn approved(&self, plan: &str, now: Timestamp) -> Approved {
        let Some(approval) = self.approved.as_ref().filter(|approval| approval.plan == plan) else {
            return Approved::No;
        };
        let age = now.duration_since(approval.at);
        let in_time = age < self.approvals_last && age >= -AHEAD;
        match (self.claimed, in_time) {
            (true, _) => Approved::Yes, // what has begun goes on
            (false, true) if approval.whole => Approved::Yes,
            (false, true) => Approved::No,
            (false, false) => Approved::Expired,
        }
    }
}

/// What the Person says of the employment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaverStatus {
    /// It has ended.
    Ended,
    /// It has not.
    Employed,
    /// The policy is not about the person: whether it has ended is not asked.
    OutOfScope,
    /// It cannot be told, or the Person is gone: holds.
    Unknown,
}

/// A human's hold on a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Why.
    pub reason: String,
    /// Until when.
    pub until: Timestamp,
}

/// The gate that stops a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The reason for it is gone: cancel.
    Withdrawn,
    /// The policy is not about the person, and leaving its scope is not leaving.
    OutOfScope,
    /// Whether the person has left can no longer be told.
    Unknown,
    /// Everything is stopped.
    GlobalStop(String),
    /// A human holds this person.
    Hold(Hold),
    /// The policy protects this person.
    Protected,
    /// Somebody who may approve said no.
    Rejected,
    /// The policy only observes.
    Observe,
    /// The policy changed, and its baseline is not taken yet.
    Unsettled,
    /// It is too early.
    NotDue(Timestamp),
    /// The connection's newest answer is not trusted.
    Untrusted,
    /// The leaver came with a baseline, or into sight or scope as a leaver, and nobody approved.
    Baseline(Option<String>),
    /// The answer that says they leave would also put them out of scope, and nobody approved.
    LeavesScope(Option<String>),
    /// The run has not been seen whole.
    Uncounted,
    /// There is no room in the ledger to count the run.
    LedgerFull,
    /// Too many at once, and nobody approved: the batch, and the limit that it was over.
    OverLimit(String, Option<Over>),
    /// Too many at once of all policies together, and nobody approved.
    OverClusterLimit(String, Over),
    /// Found after the first plan, and nobody approved.
    Late,
    /// What somebody approved was not acted on in time.
    ApprovalExpired(Option<String>),
}

impl Stop {
    /// Its word in the status.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Withdrawn => "Withdrawn",
            Self::OutOfScope => "OutOfScope",
            Self::Unknown => "Unknown",
            Self::GlobalStop(_) => "GlobalStop",
            Self::Hold(_) => "Hold",
            Self::Protected => "Protected",
            Self::Rejected => "Rejected",
            Self::Observe => "Observe",
            Self::Unsettled => "Unsettled",
            Self::NotDue(_) => "NotDue",
            Self::Untrusted => "Untrusted",
            Self::Baseline(_) => "Baseline",
            Self::LeavesScope(_) => "LeavesScope",
            Self::Uncounted => "Uncounted",
            Self::LedgerFull => "LedgerFull",
            Self::OverLimit(..) => "OverLimit",
            Self::OverClusterLimit(..) => "OverClusterLimit",
            Self::Late => "Late",
            Self::ApprovalExpired(_) => "ApprovalExpired",
        }
    }

    /// What it waits for and what the reader can do.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Withdrawn => "The person is no longer terminated, or no longer on leave; nothing will be done.".to_owned(),
            Self::OutOfScope => "The person is out of the policy's scope, which ends nobody's access; the Person shows why.".to_owned(),
            Self::Unknown => "It is no longer known whether the person has left; see the Person.".to_owned(),
            Self::GlobalStop(reason) => format!("Everything is stopped: {reason}. Lift it with `kubectl rollcall stop --lift`."),
            Self::Hold(hold) => format!("A hold on this person lasts until {}: {}.", hold.until, hold.reason),
            Self::Protected => "The policy protects this person. End this access by hand if that is right.".to_owned(),
            Self::Rejected => "Rejected: this access remains, and counts against no limit; spec.rejection shows who rejected it and why. To withdraw the rejection: `kubectl rollcall reject --undo` this Revocation.".to_owned(),
            Self::Observe => "The policy is in mode Observe: this is what Enforce would do.".to_owned(),
            Self::Unsettled => "The policy changed; the next trusted response of its connection becomes the baseline.".to_owned(),
            Self::NotDue(due) => format!("Due at {due}."),
            Self::Untrusted => "A removal waits until the newest response of the HR system is trusted.".to_owned(),
            Self::Baseline(batch) => {
                format!("This person had already left when the policy first applied to them: at its baseline, or when they were first seen or came into its scope. If that is right: `kubectl rollcall approve {}`.", named(batch.as_deref()))
            }
            Self::LeavesScope(batch) => {
                format!("The HR response in which this person leaves would also put them out of the policy's scope; see the Person. If they left: `kubectl rollcall approve {}`.", named(batch.as_deref()))
            }
            Self::Uncounted => "This run has not been counted yet, or the plan has changed since; it is counted as soon as every leaver of the run is planned.".to_owned(),
            Self::LedgerFull => "Not counted: the ledger has no room for more Revocations of this policy that wait or are under way. Approve or reject those that wait; other policies are not concerned.".to_owned(),
            Self::OverLimit(batch, None) => format!("More leavers or objects at once than the limits allow. If that is right: `kubectl rollcall approve --batch {batch}`."),
            Self::OverLimit(batch, Some(over)) => format!("It would be {over}. If that is right: `kubectl rollcall approve --batch {batch}`."),
            Self::OverClusterLimit(batch, over) => {
                format!("It would be {over}. If that is right: `kubectl rollcall approve --batch {batch}`. That limit is the chart's value `limits`.")
            }
            Self::ApprovalExpired(batch) => {
                format!("It was approved, and nothing was done before the approval expired. If it is still right: `kubectl rollcall approve {}`.", named(batch.as_deref()))
            }
            Self::Late => "Found after the first plan of this termination; or what workloads feel: an account that they run as is to be handed over, or pods are to be evicted. If the plan is right: `kubectl rollcall approve` this Revocation.".to_owned(),
        }
    }

    /// When the gate opens by itself, where that is known.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Hold(hold) => Some(hold.until),
            Self::NotDue(due) => Some(*due),
            _ => None,
        }
    }

    /// The batch that waits.
    #[must_use]
    pub fn batch(&self) -> Option<&str> {
        match self {
            Self::Baseline(batch) | Self::LeavesScope(batch) | Self::ApprovalExpired(batch) => batch.as_deref(),
            Self::OverLimit(batch, _) | Self::OverClusterLimit(batch, _) => Some(batch),
            _ => None,
        }
    }
}

/// What an approval names.
fn named(batch: Option<&str>) -> String {
    batch.map_or_else(|| "this Revocation".to_owned(), |batch| format!("--batch {batch}"))
}

/// A plan that passed every gate. Only `gate` makes one.
#[derive(Clone, Debug)]
pub struct Released {
    plan: Plan,
    only_finish: bool,
}

impl Released {
    /// The plan.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether only what is deleted already may be made again, and nothing else be touched: the person came back, or went
    /// out of scope, in the midst of a cut.
    #[must_use]
    pub const fn only_finish(&self) -> bool {
        self.only_finish
    }
}

/// Lets a plan through, or says which gate stops it.
///
/// An approval counts only if it names exactly this plan, and only for so long; it opens baseline, limits and lateness, and
/// nothing else. What was counted counts only if it is exactly this plan. A plan that touches nothing needs neither: there is nothing to be held.
///
/// # Errors
/// The first gate that stops.
pub fn gate(plan: &Plan, facts: &Facts, now: Timestamp) -> Result<Released, Stop> {
    match facts.leaver_status {
        LeaverStatus::Employed | LeaverStatus::OutOfScope
            if facts.begun && !facts.removal && facts.stopped.is_none() =>
        {
            return Ok(Released { plan: plan.clone(), only_finish: true });
        }
        LeaverStatus::Employed => return Err(Stop::Withdrawn),
        LeaverStatus::OutOfScope => return Err(Stop::OutOfScope),
        LeaverStatus::Unknown => return Err(Stop::Unknown),
        LeaverStatus::Ended => {}
    }
    if let Some(reason) = &facts.stopped {
        return Err(Stop::GlobalStop(reason.clone()));
    }
    if let Some(hold) = facts.hold.as_ref().filter(|hold| hold.until > now) {
        return Err(Stop::Hold(hold.clone()));
    }
    if facts.protected {
        return Err(Stop::Protected);
    }
    if facts.rejected {
        return Err(Stop::Rejected);
    }
    if !facts.enforce {
        return Err(Stop::Observe);
    }
    if !facts.settled {
        return Err(Stop::Unsettled);
    }
    if facts.due > now {
        return Err(Stop::NotDue(facts.due));
    }
    if facts.removal && !facts.trusted {
        return Err(Stop::Untrusted);
    }
    if !plan.targets.is_empty() {
        counted(plan, facts, now)?;
    }
    Ok(Released { plan: plan.clone(), only_finish: false })
}

/// Whether this very plan was counted and let through, or approved.
fn counted(plan: &Plan, facts: &Facts, now: Timestamp) -> Result<(), Stop> {
    let approved = facts.approved(&plan.hash, now);
    // A stop that an approval opens; where there was one, that it expired is what is to be known.
    let unless_approved = |stop: Stop| match approved {
        Approved::Yes => Ok(()),
        Approved::Expired => Err(Stop::ApprovalExpired(stop.batch().map(str::to_owned))),
        Approved::No => Err(stop),
    };
    if facts.late {
        return unless_approved(Stop::Late);
    }
    if facts.counted != plan.hash {
        return Err(Stop::Uncounted);
    }
    let baseline = |batch: Option<&String>| match facts.leaves_scope {
        true => Stop::LeavesScope(batch.cloned()),
        false => Stop::Baseline(batch.cloned()),
    };
    let held = |batch: &String, baselines: bool, over: Option<Over>| match over {
        _ if baselines => baseline(Some(batch)),
        Some(over) if over.scope == Scope::Cluster => Stop::OverClusterLimit(batch.clone(), over),
        over => Stop::OverLimit(batch.clone(), over),
    };
    match &facts.allowance {
        Allowance::Uncounted => Err(Stop::Uncounted),
        Allowance::NoRoom => Err(Stop::LedgerFull),
        // An approval that is not debited yet opens nothing.
        Allowance::Held { batch, baseline, over } => match unless_approved(held(batch, *baseline, *over)) {
            Ok(()) => Err(held(batch, *baseline, *over)),
            shut => shut,
        },
        Allowance::Released { batch } if facts.baseline && !facts.removal => unless_approved(baseline(batch.as_ref())),
        Allowance::Released { batch: Some(batch) } => unless_approved(Stop::OverLimit(batch.clone(), None)),
        Allowance::Released { batch: None } => Ok(()),
    }
}

#[cfg(test)]
mod tests;
