//! When what was revoked is looked at again: a minute, an hour, a day and a week after it was confirmed, and every hour while
//! something of it works again.
//!
//! Pure: `now` is an argument. A clock that jumps over several of these times makes one check of them, and one that was set back
//! makes none twice.

use jiff::{SignedDuration, Timestamp};

/// After so long it is looked at again; and how long each may wait for others that are due by then, so that many leavers are one Job.
const AFTER: [(SignedDuration, SignedDuration); 4] = [
    (SignedDuration::from_mins(1), SignedDuration::from_secs(5)),
    (SignedDuration::from_hours(1), SignedDuration::from_mins(1)),
    (SignedDuration::from_hours(24), SignedDuration::from_mins(10)),
    (SignedDuration::from_hours(7 * 24), SignedDuration::from_hours(1)),
];
/// While something works again it is looked at this often,
const WHILE_REFUTED: SignedDuration = SignedDuration::from_hours(1);
/// and this often once the last of those times has passed.
const AFTER_THE_LAST: SignedDuration = SignedDuration::from_hours(24);

/// The next check of one Revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// How many of the times have passed.
    pub stage: u32,
    /// When; none once all have, and nothing works again.
    pub at: Option<Timestamp>,
}

/// The first check after it was confirmed.
#[must_use]
pub fn first(confirmed: Timestamp) -> Next {
    after(confirmed, 0, confirmed, false)
}

/// The check that follows one that was made now, of the times from `stage` on.
#[must_use]
pub fn after(confirmed: Timestamp, stage: u32, now: Timestamp, refuted: bool) -> Next {
    // A clock that was ahead when it was confirmed is no reason to wait for it: then each check passes one of the times.
    let (from, stage) = if confirmed > now { (now, stage.saturating_add(1)) } else { (confirmed, stage) };
    let times = (stage..).zip(AFTER.iter().skip(usize::try_from(stage).unwrap_or(usize::MAX)));
    let coming = times.map(|(stage, (after, _))| (stage, from + *after)).find(|(_, at)| *at > now);
    match (coming, refuted) {
        (Some((stage, at)), false) => Next { stage, at: Some(at) },
        (Some((stage, at)), true) => Next { stage, at: Some(at.min(now + WHILE_REFUTED)) },
        (None, false) => Next { stage: all(), at: None },
        (None, true) => Next { stage: all(), at: Some(now + AFTER_THE_LAST) },
    }
}

/// Whether a check that was to be made at this time is due. None is further off than the longest of those times: one that is was
/// written by a clock that was wrong.
#[must_use]
pub fn is_due(at: Timestamp, now: Timestamp) -> bool {
    let longest = AFTER.iter().map(|(after, _)| *after).max().unwrap_or_default();
    at <= now || at.duration_since(now) > longest
}

/// When a Job is to be started for these checks, each a stage and a time: when the first of them has waited for others long enough.
#[must_use]
pub fn start(waiting: impl Iterator<Item = (u32, Timestamp)>, now: Timestamp) -> Option<Timestamp> {
    let waits = |stage: u32| {
        let time = AFTER.get(usize::try_from(stage).unwrap_or(usize::MAX));
        time.map_or(SignedDuration::from_mins(1), |(_, waits)| *waits)
    };
    waiting.map(|(stage, at)| if at > now && is_due(at, now) { now } else { at + waits(stage) }).min()
}

fn all() -> u32 {
    u32::try_from(AFTER.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    const MINUTE: i64 = 60;
    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;

    #[test]
    fn it_is_looked_at_after_a_minute_an_hour_a_day_and_a_week_and_then_no_more() {
        let (mut next, mut made) = (first(at(0)), Vec::new());
        while let Some(due) = next.at {
            made.push(due.duration_since(at(0)).as_secs());
            next = after(at(0), next.stage, due + SignedDuration::from_secs(3), false);
        }
        assert_eq!(made, [MINUTE, HOUR, DAY, 7 * DAY]);
    }

    #[test]
    fn what_follows_a_check_depends_on_when_it_was_made_and_what_was_seen() {
        for (what, stage, now, refuted, expected) in [
            ("the first, on time", 0, MINUTE + 5, false, (1, Some(HOUR))),
            ("the first, after a night in which nobody led", 0, 9 * HOUR, false, (2, Some(DAY))),
            ("the clock jumped over all of them: once, not four times", 0, 30 * DAY, false, (4, None)),
            ("the clock was set back: what was made is not made again", 2, -DAY, false, (3, Some(6 * DAY))),
            ("something works again: within an hour", 2, 2 * HOUR, true, (2, Some(3 * HOUR))),
            ("and the time that comes first is kept", 1, 30 * MINUTE, true, (1, Some(HOUR))),
            ("after the last, as long as it works", 3, 8 * DAY, true, (4, Some(9 * DAY))),
            ("and not once it does not", 4, 9 * DAY, false, (4, None)),
            ("a stage of another version", 9, DAY, false, (4, None)),
        ] {
            let next = after(at(0), stage, at(now), refuted);
            let seconds = next.at.map(|next| next.duration_since(at(0)).as_secs());
            assert_eq!((next.stage, seconds), expected, "{what}");
        }
    }

    #[test]
    fn a_clock_that_was_ahead_when_it_was_confirmed_keeps_nothing_from_being_looked_at() {
        let mut next = first(at(400 * DAY));
        assert!(is_due(next.at.unwrap(), at(0)), "no check is a year off");
        let mut now = at(0);
        for expected in [HOUR, DAY, 7 * DAY] {
            next = after(at(400 * DAY), next.stage, now, false);
            let due = next.at.unwrap();
            assert_eq!(due.duration_since(now).as_secs(), expected);
            assert!(!is_due(due, now), "and none is made twice");
            now = due;
        }
        assert_eq!(after(at(400 * DAY), next.stage, now, false).at, None);
    }

    #[test]
    fn many_that_are_due_soon_are_one_job_and_the_first_minute_waits_for_nobody_for_long() {
        let start = |waiting: &[(u32, i64)], now: i64| {
            let waiting = waiting.iter().map(|(stage, due)| (*stage, at(*due)));
            super::start(waiting, at(now)).map(|start| start.duration_since(at(0)).as_secs())
        };
        assert_eq!(start(&[], 0), None);
        assert_eq!(start(&[(0, 60)], 0), Some(65));
        assert_eq!(start(&[(2, DAY), (2, DAY + 300), (0, DAY + 590)], 0), Some(DAY + 595));
        assert_eq!(start(&[(2, DAY), (0, DAY - 60)], 0), Some(DAY - 55));
        assert_eq!(start(&[(1, 400 * DAY)], 7), Some(7), "one that a wrong clock wrote is due");
        assert_eq!(start(&[(4, DAY)], 0), Some(DAY + 60), "works again, after the last");
    }
}
