//! What this process did for a Revocation, as spans of its trace: kinds, actions and outcomes, and no name of anything.

use std::sync::Arc;

use jiff::Timestamp;

use super::rechecks::Found;
use crate::api::revocation::{Finished, Recheck, Step, StepOutcome, Target, Verdict, VerdictKind};
use crate::api::{Revocation, convert};
use crate::kube::calls;
use crate::kube::traces::Traces;
use domain::traces::{Key, Name, Span, SpanId, Trace};

/// The work of this process on one Revocation. It is told when this value goes, however the work ended.
pub struct Work {
    traces: Arc<Traces>,
    trace: Trace,
    /// Tells it from the work of another process on it, and from an earlier try.
    which: String,
    begun: Timestamp,
    finished: Option<Finished>,
}

impl Work {
    /// Begins.
    pub fn begin(traces: &Arc<Traces>, revocation: &Revocation, me: &str) -> Self {
        let begun = calls::now();
        let (traces, trace) = (Arc::clone(traces), convert::trace(revocation));
        Self { traces, trace, which: format!("{me} {begun}"), begun, finished: None }
    }

    /// How it ended.
    pub const fn finish(&mut self, finished: Finished) {
        self.finished = Some(finished);
    }

    /// Tells that a step came to its end, if it did by this.
    pub fn step(&self, before: Option<&Step>, step: &Step) {
        if self.traces.are_kept() {
            self.traces.tell(stepped(&self.trace, self.id(), before, step));
        }
    }

    /// Tells a verdict, where it is the first on its target or another than before.
    pub fn verdict(&self, before: Option<&Verdict>, step: Option<&Step>, verdict: &Verdict) {
        if self.traces.are_kept() {
            self.traces.tell(judged(&self.trace, self.id(), before, step, verdict));
        }
    }

    /// Tells that everything was asked once more.
    pub fn confirmed(&self, since: Option<Timestamp>, at: Timestamp, targets: usize) {
        if self.traces.are_kept() {
            let time = (since.unwrap_or(at), at);
            let confirmed = self.trace.part_of(self.id(), Name::Confirm, &at.to_string(), time);
            self.traces.tell([confirmed.saying(Key::Targets, targets)]);
        }
    }

    fn id(&self) -> SpanId {
        self.trace.id_of(Name::Revoke, &self.which)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if self.traces.are_kept() {
            let work = self.trace.part(Name::Revoke, &self.which, (self.begun, calls::now()));
            self.traces.tell([worked(work, self.finished)]);
        }
    }
}

fn worked(span: Span, finished: Option<Finished>) -> Span {
    let failed = match finished {
        None => Some("NotFinished"),
        Some(Finished::Failed) => Some(Finished::Failed.as_str()),
        Some(Finished::Revoked | Finished::Stopped) => None,
    };
    span.saying(Key::Outcome, finished.map_or("NotFinished", Finished::as_str)).failing(failed)
}

/// One target, from when its manifest was written ahead until it came to its end.
fn stepped(trace: &Trace, work: SpanId, before: Option<&Step>, step: &Step) -> Option<Span> {
    let open = before.is_none_or(|before| before.outcome == StepOutcome::Begun);
    if !open || step.outcome == StepOutcome::Begun {
        return None;
    }
    let begun = before.map_or(step.at, |before| before.at);
    let failed = matches!(step.outcome, StepOutcome::Refused | StepOutcome::Failed).then_some(step.outcome.as_str());
    let span = trace.part_of(work, Name::Step, &step.target.uid, (begun, step.at));
    Some(of_target(span, &step.target).saying(Key::Outcome, step.outcome.as_str()).failing(failed))
}

/// One verdict, from when there was something to see.
fn judged(
    trace: &Trace,
    work: SpanId,
    before: Option<&Verdict>,
    step: Option<&Step>,
    verdict: &Verdict,
) -> Option<Span> {
    if before.is_some_and(|before| before.verdict == verdict.verdict) {
        return None;
    }
    let since = before.map(|before| before.at).or(step.map(|step| step.at)).unwrap_or(verdict.at);
    let which = format!("{} {}", verdict.target.uid, verdict.at);
    let bad = matches!(verdict.verdict, VerdictKind::Refuted | VerdictKind::Unknown);
    let word = verdict.verdict.as_str();
    let span = trace.part_of(work, Name::Verdict, &which, (since, verdict.at));
    Some(of_target(span, &verdict.target).saying(Key::Verdict, word).failing(bad.then_some(word)))
}

fn of_target(span: Span, target: &Target) -> Span {
    span.saying(Key::Action, target.action.as_str()).saying(Key::Kind, target.kind.as_str())
}

/// A check after the end.
pub fn checked(revocation: &Revocation, before: &Recheck, found: &Found, time: (Timestamp, Timestamp)) -> Span {
    let works = (!found.refuted.is_empty()).then_some(VerdictKind::Refuted.as_str());
    convert::trace(revocation)
        .part(Name::Check, &time.0.to_string(), time)
        .saying(Key::Stage, before.stage)
        .saying(Key::Asked, found.asked)
        .saying(Key::Unknown, found.unknown)
        .saying(Key::Refuted, found.refuted.len())
        .failing(works)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn target() -> Target {
        serde_json::from_value(
            json!({"action": "Recreate", "kind": "ServiceAccount", "namespace": "team-ada", "name": "ada-laptop",
            "uid": "u-1", "why": "email:ada@example.com"}),
        )
        .unwrap()
    }

    fn step(outcome: StepOutcome, second: i64) -> Step {
        let message = Some("refused to ada@example.com".to_owned());
        Step { target: target(), outcome, new_uid: None, rotation: None, message, at: at(second) }
    }

    fn verdict(verdict: VerdictKind, second: i64) -> Verdict {
        Verdict { target: target(), verdict, how: "ada@example.com".into(), at: at(second) }
    }

    /// Names and words of a span in one text.
    fn text(span: &Span) -> String {
        let mut text = span.name.as_str().to_owned();
        for (key, value) in &span.attributes {
            text += &format!(" {}={value:?}", key.as_str());
        }
        text
    }

    #[test]
    fn a_step_is_told_once_when_it_came_to_its_end_and_names_nothing() {
        use StepOutcome::{AlreadyGone, Begun, Done, Refused};
        let trace = Trace::new("r-uid", 0, Vec::new());
        let work = trace.id_of(Name::Revoke, "me");
        let told = |before: Option<Step>, after: Step| stepped(&trace, work, before.as_ref(), &after);
        assert_eq!(told(None, step(Begun, 10)), None, "nothing ended yet");
        assert_eq!(told(Some(step(Done, 12)), step(Done, 13)), None, "that was told");
        let done = told(Some(step(Begun, 10)), step(Done, 12)).unwrap();
        assert_eq!((done.begun, done.ended, done.parent, done.failed), (at(10), at(12), Some(work), false));
        assert!(!text(&done).contains("ada"), "{}", text(&done));
        assert!(text(&done).contains("Recreate") && text(&done).contains("ServiceAccount"), "{}", text(&done));
        let gone = told(None, step(AlreadyGone, 12)).unwrap();
        assert_eq!((gone.begun, gone.ended), (at(12), at(12)));
        assert!(told(Some(step(Begun, 10)), step(Refused, 12)).unwrap().failed);
    }

    #[test]
    fn a_verdict_is_told_when_it_is_the_first_or_another_and_names_nothing() {
        use VerdictKind::{Observed, Refuted};
        let trace = Trace::new("r-uid", 0, Vec::new());
        let work = trace.id_of(Name::Revoke, "me");
        let (done, first) = (step(StepOutcome::Done, 12), verdict(Observed, 13));
        let told = judged(&trace, work, None, Some(&done), &first).unwrap();
        assert_eq!((told.begun, told.ended, told.failed), (at(12), at(13), false));
        assert!(!text(&told).contains("ada"), "{}", text(&told));
        assert_eq!(judged(&trace, work, Some(&first), Some(&done), &verdict(Observed, 24)), None);
        let again = judged(&trace, work, Some(&first), Some(&done), &verdict(Refuted, 24)).unwrap();
        assert!(again.failed && again.id != told.id && again.begun == at(13));
    }

    #[test]
    fn work_that_did_not_come_to_its_end_says_so() {
        let span = || Trace::new("r-uid", 0, Vec::new()).part(Name::Revoke, "me", (at(1), at(2)));
        for (finished, failed) in [
            (None, true),
            (Some(Finished::Failed), true),
            (Some(Finished::Revoked), false),
            (Some(Finished::Stopped), false),
        ] {
            assert_eq!(worked(span(), finished).failed, failed);
        }
    }
}
