//! A search filter as it is written (RFC 4515), into the bytes that are sent (RFC 4511, section 4.5.1.7).

use super::ber::{OCTETS, SEQUENCE, element, of};

/// Filters within filters.
const DEEPEST: usize = 16;

/// The bytes of a filter.
///
/// # Errors
/// In words, what is wrong with it. Quotes nothing of it.
pub(super) fn encode(text: &str) -> Result<Vec<u8>, String> {
    let mut parser = Parser { rest: text.trim() };
    let filter = parser.filter(0)?;
    if parser.rest.is_empty() { Ok(filter) } else { Err("something stands behind its last parenthesis".to_owned()) }
}

struct Parser<'t> {
    rest: &'t str,
}

impl<'t> Parser<'t> {
    fn take(&mut self, what: char) -> Result<(), String> {
        self.rest = self.rest.strip_prefix(what).ok_or_else(|| format!("a {what} is missing"))?;
        Ok(())
    }

    fn filter(&mut self, depth: usize) -> Result<Vec<u8>, String> {
        if depth > DEEPEST {
            return Err(format!("more than {DEEPEST} filters within one another"));
        }
        self.take('(')?;
        let filter = match self.rest.chars().next() {
            Some('&') => self.list(0xa0, depth)?,
            Some('|') => self.list(0xa1, depth)?,
            Some('!') => {
                self.take('!')?;
                element(0xa2, &self.filter(depth + 1)?)
            }
            _ => self.item()?,
        };
        self.take(')')?;
        Ok(filter)
    }

    fn list(&mut self, tag: u8, depth: usize) -> Result<Vec<u8>, String> {
        self.rest = self.rest.get(1..).unwrap_or_default();
        let mut filters = Vec::new();
        while self.rest.starts_with('(') {
            filters.push(self.filter(depth + 1)?);
        }
        if filters.is_empty() { Err("& and | need a filter".to_owned()) } else { Ok(of(tag, &filters)) }
    }

    fn item(&mut self) -> Result<Vec<u8>, String> {
        let end = self.rest.find(['(', ')']).ok_or("a ) is missing")?;
        let (item, rest) = self.rest.split_at(end);
        self.rest = rest;
        let (left, value) = item.split_once('=').ok_or("an = is missing")?;
        if let Some(left) = left.strip_suffix(':') {
            return extensible(left, value);
        }
        let compare = |attribute: &str, tag| compared(tag, attribute, value);
        match left.chars().last() {
            Some('~') => compare(left.trim_end_matches('~'), 0xa8),
            Some('>') => compare(left.trim_end_matches('>'), 0xa5),
            Some('<') => compare(left.trim_end_matches('<'), 0xa6),
            _ if value == "*" => Ok(element(0x87, described(left)?)),
            _ if value.contains('*') => substrings(left, value),
            _ => compare(left, 0xa3),
        }
    }
}

fn compared(tag: u8, attribute: &str, value: &str) -> Result<Vec<u8>, String> {
    Ok(of(tag, &[element(OCTETS, described(attribute)?), element(OCTETS, &unescaped(value)?)]))
}

fn substrings(attribute: &str, value: &str) -> Result<Vec<u8>, String> {
    let parts: Vec<&str> = value.split('*').collect();
    let last = parts.len() - 1;
    let mut pieces = Vec::new();
    for (at, part) in parts.iter().enumerate().filter(|(_, part)| !part.is_empty()) {
        let tag = match at {
            0 => 0x80,
            at if at == last => 0x82,
            _ => 0x81,
        };
        pieces.push(element(tag, &unescaped(part)?));
    }
    if pieces.is_empty() {
        return Err("there is nothing between two *".to_owned());
    }
    Ok(of(0xa4, &[element(OCTETS, described(attribute)?), of(SEQUENCE, &pieces)]))
}

/// `attribute:dn:rule:=value`, such as the rules that look at bits.
fn extensible(left: &str, value: &str) -> Result<Vec<u8>, String> {
    let mut words = left.split(':');
    let attribute = words.next().unwrap_or_default();
    let (mut rule, mut dn) = (None, false);
    for word in words {
        match word {
            word if word.eq_ignore_ascii_case("dn") && !dn => dn = true,
            word if rule.is_none() => rule = Some(described(word)?),
            _ => return Err("an extensible match has an attribute, dn and one rule".to_owned()),
        }
    }
    let attribute = if attribute.is_empty() { None } else { Some(described(attribute)?) };
    if rule.is_none() && attribute.is_none() {
        return Err("an extensible match needs an attribute or a rule".to_owned());
    }
    let mut parts: Vec<Vec<u8>> = rule.into_iter().map(|rule| element(0x81, rule)).collect();
    parts.extend(attribute.map(|attribute| element(0x82, attribute)));
    parts.push(element(0x83, &unescaped(value)?));
    parts.extend(dn.then(|| element(0x84, &[0xff])));
    Ok(of(0xa9, &parts))
}

/// A name of an attribute or of a rule, perhaps with options.
fn described(name: &str) -> Result<&[u8], String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';');
    if !name.is_empty() && name.chars().all(plain) {
        Ok(name.as_bytes())
    } else {
        Err("an attribute has letters, digits, hyphens and dots".to_owned())
    }
}

/// A value, whose `\xx` are bytes.
fn unescaped(value: &str) -> Result<Vec<u8>, String> {
    let wrong = || "a backslash stands before two hexadecimal figures".to_owned();
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let mut figure = || rest.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or_else(wrong);
        bytes.push(u8::try_from(figure()? << 4 | figure()?).map_err(|_| wrong())?);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> String {
        data_encoding::HEXLOWER.encode(&encode(text).unwrap_or_else(|why| panic!("{text}: {why}")))
    }

    /// The bytes were written down from RFC 4511 by hand.
    #[test]
    fn a_filter_is_sent_as_the_protocol_has_it() {
        for (text, bytes) in [
            ("(cn=a)", "a3070402636e040161"),
            ("(cn=)", "a3060402636e0400"),
            ("(cn=*)", "8702636e"),
            ("(&(cn=a)(!(sn=b)))", "a014a3070402636e040161a209a3070402736e040162"),
            ("(|(cn>=a)(cn<=b)(cn~=c))", "a11ba5070402636e040161a6070402636e040162a8070402636e040163"),
            ("(cn=a*b*c)", "a40f0402636e3009800161810162820163"),
            ("(cn=*b*)", "a4090402636e3003810162"),
            ("(cn=\\2a\\28)", "a3080402636e04022a28"),
            ("(uac:1.2:=2)", "a90d8103312e328203756163830132"),
            ("(cn:dn:=a)", "a90a8202636e8301618401ff"),
            ("(:dn:2.4:=a)", "a90b8103322e348301618401ff"),
        ] {
            assert_eq!(hex(text), bytes, "{text}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused_and_nothing_of_it_is_quoted() {
        let deep = format!("{}(cn=a){}", "(!".repeat(40), ")".repeat(40));
        for text in [
            "",
            "cn=a",
            "(cn=a",
            "(cn=a))",
            "(cn=a)(cn=b)",
            "(&)",
            "(secret)",
            "(=a)",
            "(c n=a)",
            "(cn=\\2)",
            "(cn=\\zz)",
            "(cn=**)",
            "(cn=a(b)",
            "(:=a)",
            "(cn:dn:1.2:3.4:=a)",
            &deep,
        ] {
            let why = encode(text).unwrap_err();
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
