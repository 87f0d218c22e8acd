//! A form of dates such as `%d/%m/%Y`, and how a text is held against it.
//!
//! Stricter than strptime: a year of `%Y` has four digits and one of `%y` two, so that neither a year of two digits nor
//! a cell that lost its end is another date.

use jiff::civil::Date;

/// A form of dates, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    text: String,
    parts: Vec<Part>,
    order: Vec<Unit>,
}

/// What the numbers of a date are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Year,
    Month,
    Day,
}

/// One piece of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// A year of four digits.
    Year,
    /// A year of two digits.
    ShortYear,
    /// A month or day of two digits; of one or two, where it may.
    Number(Unit, bool),
    /// The English name of a month, whole or of three letters.
    Name,
    /// An hour: one or two digits.
    Hour,
    /// A minute or second: two digits.
    Sixty,
    /// `AM` or `PM`.
    Half,
    /// The name of a day of the week, in any language.
    Weekday,
    /// Any number of blanks.
    Blank,
    /// This character.
    Literal(char),
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The numbers of a text that looks like the form, whether or not there is such a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) year: i16,
    pub(super) month: i8,
    pub(super) day: i8,
}

impl Numbers {
    pub(super) fn date(self) -> Option<Date> {
        Date::new(self.year, self.month, self.day).ok()
    }

    /// The same with day and month exchanged.
    pub(super) const fn exchanged(self) -> Self {
        Self { month: self.day, day: self.month, ..self }
    }
}

impl Layout {
    /// Takes a form apart.
    ///
    /// # Errors
    /// In words, when it cannot be followed.
    pub(super) fn parse(form: &str) -> Result<Self, String> {
        let known = "%Y, %y, %m, %d, %e, %b, %B, %H, %I, %M, %S, %p, %a, %A, %F, %D, %T and %R";
        let unknown = || format!("{} is not a form of dates: known are {known}", domain::quote::quoted(form));
        let (mut parts, mut letters) = (Vec::new(), form.chars());
        while let Some(letter) = letters.next() {
            if letter.is_whitespace() {
                parts.push(Part::Blank);
                continue;
            }
            if letter != '%' {
                parts.push(Part::Literal(letter));
                continue;
            }
            let mut word = letters.next().ok_or_else(unknown)?;
            let short = matches!(word, '-' | '_');
            if short {
                word = letters.next().ok_or_else(unknown)?;
            }
            let date = |year, between| {
                let number = |unit| Part::Number(unit, false);
                [year, Part::Literal(between), number(Unit::Month), Part::Literal(between), number(Unit::Day)]
            };
            match word {
                'Y' => parts.push(Part::Year),
                'y' => parts.push(Part::ShortYear),
                'm' => parts.push(Part::Number(Unit::Month, short)),
                'd' => parts.push(Part::Number(Unit::Day, short)),
                'e' => parts.extend([Part::Blank, Part::Number(Unit::Day, true)]),
                'b' | 'B' | 'h' => parts.push(Part::Name),
                'H' | 'I' | 'k' | 'l' => parts.push(Part::Hour),
                'M' | 'S' => parts.push(Part::Sixty),
                'p' | 'P' => parts.push(Part::Half),
                'a' | 'A' => parts.push(Part::Weekday),
                'n' | 't' => parts.push(Part::Blank),
                '%' => parts.push(Part::Literal('%')),
                'F' => parts.extend(date(Part::Year, '-')),
                'D' => parts.extend([
                    Part::Number(Unit::Month, false),
                    Part::Literal('/'),
                    Part::Number(Unit::Day, false),
                    Part::Literal('/'),
                    Part::ShortYear,
                ]),
                'R' => parts.extend([Part::Hour, Part::Literal(':'), Part::Sixty]),
                'T' => parts.extend([Part::Hour, Part::Literal(':'), Part::Sixty, Part::Literal(':'), Part::Sixty]),
                _ => return Err(unknown()),
            }
        }
        let unit = |part: &Part| match part {
            Part::Year | Part::ShortYear => Some(Unit::Year),
            Part::Number(unit, _) => Some(*unit),
            Part::Name => Some(Unit::Month),
            _ => None,
        };
        let order: Vec<Unit> = parts.iter().filter_map(unit).collect();
        let once = |unit: Unit| order.iter().filter(|other| **other == unit).count() == 1;
        if !(once(Unit::Year) && once(Unit::Month) && once(Unit::Day)) {
            return Err(format!("{} does not say day, month and year, each once", domain::quote::quoted(form)));
        }
        let mut layout = Self { text: form.to_owned(), parts, order };
        layout.loosen();
        Ok(layout)
    }

    /// Lets days and months have one digit, as spreadsheets write them: only where the year does not stand first, no
    /// other number follows at once, and it is not the end of the form, which a file that was cut off would shorten.
    fn loosen(&mut self) {
        let year_first = self.order.first() == Some(&Unit::Year);
        let closed: Vec<bool> = (1..=self.parts.len())
            .map(|next| {
                self.parts.get(next).is_some_and(|part| matches!(part, Part::Literal(_) | Part::Blank | Part::Name))
            })
            .collect();
        for (part, closed) in self.parts.iter_mut().zip(closed) {
            if let Part::Number(_, short) = part {
                *short |= !year_first && closed;
            }
        }
    }

    /// The form as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The form with day and month exchanged, to be shown.
    pub(super) fn exchanged(&self) -> String {
        let mut other = String::with_capacity(self.text.len());
        let mut letters = self.text.chars();
        while let Some(letter) = letters.next() {
            other.push(letter);
            if letter == '%' {
                other.extend(letters.next().map(|word| match word {
                    'd' => 'm',
                    'm' => 'd',
                    word => word,
                }));
            }
        }
        other
    }

    /// In which order year, month and day stand.
    pub(super) fn order(&self) -> &[Unit] {
        &self.order
    }

    /// Whether the month is a number, which can be taken for a day.
    pub(super) fn by_numbers(&self) -> bool {
        !self.parts.contains(&Part::Name)
    }

    /// Holds a text against the form: its numbers, and what stands behind them.
    pub(super) fn read<'t>(&self, text: &'t str) -> Option<(Numbers, &'t str)> {
        let (mut rest, mut numbers) = (text, Numbers::default());
        for part in &self.parts {
            match part {
                Part::Year => numbers.year = i16::try_from(digits(&mut rest, 4, 4)?).ok()?,
                Part::ShortYear => numbers.year = long_year(digits(&mut rest, 2, 2)?)?,
                Part::Number(unit, short) => {
                    let number = i8::try_from(digits(&mut rest, if *short { 1 } else { 2 }, 2)?).ok()?;
                    if *unit == Unit::Day { numbers.day = number } else { numbers.month = number }
                }
                Part::Name => numbers.month = month(&mut rest)?,
                Part::Hour => drop_digits(&mut rest, 1, 2)?,
                Part::Sixty => drop_digits(&mut rest, 2, 2)?,
                Part::Half => rest = half(rest)?,
                Part::Weekday => {
                    let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
                    rest = rest.get(end..).filter(|_| end > 0)?;
                }
                Part::Blank => rest = rest.trim_start(),
                Part::Literal(letter) => rest = rest.strip_prefix(*letter)?,
            }
        }
        Some((numbers, rest))
    }
}

/// Takes between `least` and `most` digits off a text; no further digit may follow.
pub(super) fn digits(rest: &mut &str, least: usize, most: usize) -> Option<u32> {
    let end = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (number, behind) = rest.split_at_checked(end).filter(|_| end >= least)?;
    *rest = behind;
    number.parse().ok()
}

fn drop_digits(rest: &mut &str, least: usize, most: usize) -> Option<()> {
    digits(rest, least, most).map(|_| ())
}

/// `AM` or `PM`, in any case, with or without points.
pub(super) fn half(rest: &str) -> Option<&str> {
    ["AM", "PM", "A.M.", "P.M."].iter().find_map(|word| {
        let (start, behind) = rest.split_at_checked(word.len())?;
        start.eq_ignore_ascii_case(word).then_some(behind)
    })
}

/// As POSIX has it: 69 to 99 are of the last century.
fn long_year(short: u32) -> Option<i16> {
    i16::try_from(if short < 69 { 2000 + short } else { 1900 + short }).ok()
}

/// Takes the name of a month off a text.
fn month(rest: &mut &str) -> Option<i8> {
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (word, behind) = rest.split_at_checked(end)?;
    let word = word.to_ascii_lowercase();
    let known =
        |month: &str| month == word || month.get(..3) == Some(&word) || (word == "sept" && month == "september");
    let at = MONTHS.iter().position(|month| known(month))?;
    *rest = behind;
    i8::try_from(at + 1).ok()
}
