//! From the bytes of a file to text: what its byte order mark says, else UTF-8, else what the connection allows.
//!
//! Nothing is guessed: of a file in a wrong encoding every name is another name.

use std::borrow::Cow;

use encoding_rs::{UTF_16BE, UTF_16LE, WINDOWS_1252};

use domain::employee::Failure;

/// What a file may be written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, or UTF-16 with a byte order mark.
    #[default]
    Unicode,
    /// The same; a file that is not UTF-8 is Windows-1252.
    UnicodeOrWindows1252,
}

/// A file as text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Text<'a> {
    pub(super) text: Cow<'a, str>,
    /// What was noticed on the way, in words.
    pub(super) remark: Option<String>,
}

/// Reads bytes as text.
///
/// # Errors
/// `WrongFormat`, with the line that cannot be read.
pub(super) fn decode(bytes: &[u8], encoding: Encoding) -> Result<Text<'_>, Failure> {
    let text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => return utf8(rest).map(plain).map_err(not_utf8),
        // UTF-32 begins like UTF-16 and would read as text full of NULs.
        [0xff, 0xfe, rest @ ..] if rest.len() % 2 == 0 => {
            UTF_16LE.decode_without_bom_handling_and_without_replacement(rest)
        }
        [0xfe, 0xff, rest @ ..] if rest.len() % 2 == 0 => {
            UTF_16BE.decode_without_bom_handling_and_without_replacement(rest)
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            return Err(Failure::Truncated("it is UTF-16 and has half a character at its end".to_owned()));
        }
        _ => match (utf8(bytes), encoding) {
            (Ok(text), _) => return checked(plain(text)),
            (Err(end), Encoding::Unicode) => return Err(not_utf8(end)),
            // Of a file in UTF-8 that lost half a letter, every other letter would be another one.
            (Err(End::Half), Encoding::UnicodeOrWindows1252) if has_letters(bytes) => return Err(not_utf8(End::Half)),
            (Err(_), Encoding::UnicodeOrWindows1252) => return checked(windows_1252(bytes)),
        },
    };
    let text = text.ok_or_else(|| Failure::WrongFormat("it begins as UTF-16, and is not".to_owned()))?;
    checked(Text { text, remark: None })
}

fn plain(text: &str) -> Text<'_> {
    Text { text: Cow::Borrowed(text), remark: None }
}

/// Where a text ends to be UTF-8.
#[derive(Clone, Copy, Debug)]
enum End {
    /// On this line.
    Line(usize),
    /// In the middle of its last letter.
    Half,
}

fn utf8(bytes: &[u8]) -> Result<&str, End> {
    std::str::from_utf8(bytes).map_err(|error| match error.error_len() {
        None => End::Half,
        Some(_) => End::Line(1 + bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count()),
    })
}

/// Whether a letter of several bytes stands in a text that is UTF-8 but for its end.
fn has_letters(bytes: &[u8]) -> bool {
    let whole = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    bytes.iter().take(whole).any(|byte| !byte.is_ascii())
}

fn not_utf8(end: End) -> Failure {
    match end {
        End::Line(line) => Failure::WrongFormat(format!("line {line} is not UTF-8")),
        End::Half => Failure::Truncated("it is UTF-8 and has half a character at its end".to_owned()),
    }
}

/// Five bytes mean nothing in Windows-1252; WHATWG maps them to control characters, we to the replacement character.
fn windows_1252(bytes: &[u8]) -> Text<'_> {
    const NOTHING: [char; 5] = ['\u{81}', '\u{8d}', '\u{8f}', '\u{90}', '\u{9d}'];
    let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
    let foreign = bytes.iter().filter(|byte| !byte.is_ascii()).count();
    let replaced = text.chars().filter(|letter| NOTHING.contains(letter)).count();
    let text = if replaced == 0 { text } else { Cow::Owned(text.replace(NOTHING, "\u{fffd}")) };
    let remark = format!(
        "encoding: not UTF-8; {foreign} bytes were read as Windows-1252, {replaced} of them mean nothing there and were replaced"
    );
    Text { text, remark: Some(remark) }
}

/// A NUL stands in no file of people; UTF-16 without a byte order mark is full of them.
fn checked(text: Text<'_>) -> Result<Text<'_>, Failure> {
    match text.text.split('\n').position(|line| line.contains('\0')) {
        Some(line) => Err(Failure::WrongFormat(format!(
            "line {} holds a NUL: it is no text, or UTF-16 without a byte order mark",
            line + 1
        ))),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, little: bool) -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
    }

    #[test]
    fn a_file_is_read_in_the_encoding_it_says_or_in_utf_8_or_as_the_connection_allows() {
        use Encoding::{Unicode, UnicodeOrWindows1252};
        let wrong = |words: &str| Err(Failure::WrongFormat(words.to_owned()));
        let remark = |foreign, replaced| {
            Some(format!(
                "encoding: not UTF-8; {foreign} bytes were read as Windows-1252, {replaced} of them mean nothing there and were replaced"
            ))
        };
        let nul = "line 1 holds a NUL: it is no text, or UTF-16 without a byte order mark";
        for (situation, bytes, encoding, expected) in [
            ("UTF-8", "Zoë\n".into(), Unicode, Ok(("Zoë\n", None))),
            ("UTF-8 where Windows-1252 is allowed", "Zoë".into(), UnicodeOrWindows1252, Ok(("Zoë", None))),
            ("UTF-8 with a mark", b"\xef\xbb\xbfZo\xc3\xab".to_vec(), Unicode, Ok(("Zoë", None))),
            ("UTF-16, little", utf16("Zoë 李 🦀", true), Unicode, Ok(("Zoë 李 🦀", None))),
            ("UTF-16, big", utf16("Zoë 李 🦀", false), Unicode, Ok(("Zoë 李 🦀", None))),
            ("nothing", vec![], Unicode, Ok(("", None))),
            ("Windows-1252", b"a\nZo\xeb\n".to_vec(), Unicode, wrong("line 2 is not UTF-8")),
            ("Windows-1252 allowed", b"Zo\xeb \x80".to_vec(), UnicodeOrWindows1252, Ok(("Zoë €", remark(2, 0)))),
            (
                "bytes without a meaning",
                b"\x81Zo\xeb\x9d".to_vec(),
                UnicodeOrWindows1252,
                Ok(("\u{fffd}Zoë\u{fffd}", remark(3, 2))),
            ),
            (
                "a mark of UTF-8 that lies",
                b"\xef\xbb\xbfa\nZo\xeb\n".to_vec(),
                UnicodeOrWindows1252,
                wrong("line 2 is not UTF-8"),
            ),
            (
                "UTF-8, cut",
                b"Zo\xc3".to_vec(),
                Unicode,
                Err(Failure::Truncated("it is UTF-8 and has half a character at its end".into())),
            ),
            (
                "UTF-8, cut, where Windows-1252 is allowed",
                b"Zo\xc3\xab Zo\xc3".to_vec(),
                UnicodeOrWindows1252,
                Err(Failure::Truncated("it is UTF-8 and has half a character at its end".into())),
            ),
            ("Windows-1252 with one letter", b"Zo\xc3".to_vec(), UnicodeOrWindows1252, Ok(("ZoÃ", remark(1, 0)))),
            ("UTF-16 without a mark", b"Z\0o\0".to_vec(), UnicodeOrWindows1252, wrong(nul)),
            ("UTF-16, a half pair", b"\xff\xfe\x00\xd8".to_vec(), Unicode, wrong("it begins as UTF-16, and is not")),
            (
                "UTF-16, cut",
                b"\xff\xfeZ\0o".to_vec(),
                Unicode,
                Err(Failure::Truncated("it is UTF-16 and has half a character at its end".into())),
            ),
            ("UTF-32", b"\xff\xfe\0\0Z\0\0\0".to_vec(), Unicode, wrong(nul)),
            ("no text", b"PK\x03\x04\0\0".to_vec(), Unicode, wrong(nul)),
        ] {
            let found = decode(&bytes, encoding);
            let found = found.map(|text| (text.text.into_owned(), text.remark));
            assert_eq!(found, expected.map(|(text, remark)| (text.to_owned(), remark)), "{situation}");
        }
    }
}
