//! Which names a delivery may have, and the date in them: `people_%Y-%m-%d.csv`, `report*.csv`.
//!
//! The date in the name says which file is newer: the time a server keeps for a file moves with every copy.

use jiff::civil::DateTime;

/// Most stars in a pattern.
const MAX_STARS: usize = 4;
/// What clients write under while they upload, without case.
const UNFINISHED: [&str; 5] = [".tmp", ".part", ".filepart", ".incomplete", "~"];
/// What holds the checksum of the file it is named after.
pub(super) const CHECKSUM: &str = ".sha256";

/// A pattern of names, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Token>);

/// A piece of a pattern. Every piece but the star takes a fixed number of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// Exactly this one.
    Char(char),
    /// Any one character.
    One,
    /// Any number of characters.
    Any,
    /// Digits of a date.
    Digits(DateField),
}

/// A part of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DateField {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

impl DateField {
    const ALL: [Self; 6] = [Self::Year, Self::Month, Self::Day, Self::Hour, Self::Minute, Self::Second];

    fn of(letter: char) -> Option<Self> {
        Self::ALL.into_iter().zip("YmdHMS".chars()).find_map(|(part, own)| (own == letter).then_some(part))
    }

    const fn digits(self) -> usize {
        if matches!(self, Self::Year) { 4 } else { 2 }
    }
}

impl Token {
    const fn width(self) -> usize {
        match self {
            Self::Char(_) | Self::One => 1,
            Self::Any => 0,
            Self::Digits(part) => part.digits(),
        }
    }

    fn takes(self, text: &[char]) -> bool {
        match self {
            Self::Char(own) => text == [own],
            Self::One => text.len() == 1,
            Self::Any => true,
            Self::Digits(part) => text.len() == part.digits() && text.iter().all(char::is_ascii_digit),
        }
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// In words, what it cannot be.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            tokens.push(match letter {
                '/' | '\0' => return Err("a name holds no /; the folder is told by directory".to_owned()),
                '*' => Token::Any,
                '?' => Token::One,
                '%' => match letters.next() {
                    Some('%') => Token::Char('%'),
                    Some(letter) => Token::Digits(DateField::of(letter).ok_or_else(|| {
                        format!("%{letter} is not known in a name; there are %Y %m %d %H %M %S and %%")
                    })?),
                    None => return Err("a % stands at the end".to_owned()),
                },
                letter => Token::Char(letter),
            });
        }
        let pattern = Self(tokens);
        pattern.check(text)?;
        Ok(pattern)
    }

    fn check(&self, text: &str) -> Result<(), String> {
        let times = |wanted: Token| self.0.iter().filter(|token| **token == wanted).count();
        if text.is_empty() || ignored(text, None) {
            return Err("names that begin with a dot or end like an unfinished upload are never read".to_owned());
        }
        if times(Token::Any) > MAX_STARS {
            return Err(format!("more than {MAX_STARS} stars"));
        }
        if DateField::ALL.iter().any(|part| times(Token::Digits(*part)) > 1) {
            return Err("a part of the date stands there twice".to_owned());
        }
        let has = |part| times(Token::Digits(part)) == 1;
        let day = [DateField::Year, DateField::Month, DateField::Day].map(has);
        let time = [DateField::Hour, DateField::Minute, DateField::Second].map(has);
        let whole = !day.contains(&false) && time.is_sorted_by(|before, after| before >= after);
        if whole || ![day, time].concat().contains(&true) {
            return Ok(());
        }
        Err("a date needs %Y, %m and %d; a time needs %H, then %M, then %S".to_owned())
    }

    /// Whether names carry a date.
    pub(super) fn dated(&self) -> bool {
        self.0.iter().any(|token| matches!(token, Token::Digits(_)))
    }

    /// Whether a name is one of these, and the date in it.
    pub(super) fn read(&self, name: &str) -> Option<Option<DateTime>> {
        let name: Vec<char> = name.chars().collect();
        let starts = self.fit(&name)?;
        if !self.dated() {
            return Some(None);
        }
        let number = |wanted: DateField| -> Option<i16> {
            let (token, start) = self.0.iter().zip(&starts).find(|(token, _)| **token == Token::Digits(wanted))?;
            name.get(*start..start + token.width())?.iter().collect::<String>().parse().ok()
        };
        let [month, day, hour, minute, second] =
            [DateField::Month, DateField::Day, DateField::Hour, DateField::Minute, DateField::Second]
                .map(|part| number(part).map_or(Some(0), |number| i8::try_from(number).ok()));
        // No such day: no such name.
        DateTime::new(number(DateField::Year)?, month?, day?, hour?, minute?, second?, 0).ok().map(Some)
    }

    /// Where each piece begins, if the whole name is taken. A star takes as little as it can; since every other piece
    /// has a fixed width, only the last star needs to be tried again, so that no name takes long.
    fn fit(&self, name: &[char]) -> Option<Vec<usize>> {
        let mut starts = vec![0; self.0.len()];
        let (mut token, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while token < self.0.len() || at < name.len() {
            let taken = self.0.get(token).and_then(|piece| {
                let end = at + piece.width();
                name.get(at..end).filter(|text| piece.takes(text)).map(|_| (*piece, end))
            });
            if let Some((piece, end)) = taken {
                if let Some(start) = starts.get_mut(token) {
                    *start = at;
                }
                if piece == Token::Any {
                    star = Some((token, at));
                }
                token += 1;
                at = end;
                continue;
            }
            let (star_token, from) = star?;
            if from >= name.len() {
                return None;
            }
            star = Some((star_token, from + 1));
            (token, at) = (star_token + 1, from + 1);
        }
        Some(starts)
    }
}

/// Whether a name is never read: hidden, an unfinished upload, or a word about another file.
pub(super) fn ignored(name: &str, marker: Option<&str>) -> bool {
    let lower = name.to_lowercase();
    name.starts_with('.')
        || UNFINISHED.iter().any(|suffix| lower.ends_with(suffix))
        || lower.ends_with(CHECKSUM)
        || marker.is_some_and(|marker| name.ends_with(marker))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_name_is_taken_whole_and_its_date_read() {
        let day = |day| Some(Some(date(2026, 3, day).at(0, 0, 0, 0)));
        for (pattern, name, read) in [
            ("people.csv", "people.csv", Some(None)),
            ("people.csv", "People.csv", None),
            ("people.csv", "people.csv.old", None),
            ("people*.csv", "people.csv", Some(None)),
            ("people*.csv", "people_final(2).csv", Some(None)),
            ("people*.csv", "people.csv.csv", Some(None)),
            ("people*.csv", "people.csv.pgp", None),
            ("*people*.csv*", "hq-people-1.csv.pgp", Some(None)),
            ("people?.csv", "people1.csv", Some(None)),
            ("people?.csv", "people.csv", None),
            ("people_%Y-%m-%d.csv", "people_2026-03-02.csv", day(2)),
            ("people_%Y-%m-%d.csv", "people_2026-3-2.csv", None),
            ("people_%Y-%m-%d.csv", "people_2026-02-30.csv", None),
            ("people_%Y-%m-%d.csv", "people_2026-13-01.csv", None),
            ("people_%Y-%m-%d.csv", "people_2026-03-02 (1).csv", None),
            ("%d%m%Y_*.csv", "02032026_all.csv", day(2)),
            ("*%Y%m%d.csv", "batch7_20260302.csv", day(2)),
            ("*%Y%m%d*.csv", "export-20260302-17.csv", day(2)),
            ("people_%Y%m%d%H%M.csv", "people_202603021745.csv", Some(Some(date(2026, 3, 2).at(17, 45, 0, 0)))),
            ("people_%Y%m%d%H%M.csv", "people_202603022545.csv", None),
            ("100%%_%Y%m%d.csv", "100%_20260302.csv", day(2)),
            ("Mitarbeiter_ä?.csv", "Mitarbeiter_äö.csv", Some(None)),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().read(name), read, "{pattern} on {name}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_tell_one_file_from_another_is_refused() {
        for (pattern, why) in [
            ("", "begin with a dot"),
            (".people.csv", "begin with a dot"),
            ("people.csv.part", "unfinished upload"),
            ("people.csv~", "unfinished upload"),
            ("people.csv.sha256", "unfinished upload"),
            ("../people.csv", "holds no /"),
            ("in/people.csv", "holds no /"),
            ("people_%Y.csv", "needs %Y, %m and %d"),
            ("people_%m-%d.csv", "needs %Y, %m and %d"),
            ("people_%Y%m%d%M.csv", "then %M"),
            ("people_%Y-%m-%d_%d.csv", "twice"),
            ("people_%y.csv", "%y is not known"),
            ("people_%", "a % stands at the end"),
            ("*a*b*c*d*", "more than 4 stars"),
        ] {
            let found = Pattern::parse(pattern).unwrap_err();
            assert!(found.contains(why), "{pattern}: {found}");
        }
    }

    #[test]
    fn a_hostile_name_takes_no_longer_than_others() {
        let pattern = Pattern::parse("*a*a*a*b").unwrap();
        assert_eq!(pattern.read(&"a".repeat(100_000)), None);
    }

    #[test]
    fn what_is_still_being_uploaded_is_never_read() {
        for name in [
            "people.csv.tmp",
            "people.csv.part",
            "people.csv.FilePart",
            "people.csv.incomplete",
            "people.csv~",
            ".people.csv",
            ".people.csv.Xa81k",
            "people.csv.sha256",
            "people.csv.done",
        ] {
            assert!(ignored(name, Some(".done")), "{name}");
        }
        assert!(!ignored("people.csv", Some(".done")));
        assert!(!ignored("people.csv.done", None), "unless it is a marker, a suffix means nothing");
    }
}
