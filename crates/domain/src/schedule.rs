//! When a source is read next: an interval with a jitter that is each connection's own, a pause, and what cannot wait.
//!
//! Pure: `now` is an argument. Two reads are never closer than the interval unless somebody asked.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

/// Shortest interval.
pub const SHORTEST: SignedDuration = SignedDuration::from_secs(10);
/// Longest jitter; it is a tenth of the interval below that.
const MAX_JITTER: SignedDuration = SignedDuration::from_mins(5);

/// What the next read depends on.
#[derive(Clone, Copy, Debug)]
pub struct Times<'a> {
    /// Interval between two reads.
    pub every: SignedDuration,
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
            let at = promised.min(next(times.every, times.uid, last));
            if at > now { Due::At(at) } else { Due::Now }
        }
        _ => Due::Now,
    }
}

/// When to read again after a read that ended at `last`, whatever came of it.
#[must_use]
pub fn next(every: SignedDuration, uid: &str, last: Timestamp) -> Timestamp {
    let every = every.max(SHORTEST);
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
            every: HOUR,
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
        assert_eq!(due(&promised, at(1)), Due::At(next(HOUR, "a", at(0))));
        assert_eq!(due(&promised, at(3960)), Due::Now);
    }

    #[test]
    fn two_reads_are_an_interval_to_a_tenth_more_apart() {
        for (every, most) in [(10, 11), (60, 66), (3600, 3900), (86_400, 86_700)] {
            for uid in ["a", "b", "c", "d", "e", "f"] {
                let next = next(SignedDuration::from_secs(every), uid, at(0));
                assert!(next >= at(every) && next <= at(most), "{every} {uid} {next}");
            }
        }
    }

    #[test]
    fn no_interval_is_shorter_than_ten_seconds() {
        assert!(next(SignedDuration::from_secs(1), "a", at(0)) >= at(10));
    }

    #[test]
    fn connections_made_at_once_spread() {
        let times: std::collections::BTreeSet<_> = (0..50).map(|n| next(HOUR, &format!("uid-{n}"), at(0))).collect();
        assert!(times.len() > 45, "{}", times.len());
    }
}
