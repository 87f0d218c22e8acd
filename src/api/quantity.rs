//! Durations and percentages as users write them: strings in the schema, parsed once at the edge.

use jiff::{SignedDuration, Span, SpanRelativeTo};

/// Pattern of a duration in the schema: `30s`, `5m`, `72h`, `90d`.
pub const DURATION: &str = "^[1-9][0-9]{0,6}(s|m|h|d)$";
/// Pattern of a duration that may be nothing: `0s`.
pub const DURATION_OR_ZERO: &str = "^[0-9]{1,7}(s|m|h|d)$";
/// Pattern of a percentage in the schema.
pub const PERCENT: &str = "^(100|[1-9]?[0-9])%$";

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

/// Reads `30s`, `5m`, `72h`, `90d`; a day is 24 hours.
///
/// # Errors
/// When the text is no such duration.
pub fn duration(field: &'static str, text: &str) -> Result<SignedDuration, Unreadable> {
    let unreadable = || Unreadable { field, text: text.to_owned(), expected: "a duration such as 30s, 5m, 72h or 90d" };
    let span: Span = text.parse().map_err(|_| unreadable())?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| unreadable())?;
    if duration.is_negative() { Err(unreadable()) } else { Ok(duration) }
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
        for (text, seconds) in [("30s", 30), ("5m", 300), ("72h", 259_200), ("90d", 7_776_000), ("0s", 0)] {
            assert_eq!(duration("f", text).map(|d| d.as_secs()), Ok(seconds), "{text}");
        }
        for text in ["", "h", "-5m", "10", "1 year", "1mo"] {
            assert!(duration("f", text).is_err(), "{text}");
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
