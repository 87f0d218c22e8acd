//! The canonical form of a meaning: what decides, written out one fact a line, so that two specs that mean the same have
//! the same digest.
//!
//! Every fact is written by hand, never by a serializer: a field that a later version adds writes nothing where it stands
//! at its default, and so makes no new baseline. What changes the meaning of a line raises the version.

use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// Hex digits of a digest.
const DIGITS: usize = 32;

/// Facts in the order in which they are written.
#[derive(Clone, Debug)]
pub struct Canonical {
    text: String,
    under: String,
}

impl Canonical {
    /// Begins a form of a kind and version.
    #[must_use]
    pub fn new(kind: &str, version: u32) -> Self {
        Self { text: format!("{kind} {version}\n"), under: String::new() }
    }

    /// Writes a fact.
    pub fn fact(&mut self, name: &str, value: &str) {
        let (under, name, value) = (&self.under, escaped(name), escaped(value));
        let _ = writeln!(self.text, "{under}{name}={value}"); // a String takes all
    }

    /// Writes a fact that there may be.
    pub fn perhaps(&mut self, name: &str, value: Option<&str>) {
        value.into_iter().for_each(|value| self.fact(name, value));
    }

    /// Writes one fact for each of several values, in their order.
    pub fn each<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a str>) {
        values.into_iter().for_each(|value| self.fact(name, value));
    }

    /// Writes the facts about a part, each with its name before it.
    pub fn part(&mut self, name: &str, facts: impl FnOnce(&mut Self)) {
        let outer = self.under.len();
        self.under.push_str(&escaped(name));
        self.under.push('/');
        facts(self);
        self.under.truncate(outer);
    }

    /// All of it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut digest = HEXLOWER.encode(&Sha256::digest(&self.text));
        digest.truncate(DIGITS);
        digest
    }
}

/// A text that cannot be taken for several.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('/', "\\/").replace('=', "\\=")
}

/// A word as all lists of words compare it: without case and surrounding blanks.
#[must_use]
pub fn folded(word: &str) -> String {
    word.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_meanings_have_the_same_form() {
        let form = |facts: &dyn Fn(&mut Canonical)| {
            let mut form = Canonical::new("test", 1);
            facts(&mut form);
            form.text().to_owned()
        };
        let cases = [
            form(&|form| form.fact("a", "b\nc=d")),
            form(&|form| form.each("a", ["b", "c=d"])),
            form(&|form| form.each("a", ["b", "c", "d"])),
            form(&|form| form.part("a", |form| form.fact("b", "c"))),
            form(&|form| form.fact("a/b", "c")),
            form(&|form| form.fact("a", "b/c")),
            form(&|form| form.fact("a=b", "c")),
            form(&|form| form.fact("a", "b=c")),
            form(&|form| form.fact("a", "b\\nc=d")),
        ];
        for (at, one) in cases.iter().enumerate() {
            assert!(!cases.iter().skip(at + 1).any(|other| other == one), "{one}");
        }
        assert_eq!(form(&|form| form.part("a", |form| form.fact("b", "c"))), "test 1\na/b=c\n");
    }

    #[test]
    fn a_fact_that_is_not_there_leaves_no_trace() {
        let plain = Canonical::new("test", 1);
        let mut same = plain.clone();
        same.perhaps("new", None);
        same.part("new", |_| {});
        assert_eq!(same.digest(), plain.digest());
        assert_ne!(Canonical::new("test", 2).digest(), plain.digest());
    }
}
