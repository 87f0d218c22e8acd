//! Distinguished names (RFC 4514), as they are compared: managers are named by them.

use std::fmt::Write as _;

/// One spelling for all spellings of a name: without case, blanks between its parts, and choices of escaping. None where it cannot be
/// told apart into parts, so that it is nobody's.
pub(super) fn canonical(dn: &str) -> Option<String> {
    let mut name = String::with_capacity(dn.len());
    for (at, part) in split(dn, &[',', ';'])?.into_iter().enumerate() {
        if at > 0 {
            name.push(',');
        }
        let mut pairs = split(part, &['+'])?.into_iter().map(pair).collect::<Option<Vec<_>>>()?;
        pairs.sort();
        name.push_str(&pairs.join("+"));
    }
    Some(name)
}

/// Cuts a text at these letters, unless a backslash stands before them.
fn split<'t>(text: &'t str, at: &[char]) -> Option<Vec<&'t str>> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (place, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            letter if at.contains(&letter) => {
                parts.push(text.get(start..place)?);
                start = place + letter.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text.get(start..)?);
    (!escaped).then_some(parts)
}

fn pair(text: &str) -> Option<String> {
    let (attribute, value) = text.split_once('=')?;
    let attribute = attribute.trim_matches(' ').to_lowercase();
    let value = unescaped(trimmed(value))?;
    if attribute.is_empty() {
        return None;
    }
    let mut pair = attribute + "=";
    let value = value.to_lowercase();
    let last = value.chars().count().saturating_sub(1);
    for (at, letter) in value.chars().enumerate() {
        let outer = letter == ' ' && (at == 0 || at == last);
        match letter {
            letter if outer || ",;+=\\".contains(letter) => write!(pair, "\\{:02x}", u32::from(letter)).ok()?,
            letter => pair.push(letter),
        }
    }
    Some(pair)
}

/// Without the blanks around it; one that is escaped belongs to it.
fn trimmed(value: &str) -> &str {
    let value = value.trim_start_matches(' ');
    let end = value.trim_end_matches(' ');
    if end.ends_with('\\') && end.len() < value.len() { value.get(..=end.len()).unwrap_or(end) } else { end }
}

fn unescaped(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let first = rest.next()?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        match (digit(first), rest.peek().copied().and_then(digit)) {
            (Some(high), Some(low)) => {
                rest.next();
                bytes.push(u8::try_from(high << 4 | low).ok()?);
            }
            _ => bytes.push(first),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_one_spelling_of_a_name_is_its_own(dn in "[aA=,;+\\\\ 20cΣé]{0,24}") {
            if let Some(name) = canonical(&dn) {
                prop_assert_eq!(canonical(&name), Some(name));
            }
        }
    }

    #[test]
    fn spellings_of_one_name_are_one_and_other_names_are_others() {
        for (a, b) in [
            ("cn=Ada Example,ou=People,dc=example,dc=com", "CN=ada example, OU=people , DC=Example,DC=com"),
            ("cn=Example\\, Ada,dc=x", "CN=Example\\2c Ada;dc=x"),
            ("cn=a+uid=7,dc=x", "UID=7 + CN=a,dc=x"),
            ("cn=Zo\\c3\\ab,dc=x", "cn=Zoë,dc=x"),
        ] {
            assert_eq!(canonical(a), canonical(b), "{a}");
            assert!(canonical(a).is_some(), "{a}");
        }
        for (a, b) in [
            ("cn=a\\,dc\\=x", "cn=a,dc=x"),
            ("cn=a\\+uid\\=7,dc=x", "cn=a+uid=7,dc=x"),
            ("cn=a,ou=b,dc=x", "cn=a,dc=x"),
            ("cn=a\\ ,dc=x", "cn=a,dc=x"),
        ] {
            assert_ne!(canonical(a), canonical(b), "{a}");
        }
        for none in ["", "ada", "cn=a\\", "=a", "cn=\\ff,dc=x"] {
            assert_eq!(canonical(none), None, "{none}");
        }
    }
}
