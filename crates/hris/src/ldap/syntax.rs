//! What the bytes of an attribute's value say, as a text that a definition can map.

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use serde::Deserialize;

use super::dn;

/// Longest value: nobody's name, address or department is longer.
const LONGEST: usize = 4096;

/// How the values of an attribute are written. What is not listed is a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum Syntax {
    /// A text of UTF-8.
    #[default]
    Text,
    /// Sixteen bytes of a GUID, of which the first three groups stand backwards.
    Guid,
    /// The instant at which an account expires, in tenths of a microsecond since 1601: read as the last moment before it.
    ExpiryFileTime,
    /// The day on which an account has expired, in days since 1970: read as the day before it.
    ExpiryDays,
    /// A generalised time: `20260301120000Z`.
    Time,
    /// The name of another entry.
    Dn,
    /// A number: whether this bit of it is `set` or `clear`.
    Bit(u32),
}

/// What a value says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing, or that there is none.
    Nothing,
    /// A text.
    Text(Box<str>),
    /// Something that is none, or not as it should be written.
    Unfit,
}

impl Value {
    fn of(text: Option<String>) -> Self {
        text.map_or(Self::Unfit, |text| Self::Text(text.into()))
    }
}

impl Syntax {
    /// What a value says.
    pub(super) fn read(self, bytes: &[u8]) -> Value {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= LONGEST);
        match (self, text) {
            (Self::Guid, _) => Value::of(guid(bytes)),
            (_, None) => Value::Unfit,
            (_, Some(text)) if text.trim().is_empty() => Value::Nothing,
            (Self::Text, Some(text)) => Value::Text(text.into()),
            (Self::ExpiryFileTime, Some(text)) => file_time(text),
            (Self::ExpiryDays, Some(text)) => days(text),
            (Self::Time, Some(text)) => Value::Text(generalised(text).unwrap_or_else(|| text.to_owned()).into()),
            (Self::Dn, Some(text)) => dn::canonical(text).map_or(Value::Nothing, |name| Value::Text(name.into())),
            (Self::Bit(bit), Some(text)) => Value::of(text.trim().parse::<i64>().ok().map(|number| {
                let word = if number & i64::from(bit) == 0 { "clear" } else { "set" };
                word.to_owned()
            })),
        }
    }
}

/// MS-DTYP, section 2.3.4.
fn guid(bytes: &[u8]) -> Option<String> {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let bytes: &[u8; 16] = bytes.try_into().ok()?;
    let mut text = String::with_capacity(36);
    for (place, at) in ORDER.into_iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&data_encoding::HEXLOWER.encode(&[*bytes.get(at)?]));
    }
    Some(text)
}

/// Zero and the largest number there is stand for none, and so does a time that no calendar has.
fn file_time(text: &str) -> Value {
    const TICKS: i64 = 10_000_000;
    const FROM_1601: i64 = 11_644_473_600;
    match text.trim().parse::<i64>() {
        Ok(0 | i64::MAX) => Value::Nothing,
        Ok(ticks) if ticks > 0 => {
            let second = (ticks - 1) / TICKS - FROM_1601;
            Timestamp::from_second(second).map_or(Value::Nothing, |last| Value::Text(last.to_string().into()))
        }
        _ => Value::Unfit,
    }
}

/// Zero and what is below it stand for none.
fn days(text: &str) -> Value {
    const EPOCH: Date = Date::constant(1970, 1, 1);
    let Ok(days) = text.trim().parse::<i64>() else { return Value::Unfit };
    if days <= 0 {
        return Value::Nothing;
    }
    let last = Span::new().try_days(days - 1).ok().and_then(|days| EPOCH.checked_add(days).ok());
    last.map_or(Value::Nothing, |last| Value::Text(last.to_string().into()))
}

/// RFC 4517, section 3.3.13, as an instant of RFC 3339; none where it is none.
fn generalised(text: &str) -> Option<String> {
    let text = text.trim();
    let zone = text.find(['Z', '+', '-'])?;
    let (time, zone) = text.split_at_checked(zone)?;
    let figures = time.split(['.', ',']).next()?;
    let two = |at: usize| figures.get(at..at + 2).filter(|two| two.bytes().all(|byte| byte.is_ascii_digit()));
    let (century, year, month, day, hour) = (two(0)?, two(2)?, two(4)?, two(6)?, two(8)?);
    let (minute, second) = (two(10), two(12));
    let whole = match figures.len() {
        10 => minute.is_none(),
        12 => second.is_none(),
        14 => true,
        _ => false,
    };
    let zone = match (zone, zone.get(1..3), zone.get(3..)) {
        ("Z", ..) => "Z".to_owned(),
        (_, Some(hours), Some(minutes)) => {
            let minutes = if minutes.is_empty() { "00" } else { minutes };
            format!("{}{hours}:{minutes}", zone.get(..1)?)
        }
        _ => return None,
    };
    let (minute, second) = (minute.unwrap_or("00"), second.unwrap_or("00"));
    whole.then(|| format!("{century}{year}-{month}-{day}T{hour}:{minute}:{second}{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(syntax: Syntax, text: &str) -> Option<String> {
        match syntax.read(text.as_bytes()) {
            Value::Text(text) => Some(text.into()),
            Value::Nothing => None,
            Value::Unfit => Some("unfit".to_owned()),
        }
    }

    #[test]
    fn a_guid_is_written_as_active_directory_shows_it() {
        let bytes = data_encoding::HEXLOWER.decode(b"2dc73bfc5aec704bbdc21f4ef97b7870").unwrap();
        assert_eq!(Syntax::Guid.read(&bytes), Value::Text("fc3bc72d-ec5a-4b70-bdc2-1f4ef97b7870".into()));
        assert_eq!(Syntax::Guid.read(&bytes[..15]), Value::Unfit);
        assert_eq!(Syntax::Guid.read(b""), Value::Unfit);
    }

    #[test]
    fn an_account_works_until_the_moment_before_it_expires() {
        for (written, last) in [
            ("0", None),
            ("9223372036854775807", None),
            ("9223372036854775806", None), // a year that no calendar has
            ("134167968000000000", Some("2026-02-28T23:59:59Z")), // midnight of UTC, after the 28th
            ("134167932000000000", Some("2026-02-28T22:59:59Z")), // midnight in Madrid
            ("134167932000000001", Some("2026-02-28T23:00:00Z")),
            ("-1", Some("unfit")),
            ("soon", Some("unfit")),
            ("", None),
        ] {
            assert_eq!(read(Syntax::ExpiryFileTime, written).as_deref(), last, "{written}");
        }
        for (written, last) in
            [("-1", None), ("0", None), ("20513", Some("2026-02-28")), ("99999999999", None), ("x", Some("unfit"))]
        {
            assert_eq!(read(Syntax::ExpiryDays, written).as_deref(), last, "{written}");
        }
    }

    #[test]
    fn a_generalised_time_is_an_instant_and_anything_else_stays_as_it_is() {
        for (written, expected) in [
            ("20260301120000Z", "2026-03-01T12:00:00Z"),
            ("20260301120000.0Z", "2026-03-01T12:00:00Z"),
            ("2026030112Z", "2026-03-01T12:00:00Z"),
            ("202603011230+0100", "2026-03-01T12:30:00+01:00"),
            ("20260301000000-05", "2026-03-01T00:00:00-05:00"),
            ("2026-03-01", "2026-03-01"),
            ("20260301", "20260301"),
            ("202603011Z", "202603011Z"),
        ] {
            assert_eq!(read(Syntax::Time, written).as_deref(), Some(expected), "{written}");
        }
    }

    #[test]
    fn a_value_that_is_no_text_or_endless_is_not_kept() {
        assert_eq!(Syntax::Text.read(&[0xff, 0xfe]), Value::Unfit);
        assert_eq!(read(Syntax::Text, &"x".repeat(LONGEST)).map(|text| text.len()), Some(LONGEST));
        assert_eq!(Syntax::Text.read("x".repeat(LONGEST + 1).as_bytes()), Value::Unfit);
    }

    #[test]
    fn a_bit_is_looked_at_and_nothing_else_of_the_number() {
        for (written, expected) in [
            ("512", Some("clear")),
            ("514", Some("set")),
            ("66050", Some("set")),
            ("66048", Some("clear")),
            ("-2147483646", Some("set")),
            ("on", Some("unfit")),
            ("", None),
        ] {
            assert_eq!(read(Syntax::Bit(2), written).as_deref(), expected, "{written}");
        }
    }
}
