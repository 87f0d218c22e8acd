//! What happened to each credential of somebody, and when: as moments, and as a row a credential. Pure.
//!
//! User names stand for people as addresses do: they are shown where names are asked for.

use jiff::Timestamp;
use kube::ResourceExt;

use super::frame::Tone;
use crate::api::Revocation;
use crate::api::revocation::{
    Action, HookOutcome, Operation, Phase, RevocationStatus, Step, StepOutcome, Target, TargetKind, Verdict,
    VerdictKind,
};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// What, in a sentence without its end.
    pub what: String,
    /// How good that is.
    pub tone: Tone,
    /// The Revocation that it is of.
    pub revocation: String,
    /// The Person that it is of.
    pub person: String,
}

/// A credential, or a right, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// `ServiceAccount apps/ci`.
    pub what: String,
    /// What is done with it.
    pub action: &'static str,
    /// What was done, and when.
    pub done: Option<(&'static str, Timestamp)>,
    /// What the API server was then seen to say, and when.
    pub seen: Option<(&'static str, Timestamp)>,
    /// How the verdict was come by, or what the step ran into.
    pub how: String,
    /// How good that is.
    pub tone: Tone,
}

/// The steps of the way from the exit to the proof, in their order; those that have not come yet have no instant.
pub fn way(revocation: &Revocation) -> [(&'static str, Option<Timestamp>); 6] {
    let status = revocation.status.as_ref();
    let instants = status.and_then(|status| status.instants.clone()).unwrap_or_default();
    let of = |instant: fn(&RevocationStatus) -> Option<Timestamp>| status.and_then(instant);
    [
        ("Took effect", instants.effective),
        ("Seen", instants.seen),
        ("Released", instants.released),
        ("Acted", of(|status| status.acted)),
        ("Seen refused", of(|status| status.verified)),
        ("Confirmed", of(|status| status.confirmed)),
    ]
}

/// Everything of a Revocation that has an instant, the oldest first.
pub fn moments(revocation: &Revocation, unmask: bool) -> Vec<Moment> {
    let Some(status) = &revocation.status else { return Vec::new() };
    let (name, person) = (revocation.name_any(), revocation.spec.person.clone());
    let operation = revocation.spec.operation;
    let mut all: Vec<Moment> = Vec::new();
    let mut add = |at: Option<Timestamp>, what: String, tone: Tone| {
        let (revocation, person) = (name.clone(), person.clone());
        all.extend(at.map(|at| Moment { at, what, tone, revocation, person }));
    };
    if operation != Operation::Remove {
        let instants = status.instants.clone().unwrap_or_default();
        add(instants.effective, "The exit took effect".to_owned(), Tone::Plain);
        add(instants.seen, "A trusted response was seen to say so".to_owned(), Tone::Plain);
    }
    let made = revocation.metadata.creation_timestamp.as_ref().map(|time| time.0);
    add(made, format!("{} was made", called(operation)), Tone::Plain);
    let decisions = [&revocation.spec.approval, &revocation.spec.second_approval];
    for approval in decisions.into_iter().flatten() {
        let by = if unmask { approval.by.as_str() } else { "Somebody who may" };
        add(Some(approval.at), format!("{by} approved the plan"), Tone::Plain);
    }
    let released = status.instants.as_ref().and_then(|instants| instants.released);
    add(released, "Every gate was open: it was released".to_owned(), Tone::Plain);
    if let Some(freeze) = &status.freeze {
        add(freeze.acted, "Their user names were frozen".to_owned(), Tone::Plain);
        add(freeze.verified, "The freeze was read back".to_owned(), Tone::Good);
        add(freeze.lifted, "The freeze was lifted".to_owned(), Tone::Plain);
    }
    for step in &status.steps {
        let what = object(&step.target, unmask);
        add(Some(step.at), format!("{what}: {}", step_words(step)), step_tone(step.outcome));
    }
    for verdict in &status.verdicts {
        let (words, tone) = verdict_words(verdict);
        add(Some(verdict.at), format!("{}: {words}", object(&verdict.target, unmask)), tone);
    }
    for run in &status.hooks {
        let (words, tone) = hook_words(run.outcome);
        add(run.ended, format!("Hook {}: {words}", run.name), tone);
    }
    add(status.verified, "Everything of the plan was seen to be refused".to_owned(), Tone::Good);
    add(status.confirmed, "That was seen again, past the API server's cache".to_owned(), Tone::Good);
    if let Some(recheck) = &status.recheck {
        let (words, tone) = match (recheck.refuted.len(), recheck.unknown) {
            (0, 0) => ("Checked again: everything is still refused".to_owned(), Tone::Good),
            (0, unknown) => (format!("Checked again: of {unknown} nothing could be seen"), Tone::Waits),
            (again, _) => (format!("Checked again: {again} of it WORKS AGAIN"), Tone::Bad),
        };
        add(recheck.at, words, tone);
    }
    for one in &status.returned {
        let place = place(&one.namespace, &one.name);
        add(Some(one.at), format!("{} {place} came back", one.kind), Tone::Bad);
    }
    add(status.lifted, "The freeze was lifted".to_owned(), Tone::Plain);
    all.sort_by_key(|moment| moment.at); // what happened at one instant stays in the order of the way
    all
}

/// What a Revocation is called in a sentence.
pub const fn called(operation: Operation) -> &'static str {
    match operation {
        Operation::Cut => "The cut",
        Operation::Remove => "The removal",
        Operation::Freeze => "The freeze",
    }
}

/// What became of each credential and right of a plan, in the order of the plan.
pub fn credentials(revocation: &Revocation, unmask: bool) -> Vec<Credential> {
    let Some(status) = &revocation.status else { return Vec::new() };
    let Some(plan) = &status.plan else { return Vec::new() };
    let first = status.freeze.as_ref();
    let frozen = first.map(|freeze| freeze.verdicts.as_slice()).unwrap_or_default();
    let of_names = plan.freezes.iter().map(|target| {
        let done = first.and_then(|freeze| Some(("frozen", freeze.acted?)));
        let lifted = first.and_then(|freeze| Some(("the freeze was lifted", freeze.lifted?)));
        let message = first.and_then(|freeze| freeze.message.clone()).unwrap_or_default();
        credential(target, lifted.or(done), verdict(frozen, target), message, unmask)
    });
    let of_objects = plan.targets.iter().map(|target| {
        let step = status.steps.iter().rfind(|step| same(&step.target, target));
        let message = step.and_then(|step| step.message.clone()).unwrap_or_default();
        let done = step.map(|step| (step_words(step), step.at));
        let mut one = credential(target, done, verdict(&status.verdicts, target), message, unmask);
        if one.seen.is_none() {
            one.tone = step.map_or(Tone::Waits, |step| step_tone(step.outcome));
        }
        if let Some(again) = status.recheck.as_ref().and_then(|recheck| verdict(&recheck.refuted, target)) {
            (one.seen, one.tone) = (Some(("WORKS AGAIN", again.at)), Tone::Bad);
        }
        one
    });
    of_names.chain(of_objects).collect()
}

fn credential(
    target: &Target,
    done: Option<(&'static str, Timestamp)>,
    verdict: Option<&Verdict>,
    message: String,
    unmask: bool,
) -> Credential {
    let seen = verdict.map(|verdict| (verdict_words(verdict).0, verdict.at));
    let tone = verdict.map_or(Tone::Waits, |verdict| verdict_words(verdict).1);
    let how = verdict.map(|verdict| verdict.how.clone()).filter(|_| message.is_empty()).unwrap_or(message);
    let how = if target.kind == TargetKind::User && !unmask { String::new() } else { how };
    Credential { what: object(target, unmask), action: action_words(target.action), done, seen, how, tone }
}

fn verdict<'a>(verdicts: &'a [Verdict], target: &Target) -> Option<&'a Verdict> {
    verdicts.iter().rfind(|verdict| same(&verdict.target, target))
}

/// Whether two are the same object; a user name has no uid.
fn same(one: &Target, other: &Target) -> bool {
    (one.kind, &one.uid, &one.namespace, &one.name) == (other.kind, &other.uid, &other.namespace, &other.name)
}

/// `ServiceAccount apps/ci`; a user name only where names are asked for.
pub fn object(target: &Target, unmask: bool) -> String {
    match target.kind {
        TargetKind::User if !unmask => "User name".to_owned(),
        TargetKind::User => format!("User name {}", target.name),
        kind => format!("{} {}", kind.as_str(), place(&target.namespace, &target.name)),
    }
}

fn place(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") }
}

const fn action_words(action: Action) -> &'static str {
    match action {
        Action::Unbind => "delete the binding",
        Action::Trim => "take them out of the binding",
        Action::Recreate => "recreate the account: all its tokens end",
        Action::HandOver => "hand the account over, with new tokens",
        Action::Rotate => "give the Secret a new value",
        Action::Delete => "delete for good",
        Action::Freeze => "refuse what they would change",
        Action::Evict => "evict the pod: sessions in it end",
    }
}

fn step_words(step: &Step) -> &'static str {
    match step.outcome {
        StepOutcome::Begun => "begun",
        StepOutcome::Done => match step.target.action {
            Action::Unbind | Action::Delete => "deleted",
            Action::Trim => "taken out",
            Action::Recreate => "recreated",
            Action::HandOver => "handed over",
            Action::Rotate => "rotated",
            Action::Freeze => "frozen",
            Action::Evict => "evicted",
        },
        StepOutcome::AlreadyGone => "it was gone already",
        StepOutcome::NotRecreated => "deleted, and not created again",
        StepOutcome::Skipped => "left alone",
        StepOutcome::Refused => "the API server did not allow the act",
        StepOutcome::Failed => "the act did not come to an end",
        StepOutcome::Unchanged => "it has the value it had",
    }
}

const fn step_tone(outcome: StepOutcome) -> Tone {
    match outcome {
        StepOutcome::Begun => Tone::Waits,
        StepOutcome::Done | StepOutcome::AlreadyGone | StepOutcome::NotRecreated => Tone::Plain,
        StepOutcome::Skipped | StepOutcome::Unchanged => Tone::Waits,
        StepOutcome::Refused | StepOutcome::Failed => Tone::Bad,
    }
}

/// What a verdict is, in words: only the first three are proof. Of a user name no request was seen to be refused, but the name on the
/// list of those that are.
const fn verdict_words(verdict: &Verdict) -> (&'static str, Tone) {
    match verdict.verdict {
        VerdictKind::Observed if matches!(verdict.target.kind, TargetKind::User) => {
            ("read on the list of frozen names", Tone::Good)
        }
        VerdictKind::Observed => ("seen refused", Tone::Good),
        VerdictKind::Implied => ("gone", Tone::Good),
        VerdictKind::Adopted => ("replaced wherever it is used", Tone::Good),
        VerdictKind::Refuted => ("STILL WORKS", Tone::Bad),
        VerdictKind::Unknown => ("not proved", Tone::Bad),
    }
}

const fn hook_words(outcome: HookOutcome) -> (&'static str, Tone) {
    match outcome {
        HookOutcome::Waiting => ("not begun yet", Tone::Waits),
        HookOutcome::Begun => ("at work", Tone::Waits),
        HookOutcome::Done => ("done", Tone::Good),
        HookOutcome::Failed => ("failed", Tone::Bad),
        HookOutcome::TimedOut => ("took too long", Tone::Bad),
        HookOutcome::NotStarted => ("could not be started", Tone::Bad),
        HookOutcome::Lost => ("ended, and nobody saw how", Tone::Bad),
        HookOutcome::Skipped => ("left out", Tone::Plain),
    }
}

/// A phase in words. Only what was verified was seen to be refused.
pub const fn phase_words(phase: Phase, verified: bool) -> (&'static str, Tone) {
    match phase {
        Phase::Held => ("Held", Tone::Waits),
        Phase::Released => ("Under way", Tone::Waits),
        Phase::Revoked if verified => ("Done, and seen refused", Tone::Good),
        Phase::Revoked => ("Done", Tone::Good),
        Phase::Failed => ("Failed: not everything is proved refused", Tone::Bad),
        Phase::Cancelled => ("Cancelled", Tone::Plain),
        Phase::Frozen => ("Frozen", Tone::Good),
        Phase::Lifted => ("Lifted", Tone::Plain),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn account(name: &str) -> Value {
        json!({"action": "Recreate", "kind": "ServiceAccount", "namespace": "apps", "name": name, "uid": name, "why": "id:hq/7"})
    }

    fn user() -> Value {
        json!({"action": "Freeze", "kind": "User", "namespace": "", "name": "oidc:ada@example.com", "uid": "", "why": "oidc:ada@example.com"})
    }

    fn cut(targets: &[Value], status: Value) -> Revocation {
        let mut all = json!({
            "phase": "Released",
            "plan": {"hash": "a".repeat(64), "freezes": [user()], "targets": targets},
            "instants": {"effective": "2026-03-01T00:00:00Z", "seen": "2026-03-01T00:00:01Z", "released": "2026-03-01T00:00:02Z"},
        });
        crate::api::merge(&mut all, &status);
        serde_json::from_value(json!({
            "metadata": {"name": "p-7-cut", "namespace": "rollcall", "creationTimestamp": "2026-03-01T00:00:01Z"},
            "spec": {"person": "p-7", "personUid": "u", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                "due": "2026-03-01T00:00:00Z", "reason": "left"},
            "status": all,
        }))
        .unwrap()
    }

    fn told(revocation: &Revocation) -> Vec<(String, Option<&'static str>, Option<&'static str>, Tone)> {
        let all = credentials(revocation, false).into_iter();
        all.map(|one| (one.what, one.done.map(|done| done.0), one.seen.map(|seen| seen.0), one.tone)).collect()
    }

    #[test]
    fn what_a_step_did_is_no_proof_and_only_a_verdict_is() {
        let at = "2026-03-01T00:00:05Z";
        let step = |name: &str, outcome: &str| json!({"target": account(name), "outcome": outcome, "at": at});
        let verdict =
            |name: &str, verdict: &str| json!({"target": account(name), "verdict": verdict, "how": "asked", "at": at});
        let status = json!({
            "freeze": {"acted": at},
            "steps": [step("done", "Done"), step("proved", "Done"), step("lives", "Done"), step("no", "Refused")],
            "verdicts": [verdict("proved", "Observed"), verdict("lives", "Refuted")],
        });
        let targets: Vec<Value> = ["done", "proved", "lives", "no", "waits"].iter().map(|name| account(name)).collect();
        let expected = [
            ("User name", Some("frozen"), None, Tone::Waits),
            ("ServiceAccount apps/done", Some("recreated"), None, Tone::Plain),
            ("ServiceAccount apps/proved", Some("recreated"), Some("seen refused"), Tone::Good),
            ("ServiceAccount apps/lives", Some("recreated"), Some("STILL WORKS"), Tone::Bad),
            ("ServiceAccount apps/no", Some("the API server did not allow the act"), None, Tone::Bad),
            ("ServiceAccount apps/waits", None, None, Tone::Waits),
        ];
        let expected = expected.map(|(what, done, seen, tone)| (what.to_owned(), done, seen, tone));
        assert_eq!(told(&cut(&targets, status)), expected);
    }

    #[test]
    fn what_works_again_at_a_later_check_is_no_longer_called_refused() {
        let at = "2026-03-01T00:00:05Z";
        let verdict =
            |verdict: &str, at: &str| json!({"target": account("ci"), "verdict": verdict, "how": "asked", "at": at});
        let status = json!({
            "verdicts": [verdict("Observed", at)],
            "recheck": {"stage": 1, "at": "2026-03-01T01:00:00Z", "asked": 1, "refuted": [verdict("Refuted", "2026-03-01T01:00:00Z")]},
        });
        let revocation = cut(&[account("ci")], status);
        let (_, _, seen, tone) = told(&revocation).pop().unwrap();
        assert_eq!((seen, tone), (Some("WORKS AGAIN"), Tone::Bad));
        let last = moments(&revocation, false).pop().unwrap();
        assert_eq!((last.what.as_str(), last.tone), ("Checked again: 1 of it WORKS AGAIN", Tone::Bad));
    }

    #[test]
    fn moments_are_in_their_order_and_show_no_user_name_unless_asked() {
        let at = "2026-03-01T00:00:05Z";
        let status = json!({
            "steps": [{"target": account("ci"), "outcome": "Done", "at": at}],
            "verdicts": [{"target": user(), "verdict": "Observed", "how": "oidc:ada@example.com is on the list", "at": "2026-03-01T00:00:06Z"}],
            "freeze": {"acted": "2026-03-01T00:00:03Z", "verdicts": [{"target": user(), "verdict": "Observed", "how": "oidc:ada@example.com is on the list", "at": at}]},
            "verified": "2026-03-01T00:00:07Z",
        });
        let revocation = cut(&[account("ci")], status);
        let moments = moments(&revocation, false);
        assert!(moments.is_sorted_by_key(|moment| moment.at));
        let of_name = credentials(&revocation, false).into_iter().find(|one| one.what == "User name").unwrap();
        assert_eq!(of_name.seen.map(|seen| seen.0), Some("read on the list of frozen names"), "no request was refused");
        let words: Vec<&str> = moments.iter().map(|moment| moment.what.as_str()).collect();
        assert_eq!(words.last(), Some(&"Everything of the plan was seen to be refused"));
        let shown = format!("{moments:?}{:?}", credentials(&revocation, false));
        assert!(!shown.contains("ada@"), "{shown}");
        let shown = format!("{:?}{:?}", super::moments(&revocation, true), credentials(&revocation, true));
        assert!(shown.contains("oidc:ada@example.com"), "{shown}");
    }

    #[test]
    fn what_nobody_verified_is_never_called_seen_refused() {
        for phase in Phase::ALL {
            assert!(!phase_words(*phase, false).0.contains("seen refused"), "{}", phase.as_str());
        }
        assert_eq!(phase_words(Phase::Revoked, true).0, "Done, and seen refused");
    }

    #[test]
    fn somebody_with_two_hundred_credentials_has_a_row_for_each() {
        let targets: Vec<Value> = (0..200).map(|n| account(&format!("a{n}"))).collect();
        assert_eq!(credentials(&cut(&targets, json!({})), false).len(), 201);
    }
}
