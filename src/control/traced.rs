//! What control did with a Revocation, as spans of its trace: worked out of its status before a look and after it, once that is written.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::Context;
use super::owned_status::ControlStatus;
use crate::api::condition::Reason;
use crate::api::revocation::{FirstFreeze, Gate, HookRun, Operation, Phase, Plan, Trigger};
use crate::api::{Revocation, convert};
use domain::traces::{Key, Name, Span, Trace, Value};

/// Since when each open Revocation waits behind its gate. In memory alone: after a restart it is since it was made.
#[derive(Default)]
pub struct Waits(Mutex<HashMap<String, Timestamp>>);

impl Waits {
    /// It is gone.
    pub fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// Since when it waited before this look, and from now on where it waits after it.
    fn turned(
        &self,
        revocation: &Revocation,
        before: &ControlStatus,
        after: &ControlStatus,
        at: Timestamp,
    ) -> Timestamp {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let uid = revocation.metadata.uid.clone().unwrap_or_default();
        let since = all.get(&uid).copied().unwrap_or_else(|| made(revocation).unwrap_or(at));
        match (waits(before), waits(after)) {
            (_, None) => drop(all.remove(&uid)),
            (old, new) if old != new => drop(all.insert(uid, at)),
            _ => {}
        }
        since
    }
}

/// Tells what a look that began at `begun` did, once it is written.
pub fn tell(ctx: &Context, revocation: &Revocation, before: &ControlStatus, after: &ControlStatus, begun: Timestamp) {
    if ctx.traces.are_kept() {
        let now = (ctx.clock)();
        let since = ctx.waits.turned(revocation, before, after, now);
        ctx.traces.tell(spans(revocation, (before, after), since, (begun, now)));
    }
}

/// What changed by a look, as spans; most looks change nothing of this.
fn spans(
    revocation: &Revocation,
    (before, after): (&ControlStatus, &ControlStatus),
    since: Timestamp,
    look: (Timestamp, Timestamp),
) -> Vec<Span> {
    let trace = &convert::trace(revocation);
    let turned = |phase| after.phase == Some(phase) && before.phase != Some(phase);
    let which = look.0.to_string();
    let mut spans = Vec::new();
    let hash = |part: &ControlStatus| part.plan.as_ref().map(|plan| plan.hash.clone());
    if let Some(plan) = after.plan.as_ref().filter(|_| hash(before) != hash(after)) {
        spans.push(planned(plan, trace.part(Name::Plan, &which, look)));
    }
    if let Some(gate) = waits(before).filter(|gate| waits(after) != Some(*gate)) {
        let opened = trace.part(Name::Gate, &format!("{gate} {since}"), (since, look.1)).saying(Key::Gate, gate);
        spans.push(opened.saying(Key::Phase, after.phase.map_or("", Phase::as_str)));
    }
    spans.extend(frozen(trace, before.freeze.as_ref(), after.freeze.as_ref(), look));
    spans.extend(after.hooks.iter().filter(|hook| ended_now(hook, &before.hooks)).map(|hook| hooked(trace, hook)));
    if turned(Phase::Released) {
        let approved = revocation.spec.approval.is_some();
        let released = trace.part(Name::Release, &which, look).saying(Key::Approved, approved);
        let job = after.job.as_deref().map(|job| (Key::Job, Value::name(job)));
        spans.push(job.into_iter().fold(released, |span, (key, job)| span.saying(key, job)));
    }
    if turned(Phase::Frozen) {
        let frozen = trace.part(Name::Freeze, &which, (look.0, after.verified.unwrap_or(look.1)));
        spans.push(frozen.saying(Key::UserNames, after.verdicts.len()));
    }
    if turned(Phase::Lifted) {
        spans.push(trace.part(Name::Lift, &which, look));
    }
    if after.returned.len() > before.returned.len() {
        let back = after.returned.len().saturating_sub(before.returned.len());
        spans.push(trace.part(Name::Return, &which, look).saying(Key::Refuted, back).failing(Some("CameBack")));
    }
    if after.evidence.is_some() && after.evidence != before.evidence {
        let sealed = trace.part(Name::Seal, &which, look);
        spans.push(sealed.saying(Key::Phase, after.phase.map_or("", Phase::as_str)));
    }
    if [Phase::Revoked, Phase::Failed, Phase::Cancelled, Phase::Frozen].into_iter().any(turned) {
        spans.push(whole(trace, revocation, after, look.1));
    }
    spans
}

/// All of it, from when it was seen that somebody left.
fn whole(trace: &Trace, revocation: &Revocation, after: &ControlStatus, ended: Timestamp) -> Span {
    let spec = &revocation.spec;
    let seen = after.instants.as_ref().and_then(|instants| instants.seen);
    let begun = match (spec.trigger, spec.operation) {
        (Trigger::Leave, _) => Some(spec.due),
        (Trigger::Termination, Operation::Cut) if !spec.late => seen,
        _ => None,
    };
    let failed = (after.phase == Some(Phase::Failed)).then_some(Reason::NotRefused.as_str());
    trace
        .whole(begun.or_else(|| made(revocation)).unwrap_or(ended), ended)
        .saying(Key::Phase, after.phase.map_or("", Phase::as_str))
        .failing(failed)
}

fn planned(plan: &Plan, span: Span) -> Span {
    span.saying(Key::Targets, plan.targets.len())
        .saying(Key::UserNames, plan.freezes.len())
        .saying(Key::Remaining, plan.remaining.len())
}

/// What became of the first act of a cut.
fn frozen(
    trace: &Trace,
    before: Option<&FirstFreeze>,
    after: Option<&FirstFreeze>,
    look: (Timestamp, Timestamp),
) -> Option<Span> {
    let (stood, stands) = (before.is_some_and(FirstFreeze::stands), after.is_some_and(FirstFreeze::stands));
    let after = after.filter(|after| Some(*after) != before)?;
    let which = look.0.to_string();
    if stands && !stood {
        let frozen = trace.part(Name::Freeze, &which, (look.0, after.verified.unwrap_or(look.1)));
        return Some(frozen.saying(Key::UserNames, after.verdicts.len()));
    }
    if stood && !stands {
        return Some(trace.part(Name::Lift, &which, look));
    }
    let failed = after.message.is_some() && before.is_none_or(|before| before.message.is_none());
    failed.then(|| trace.part(Name::Freeze, &which, look).failing(Some("NotFrozen")))
}

fn ended_now(hook: &HookRun, before: &[HookRun]) -> bool {
    let ended = |other: &HookRun| other.name == hook.name && other.when == hook.when && !other.pending();
    !hook.pending() && !before.iter().any(ended)
}

fn hooked(trace: &Trace, hook: &HookRun) -> Span {
    let time = (hook.started, hook.ended.unwrap_or(hook.started));
    trace
        .part(Name::Hook, &format!("{} {} {}", hook.name, hook.when.as_str(), hook.started), time)
        .saying(Key::Hook, Value::name(&hook.name))
        .saying(Key::Outcome, hook.outcome.as_str())
        .saying(Key::Attempts, hook.attempts)
        .failing(hook.failed().then_some(hook.outcome.as_str()))
}

/// The gate that it waits behind.
fn waits(part: &ControlStatus) -> Option<&'static str> {
    let gate = part.gate.as_ref().filter(|_| part.phase == Some(Phase::Held));
    gate.map(|Gate { reason, .. }| Reason::parse(reason).map_or("Other", Reason::as_str))
}

fn made(revocation: &Revocation) -> Option<Timestamp> {
    revocation.metadata.creation_timestamp.as_ref().map(|made| made.0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn revocation(spec: &Json, status: &Json) -> Revocation {
        let mut all = json!({
            "metadata": {"name": "p-7-cut", "uid": "0d5a1c1e-7b1f-4c0e-9a53-1f0c3f6d2b11", "creationTimestamp": at(100).to_string()},
            "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                "due": at(50).to_string(), "reason": "left"},
            "status": status,
        });
        spec.as_object().unwrap().iter().for_each(|(key, value)| all["spec"][key] = value.clone());
        serde_json::from_value(all).unwrap()
    }

    /// Names of the spans between two states, a look that took from 200 to 201.
    fn between(spec: Json, before: Json, after: Json) -> Vec<Span> {
        let (revocation, after) = (revocation(&spec, &before), ControlStatus::of(&revocation(&spec, &after)));
        spans(&revocation, (&ControlStatus::of(&revocation), &after), at(110), (at(200), at(201)))
    }

    fn held(gate: &str) -> Json {
        json!({"phase": "Held", "gate": {"reason": gate, "message": "m"}})
    }

    fn said(span: &Span, key: Key) -> Option<&Value> {
        span.attributes.iter().find(|(of, _)| *of == key).map(|(_, value)| value)
    }

    #[test]
    fn each_turn_of_a_revocation_is_a_span_and_a_look_that_changes_nothing_is_none() {
        let plan = json!({"hash": "h", "targets": [], "remaining": []});
        let other = json!({"hash": "i", "targets": [], "remaining": []});
        let seal = json!({"name": "rollcall-evidence-00000001", "hash": "h", "previous": "p"});
        let hook = |outcome: &str, ended: Option<i64>| {
            json!({"name": "notify-siem", "when": "After", "outcome": outcome, "attempts": 1, "timeoutSeconds": 60,
                "started": at(120).to_string(), "ended": ended.map(|second| at(second).to_string())})
        };
        let with = |mut status: Json, key: &str, value: &Json| {
            status[key] = value.clone();
            status
        };
        let (observe, released) = (held("Observe"), json!({"phase": "Released"}));
        let stands = json!({"acted": at(200).to_string(), "verified": at(201).to_string()});
        let lifted = json!({"acted": at(200).to_string(), "lifted": at(201).to_string()});
        let not_frozen = json!({"message": "not frozen: no answer"});
        let returned =
            json!([{"kind": "Secret", "namespace": "apps", "name": "ada", "uid": "u", "at": at(200).to_string()}]);
        for (what, before, after, expected) in [
            ("nothing", observe.clone(), observe.clone(), vec![]),
            ("planned and held", json!({}), with(observe.clone(), "plan", &plan), vec!["plan"]),
            ("drawn again", with(observe.clone(), "plan", &plan), with(observe.clone(), "plan", &other), vec!["plan"]),
            ("another gate", observe.clone(), held("ApprovalExpired"), vec!["gate"]),
            ("released", observe.clone(), released.clone(), vec!["gate", "release"]),
            ("it goes on", released.clone(), with(released.clone(), "job", &json!("j")), vec![]),
            ("frozen first", observe.clone(), with(observe.clone(), "freeze", &stands), vec!["freeze"]),
            ("not frozen", observe.clone(), with(observe.clone(), "freeze", &not_frozen), vec!["freeze"]),
            (
                "and still not",
                with(observe.clone(), "freeze", &not_frozen),
                with(observe.clone(), "freeze", &json!({"message": "not frozen: 500"})),
                vec![],
            ),
            (
                "lifted",
                with(observe.clone(), "freeze", &stands),
                with(observe.clone(), "freeze", &lifted),
                vec!["lift"],
            ),
            (
                "revoked",
                released.clone(),
                json!({"phase": "Revoked", "evidence": seal, "hooks": [hook("Waiting", None)]}),
                vec!["seal", "revocation"],
            ),
            (
                "a hook ended",
                json!({"phase": "Revoked", "evidence": seal, "hooks": [hook("Begun", None)]}),
                json!({"phase": "Revoked", "evidence": seal, "hooks": [hook("Done", Some(130))]}),
                vec!["hook"],
            ),
            (
                "a leave",
                json!({"phase": "Held"}),
                json!({"phase": "Frozen", "evidence": seal}),
                vec!["freeze", "seal", "revocation"],
            ),
            ("back from it", json!({"phase": "Frozen"}), json!({"phase": "Lifted"}), vec!["lift"]),
            (
                "something came back",
                json!({"phase": "Revoked"}),
                json!({"phase": "Revoked", "returned": returned}),
                vec!["return"],
            ),
        ] {
            let spans = between(json!({}), before, after);
            let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
            assert_eq!(names, expected, "{what}");
            assert!(spans.iter().all(|span| said(span, Key::Revocation) == Some(&Value::name("p-7-cut"))), "{what}");
        }
    }

    #[test]
    fn a_gate_took_as_long_as_it_was_shut_and_says_which_it_was() {
        let [gate, release] = &between(json!({}), held("Hold"), json!({"phase": "Released", "job": "revoke-1"}))[..]
        else {
            panic!("two spans");
        };
        assert_eq!((gate.begun, gate.ended, said(gate, Key::Gate)), (at(110), at(201), Some(&"Hold".into())));
        assert_eq!(said(gate, Key::Phase), Some(&"Released".into()));
        assert_eq!(
            (said(release, Key::Job), said(release, Key::Approved)),
            (Some(&Value::name("revoke-1")), Some(&false.into()))
        );
        let strange = &between(json!({}), held("ada@example.com"), json!({"phase": "Released"}))[0];
        assert_eq!(said(strange, Key::Gate), Some(&"Other".into()), "no word of which nobody knows");
    }

    #[test]
    fn the_whole_begins_when_it_was_seen_that_somebody_left_and_failed_where_it_did() {
        let instants = json!({"seen": at(90).to_string()});
        let whole = |spec: Json, phase: &str| {
            let spans = between(spec, json!({"phase": "Released"}), json!({"phase": phase, "instants": instants}));
            spans.into_iter().find(|span| span.name == Name::Revocation).unwrap()
        };
        for (what, spec, begun) in [
            ("a cut", json!({}), 90),
            ("a later discovery", json!({"late": true}), 100),
            ("a removal", json!({"operation": "Remove"}), 100),
            ("a leave", json!({"trigger": "Leave"}), 50),
            ("by a human", json!({"trigger": "AdHoc"}), 100),
        ] {
            let span = whole(spec, "Revoked");
            assert_eq!((span.begun, span.ended, span.failed), (at(begun), at(201), false), "{what}");
        }
        let failed = whole(json!({}), "Failed");
        assert!(failed.failed && said(&failed, Key::Error) == Some(&"NotRefused".into()));
    }

    #[test]
    fn since_when_it_waits_is_known_for_as_long_as_it_does() {
        let waits = Waits::default();
        let look = |before: &Json, after: &Json, second| {
            let (before, after) = (revocation(&json!({}), before), revocation(&json!({}), after));
            waits.turned(&before, &ControlStatus::of(&before), &ControlStatus::of(&after), at(second))
        };
        let (none, observe, hold, released) = (json!({}), held("Observe"), held("Hold"), json!({"phase": "Released"}));
        assert_eq!(look(&none, &observe, 110), at(100), "since it was made");
        assert_eq!(look(&observe, &observe, 120), at(110));
        assert_eq!(look(&observe, &hold, 130), at(110));
        assert_eq!(look(&hold, &released, 140), at(130));
        assert!(waits.0.lock().unwrap().is_empty(), "nothing is kept of who waits no more");
    }
}
