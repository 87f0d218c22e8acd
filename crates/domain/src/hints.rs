//! When a source is read because its webhook said that something has changed. Pure: `now` is an argument.
//!
//! A hint is unhandled until a read that began after it brought a whole response. However many there are, reads that hints ask for
//! lie apart, so that nobody who can send them uses up what the vendor allows.

use jiff::{SignedDuration, Timestamp};

/// Least time from the end of a read that a hint asked for to the next such read.
pub const APART: SignedDuration = SignedDuration::from_secs(60);
/// The same after one that brought no whole response.
pub const AFTER_FAILURE: SignedDuration = SignedDuration::from_mins(5);

/// The last read that a hint asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRead {
    /// When it ended.
    pub ended: Timestamp,
    /// Whether it brought a whole response, believed or not.
    pub whole: bool,
}

/// When the source is to be read for the newest hint; `None` where there is none that was not handled.
///
/// A hint is compared with the handled one as it is, and never with a clock: it was written on another machine.
#[must_use]
pub fn due(
    newest: Option<Timestamp>,
    handled: Option<Timestamp>,
    last: Option<LastRead>,
    now: Timestamp,
) -> Option<Timestamp> {
    newest.filter(|newest| Some(*newest) != handled)?;
    let Some(last) = last.filter(|last| last.ended <= now) else { return Some(now) };
    let apart = if last.whole { APART } else { AFTER_FAILURE };
    Some(last.ended.saturating_add(apart).unwrap_or(now).max(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_read_for_once_and_reads_lie_apart() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let read = |second, whole| Some(LastRead { ended: at(second), whole });
        for (situation, newest, handled, last, expected) in [
            ("there is none", None, None, None, None),
            ("the first", Some(at(90)), None, None, Some(at(100))),
            ("it was read for", Some(at(90)), Some(at(90)), read(95, true), None),
            ("a newer one, soon", Some(at(97)), Some(at(90)), read(95, true), Some(at(155))),
            ("a newer one, later", Some(at(97)), Some(at(90)), read(10, true), Some(at(100))),
            ("the read failed", Some(at(90)), None, read(95, false), Some(at(395))),
            ("the other machine's clock was put back", Some(at(50)), Some(at(90)), None, Some(at(100))),
            ("it is far ahead", Some(at(9_000)), Some(at(90)), None, Some(at(100))),
            ("our clock was put back", Some(at(90)), None, read(500, true), Some(at(100))),
            ("the last was gone with the process", Some(at(90)), None, None, Some(at(100))),
        ] {
            assert_eq!(due(newest, handled, last, at(100)), expected, "{situation}");
        }
    }
}
