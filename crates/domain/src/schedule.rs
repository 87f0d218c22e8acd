//! When a source is read next: an interval with a jitter that is each connection's own, or times by the calendar; a pause, and
//! what cannot wait.
//!
//! Pure: `now` is an argument. Two reads are never closer than the interval unless somebody asked.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

/// Shortest interval.
pub const SHORTEST: SignedDuration = SignedDuration::from_secs(10);
/// Times by the calendar that are looked at for the longest gap: a week of hours, a year of days.
const MOST_TIMES: usize = 366;
const A_YEAR: SignedDuration = SignedDuration::from_hours(366 * 24);
/// Longest jitter; it is a tenth of the interval below that.
const MAX_JITTER: SignedDuration = SignedDuration::from_mins(5);

/// When a source is read.
#[derive(Clone, Debug)]
pub enum Rhythm {
    /// With an interval between two reads.
    Every(SignedDuration),
    /// At times by the calendar of a place.
    Cron(Box<Cron>, TimeZone),
}

impl Rhythm {
    /// Reads a cron expression of five fields, such as `0 6 * * 1-5`, in an IANA zone.
    ///
    /// # Errors
    /// Which of the two cannot be read.
    pub fn cron(pattern: &str, zone: &str) -> Result<Self, &'static str> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(pattern).map_err(|_| "cron")?;
        let zone = TimeZone::get(zone).map_err(|_| "timeZone")?;
        let rhythm = Self::Cron(Box::new(cron), zone);
        if rhythm.by_calendar(Timestamp::UNIX_EPOCH).is_none() { Err("cron") } else { Ok(rhythm) }
    }

    /// The longest time between two reads, as far as a year tells.
    #[must_use]
    pub fn longest_gap(&self) -> SignedDuration {
        let Self::Every(every) = self else {
            let begin = Timestamp::UNIX_EPOCH;
            let mut times = std::iter::successors(Some(begin), |last| self.by_calendar(*last)).skip(1).take(MOST_TIMES);
            let mut last = times.next().unwrap_or(begin);
            let gaps = times.map(|next| next.duration_since(std::mem::replace(&mut last, next)));
            return gaps.max().unwrap_or(A_YEAR);
        };
        *every
    }

    /// The first time by the calendar after an instant.
    fn by_calendar(&self, after: Timestamp) -> Option<Timestamp> {
        let Self::Cron(cron, zone) = self else { return None };
        let next = cron.find_next_occurrence(&after.to_zoned(zone.clone()), false).ok()?;
        Some(next.timestamp()).filter(|next| *next > after)
    }
}

/// What the next read depends on.
#[derive(Clone, Copy, Debug)]
pub struct Times<'a> {
    /// When it is read.
    pub rhythm: &'a Rhythm,
    /// Uid of the connection: spreads connections that were made at once.
    pub uid: &'a str,
    /// End of the last read.
    pub last_attempt: Option<Timestamp>,
    /// What was promised then; `None` where a read is owed, since the last one could not be made or kept.
    pub next_run: Option<Timestamp>,
    /// End of the pause, where there is one.
    pub suspended_until: Option<Timestamp>,
    /// Whether somebody asked for a read now, by an annotation or by changing the spec.
    pub requested: bool,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Read.
    Now,
    /// Wait until then.
    At(Timestamp),
    /// Nothing is read before then, also if somebody asks.
    Suspended(Timestamp),
}

/// Whether a source is to be read now. A promise of an earlier process is kept; one later than the interval allows (a
/// clock that was wrong) is not.
#[must_use]
pub fn due(times: &Times<'_>, now: Timestamp) -> Due {
    if let Some(until) = times.suspended_until.filter(|until| *until > now) {
        return Due::Suspended(until);
    }
    match (times.last_attempt, times.next_run) {
        (Some(last), Some(promised)) if !times.requested && last <= now => {
            let at = promised.min(next(times.rhythm, times.uid, last));
            if at > now { Due::At(at) } else { Due::Now }
        }
        _ => Due::Now,
    }
}

/// When to read again after a read that ended at `last`, whatever came of it.
#[must_use]
pub fn next(rhythm: &Rhythm, uid: &str, last: Timestamp) -> Timestamp {
    let every = match rhythm {
        Rhythm::Every(every) => (*every).max(SHORTEST),
        Rhythm::Cron(..) => match rhythm.by_calendar(last) {
            Some(next) => return next,
            None => A_YEAR,
        },
    };
    last.saturating_add(every + jitter(every, uid)).unwrap_or(Timestamp::MAX)
}

/// From nothing to a tenth of the interval, the same for a connection every time.
fn jitter(every: SignedDuration, uid: &str) -> SignedDuration {
    let digest: [u8; 32] = Sha256::digest(uid).into();
    let [a, b, ..] = digest;
    let share = i32::from(u16::from_be_bytes([a, b]));
    (every / 10).min(MAX_JITTER) / i32::from(u16::MAX) * share
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn times() -> Times<'static> {
        Times {
            rhythm: &Rhythm::Every(HOUR),
            uid: "a",
            last_attempt: Some(at(0)),
            next_run: Some(at(3600)),
            suspended_until: None,
            requested: false,
        }
    }

    #[test]
    fn a_source_is_read_when_it_is_time_or_somebody_asks() {
        let cases = [
            ("never read", Times { last_attempt: None, next_run: None, ..times() }, at(1), Due::Now),
            ("just read", times(), at(1), Due::At(at(3600))),
            ("after a restart", times(), at(3599), Due::At(at(3600))),
            ("time has come", times(), at(3600), Due::Now),
            ("asked", Times { requested: true, ..times() }, at(1), Due::Now),
            ("a read is owed", Times { next_run: None, ..times() }, at(1), Due::Now),
            ("suspended", Times { suspended_until: Some(at(9)), ..times() }, at(8), Due::Suspended(at(9))),
            (
                "suspended and asked",
                Times { suspended_until: Some(at(9)), requested: true, ..times() },
                at(8),
                Due::Suspended(at(9)),
            ),
            (
                "suspended and never read",
                Times { suspended_until: Some(at(9)), last_attempt: None, ..times() },
                at(8),
                Due::Suspended(at(9)),
            ),
            ("the pause has ended", Times { suspended_until: Some(at(9)), ..times() }, at(9), Due::At(at(3600))),
            ("last read in the future", Times { last_attempt: Some(at(99)), ..times() }, at(1), Due::Now),
        ];
        for (situation, times, now, expected) in cases {
            assert_eq!(due(&times, now), expected, "{situation}");
        }
    }

    #[test]
    fn a_promise_beyond_the_interval_is_not_kept() {
        let promised = Times { next_run: Some(at(1_000_000)), ..times() };
        assert_eq!(due(&promised, at(1)), Due::At(next(&Rhythm::Every(HOUR), "a", at(0))));
        assert_eq!(due(&promised, at(3960)), Due::Now);
    }

    #[test]
    fn two_reads_are_an_interval_to_a_tenth_more_apart() {
        for (every, most) in [(10, 11), (60, 66), (3600, 3900), (86_400, 86_700)] {
            for uid in ["a", "b", "c", "d", "e", "f"] {
                let next = next(&Rhythm::Every(SignedDuration::from_secs(every)), uid, at(0));
                assert!(next >= at(every) && next <= at(most), "{every} {uid} {next}");
            }
        }
    }

    #[test]
    fn times_by_the_calendar_are_those_of_the_place() {
        let cases = [
            ("six every day", "0 6 * * *", "Europe/Madrid", "2026-03-10T12:00:00Z", "2026-03-11T05:00:00Z"),
            ("the day clocks go forward", "0 6 * * *", "Europe/Madrid", "2026-03-28T12:00:00Z", "2026-03-29T04:00:00Z"),
            (
                "a time the clocks leave out",
                "30 2 * * *",
                "Europe/Madrid",
                "2026-03-28T12:00:00Z",
                "2026-03-29T01:00:00Z",
            ),
            ("working days", "0 6 * * 1-5", "UTC", "2026-03-13T06:00:00Z", "2026-03-16T06:00:00Z"),
            ("at the instant itself, the next one", "0 * * * *", "UTC", "2026-03-10T12:00:00Z", "2026-03-10T13:00:00Z"),
        ];
        for (what, pattern, zone, last, expected) in cases {
            let rhythm = Rhythm::cron(pattern, zone).unwrap();
            let next = next(&rhythm, "a", last.parse().unwrap());
            assert_eq!(next, expected.parse().unwrap(), "{what}");
        }
        for (pattern, zone, wrong) in [
            ("0 6 * *", "UTC", "cron"),
            ("* * * * * *", "UTC", "cron"),
            ("0 6 30 2 *", "UTC", "cron"),
            ("0 6 * * *", "Europe/Atlantis", "timeZone"),
        ] {
            assert_eq!(Rhythm::cron(pattern, zone).err(), Some(wrong), "{pattern} {zone}");
        }
        let gap = |pattern: &str| Rhythm::cron(pattern, "UTC").unwrap().longest_gap().as_hours();
        assert_eq!((gap("0 6 * * *"), gap("0 6 * * 1-5"), gap("0 */6 * * *")), (24, 72, 6));
    }

    #[test]
    fn no_interval_is_shorter_than_ten_seconds() {
        assert!(next(&Rhythm::Every(SignedDuration::from_secs(1)), "a", at(0)) >= at(10));
    }

    #[test]
    fn connections_made_at_once_spread() {
        let times: std::collections::BTreeSet<_> =
            (0..50).map(|n| next(&Rhythm::Every(HOUR), &format!("uid-{n}"), at(0))).collect();
        assert!(times.len() > 45, "{}", times.len());
    }
}
