//! Since when responses are trusted or not, and what was before: a few lines on the connection. Pure.

use jiff::Timestamp;

use crate::api::condition::{ConditionType, ConditionUpdate, Status};
use crate::api::connection::TrustPeriod;

/// Most entries that the schema takes.
const MAX_PERIODS: usize = 32;

/// The history after an attempt that ended at `at`. An attempt that comes to the same as the one before it adds nothing, and updates the
/// number of people: so the history is written with the attempt, and with nothing else.
pub(super) fn after(
    before: &[TrustPeriod],
    updates: &[ConditionUpdate],
    people: Option<u32>,
    at: Timestamp,
) -> Vec<TrustPeriod> {
    let mut all = before.to_vec();
    let Some(told) = updates.iter().find(|one| one.type_ == ConditionType::Trusted) else { return all };
    let (trusted, reason) = (told.status == Status::True, told.reason.as_str());
    match all.first_mut() {
        Some(newest) if newest.trusted == trusted && newest.reason == reason => {
            newest.people = people.or(newest.people)
        }
        _ => all.insert(0, TrustPeriod { from: at, trusted, reason: reason.to_owned(), people }),
    }
    all.truncate(MAX_PERIODS);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::condition::{self, Reason};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn held(reason: Reason) -> ConditionUpdate {
        condition::held(reason, "why".to_owned())
    }

    fn period(from: i64, reason: &str, people: Option<u32>) -> TrustPeriod {
        TrustPeriod { from: at(from), trusted: reason == "Trusted", reason: reason.to_owned(), people }
    }

    #[test]
    fn an_entry_begins_where_attempts_come_to_something_else() {
        let attempts = [
            (condition::trusted(10), Some(10)),
            (condition::trusted(11), Some(11)),
            (held(Reason::Shrunk), Some(4)),
            (held(Reason::TimedOut), None),
            (held(Reason::TimedOut), None),
            (condition::trusted(11), Some(11)),
        ];
        let history = attempts.into_iter().zip(0..).fold(Vec::new(), |before, ((update, people), seconds)| {
            after(&before, &[condition::reachable(), update], people, at(seconds))
        });
        let expected = [
            period(5, "Trusted", Some(11)),
            period(3, "TimedOut", None),
            period(2, "Shrunk", Some(4)),
            period(0, "Trusted", Some(11)),
        ];
        assert_eq!(history, expected);
    }

    #[test]
    fn a_source_that_comes_and_goes_keeps_only_the_newest() {
        let history = (0..100).fold(Vec::new(), |before, seconds| {
            let update = if seconds % 2 == 0 { condition::trusted(1) } else { held(Reason::TimedOut) };
            after(&before, &[update], None, at(seconds))
        });
        assert_eq!((history.len(), history[0].from, history[MAX_PERIODS - 1].from), (MAX_PERIODS, at(99), at(68)));
    }

    #[test]
    fn a_step_that_says_nothing_of_trust_leaves_the_history_as_it_is() {
        let before = vec![period(0, "Trusted", Some(3))];
        assert_eq!(after(&before, &[condition::reachable()], Some(9), at(1)), before);
    }
}
