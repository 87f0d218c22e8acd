//! Whether the quotes of a record are those of an exporter that quotes.
//!
//! One that does not quote writes `"see file` into one row and `3 x 5"` into another, and a reader takes all that lies
//! between for one cell: rows are gone, and the first person gets the status of the last. Nothing of such a file can be
//! believed, whichever column it happened in.

use super::{Escape, Quote};

/// What shows that a record is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Text stands behind a quote that closed.
    Behind,
    /// Further lines inside it have as many cells as the header: this many lines after its first.
    Swallowed(usize),
}

/// Looks at the bytes of one record, as they stand in the file. `separators` is how many the header has.
pub(super) fn sign(raw: &str, separator: u8, (quote, escape): (Quote, Escape), separators: usize) -> Option<Sign> {
    let (quote, raw) = (quote.byte(), raw.trim_matches(['\r', '\n']).as_bytes());
    if !raw.contains(&quote) {
        return None;
    }
    if behind(raw, separator, quote, escape) {
        return Some(Sign::Behind);
    }
    swallowed(raw, separator, separators).map(Sign::Swallowed)
}

/// Where a byte stands.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Start,
    Plain,
    Quoted,
    Closed,
}

fn behind(raw: &[u8], separator: u8, quote: u8, escape: Escape) -> bool {
    let (mut at, mut bytes) = (At::Start, raw.iter().copied().peekable());
    while let Some(byte) = bytes.next() {
        at = match at {
            At::Quoted if byte == b'\\' && escape == Escape::Backslash => {
                bytes.next();
                At::Quoted
            }
            At::Quoted if byte == quote && escape == Escape::Doubled && bytes.peek() == Some(&quote) => {
                bytes.next();
                At::Quoted
            }
            At::Quoted if byte == quote => At::Closed,
            At::Quoted => At::Quoted,
            _ if byte == separator || matches!(byte, b'\r' | b'\n') => At::Start,
            At::Start if byte == quote => At::Quoted,
            At::Closed if matches!(byte, b' ' | b'\t') => At::Closed,
            At::Closed => return true,
            At::Start | At::Plain => At::Plain,
        };
    }
    false
}

/// A record of one exporter may reach over lines, of which one at most has all its separators: the first or the last.
fn swallowed(raw: &[u8], separator: u8, separators: usize) -> Option<usize> {
    let end = if raw.contains(&b'\n') { b'\n' } else { b'\r' };
    let whole = |line: &[u8]| line.iter().filter(|byte| **byte == separator).count() >= separators;
    let last = raw.iter().filter(|byte| **byte == end).count();
    if last == 0 || separators == 0 {
        return None;
    }
    let mut lines = raw.split(|byte| *byte == end).enumerate().filter(|(_, line)| whole(line)).map(|(at, _)| at);
    match (lines.next(), lines.next()) {
        (Some(_), Some(second)) => Some(second),
        (Some(one), None) if one > 0 && one < last => Some(one),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_exporter_that_quotes_would_write_is_seen() {
        let (doubled, backslash) = (Escape::Doubled, Escape::Backslash);
        for (situation, raw, escape, expected) in [
            ("no quotes", "1,Ada,x,employed\n", doubled, None),
            ("quotes around every cell", "\"1\",\"Ada\",\"\",\"employed\"\r\n", doubled, None),
            ("separators and quotes inside", "1,\"Example, Ada \"\"A\"\", X\",x,employed\n", doubled, None),
            ("blanks behind a quote", "1,\"Ada\" ,x,employed\n", doubled, None),
            ("a quote in the middle of a cell", "1,6\" of snow,x,employed\n", doubled, None),
            ("a note of several lines", "1,\"two\nlines, and\n\nmore\",x,employed\n", doubled, None),
            ("the same in the last cell", "1,Ada,x,\"two\nlines, one comma\"\n", doubled, None),
            ("the same in the first cell", "\"1\n2\",Ada,x,employed\n", doubled, None),
            ("a quote behind a backslash", "1,\"Ada \\\"A\\\" X\",x,employed\n", backslash, None),
            ("text behind a quote", "1,\"see file\" of 2024,x,employed\n", doubled, Some(Sign::Behind)),
            ("two quoted texts", "1,\"a\"\"b\" c,x,employed\n", doubled, Some(Sign::Behind)),
            ("adjacent rows", "1,\"see,x,employed\n2,desk 5\",x,left\n", doubled, Some(Sign::Swallowed(1))),
            ("the same, CRLF", "1,\"see,x,employed\r\n2,desk 5\",x,left\r\n", doubled, Some(Sign::Swallowed(1))),
            ("the same, CR", "1,\"see,x,employed\r2,desk 5\",x,left\r", doubled, Some(Sign::Swallowed(1))),
            ("rows between", "1,\"see,x,employed\n2,a,x,b\n3,desk 5\",x,left\n", doubled, Some(Sign::Swallowed(1))),
            ("in the last cell", "1,x,employed,\"see\n2,x,left,desk 5\"\n", doubled, Some(Sign::Swallowed(1))),
            ("in the first cell", "\"see,1,x,employed\ndesk 5\",2,x,left\n", doubled, Some(Sign::Swallowed(1))),
            ("a whole line between halves", "1,\"see\n2,a,x,b\nfile\",x,employed", doubled, Some(Sign::Swallowed(1))),
        ] {
            assert_eq!(sign(raw, b',', (Quote::Double, escape), 3), expected, "{situation}");
        }
        let dutch = "'t Hooft;1;employed\n'Bo';2;left";
        assert_eq!(sign(dutch, b';', (Quote::Single, doubled), 2), Some(Sign::Behind));
        assert_eq!(sign(dutch, b';', (Quote::Double, doubled), 2), None);
    }
}
