//! What happened to somebody's access: each Revocation, what it froze, what remains, and what they could do.

use super::{MAX_LISTED, Part};
use crate::api::revocation::{Exposure, ExposureTier, FirstFreeze, HookOutcome, HookRun, Phase, Sessions};
use crate::cli::plugin::people::answer::{Answer, Told};
use crate::cli::plugin::people::owned::Owned;
/// What happened to their access, and what of it waits.
pub(super) fn access(answer: &Answer, unmask: bool) -> Vec<Part> {
    let mut parts: Vec<Part> = answer.access.iter().map(|shown| Part::Says(shown.message.clone())).collect();
    let (present, earlier): (Vec<_>, Vec<_>) = answer.told.iter().partition(|told| told.present);
    if !present.is_empty() {
        let edits = |what: &str| edit(&answer.owned, what, unmask);
        parts.push(Part::Listed("Revocations", present.into_iter().map(|one| told(one, edits)).collect()));
    }
    if !earlier.is_empty() {
        let names = earlier.iter().map(|told| {
            let not_undone = told.not_undone.as_ref().map(|what| format!(": not undone by itself: {what}"));
            format!("{} ({}){}", told.name, told.phase.as_str(), not_undone.unwrap_or_default())
        });
        parts.push(Part::Listed("Revocations of an earlier termination or leave", names.collect()));
    }
    parts
}

/// The command that takes them out of a shared binding. It holds user names, so it is shown to who asks for names.
fn edit(owned: &Owned, what: &str, unmask: bool) -> Option<String> {
    let Owned::Things(things) = owned else { return None };
    let edit = things.iter().find(|thing| thing.what == what)?.edit.clone()?;
    Some(if unmask { edit } else { "with --unmask, the command that takes them out is printed here".to_owned() })
}

/// What became of their user names, which are frozen before anything else ends.
fn frozen_first(freeze: &FirstFreeze) -> String {
    match (freeze.acted, freeze.lifted, &freeze.message) {
        (_, Some(at), _) => format!("their user names were frozen, and the freeze was lifted at {at:.0}"),
        (Some(at), None, _) if freeze.verdicts.is_empty() => {
            format!("their user names were frozen at {at:.0}; none of them is theirs alone any more")
        }
        (Some(at), None, _) => format!(
            "user names frozen since {at:.0}: {}. What they would change is refused, by whatever credential; reads are not",
            freeze.verdicts.len()
        ),
        (None, None, message) => format!("user names {}", message.as_deref().unwrap_or("not frozen yet")),
    }
}

fn told(told: &Told, edit: impl Fn(&str) -> Option<String>) -> String {
    let late = match (told.late, told.evicts) {
        (true, true) => ", pods in which a session of theirs may be open",
        (true, false) => ", found after the first plan",
        (false, _) => "",
    };
    let objects = match told.objects {
        1 => "1 object".to_owned(),
        objects => format!("{objects} objects"),
    };
    let how = match (told.phase, &told.gate) {
        (Phase::Held, Some(gate)) => {
            let reason = gate.reason.map_or("", |reason| reason.as_str());
            format!("held by the gate {reason}: {}", gate.message)
        }
        (Phase::Held, None) => "held: it is being planned".to_owned(),
        (Phase::Released, _) => "released: every gate is open, and the revoker carries it out".to_owned(),
        (Phase::Revoked, _) => {
            told.verified.map_or("done".to_owned(), |at| format!("done, and seen to be refused at {at:.0}"))
        }
        (Phase::Failed, _) => "failed: not every target is proved refused".to_owned(),
        (Phase::Cancelled, _) => "cancelled: the reason for it is gone".to_owned(),
        (Phase::Frozen, _) => "in force: what they would change is refused, and reads are not".to_owned(),
        (Phase::Lifted, _) => "lifted: nothing is refused by it any more".to_owned(),
    };
    let mut line = format!("{} ({}{late}, {objects}): {how}", told.name, told.operation.as_str());
    for thing in told.remaining.iter().take(MAX_LISTED) {
        line.push_str(&format!("\nremains: {} ({}): {}", thing.what, thing.why, thing.advice));
        line.extend(edit(&thing.what).map(|command| format!("\n  {command}")));
    }
    line.extend(told.freeze.as_ref().map(|freeze| format!("\n{}", frozen_first(freeze))));
    line.extend(approvals(told).map(|said| format!("\n{said}")));
    line.extend(told.hooks.iter().map(|run| format!("\n{}", hook(run))));
    line.extend(told.exposure.as_ref().filter(|exposure| !exposure.secrets.is_empty()).map(exposed));
    line.extend(told.exposure.as_ref().and_then(|exposure| exposure.sessions.as_ref()).map(sessions));
    if told.returned > 0 {
        line.push_str(&format!("\n{} of what it ended came back", told.returned));
    }
    if told.again > 0 {
        line.push_str(&format!("\naccess is back: {} of what it ended works again, see status.recheck", told.again));
    }
    if told.untold > 0 {
        let words = "of what it ended it cannot be told whether it still holds, see status.recheck.unproved";
        line.push_str(&format!("\n{} {words}", told.untold));
    }
    line
}

/// Who approved, where two people have to.
fn approvals(told: &Told) -> Option<String> {
    let (given, by_two) = &told.approvals;
    match given.as_slice() {
        [first, second] => Some(format!("approved by {first} and {second}")),
        [first] if *by_two => Some(format!("approved by {first}; another person has to approve it too")),
        _ => None,
    }
}

/// `hook end-database-user (After): done at 2026-03-01T00:00:09Z, 1 attempt`.
fn hook(run: &HookRun) -> String {
    let at = run.ended.map(|at| format!(" at {at:.0}")).unwrap_or_default();
    let how = match run.outcome {
        HookOutcome::Waiting => "not begun yet".to_owned(),
        HookOutcome::Begun => "at work".to_owned(),
        HookOutcome::Done => format!("done{at}"),
        HookOutcome::Failed => format!("failed{at}"),
        HookOutcome::TimedOut => format!("took too long{at}"),
        HookOutcome::NotStarted => format!("could not be started{at}"),
        HookOutcome::Lost => format!("ended, and nobody saw how{at}"),
        HookOutcome::Skipped => format!("left out{at}"),
    };
    let attempts = match run.attempts {
        0 => String::new(),
        1 => ", 1 attempt".to_owned(),
        more => format!(", {more} attempts"),
    };
    let why = run.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
    let again = run.again.map(|again| format!("; tried again at {again:.0}")).unwrap_or_default();
    format!("hook {} ({}): {how}{attempts}{why}{again}", run.name, run.when.as_str())
}

/// Secrets that they could read, a few of them by name.
fn exposed(exposure: &Exposure) -> String {
    let each = exposure.secrets.iter().map(|one| {
        let place =
            if one.namespace.is_empty() { "the cluster".to_owned() } else { format!("namespace {}", one.namespace) };
        match (one.tier, one.name.as_str()) {
            (ExposureTier::Exec, "") => format!("what pods of {place} use, by exec or attach"),
            (ExposureTier::Exec, name) => format!("{}/{name}, by exec or attach", one.namespace),
            (_, "") => format!("every Secret of {place}"),
            (_, name) if one.namespace.is_empty() => format!("{name} of every namespace"),
            (_, name) => format!("{}/{name}", one.namespace),
        }
    });
    let listed: Vec<String> = each.take(MAX_LISTED).collect();
    let more = exposure.secrets.len().saturating_sub(listed.len()).saturating_add(exposure.more as usize);
    let more = if more > 0 { format!("; and {more} more, in status.exposure") } else { String::new() };
    format!(
        "\nthey could read Secrets that are not theirs: {}{more}. What was copied works until it is rotated",
        listed.join("; ")
    )
}

/// Where a session of theirs may be open, a few places by name.
fn sessions(sessions: &Sessions) -> String {
    let everywhere = sessions.everywhere.then(|| "any pod of the cluster".to_owned());
    let nodes = sessions.nodes.then(|| "any pod of a node, by nodes/proxy".to_owned());
    let namespaces = sessions.namespaces.iter().map(|namespace| format!("any pod of namespace {namespace}"));
    let each = everywhere.into_iter().chain(nodes).chain(namespaces).chain(sessions.pods.iter().cloned());
    let listed: Vec<String> = each.take(MAX_LISTED).collect();
    let all = sessions.namespaces.len().saturating_add(sessions.pods.len()).saturating_add(sessions.more as usize);
    let all = all.saturating_add(usize::from(sessions.everywhere)).saturating_add(usize::from(sessions.nodes));
    let more = all.saturating_sub(listed.len());
    let more = if more > 0 { format!("; and {more} more, in status.exposure.sessions") } else { String::new() };
    format!(
        "\nthey could exec, attach or port-forward in {}{more}. What they opened goes on until it is closed, or its pod ends",
        listed.join("; ")
    )
}
