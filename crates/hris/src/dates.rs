//! The forms in which sources write a day, and the days that stand for none.
//!
//! A time or zone behind a day is left out: a last day is the day as the HR system shows it, not its instant in UTC.

use jiff::Span;
use jiff::civil::Date;
use serde::Deserialize;

/// A form of dates.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum DateForm {
    /// `2026-03-01`, with or without a time and zone behind it (RFC 3339).
    Iso,
    /// Seconds since 1970, as a day of UTC.
    EpochSeconds,
    /// Milliseconds since 1970, as a day of UTC.
    EpochMilliseconds,
    /// `/Date(1772323200000)/`, or `/Date(1772323200000+0100)/`, as a day of the offset it carries.
    JsonDate,
    /// Any other, as strptime takes it.
    Strptime(String),
}

impl TryFrom<String> for DateForm {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        Ok(match word.as_str() {
            "iso" => Self::Iso,
            "epochSeconds" => Self::EpochSeconds,
            "epochMilliseconds" => Self::EpochMilliseconds,
            "jsonDate" => Self::JsonDate,
            form if form.contains('%') => {
                check(form)?;
                Self::Strptime(word)
            }
            _ => {
                return Err(format!(
                    "{word:?} is no form of dates: iso, epochSeconds, epochMilliseconds, jsonDate, or one such as %d.%m.%Y"
                ));
            }
        })
    }
}

impl DateForm {
    /// Its word.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Iso => "%Y-%m-%d",
            Self::EpochSeconds => "epochSeconds",
            Self::EpochMilliseconds => "epochMilliseconds",
            Self::JsonDate => "jsonDate",
            Self::Strptime(form) => form,
        }
    }

    fn read(&self, text: &str) -> Option<Date> {
        match self {
            Self::Iso => iso(text),
            Self::EpochSeconds => day(text.parse::<i64>().ok()?.checked_mul(1000)?, 0),
            Self::EpochMilliseconds => day(text.parse().ok()?, 0),
            Self::JsonDate => json_date(text),
            Self::Strptime(form) => Date::strptime(form, text).ok(),
        }
    }
}

/// Reads a day in any of the forms, the first that fits; a day that stands for none is none.
///
/// # Errors
/// When none of the forms fits.
pub(super) fn read(forms: &[DateForm], text: &str) -> Result<Option<Date>, NoDate> {
    if text.chars().all(|c| c == '0' || !c.is_alphanumeric()) {
        return Ok(None); // 0000-00-00, 0, -
    }
    let date = forms.iter().find_map(|form| form.read(text)).ok_or(NoDate)?;
    Ok(Some(date).filter(|date| !stands_for_none(*date)))
}

/// A text in none of the forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoDate;

/// Whether a form of dates can be followed: what it writes, it must read back.
///
/// # Errors
/// In words, when it cannot.
pub(super) fn check(form: &str) -> Result<(), String> {
    let day = Date::constant(2026, 12, 31);
    let written = jiff::fmt::strtime::format(form, day).map_err(|_| format!("{form:?} is not a form of dates"))?;
    match Date::strptime(form, written) {
        Ok(back) if back == day => Ok(()),
        _ => Err(format!("{form:?} does not say day, month and year")),
    }
}

/// Dates that systems write where there is none: the first days their clocks know, and the far future.
fn stands_for_none(date: Date) -> bool {
    const EXCEL_EPOCH: Date = Date::constant(1900, 1, 1); // also the default of many a database
    const UNIX_EPOCH: Date = Date::constant(1970, 1, 1);
    const NEVER: Date = Date::constant(2099, 12, 31); // then 4712-12-31 and 9999-12-31
    date <= EXCEL_EPOCH || date == UNIX_EPOCH || date >= NEVER
}

fn iso(text: &str) -> Option<Date> {
    let (day, time) = text.split_at_checked(10)?;
    let behind = |c: char| c.is_ascii_digit() || matches!(c, 'T' | 't' | 'Z' | 'z' | ' ' | ':' | '.' | '+' | '-');
    let zone = |c: char| c.is_ascii_digit() || c == ':';
    let fits = match time.chars().next() {
        None | Some('Z') if time.len() <= 1 => true,
        Some('T' | 't' | ' ') => time.len() > 1 && time.chars().all(behind),
        Some('+' | '-') => time.len() > 2 && time.chars().skip(1).all(zone), // a zone without a time (XML Schema)
        _ => false,
    };
    // Of the ways of ISO 8601, the one with hyphens between numbers.
    let plain = |byte: u8| byte.is_ascii_digit() || byte == b'-';
    if fits && day.bytes().all(plain) { day.parse().ok() } else { None }
}

fn json_date(text: &str) -> Option<Date> {
    let inside = text.trim_matches('/').strip_prefix("Date(")?.strip_suffix(')')?;
    let sign = inside.char_indices().skip(1).find(|(_, c)| matches!(c, '+' | '-')).map(|(at, _)| at);
    let (milliseconds, offset) = inside.split_at_checked(sign.unwrap_or(inside.len()))?;
    let offset = match offset.split_at_checked(3) {
        None => 0,
        Some((hours, minutes)) => {
            let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
            (hours * 60 + hours.signum() * minutes) * 60
        }
    };
    day(milliseconds.parse().ok()?, offset)
}

fn day(milliseconds: i64, offset_seconds: i64) -> Option<Date> {
    let days = milliseconds.checked_add(offset_seconds.checked_mul(1000)?)?.div_euclid(24 * 60 * 60 * 1000);
    Date::constant(1970, 1, 1).checked_add(Span::new().try_days(days).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(word: &str) -> DateForm {
        DateForm::try_from(word.to_owned()).unwrap()
    }

    #[test]
    fn every_form_reads_its_own_and_nothing_else() {
        let march = Ok(Some(Date::constant(2026, 3, 1)));
        for (word, text, date) in [
            ("iso", "2026-03-01", march),
            ("iso", "2026-03-01T00:00:00", march),
            ("iso", "2026-03-01T23:00:00.000Z", march),
            ("iso", "2026-03-01T00:00:00+01:00", march), // the day as written, not the day before in UTC
            ("iso", "2026-03-01 08:30:00", march),
            ("iso", "2026-03-01-07:00", march),
            ("iso", "2026-03-01Z", march),
            ("iso", "2026-03-01T", Err(NoDate)),
            ("iso", "2026-03-01-", Err(NoDate)),
            ("iso", "20260301-1", Err(NoDate)), // ISO 8601 has more ways than the one with hyphens
            ("iso", "20260301--", Err(NoDate)),
            ("iso", "2026-W09-7", Err(NoDate)),
            ("iso", "2026-3-001", Err(NoDate)),
            ("iso", "2026-03-01-x7:00", Err(NoDate)),
            ("iso", "2026-03-01Zulu", Err(NoDate)),
            ("iso", "2026-03-011", Err(NoDate)),
            ("iso", "2026-03-01 tbc", Err(NoDate)),
            ("iso", "2026-02-30", Err(NoDate)),
            ("iso", "01/03/2026", Err(NoDate)),
            ("iso", "2026-3-1é", Err(NoDate)),
            ("epochSeconds", "1772323200", march),
            ("epochSeconds", "-1", Ok(Some(Date::constant(1969, 12, 31)))),
            ("epochSeconds", "2026-03-01", Err(NoDate)),
            ("epochMilliseconds", "1772323200000", march),
            ("epochMilliseconds", "1772409599999", march),
            ("jsonDate", "/Date(1772323200000)/", march),
            ("jsonDate", "/Date(1772323200000+0000)/", march),
            ("jsonDate", "/Date(1772319600000+0100)/", march),
            ("jsonDate", "/Date(1772341200000-0500)/", march),
            ("jsonDate", "/Date(1772323200000+01:00)/", Err(NoDate)),
            ("jsonDate", "1772323200000", Err(NoDate)),
            ("%m-%d-%Y", "03-01-2026", march),
            ("%m-%d-%Y", "2026-03-01", Err(NoDate)),
        ] {
            assert_eq!(read(&[form(word)], text), date, "{word} {text}");
        }
        let both = [form("iso"), form("%d.%m.%Y")];
        assert_eq!(read(&both, "01.03.2026"), march);
    }

    #[test]
    fn what_stands_for_no_date_is_none_in_every_form() {
        for (word, text) in [
            ("iso", "0000-00-00"),
            ("iso", "0001-01-01T00:00:00"),
            ("iso", "1900-01-01"),
            ("iso", "2099-12-31T00:00:00Z"),
            ("iso", "4712-12-31"),
            ("iso", "9999-12-31"),
            ("epochSeconds", "0"),
            ("epochMilliseconds", "-62135596800000"),
            ("jsonDate", "/Date(253402214400000)/"),
            ("%m-%d-%Y", "00-00-0000"),
        ] {
            assert_eq!(read(&[form(word)], text), Ok(None), "{word} {text}");
        }
    }

    #[test]
    fn a_form_nobody_knows_is_refused() {
        for word in ["ISO", "date", "", "%Q", "%d.%m", "dd.mm.yyyy"] {
            assert!(DateForm::try_from(word.to_owned()).is_err(), "{word}");
        }
    }
}
