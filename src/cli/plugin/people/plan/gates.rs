//! Which gates would hold a plan: the gate itself is asked, and each one that stops is opened to see what is behind it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kube::ResourceExt;

use super::forecast::View;
use crate::api::policy::Mode;
use crate::api::revocation::Trigger;
use crate::api::{SyncPolicy, convert};
use domain::gate::{self, Facts, Hold, LeaverStatus, Stop};
use domain::ledger::{Allowance, Bounds, CountedPlan, Ledger, Limits, Of, Run};
use domain::plan::Plan;

/// Name under which the plan is counted, in a copy of the ledger that is thrown away.
const PLAN: &str = "plan";
/// Most gates there are.
const MOST: usize = 16;

/// What a closed gate asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opens {
    /// An approval of exactly this plan.
    ByApproval,
    /// Something else: a change of the policy, a hold that ends, a stop that is lifted.
    Otherwise,
}

/// A gate that would hold the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shut {
    /// Its word, as `status.gate.reason` has it.
    pub reason: &'static str,
    /// What it waits for.
    pub message: String,
    /// What opens it.
    pub opens: Opens,
}

/// Every gate that would hold this plan if the person left now, in the order in which they would be shown.
pub fn shut(plan: &Plan, view: &View<'_>) -> Vec<Shut> {
    let mut facts = facts(plan, view);
    let mut found = Vec::new();
    while let Err(stop) = gate::gate(plan, &facts, view.now)
        && found.len() < MOST
    {
        let shut = told(&stop);
        let last = shut.opens == Opens::ByApproval;
        open(&stop, &mut facts);
        found.push(shut);
        if last {
            break; // one approval opens what only an approval opens
        }
    }
    found
}

/// What the gate would ask, had the person left now.
fn facts(plan: &Plan, view: &View<'_>) -> Facts {
    let (person, policy) = (view.person, view.policy);
    let hold = person.spec.hold.as_ref();
    let employment = person.status.as_ref().and_then(|status| status.employment.as_ref());
    Facts {
        stopped: view.seen.stopped.clone(),
        leaver_status: match convert::leaver_status(Some(person)) {
            LeaverStatus::OutOfScope => LeaverStatus::OutOfScope,
            LeaverStatus::Ended | LeaverStatus::Employed | LeaverStatus::Unknown => LeaverStatus::Ended,
        },
        hold: hold.map(|hold| Hold { reason: hold.reason.clone(), until: hold.until }),
        protected: convert::protected(policy).person(&convert::person_facts(person, view.now)),
        rejected: false,
        enforce: policy.spec.mode == Mode::Enforce,
        settled: policy.settled() && !view.changed,
        due: view.now,
        trusted: true, // only a removal waits for it
        removal: false,
        begun: false,
        baseline: convert::needs_approval(Some(person), Trigger::Termination),
        leaves_scope: employment.is_some_and(|employment| employment.leaves_scope.is_some()),
        late: false,
        allowance: allowance(plan, view),
        counted: plan.hash.clone(),
        approved: None,
        approvals_last: convert::approvals_last(Some(policy)),
        claimed: false,
    }
}

/// What the ledger would say of a leaver more.
fn allowance(plan: &Plan, view: &View<'_>) -> Allowance {
    let released = Allowance::Released { batch: None };
    let Some(mut ledger) = view.seen.ledger.clone() else { return released };
    let Ok(limits) = convert::limits(view.policy, convert::known(view.policy)) else { return released };
    count(&mut ledger, plan, view, limits)
}

fn count(ledger: &mut Ledger, plan: &Plan, view: &View<'_>, policy: Limits) -> Allowance {
    let objects = u32::try_from(plan.targets.len()).unwrap_or(u32::MAX);
    let asked = CountedPlan::new(PLAN, &plan.hash, objects, plan.workloads);
    let employment = view.person.status.as_ref().and_then(|status| status.employment.as_ref());
    let announced = employment.is_some_and(|employment| employment.announced);
    let baseline = convert::needs_approval(Some(view.person), Trigger::Termination);
    let run = Run {
        id: PLAN,
        of: if baseline { Of::Baseline } else { Of::Leavers },
        revocations: &BTreeMap::from([(PLAN.to_owned(), asked.clone())]),
        announced: &announced.then(|| PLAN.to_owned()).into_iter().collect::<BTreeSet<_>>(),
        unplanned: Some(0),
    };
    let name = view.policy.name_any();
    ledger.count_run(&name, &run, &Bounds { policy, cluster: Limits::default() }, view.now);
    ledger.allowance(&name, PLAN, &asked)
}

/// A gate in words that hold for what has not happened yet: no batch is there to be named.
fn told(stop: &Stop) -> Shut {
    let (message, opens) = match stop {
        Stop::Baseline(_) => (
            "They had left already when the policy first applied to them: somebody has to approve.".to_owned(),
            Opens::ByApproval,
        ),
        Stop::LeavesScope(_) => (
            "The response in which they leave would put them out of scope too: somebody has to approve.".to_owned(),
            Opens::ByApproval,
        ),
        Stop::OverLimit(_, Some(over)) | Stop::OverClusterLimit(_, over) => {
            (format!("It would be {over}: somebody has to approve."), Opens::ByApproval)
        }
        Stop::OverLimit(_, None) | Stop::Late | Stop::ApprovalExpired(_) => {
            ("Somebody has to approve.".to_owned(), Opens::ByApproval)
        }
        other => (other.message(), Opens::Otherwise),
    };
    Shut { reason: stop.reason(), message, opens }
}

/// Opens this gate alone.
fn open(stop: &Stop, facts: &mut Facts) {
    match stop {
        Stop::Withdrawn | Stop::OutOfScope | Stop::Unknown => facts.leaver_status = LeaverStatus::Ended,
        Stop::GlobalStop(_) => facts.stopped = None,
        Stop::Hold(_) => facts.hold = None,
        Stop::Protected => facts.protected = false,
        Stop::Rejected => facts.rejected = false,
        Stop::Observe => facts.enforce = true,
        Stop::Unsettled => facts.settled = true,
        Stop::NotDue(_) => facts.due = Timestamp::MIN,
        Stop::Untrusted => facts.trusted = true,
        Stop::Baseline(_)
        | Stop::LeavesScope(_)
        | Stop::Uncounted
        | Stop::LedgerFull
        | Stop::OverLimit(..)
        | Stop::OverClusterLimit(..)
        | Stop::Late
        | Stop::ApprovalExpired(_) => facts.allowance = Allowance::Released { batch: None },
    }
}

/// The policy's time between cut and removal, as it is written.
pub fn remove_after(policy: &SyncPolicy) -> &str {
    &policy.spec.lifecycle.termination.remove_after
}
