//! Durations and percentages as users write them: strings in the schema, parsed once at the edge.
//!
//! A rule, and not a pattern, says in the schema what may be written: its message says what to write instead.

use jiff::civil::Time;
use jiff::{SignedDuration, Span, SpanRelativeTo};
use kube::core::Rule;

/// Most characters of a duration in the schema; more than one has, so that what is wrong is said by the rule.
pub const LENGTH: usize = 32;
/// A duration in the schema, by its units from the longest to the shortest: `30s`, `1h30m`, `90d`.
const DURATION: &str = "^([0-9]{1,6}d)?([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,7}s)?$";
/// What to write.
const WRITE_DURATION: &str = "write a number and a unit (d, h, m or s), such as 15m, 1h30m or 90d";

/// The schema's rule of a duration.
#[must_use]
pub fn is_duration() -> Rule {
    Rule::new(format!("self.matches('{DURATION}') && self.matches('[1-9]')")).message(WRITE_DURATION)
}

/// The schema's rule of a duration that may be nothing: `0s`.
#[must_use]
pub fn is_duration_or_zero() -> Rule {
    Rule::new(format!("self.matches('{DURATION}') && self != ''")).message(WRITE_DURATION)
}

/// The schema's rule of a time over which is counted: whole hours or days, no longer than the ledger knows of.
#[must_use]
pub fn is_window() -> Rule {
    const DAYS: &str = "([1-9]|[12][0-9]|3[01])d";
    const HOURS: &str = "([1-9]|[1-9][0-9]|[1-6][0-9]{2}|7[0-3][0-9]|74[0-4])h";
    Rule::new(format!("self.matches('^({DAYS}|{HOURS})$')"))
        .message("write hours or days, 31d at most, such as 24h or 7d")
}

/// The schema's rule of how long what ended is kept: whole days, thirty at least.
#[must_use]
pub fn is_retention() -> Rule {
    Rule::new("self.matches('^(3[0-9]|[4-9][0-9]|[1-9][0-9]{2,4})d$')")
        .message("write days, 30d at least, such as 400d")
}

/// The schema's rule of a gap in whole days, sixty at most.
#[must_use]
pub fn is_bridge() -> Rule {
    Rule::new("self.matches('^([0-9]|[1-5][0-9]|60)d$')").message("write whole days from 0d to 60d, such as 3d")
}

/// The schema's rule of a percentage.
#[must_use]
pub fn is_percentage() -> Rule {
    Rule::new("self.matches('^(100|[1-9]?[0-9])%$')").message("write a whole number from 0 to 100 and %, such as 10%")
}

/// What was written cannot be read; names the field and what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {} is not {expected}", domain::quote::quoted(.text))]
pub struct Unreadable {
    /// Path of the field.
    pub field: &'static str,
    /// The text of the field.
    pub text: String,
    /// What is expected instead.
    pub expected: &'static str,
}

/// Reads `30s`, `1h30m`, `72h`, `90d`; a day is 24 hours.
///
/// # Errors
/// When the text is no such duration.
pub fn duration(field: &'static str, text: &str) -> Result<SignedDuration, Unreadable> {
    let unreadable = || Unreadable { field, text: text.to_owned(), expected: "a duration such as 15m, 1h30m or 90d" };
    let span: Span = text.parse().map_err(|_| unreadable())?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| unreadable())?;
    if duration.is_negative() { Err(unreadable()) } else { Ok(duration) }
}

/// Reads `3d` as 3.
///
/// # Errors
/// When the text is no whole number of days from 0 to 60.
pub fn days(field: &'static str, text: &str) -> Result<i32, Unreadable> {
    let days = text.strip_suffix('d').and_then(|digits| digits.parse().ok());
    let unreadable = || Unreadable { field, text: text.to_owned(), expected: "a number of days from 0d to 60d" };
    days.filter(|days| (0..=60).contains(days)).ok_or_else(unreadable)
}

/// The schema's rule of the days that an account is off before its person has left.
#[must_use]
pub fn is_off_for() -> Rule {
    Rule::new("self.matches('^([7-9]|[1-9][0-9]|[1-2][0-9]{2}|3[0-5][0-9]|36[0-5])d$')")
        .message("write whole days from 7d to 365d, such as 30d")
}

/// Reads the days that an account is off before its person has left.
///
/// # Errors
/// When the text is no number of days that the schema takes.
pub fn off_days(field: &'static str, text: &str) -> Result<i32, Unreadable> {
    let days = text.strip_suffix('d').and_then(|digits| digits.parse().ok());
    let unreadable = || Unreadable { field, text: text.to_owned(), expected: "a number of days from 7d to 365d" };
    days.filter(|days| (7..=365).contains(days)).ok_or_else(unreadable)
}

/// Reads a time of day such as `18:00`.
///
/// # Errors
/// When the text is no such time.
pub fn time(field: &'static str, text: &str) -> Result<Time, Unreadable> {
    let unreadable = || Unreadable { field, text: text.to_owned(), expected: "a time of day such as 18:00" };
    Time::strptime("%H:%M", text).map_err(|_| unreadable())
}

/// Reads `10%` as 10.
///
/// # Errors
/// When the text is no percentage from 0 to 100.
pub fn percent(field: &'static str, text: &str) -> Result<u8, Unreadable> {
    text.strip_suffix('%')
        .and_then(|digits| digits.parse::<u8>().ok())
        .filter(|value| *value <= 100)
        .ok_or_else(|| Unreadable { field, text: text.to_owned(), expected: "a percentage such as 10%" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_written() {
        for (text, seconds) in
            [("30s", 30), ("5m", 300), ("72h", 259_200), ("90d", 7_776_000), ("1h30m", 5_400), ("0s", 0)]
        {
            assert_eq!(duration("f", text).map(|d| d.as_secs()), Ok(seconds), "{text}");
        }
        for text in ["", "h", "-5m", "10", "1 year", "1mo"] {
            assert!(duration("f", text).is_err(), "{text}");
        }
    }

    #[test]
    fn days_and_times_read_as_written() {
        assert_eq!(time("f", "18:30"), Ok(jiff::civil::time(18, 30, 0, 0)));
        assert!(time("f", "24:00").is_err() && time("f", "6 pm").is_err());
        assert_eq!((days("f", "0d"), days("f", "60d")), (Ok(0), Ok(60)));
        for text in ["61d", "-1d", "3", "72h", ""] {
            assert!(days("f", text).is_err(), "{text}");
        }
    }

    #[test]
    fn percentages_read_as_written() {
        assert_eq!(percent("f", "10%"), Ok(10));
        for text in ["10", "101%", "-1%", "ten%"] {
            assert!(percent("f", text).is_err(), "{text}");
        }
    }
}
