//! How cells are kept apart: the character between them, and what lets that stand inside a cell.

/// What stands around a cell that holds a separator or a line end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quote {
    /// `"`.
    #[default]
    Double,
    /// `'`, as UKG writes it.
    Single,
}

/// How a quote stands inside a quoted cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escape {
    /// Written twice.
    #[default]
    Doubled,
    /// Behind a backslash, as PlusPlus takes it.
    Backslash,
}

/// What may stand between cells, where nobody says.
const SEPARATORS: [u8; 4] = *b",;\t|";

impl Quote {
    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::Double => b'"',
            Self::Single => b'\'',
        }
    }
}

/// The character between the headers: the one of the four that stands there most often outside quotes. Headers hold no
/// figures, in which a comma could pass for one.
///
/// # Errors
/// In words: two stand there as often.
pub(super) fn sniff(text: &str, quote: Quote, escape: Escape) -> Result<u8, String> {
    let header = text.trim_start_matches(['\r', '\n', ' ']);
    let (mut counts, mut quoted, mut escaped, mut before) = ([0_usize; 4], false, false, b',');
    for byte in header.bytes() {
        if escaped {
            escaped = false;
            continue;
        }
        let last = std::mem::replace(&mut before, byte);
        match byte {
            b'\\' if quoted && escape == Escape::Backslash => escaped = true,
            byte if byte == quote.byte() && quoted => quoted = false, // a doubled one closes and opens
            byte if byte == quote.byte() => quoted = last == byte || SEPARATORS.contains(&last),
            b'\n' | b'\r' if !quoted => break,
            byte if !quoted => {
                let counted = SEPARATORS.iter().zip(&mut counts).find(|(separator, _)| **separator == byte);
                if let Some((_, count)) = counted {
                    *count += 1;
                }
            }
            _ => {}
        }
    }
    let most = counts.iter().max().copied().unwrap_or_default();
    let mut found = SEPARATORS.iter().zip(counts).filter(|(_, count)| *count == most && most > 0);
    match (found.next(), found.next()) {
        (None, _) => Ok(b','), // one column, whatever stands between it and nothing
        (Some((separator, _)), None) => Ok(*separator),
        _ => Err("two characters could stand between its headers; say which in csv.delimiter".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_headers_most_often_is_the_separator() {
        let (double, doubled) = (Quote::Double, Escape::Doubled);
        let both = Err("two characters could stand between its headers; say which in csv.delimiter".to_owned());
        for (situation, text, quote, escape, expected) in [
            ("commas", "a,b,c\n1;2;3;4;5", double, doubled, Ok(b',')),
            ("semicolons, and commas in the lines below", "a;b;c\n1,5;2,5;3,5\n", double, doubled, Ok(b';')),
            ("tabs", "a\tb\tc\n", double, doubled, Ok(b'\t')),
            ("bars", "a|b|c", double, doubled, Ok(b'|')),
            ("commas inside quotes", "\"Last, first, middle\";b\n", double, doubled, Ok(b';')),
            ("a line end inside quotes", "\"Full\nname,x,y\";b;c\n1,2,3,4,5", double, doubled, Ok(b';')),
            ("a doubled quote", "\"a \"\"x,y,z\"\" b\";c\n", double, doubled, Ok(b';')),
            ("a quote behind a backslash", "\"a \\\",,,\";c\n", double, Escape::Backslash, Ok(b';')),
            ("single quotes", "'a,b,c';'d'\n", Quote::Single, doubled, Ok(b';')),
            ("an apostrophe that quotes nothing", "Manager's email;b,c;d\n", double, doubled, Ok(b';')),
            ("one column", "email\n", double, doubled, Ok(b',')),
            ("empty lines first", "\r\n\n a;b", double, doubled, Ok(b';')),
            ("as many of both", "a,b;c\n", double, doubled, both),
            ("nothing", "", double, doubled, Ok(b',')),
        ] {
            assert_eq!(sniff(text, quote, escape), expected, "{situation}");
        }
    }
}
