//! Words of somebody else in a message: in quotation marks, in one line, and readable.

/// A text in quotation marks, with signs that would leave the line or the marks written out.
///
/// `Debug` is for programmers and may change with the compiler: messages, statuses and events are written with this.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for sign in text.chars() {
        match sign {
            '"' | '\\' => quoted.extend(['\\', sign]),
            sign if sign.is_control() => quoted.extend(sign.escape_default()),
            sign => quoted.push(sign),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_stays_in_its_line_and_in_its_marks_and_is_otherwise_as_it_was_written() {
        for (text, expected) in [
            ("en arrêt", r#""en arrêt""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("a\nb\u{1b}[2K", r#""a\nb\u{1b}[2K""#),
            ("", r#""""#),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
