//! The list of frozen user names, and who holds each. The admission policy looks a name up in it: compared whole, as it is.

use std::collections::{BTreeMap, BTreeSet};

/// Most bytes of the whole list: well below what the API server stores in one object.
pub const MAX_BYTES: usize = 512 * 1024;
/// Most names, as the schema takes.
pub const MAX_NAMES: usize = 16_384;
/// Longest name, in characters: what the schema of a Revocation takes.
const MAX_NAME_LEN: usize = 512;
/// Longest text of holders: what the schema takes.
const MAX_HOLDERS: usize = 4096;

/// The frozen user names, by the Revocation that holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrozenNames {
    holders: BTreeMap<String, BTreeSet<String>>,
}

/// The list has no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the list of frozen user names is full")]
pub struct Full;

/// Whether a name can be on the list.
#[must_use]
pub fn fits(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= MAX_NAME_LEN && !name.chars().any(char::is_control)
}

impl FrozenNames {
    /// Reads the list: each name, with its holders. One that is not there is empty.
    #[must_use]
    pub fn read(names: Option<&BTreeMap<String, String>>) -> Self {
        let mut list = Self::default();
        for (name, holders) in names.into_iter().flatten() {
            for holder in holders.split(' ').filter(|holder| !holder.is_empty()) {
                list.holders.entry(holder.to_owned()).or_default().insert(name.clone());
            }
        }
        list
    }

    /// As it is kept: each name, with its holders.
    ///
    /// # Errors
    /// It would be too long.
    pub fn written(&self) -> Result<BTreeMap<String, String>, Full> {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for (holder, held) in &self.holders {
            for name in held {
                let holders = names.entry(name.clone()).or_default();
                if !holders.is_empty() {
                    holders.push(' ');
                }
                holders.push_str(holder);
            }
        }
        let bytes: usize = names.iter().map(|(name, holders)| name.len() + holders.len()).sum();
        let longest = names.values().map(String::len).max().unwrap_or_default();
        if bytes > MAX_BYTES || names.len() > MAX_NAMES || longest > MAX_HOLDERS { Err(Full) } else { Ok(names) }
    }

    /// These names, and no others, are held by a Revocation now; none lifts what it held.
    pub fn hold(&mut self, revocation: &str, names: BTreeSet<String>) {
        if names.is_empty() {
            self.holders.remove(revocation);
        } else {
            self.holders.insert(revocation.to_owned(), names);
        }
    }

    /// What a Revocation holds.
    pub fn of(&self, revocation: &str) -> impl Iterator<Item = &str> {
        self.holders.get(revocation).into_iter().flatten().map(String::as_str)
    }

    /// The Revocations that hold anything.
    pub fn holders(&self) -> impl Iterator<Item = &str> {
        self.holders.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> BTreeSet<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_one_lifts_stays_as_long_as_another_holds_it() {
        let mut list = FrozenNames::default();
        list.hold("p-7-a-freeze", names(&["oidc:ada@example.com", "ada"]));
        list.hold("p-8-b-freeze", names(&["ada", "ben"]));
        assert_eq!(list.written().unwrap()["ada"], "p-7-a-freeze p-8-b-freeze");
        list.hold("p-7-a-freeze", BTreeSet::new());
        let written = list.written().unwrap();
        assert_eq!(written.keys().collect::<Vec<_>>(), ["ada", "ben"]);
        assert_eq!(FrozenNames::read(Some(&written)), list);
        assert_eq!(list.holders().collect::<Vec<_>>(), ["p-8-b-freeze"]);
        assert_eq!(FrozenNames::read(None), FrozenNames::default());
    }

    #[test]
    fn what_no_user_can_be_called_cannot_be_frozen() {
        for (name, expected) in [
            ("ada", true),
            ("", false),
            ("ada\nben", false),
            ("a b", true),
            (&"a".repeat(512), true),
            (&"a".repeat(513), false),
        ] {
            assert_eq!(fits(name), expected, "{name:?}");
        }
    }

    #[test]
    fn a_list_that_is_full_takes_nothing_more() {
        let mut list = FrozenNames::default();
        list.hold("big", (0..10_000).map(|n| format!("user-{n:020}")).collect());
        assert!(list.written().is_ok());
        list.hold("more", (0..10_000).map(|n| format!("more-{n:020}")).collect());
        assert_eq!(list.written(), Err(Full));
    }
}
