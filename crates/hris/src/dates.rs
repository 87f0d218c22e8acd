//! The forms in which sources write a day, and the days that stand for none.
//!
//! A last day is the day as the HR system shows it. A time behind a day is left out, unless a zone stands behind it and
//! it is neither midnight nor the last minute there: then it is an instant, and its day depends on where one is.
//! `2026-03-30T22:00:00Z` is the 31st in Madrid. Such a text is read as the latest day that it was anywhere, which is
//! never too early and at most a day too late.

mod layout;

use jiff::Span;
use jiff::civil::Date;
use serde::Deserialize;

pub use self::layout::Layout;
use self::layout::{Numbers, Unit, digits, half};

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
    /// Any other, with the words of strptime.
    Strptime(Layout),
}

impl TryFrom<String> for DateForm {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        Ok(match word.as_str() {
            "iso" => Self::Iso,
            "epochSeconds" => Self::EpochSeconds,
            "epochMilliseconds" => Self::EpochMilliseconds,
            "jsonDate" => Self::JsonDate,
            form if form.contains('%') => Self::Strptime(Layout::parse(form)?),
            _ => {
                return Err(format!(
                    "{} is no form of dates: iso, epochSeconds, epochMilliseconds, jsonDate, or one such as %d.%m.%Y",
                    domain::quote::quoted(&word)
                ));
            }
        })
    }
}

/// Why a text is no day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoDate {
    /// It is in none of the forms.
    Unknown,
    /// It has the form with day and month exchanged, this one: a source that writes one so writes the others so too, and those
    /// whose day is below 13 are read as other days.
    Exchanged(String),
    /// It is a date of another form: the column may have been converted in part, and then day and month of the rest are
    /// exchanged, unless one of those proves its order.
    Another,
}

/// A day that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) date: Date,
    /// Whether it was made of an instant that may be of another day where the person works.
    pub(super) instant: bool,
}

impl From<Date> for Day {
    fn from(date: Date) -> Self {
        Self { date, instant: false }
    }
}

impl DateForm {
    /// Its word.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Iso => ISO,
            Self::EpochSeconds => "epochSeconds",
            Self::EpochMilliseconds => "epochMilliseconds",
            Self::JsonDate => "jsonDate",
            Self::Strptime(form) => form.as_str(),
        }
    }

    fn read(&self, text: &str) -> Result<Day, NoDate> {
        match self {
            Self::Iso => by_layout(iso(), text),
            Self::EpochSeconds => {
                day(text.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1000)).ok_or(NoDate::Unknown)?, 0)
            }
            Self::EpochMilliseconds => day(text.parse().map_err(|_| NoDate::Unknown)?, 0),
            Self::JsonDate => json_date(text),
            Self::Strptime(form) => by_layout(form, text),
        }
    }
}

const ISO: &str = "%Y-%m-%d";

/// The form of ISO 8601 and RFC 3339.
fn iso() -> &'static Layout {
    static LAYOUT: std::sync::LazyLock<Layout> =
        std::sync::LazyLock::new(|| Layout::parse(ISO).unwrap_or_else(|_| unreachable!("it is a form of dates")));
    &LAYOUT
}

/// Reads a day in any of the forms, the first that fits; a day that stands for none is none.
///
/// # Errors
/// When none of the forms fits: what is worst of what they say.
pub(super) fn read(forms: &[DateForm], text: &str) -> Result<Option<Day>, NoDate> {
    if forms.first() == Some(&DateForm::Iso)
        && let Some(date) = plain(text)
    {
        return Ok(Some(date.into()).filter(|day: &Day| !stands_for_none(day.date)));
    }
    if stands_for_zero(text) {
        return Ok(None);
    }
    let mut why = NoDate::Unknown;
    for form in forms {
        match form.read(text) {
            Ok(day) => return Ok(Some(day).filter(|day| !stands_for_none(day.date))),
            Err(exchanged @ NoDate::Exchanged(_)) => why = exchanged,
            Err(NoDate::Another) if why == NoDate::Unknown => why = NoDate::Another,
            Err(_) => {}
        }
    }
    Err(why)
}

/// A day that is written as most are: `2026-03-01`, with nothing behind it. Told by its bytes.
fn plain(text: &str) -> Option<Date> {
    let &[a, b, c, d, b'-', e, f, b'-', g, h] = text.as_bytes() else { return None };
    let number = |figures: &[u8]| {
        figures
            .iter()
            .try_fold(0, |number, figure| figure.is_ascii_digit().then(|| number * 10 + i16::from(figure - b'0')))
    };
    let (year, month, day) = (number(&[a, b, c, d])?, number(&[e, f])?, number(&[g, h])?);
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Whether a form of dates can be followed.
///
/// # Errors
/// In words, when it cannot.
pub(super) fn check(form: &str) -> Result<(), String> {
    Layout::parse(form).map(|_| ())
}

/// Dates that systems write where there is none: the first days their clocks know, and the far future. Nobody who is of
/// any interest here came or went before 1950.
fn stands_for_none(date: Date) -> bool {
    const FIRST: Date = Date::constant(1950, 1, 1); // 0001-01-01, 1753-01-01, 1899-12-30, 1900-01-01, 1904-01-01
    const UNIX_EPOCH: Date = Date::constant(1970, 1, 1);
    const UNIX_EPOCH_IN_THE_WEST: Date = Date::constant(1969, 12, 31);
    const NEVER: Date = Date::constant(2099, 12, 31); // then 4712-12-31 and 9999-12-31
    date < FIRST || date == UNIX_EPOCH || date == UNIX_EPOCH_IN_THE_WEST || date >= NEVER
}

/// `0000-00-00`, `0`, `-`; and the day zero that spreadsheets show of an empty cell: `1/0/1900`, `00.01.1900`, `0-Jan-00`.
fn stands_for_zero(text: &str) -> bool {
    if text.chars().all(|c| c == '0' || !c.is_alphanumeric()) {
        return true;
    }
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let (Some(a), Some(b), Some(c)) = (words.next(), words.next(), words.next()) else { return false };
    let is = |word: &str, what: &[&str]| what.iter().any(|what| word.eq_ignore_ascii_case(what));
    let year = |word| is(word, &["1900", "00"]);
    let month = |word| is(word, &["1", "01", "jan"]);
    let day = |word| is(word, &["0", "00"]);
    let starts_so = (year(c) && ((month(a) && day(b)) || (day(a) && month(b)))) || (year(a) && month(b) && day(c));
    starts_so && words.all(|word| is(word, &["0", "00", "000", "12", "am"]) || word.bytes().all(|byte| byte == b'0'))
}

fn by_layout(layout: &Layout, text: &str) -> Result<Day, NoDate> {
    let Some((numbers, rest)) = layout.read(text) else { return Err(another(layout, text)) };
    let plain = layout.by_numbers();
    match (numbers.date(), numbers.exchanged().date()) {
        (Some(date), _) => behind(date, rest),
        (None, Some(date)) if plain && behind(date, rest).is_ok() => Err(NoDate::Exchanged(layout.exchanged())),
        _ => Err(NoDate::Unknown),
    }
}

/// What a text that does not look like the form may be instead.
fn another(layout: &Layout, text: &str) -> NoDate {
    let mut rest = text;
    let (Some(a), Some(first), Some(b), Some(second), Some(c)) =
        (figures(&mut rest), sign(&mut rest), figures(&mut rest), sign(&mut rest), figures(&mut rest))
    else {
        return NoDate::Unknown;
    };
    if !layout.by_numbers() || !(rest.is_empty() || rest.starts_with([' ', 'T', 't', 'Z', '+'])) {
        return NoDate::Unknown;
    }
    let parts = [a, b, c];
    let year_at = if a.len() == 4 { 0 } else { 2 };
    let own_year_at = layout.order().iter().position(|unit| *unit == Unit::Year);
    if parts.iter().enumerate().any(|(at, part)| part.len() > 2 && (at != year_at || part.len() != 4)) {
        return NoDate::Unknown;
    }
    let number = |text: &str| text.parse::<i16>().unwrap_or_default();
    let numbers = |order: [Unit; 3]| {
        let mut numbers = Numbers::default();
        for (part, unit) in parts.iter().zip(order) {
            let small = i8::try_from(number(part)).unwrap_or_default();
            match unit {
                Unit::Year if part.len() == 4 => numbers.year = number(part),
                Unit::Year => numbers.year = 2000 + number(part),
                Unit::Month => numbers.month = small,
                Unit::Day => numbers.day = small,
            }
        }
        numbers
    };
    let order = match layout.order() {
        [a, b, c] if own_year_at == Some(year_at) => [*a, *b, *c],
        _ if year_at == 0 => [Unit::Year, Unit::Month, Unit::Day],
        _ => [Unit::Day, Unit::Month, Unit::Year],
    };
    let found = numbers(order);
    let signs = |sign: char| layout.as_str().contains(sign);
    match (own_year_at == Some(year_at), found.date(), found.exchanged().date()) {
        (true, None, Some(_)) => NoDate::Exchanged(layout.exchanged()),
        (true, Some(_), _) if signs(first) && signs(second) => NoDate::Unknown, // another number of digits
        (_, Some(_), _) | (_, _, Some(_)) => NoDate::Another,
        _ => NoDate::Unknown,
    }
}

fn figures<'t>(rest: &mut &'t str) -> Option<&'t str> {
    let end = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (figures, behind) = rest.split_at_checked(end).filter(|_| (1..=4).contains(&end))?;
    *rest = behind;
    Some(figures)
}

fn sign(rest: &mut &str) -> Option<char> {
    let sign = rest.chars().next().filter(|c| matches!(c, '-' | '/' | '.' | ' '))?;
    *rest = rest.get(1..)?;
    Some(sign)
}

/// What stands behind a day: nothing, a zone, or a time with or without one.
fn behind(date: Date, rest: &str) -> Result<Day, NoDate> {
    match rest.chars().next() {
        None => Ok(date.into()),
        Some('Z' | 'z' | '+' | '-') => zone(rest).map(|_| date.into()).ok_or(NoDate::Unknown), // as XML Schema has it
        Some('T' | 't' | ' ') => {
            let (minutes, rest) = time(rest.get(1..).unwrap_or_default()).ok_or(NoDate::Unknown)?;
            let rest = rest.trim_start();
            if rest.is_empty() {
                return Ok(date.into()); // a time on the wall: of the day that stands there
            }
            let offset = zone(rest).ok_or(NoDate::Unknown)?;
            Ok(if minutes == 0 || minutes == LAST_MINUTE { date.into() } else { latest(date, minutes - offset) })
        }
        Some(_) => Err(NoDate::Unknown),
    }
}

/// The latest day that an instant was anywhere, given in minutes of UTC since the start of a day.
fn latest(date: Date, minutes: i32) -> Day {
    const EASTERNMOST: i32 = 14 * 60;
    let days = (minutes + EASTERNMOST).div_euclid(24 * 60);
    let latest = Span::new().try_days(days).ok().and_then(|days| date.checked_add(days).ok());
    Day { date: latest.unwrap_or(date), instant: true }
}

/// The last minute of a day, by which some systems mean its end.
const LAST_MINUTE: i32 = 24 * 60 - 1;

/// A time of day, in minutes, and what stands behind it. A second that is not zero is a minute more.
fn time(text: &str) -> Option<(i32, &str)> {
    let mut rest = text.trim_start();
    let mut hour = digits(&mut rest, 1, 2)?;
    rest = rest.strip_prefix(':')?;
    let minute = digits(&mut rest, 2, 2)?;
    let mut more = false;
    if let Some(behind) = rest.strip_prefix(':') {
        rest = behind;
        let second = digits(&mut rest, 2, 2).filter(|second| *second < 61)?;
        more = second > 0;
        if let Some(behind) = rest.strip_prefix(['.', ',']) {
            let end = behind.bytes().take_while(u8::is_ascii_digit).count();
            let (part, behind) = behind.split_at_checked(end).filter(|_| end > 0)?;
            more |= part.bytes().any(|byte| byte != b'0');
            rest = behind;
        }
    }
    let before = rest.trim_start();
    if let Some(behind) = half(before) {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + if before.starts_with(['P', 'p']) { 12 } else { 0 };
        rest = behind;
    }
    if hour > 23 || minute > 59 {
        return None;
    }
    let minutes = i32::try_from(hour * 60 + minute).ok()?;
    Some((if more && minutes < LAST_MINUTE { minutes + 1 } else { minutes }, rest))
}

/// The offset in minutes of `Z`, `UTC`, `GMT`, `+01`, `+0100` or `+01:00`, with nothing behind it.
fn zone(text: &str) -> Option<i32> {
    if ["Z", "UTC", "GMT"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return Some(0);
    }
    let (sign, figures) = text.split_at_checked(1)?;
    let sign = match sign {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let figures = figures.replacen(':', "", 1);
    let (hours, minutes) = figures.split_at_checked(2).filter(|_| figures.bytes().all(|byte| byte.is_ascii_digit()))?;
    let minutes = if minutes.is_empty() { "00" } else { minutes };
    let number = |text: &str| text.parse::<i32>().ok();
    (minutes.len() == 2).then_some(sign * (number(hours)? * 60 + number(minutes)?))
}

fn json_date(text: &str) -> Result<Day, NoDate> {
    let (milliseconds, offset) = json_parts(text).ok_or(NoDate::Unknown)?;
    day(milliseconds, offset)
}

fn json_parts(text: &str) -> Option<(i64, i64)> {
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
    Some((milliseconds.parse().ok()?, offset))
}

/// The day of an instant: that of its offset, where it begins or ends one there.
fn day(milliseconds: i64, offset_seconds: i64) -> Result<Day, NoDate> {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let local = offset_seconds.checked_mul(1000).and_then(|offset| milliseconds.checked_add(offset));
    let local = local.ok_or(NoDate::Unknown)?;
    let span = Span::new().try_days(local.div_euclid(DAY)).map_err(|_| NoDate::Unknown)?;
    let date = Date::constant(1970, 1, 1).checked_add(span).map_err(|_| NoDate::Unknown)?;
    let within = local.rem_euclid(DAY);
    if within == 0 || within >= DAY - 60 * 1000 || stands_for_none(date) {
        return Ok(date.into());
    }
    let minutes = i32::try_from((within - offset_seconds * 1000).div_euclid(60 * 1000)).map_err(|_| NoDate::Unknown)?;
    Ok(latest(date, minutes))
}

#[cfg(test)]
mod tests;
