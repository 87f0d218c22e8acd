//! What a person at a terminal is shown and asked.

#![cfg_attr(not(feature = "plugin"), allow(dead_code, reason = "the image has fewer commands"))]

use std::fmt::Display;
use std::io::{BufRead, IsTerminal, Write, stderr, stdin, stdout};

use comfy_table::Table;
use comfy_table::presets::NOTHING;

use super::Failure;

/// Longest reason for a stop or a rejection, in characters.
const MAX_REASON_LEN: usize = 256;

/// Shows one line. Nobody reading it any more, as after `| head`, is no reason to leave the work half done.
pub fn say(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}

/// A number with its noun: `1 record`, `2 records`.
pub fn many<N: Display + PartialEq + From<u8>>(number: N, one: &str, more: &str) -> String {
    let noun = if number == N::from(1) { one } else { more };
    format!("{number} {noun}")
}

/// Asks; anything but `yes` is no.
///
/// # Errors
/// When the answer is no, or nobody can be asked.
pub fn confirm(question: &str) -> Result<(), Failure> {
    if !stdin().is_terminal() {
        return Err(Failure::Refused("nobody can be asked, since the input is no terminal: say --yes".to_owned()));
    }
    let mut answer = String::new();
    let asked = write!(stderr(), "{question} Type yes: ").and_then(|()| stdin().lock().read_line(&mut answer));
    match asked {
        Ok(_) if answer.trim() == "yes" => Ok(()),
        _ => Err(Failure::Refused("nothing was done".to_owned())),
    }
}

/// A reason that says something, for `--reason`.
///
/// # Errors
/// When it is empty or too long.
pub fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err("the reason is empty".to_owned()),
        length if length > MAX_REASON_LEN => Err(format!("at most {MAX_REASON_LEN} characters")),
        _ => Ok(text.to_owned()),
    }
}

/// Rows under a header, in aligned columns. What a cluster's user chose is shown without its control characters, so
/// that no object's name can paint over the plan that is to be approved.
pub fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    columns(header.map(str::to_owned).to_vec(), rows.into_iter().map(|row| row.to_vec()))
}

/// The same, where the columns are not known beforehand.
pub fn columns(header: Vec<String>, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header);
    for row in rows {
        table.add_row(row.iter().map(|cell| plain(cell)).collect::<Vec<_>>());
    }
    table.trim_fmt()
}

/// The text with every character spelled out that is not seen, or that changes how others are seen.
pub fn plain(text: &str) -> String {
    text.chars().flat_map(|c| if unseen(c) { c.escape_default().collect() } else { vec![c] }).collect()
}

/// A cell of a CSV file. A spreadsheet takes some for a formula: an apostrophe before it makes it a text.
pub fn harmless(cell: &str) -> String {
    let cell = plain(cell);
    if cell.starts_with(['=', '+', '-', '@']) { format!("'{cell}") } else { cell }
}

/// Control characters, and those of Unicode that turn the direction of writing or take no room.
fn unseen(c: char) -> bool {
    let format = ['\u{200b}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{2060}'..='\u{2069}', '\u{feff}'..='\u{feff}'];
    c.is_control() || format.iter().any(|range| range.contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_spelled_out() {
        assert_eq!(plain("team-a/\u{1b}[2Knothing\r\n"), r"team-a/\u{1b}[2Knothing\r\n");
        assert_eq!(plain("ab\u{202e}dc"), r"ab\u{202e}dc");
        assert_eq!(plain("Zoë"), "Zoë");
    }

    #[test]
    fn a_number_has_the_noun_that_goes_with_it() {
        let counted = [0_u64, 1, 2].map(|number| many(number, "record", "records"));
        assert_eq!(counted, ["0 records", "1 record", "2 records"]);
    }

    #[test]
    fn columns_are_aligned_without_trailing_blanks() {
        let text = table(["A", "LONG"], [["one".into(), "x".into()], ["a".into(), String::new()]]);
        assert_eq!(text, " A    LONG\n one  x\n a");
    }

    #[test]
    fn a_reason_says_something() {
        assert_eq!(reason(" HR is being moved "), Ok("HR is being moved".to_owned()));
        for text in ["", "  ", &"x".repeat(257)] {
            assert!(reason(text).is_err(), "{text:?}");
        }
    }
}
