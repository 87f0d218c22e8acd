//! What a policy's status says after a pass. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::pass::{Matched, Tally};
use super::{PassInputs, Source, accounts, closed, current_status};
use crate::api::SyncPolicy;
use crate::api::condition::{self, ConditionType, ConditionUpdate, Reason};
use crate::api::policy::{self as api, SyncPolicyStatus};
use crate::kube::outcome::{Fault, Report};
use crate::kube::revoker;
use crate::kube::{calls, grants};
use domain::drill::{self, DrillReport, Standing};
use domain::roster::{Baseline, MovesTally};

/// Longest sleep: the runtime's clock stands still while the machine sleeps, ours does not.
const MAX_SLEEP: Duration = Duration::from_secs(600);
/// Shortest sleep before a midnight, so that a timer that fires early does not spin.
const MIN_SLEEP: Duration = Duration::from_secs(1);
/// Most people in several scopes, and most policies, that are named.
const MAX_NAMED: usize = 5;
/// Look again for what control finds out about the revoker, while that is not that it can run.
const REVOKER_AGAIN: Duration = Duration::from_secs(60);

/// Look again for what a drill reports, or for that none came.
const DRILL_AGAIN: Duration = Duration::from_secs(60);

/// What is somebody's, and what is said of the policy's user names.
pub type Covered = (api::Coverage, Option<ConditionUpdate>);

/// The policy's status after a whole pass, and what there is to say.
pub fn conclude(
    policy: &SyncPolicy,
    seen: &PassInputs,
    tally: Tally,
    coverage: Option<Covered>,
    now: Timestamp,
) -> (SyncPolicyStatus, Report) {
    let before = current_status(policy);
    let (coverage, of_user_names) = coverage.unzip();
    let again = tally.wake.map_or(MAX_SLEEP, |wake| calls::wait(wake.duration_since(now)));
    let again = match &seen.trouble {
        Some(Fault::Waiting { again: sooner, .. }) => again.min(*sooner),
        _ => again,
    };
    let again =
        if seen.revoker.as_ref().is_some_and(|revoker| revoker.ready) { again } else { again.min(REVOKER_AGAIN) };
    let again = if seen.drill.is_some() { again.min(DRILL_AGAIN) } else { again };
    let moves = moves(&tally.moves);
    let accounts = tally.accounts.as_ref().map(|found| accounts::shown(found, before.accounts.as_ref()));
    let mut updates = updates(seen, &tally);
    updates.extend(seen.drill.as_ref().map(|report| of_drill(report.as_ref(), now)));
    updates.extend(of_scopes(&tally, &before));
    updates.extend(
        tally.accounts.as_ref().zip(accounts.as_ref()).map(|(found, shown)| accounts::of_accounts(found, shown)),
    );
    updates.extend(of_grants(policy));
    updates.extend(of_user_names.flatten().filter(|_| seen.baseline() != Baseline::Awaited)); // nobody is known before
    let report = Report { updates, again: again.clamp(MIN_SLEEP, MAX_SLEEP) };
    let taken_over = seen.connections.iter().map(|source| taken_over(source, &before, tally.baseline_leavers, now));
    let status = SyncPolicyStatus {
        runs: closed(before.runs.clone()),
        connections: taken_over.collect(),
        people: tally.states,
        scope: tally.scope.or(before.scope.clone()),
        coverage: coverage.or(before.coverage.clone()),
        doubts: tally.matched.map(|matched| matched.doubts).unwrap_or_default(),
        fields: Some(tally.fields.shown),
        moves: Some(moves).filter(|moves| *moves != api::Moves::default()),
        accounts,
        ..before
    };
    (status, report)
}

/// A pass that left Persons to the next one, so that leavers do not wait: what the policy showed stays, but that it says so.
pub fn unfinished(
    policy: &SyncPolicy,
    seen: &PassInputs,
    tally: &Tally,
    unwritten: usize,
) -> (SyncPolicyStatus, Report) {
    let mut updates = updates(seen, tally);
    updates.extend(of_scopes(tally, &current_status(policy)));
    updates.extend(of_grants(policy));
    let message = format!("{} Persons are still to be written.", unwritten);
    updates.retain(|update| {
        !matches!(update.type_, ConditionType::Ready | ConditionType::Stalled | ConditionType::Reconciling)
            && (seen.baseline() == Baseline::Settled || update.type_ != ConditionType::Baseline)
    });
    updates.extend([condition::waiting(Reason::Progressing, &message), condition::reconciling(&message)]);
    if seen.baseline() != Baseline::Settled {
        updates.push(condition::baseline_awaited()); // it is taken with the last Person
    }
    (
        SyncPolicyStatus { runs: closed(current_status(policy).runs), ..current_status(policy) },
        Report { updates, again: Duration::ZERO },
    )
}

/// What was taken over of a connection: what this pass took, or else what an earlier one did.
fn taken_over(source: &Source, before: &SyncPolicyStatus, leavers: u32, now: Timestamp) -> api::TakenOver {
    let before = before.connections.iter().find(|taken| taken.name == source.name).cloned().unwrap_or_default();
    let taken = (source.baseline == Baseline::Now).then(|| source.fingerprint.clone()).flatten();
    let taken = taken.map(|fingerprint| api::Baseline { fingerprint, at: now, leavers });
    let response = source.snapshot.as_ref().map(|snapshot| snapshot.answer().to_owned());
    api::TakenOver {
        name: source.name.clone(),
        response: response.or(before.response),
        baseline: taken.or(before.baseline),
    }
}

pub fn updates(seen: &PassInputs, tally: &Tally) -> Vec<ConditionUpdate> {
    let baseline = match (seen.baseline(), tally.baseline_leavers) {
        (Baseline::Awaited, _) => condition::baseline_awaited(),
        (Baseline::Now | Baseline::Settled, 0) => condition::baseline_clear(),
        (Baseline::Now | Baseline::Settled, leavers) => condition::baseline_leavers(leavers),
    };
    let mut updates = match (&seen.trouble, seen.baseline(), tally.not_added) {
        (Some(Fault::Stalled(message)), ..) => vec![condition::not_followed(message), condition::stalled(message)],
        (Some(Fault::Waiting { reason, message, .. }), ..) => {
            vec![condition::waiting(*reason, message), condition::reconciling(message)]
        }
        (Some(fault @ (Fault::Transient { .. } | Fault::Call { .. })), ..) => {
            vec![condition::retrying(fault.to_string())]
        }
        (None, Baseline::Awaited, _) => {
            let awaited = seen.names(|source| source.baseline == Baseline::Awaited);
            let message = format!(
                "No trusted response of connection {awaited} has come since the policy, the connection or its source changed; see the connection."
            );
            vec![condition::answer_awaited(&message), condition::reconciling(message)]
        }
        (None, Baseline::Now | Baseline::Settled, Some(people)) => {
            vec![condition::too_many_people(&seen.names(|_| true), people, tally.most_people)]
        }
        (None, Baseline::Now | Baseline::Settled, None) => {
            vec![condition::ready(all_is_well(&seen.names(|_| true), tally))]
        }
    };
    updates.push(baseline);
    updates.push(of_revoker(seen.revoker.as_ref()));
    updates.extend(tally.matched.as_ref().map(of_humans));
    updates.extend(tally.unmatched.map(|unmatched| match usize::try_from(unmatched) {
        Ok(0) => condition::locations_matched(),
        people => condition::locations_unmatched(people.unwrap_or(usize::MAX)),
    }));
    updates.extend(tally.moves.told.then(|| match &tally.moves.many {
        None => condition::moves_settled(),
        Some(many) => condition::many_moved(many.people, &many.digest),
    }));
    let announced = tally.fields.announced();
    updates.extend(announced.map(|(losses, at)| condition::values_will_be_lost(&losses, at)));
    updates
}

/// Whether anybody is in the scope of another policy too. What an earlier answer said of that stays where none said anything.
fn of_scopes(tally: &Tally, before: &SyncPolicyStatus) -> Option<ConditionUpdate> {
    match &tally.conflicts {
        _ if !tally.rivals => None,
        Some(conflicts) if conflicts.people.is_empty() => Some(condition::scopes_separate()),
        Some(conflicts) => {
            let first = |all: &BTreeSet<String>| all.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
            let (people, policies) = (&conflicts.people, &conflicts.policies);
            Some(condition::policy_conflict(people.len(), &first(people), &first(policies)))
        }
        None => {
            let shown = before.conditions.iter().find(|one| one.type_ == ConditionType::ScopesSeparate.as_str())?;
            let separate = shown.is(ConditionType::ScopesSeparate, condition::Status::True);
            Some(if separate {
                condition::scopes_separate()
            } else {
                ConditionUpdate { message: shown.message.clone(), ..condition::policy_conflict(0, "", "") }
            })
        }
    }
}

/// Whether the rules of `spec.grants` can be followed. They end nobody's access: leavers do not wait for a rule to be corrected.
fn of_grants(policy: &SyncPolicy) -> Option<ConditionUpdate> {
    let why = grants::Rules::of(policy).err()?;
    Some(condition::grants_not_followed(&why))
}

/// Whether it is known which records are one human's.
fn of_humans(matched: &Matched) -> ConditionUpdate {
    match (matched.not_migrated, matched.doubtful) {
        (0, 0) => condition::humans_matched(matched.strangers),
        (0, pairs) => condition::perhaps_the_same(pairs),
        (people, pairs) => condition::not_migrated(people, pairs),
    }
}

/// Whether anybody's access would end at all.
fn of_revoker(found: Option<&revoker::RevokerCheck>) -> ConditionUpdate {
    match found {
        None => condition::revoker_not_checked(),
        Some(found) if found.ready => condition::revoker_ready(found.at),
        Some(found) => condition::revoker_not_ready(&found.message),
    }
}

/// Whether a leaver who was invented went the whole way.
fn of_drill(report: Option<&DrillReport>, now: Timestamp) -> ConditionUpdate {
    let Some(report) = report else { return condition::not_drilled() };
    match drill::standing(Some(report), now) {
        Standing::Never => condition::not_drilled(),
        Standing::Passed => condition::drilled(report.ended, report.took().unwrap_or_default().as_secs_f64()),
        Standing::Failed(short) => condition::drill_failed(report.ended, short.as_str(), &report.message),
        Standing::Late(due) => condition::drill_late(due),
    }
}

fn all_is_well(connections: &str, tally: &Tally) -> String {
    let people: u32 = tally.states.values().sum();
    let out: u32 = tally.scope.iter().flat_map(|scope| scope.excluded.values()).sum();
    let out = match out {
        0 => String::new(),
        out => format!(" {out} people in its newest response are out of scope: see status.scope."),
    };
    let missing = match tally.missing {
        0 => String::new(),
        missing => format!(" {missing} of them are no longer named and keep their state."),
    };
    let former = match tally.former {
        0 => String::new(),
        former => format!(" {former} more had left before, and own nothing here: they get no Person."),
    };
    let others = match tally.others {
        0 => String::new(),
        others => format!(
            " {others} more work here and own nothing in the cluster: they get no Person (materialize: CredentialHolders)."
        ),
    };
    let kept = match tally.kept_by_word {
        0 => String::new(),
        kept => format!(" {kept} have left as HR says, and have not by a human's word (spec.declared)."),
    };
    let several = if connections.contains(',') { "s" } else { "" };
    format!("{people} people of connection{several} {connections}.{missing}{kept}{out}{others}{former}")
}

fn moves(tally: &MovesTally) -> api::Moves {
    let MovesTally { moved, reviews, overdue, many: _, told: _ } = tally;
    api::Moves { people: *moved, reviews: *reviews, overdue: *overdue }
}

/// Keeps what an earlier answer said of locations and moves where this pass had none: it cannot be told without an answer.
pub fn keep_what_answers_said(status: &mut SyncPolicyStatus, before: &SyncPolicyStatus) {
    for kept in [ConditionType::LocationsMatched, ConditionType::MovesSettled] {
        let is = |condition: &&condition::Condition| condition.type_ == kept.as_str();
        if !status.conditions.iter().any(|condition| is(&condition)) {
            status.conditions.extend(before.conditions.iter().find(is).cloned());
        }
    }
    status.conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
}
