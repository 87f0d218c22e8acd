//! What was released of Revocations that are over: sums by the hour, and after two days by the day. So however long the
//! history, it takes a few kilobytes, and it counts for as long as any window reaches.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::limits::Sums;

/// The longest window there may be.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 31);
/// Beyond this age hours are put together to days.
const HOURLY: SignedDuration = SignedDuration::from_hours(48);

/// Sums of what is over, by the end of the hour or day in which it was released: it counts a little longer than what
/// is still open, and never shorter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History(BTreeMap<Timestamp, Passed>);

/// What was released within an hour or a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Passed {
    /// Without a human.
    #[serde(default, skip_serializing_if = "nothing", rename = "self")]
    by_itself: Sums,
    /// By an approval.
    #[serde(default, skip_serializing_if = "nothing")]
    approved: Sums,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn nothing(sums: &Sums) -> bool {
    sums.is_nothing()
}

/// The next whole multiple of so many seconds.
pub(super) fn up_to(at: Timestamp, seconds: i64) -> Timestamp {
    let whole = at.as_second().saturating_add(i64::from(at.subsec_nanosecond() > 0));
    let up = whole.saturating_add(seconds.saturating_sub(1)).div_euclid(seconds).saturating_mul(seconds);
    Timestamp::from_second(up).unwrap_or(Timestamp::MAX)
}

impl History {
    /// Adds what was released at this instant.
    pub(super) fn add(&mut self, at: Timestamp, approved: bool, sums: Sums) {
        if !sums.is_nothing() {
            self.add_at(up_to(at, 3600), if approved { (Sums::default(), sums) } else { (sums, Sums::default()) });
        }
    }

    fn add_at(&mut self, end: Timestamp, (by_itself, approved): (Sums, Sums)) {
        let there = self.0.entry(end).or_default();
        there.by_itself = there.by_itself.plus(by_itself);
        there.approved = there.approved.plus(approved);
    }

    /// Puts hours of long ago together to days, and forgets what no window reaches.
    pub(super) fn tidy(&mut self, now: Timestamp) {
        for (end, passed) in std::mem::take(&mut self.0) {
            let age = now.duration_since(end);
            if age < LONGEST {
                let end = if age < HOURLY { end } else { up_to(end, 24 * 3600) };
                self.add_at(end, (passed.by_itself, passed.approved));
            }
        }
    }

    /// What was released within a window; what was approved too, where that is asked for.
    pub(super) fn within(&self, window: SignedDuration, approved_too: bool, now: Timestamp) -> Sums {
        let within = self.0.iter().filter(|(end, _)| now.duration_since(**end) < window);
        within.fold(Sums::default(), |sum, (_, passed)| {
            let sum = sum.plus(passed.by_itself);
            if approved_too { sum.plus(passed.approved) } else { sum }
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Of how many hours and days it knows.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
