//! What is to be done next about a hook of a Revocation: begin an attempt, make its Job, wait, or say how it ended.
//!
//! An attempt is written down before its Job is made, and that its Job stands is written down after it. So a process that dies at
//! any point neither runs an attempt twice nor forgets one.

use jiff::{SignedDuration, Timestamp};

use super::gate::{Facts, LeaverStatus};

/// How often an after-hook is tried at most.
pub const ATTEMPTS: u32 = 5;
/// Wait after the first failed attempt; three times as long after each that follows.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(10);
/// How long after its timeout a Job that says nothing is waited for: it ends itself at its timeout, which takes a moment.
const SILENT: SignedDuration = SignedDuration::from_secs(60);
/// How long a Job that has ended is kept: an attempt older than that may have had one.
pub const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Once every gate is open, before anything is done. Once, and the cut waits no longer than its timeout.
    Before,
    /// Once the revoker is done. Tried again if it fails.
    After,
}

/// A hook of a Revocation that has not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// When it runs.
    pub when: When,
    /// How long an attempt may take.
    pub timeout: SignedDuration,
    /// Attempts that were begun.
    pub attempts: u32,
    /// When the newest was begun, while it is at work.
    pub begun: Option<Timestamp>,
    /// Whether its Job was seen to stand.
    pub made: bool,
    /// When the next may begin.
    pub again: Option<Timestamp>,
}

/// What was seen of the Job of an attempt that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// There is none.
    Absent,
    /// It has not ended.
    Working,
    /// It ended well.
    Succeeded,
    /// It failed.
    Failed,
    /// It was ended at its timeout.
    TimedOut,
}

/// Whether a hook may be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It may.
    Open,
    /// Not now: everything is stopped, a human holds the person, the policy protects them or only observes, or nobody can tell whether
    /// they left.
    Shut,
    /// Never: the person works here again, or is out of scope.
    Withdrawn,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its Job ended well.
    Done,
    /// Its Job failed.
    Failed,
    /// It took longer than its timeout.
    TimedOut,
    /// Its Job could not be made in time.
    NotStarted,
    /// Its Job is gone, and nobody saw how it ended.
    Lost,
    /// The reason for it was gone before it was begun.
    Skipped,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing before this instant, or before something changes.
    Wait(Option<Timestamp>),
    /// Write down that an attempt begins.
    Begin,
    /// Make the Job of the attempt that was begun.
    Make,
    /// The attempt ended; another one may begin at this instant, if at all.
    End(Outcome, Option<Timestamp>),
}

/// Whether a hook may be begun, by what the gates ask. Limits and approvals were passed by the cut that it belongs to.
#[must_use]
pub fn entry(facts: &Facts, now: Timestamp) -> Entry {
    match facts.leaver_status {
        LeaverStatus::Employed | LeaverStatus::OutOfScope => return Entry::Withdrawn,
        LeaverStatus::Unknown => return Entry::Shut,
        LeaverStatus::Ended => {}
    }
    let held = facts.hold.as_ref().is_some_and(|hold| hold.until > now);
    let shut = facts.stopped.is_some() || held || facts.protected || facts.rejected || !facts.enforce;
    if shut { Entry::Shut } else { Entry::Open }
}

/// What is to be done next about a hook.
#[must_use]
pub fn turn(run: &Run, seen: Seen, entry: Entry, now: Timestamp) -> Turn {
    let Some(begun) = run.begun else {
        return match entry {
            Entry::Withdrawn => Turn::End(Outcome::Skipped, None),
            Entry::Shut => Turn::Wait(None),
            Entry::Open => match run.again.filter(|again| *again > now) {
                Some(again) => Turn::Wait(Some(again)),
                None => Turn::Begin,
            },
        };
    };
    let late = begun + run.timeout;
    match seen {
        Seen::Succeeded => Turn::End(Outcome::Done, None),
        Seen::Failed => failed(run, Outcome::Failed, now),
        Seen::TimedOut => failed(run, Outcome::TimedOut, now),
        Seen::Working => {
            // The cut waits for a before-hook, so its clock is ours; an after-hook is given time to end itself.
            let end = if run.when == When::Before { late } else { late + SILENT };
            if now >= end { failed(run, Outcome::TimedOut, now) } else { Turn::Wait(Some(end)) }
        }
        Seen::Absent if run.made => Turn::End(Outcome::Lost, None),
        Seen::Absent if now.duration_since(begun) >= KEPT => Turn::End(Outcome::Lost, None),
        Seen::Absent if run.when == When::Before && now >= late => Turn::End(Outcome::NotStarted, None),
        Seen::Absent => match entry {
            Entry::Open => Turn::Make,
            Entry::Shut => Turn::Wait(Some(late).filter(|_| run.when == When::Before)),
            Entry::Withdrawn => Turn::End(Outcome::Skipped, None),
        },
    }
}

/// An attempt that did not end well: an after-hook is tried again, longer after each.
#[must_use]
pub fn failed(run: &Run, outcome: Outcome, now: Timestamp) -> Turn {
    let more = run.when == When::After && run.attempts < ATTEMPTS;
    let wait = FIRST_WAIT * 3_i32.pow(run.attempts.saturating_sub(1).min(ATTEMPTS));
    Turn::End(outcome, more.then(|| now + wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(10_000 + second).unwrap()
    }

    fn run(when: When) -> Run {
        let timeout = SignedDuration::from_secs(if when == When::Before { 10 } else { 300 });
        Run { when, timeout, attempts: 0, begun: None, made: false, again: None }
    }

    fn begun(when: When) -> Run {
        Run { attempts: 1, begun: Some(at(0)), ..run(when) }
    }

    fn made(when: When) -> Run {
        Run { made: true, ..begun(when) }
    }

    #[test]
    fn what_comes_next_follows_from_what_was_written_and_what_is_seen() {
        use Outcome::{Done, Failed, Lost, NotStarted, Skipped, TimedOut};
        use When::{After, Before};
        let (open, shut, withdrawn) = (Entry::Open, Entry::Shut, Entry::Withdrawn);
        let again = Run { again: Some(at(30)), ..run(After) };
        let cases = [
            ("nothing begun", run(After), Seen::Absent, open, 0, Turn::Begin),
            ("stopped", run(After), Seen::Absent, shut, 0, Turn::Wait(None)),
            ("they are back", run(After), Seen::Absent, withdrawn, 0, Turn::End(Skipped, None)),
            ("too early for the next attempt", again, Seen::Absent, open, 29, Turn::Wait(Some(at(30)))),
            ("time for it", again, Seen::Absent, open, 30, Turn::Begin),
            ("begun, and a process died before its Job", begun(After), Seen::Absent, open, 5, Turn::Make),
            ("the same, and stopped since", begun(After), Seen::Absent, shut, 5, Turn::Wait(None)),
            ("the same, and they are back", begun(After), Seen::Absent, withdrawn, 5, Turn::End(Skipped, None)),
            (
                "the same, so long ago that it may have run",
                begun(After),
                Seen::Absent,
                open,
                3600,
                Turn::End(Lost, None),
            ),
            ("its Job was made and is gone", made(After), Seen::Absent, open, 5, Turn::End(Lost, None)),
            ("at work, stopped or not", made(After), Seen::Working, shut, 5, Turn::Wait(Some(at(360)))),
            (
                "made, and the process died before it said so",
                begun(After),
                Seen::Working,
                open,
                5,
                Turn::Wait(Some(at(360))),
            ),
            ("ended well", made(After), Seen::Succeeded, shut, 5, Turn::End(Done, None)),
            ("failed: tried again", made(After), Seen::Failed, open, 5, Turn::End(Failed, Some(at(15)))),
            ("at its timeout", made(After), Seen::TimedOut, open, 300, Turn::End(TimedOut, Some(at(310)))),
            ("nobody ends it", made(After), Seen::Working, open, 360, Turn::End(TimedOut, Some(at(370)))),
            ("before: at work", made(Before), Seen::Working, open, 9, Turn::Wait(Some(at(10)))),
            ("before: the cut waits no longer", made(Before), Seen::Working, open, 10, Turn::End(TimedOut, None)),
            ("before: failed, and not tried again", made(Before), Seen::Failed, open, 1, Turn::End(Failed, None)),
            (
                "before: its Job could not be made in time",
                begun(Before),
                Seen::Absent,
                open,
                10,
                Turn::End(NotStarted, None),
            ),
            ("before: stopped meanwhile", begun(Before), Seen::Absent, shut, 5, Turn::Wait(Some(at(10)))),
        ];
        for (what, run, seen, entry, now, expected) in cases {
            assert_eq!(turn(&run, seen, entry, at(now)), expected, "{what}");
        }
    }

    #[test]
    fn an_after_hook_is_tried_five_times_and_waits_longer_each_time() {
        let waits =
            (1..=6).map(|attempts| match failed(&Run { attempts, ..begun(When::After) }, Outcome::Failed, at(0)) {
                Turn::End(Outcome::Failed, again) => again.map(|again| again.duration_since(at(0)).as_secs()),
                other => panic!("{other:?}"),
            });
        assert_eq!(waits.collect::<Vec<_>>(), [Some(10), Some(30), Some(90), Some(270), None, None]);
    }
}
