//! The list of frozen user names: who holds each, and how the API server reads them.
//!
//! The admission policy looks a name up among those of its own length, so that of a long list little is compared for each
//! request. Names are compared whole; none of them can hold the line feed that ends it.

use std::collections::{BTreeMap, BTreeSet};

/// Most bytes of the whole list: well below what the API server stores in one object.
pub const MAX_BYTES: usize = 512 * 1024;
/// Longest name, in characters: what the schema takes.
const MAX_NAME_LEN: usize = 512;
/// Key of who holds which names.
const HOLDERS: &str = "holders.json";

/// The frozen user names, by the Revocation that holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrozenNames {
    holders: BTreeMap<String, BTreeSet<String>>,
}

/// The list has no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the list of frozen user names is full")]
pub struct Full;

/// What stands there is no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no list of frozen user names")]
pub struct NoList;

/// Whether a name can be on the list.
#[must_use]
pub fn fits(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= MAX_NAME_LEN && !name.chars().any(char::is_control)
}

impl FrozenNames {
    /// Reads the list; one that is not there is empty.
    ///
    /// # Errors
    /// It is none.
    pub fn read(data: Option<&BTreeMap<String, String>>) -> Result<Self, NoList> {
        let text = data.and_then(|data| data.get(HOLDERS));
        let holders =
            text.map_or_else(|| Ok(BTreeMap::new()), |text| serde_json::from_str(text).map_err(|_| NoList))?;
        Ok(Self { holders })
    }

    /// As it is kept: the holders, and the names by their length, one a line.
    ///
    /// # Errors
    /// It would be too long.
    pub fn written(&self) -> Result<BTreeMap<String, String>, Full> {
        let mut data: BTreeMap<String, String> = BTreeMap::new();
        for name in self.holders.values().flatten().collect::<BTreeSet<_>>() {
            let of_length = data.entry(key(name)).or_default();
            if !of_length.is_empty() {
                of_length.push('\n');
            }
            of_length.push_str(name);
        }
        data.insert(HOLDERS.to_owned(), serde_json::to_string(&self.holders).map_err(|_| Full)?);
        let bytes: usize = data.iter().map(|(key, text)| key.len() + text.len()).sum();
        if bytes > MAX_BYTES { Err(Full) } else { Ok(data) }
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

    /// Whether what is kept refuses all that is held: nobody took a line out.
    #[must_use]
    pub fn stands_in(&self, data: &BTreeMap<String, String>) -> bool {
        self.written().is_ok_and(|written| written == *data)
    }
}

/// The key of all names of a length, in characters; the admission policy counts them too.
fn key(name: &str) -> String {
    format!("length-{}", name.chars().count())
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
        list.hold("p-7-a-freeze", BTreeSet::new());
        let data = list.written().unwrap();
        assert_eq!((data.get("length-3").map(String::as_str), data.get("length-20")), (Some("ada\nben"), None));
        assert_eq!(FrozenNames::read(Some(&data)), Ok(list.clone()));
        assert_eq!(list.holders().collect::<Vec<_>>(), ["p-8-b-freeze"]);
    }

    #[test]
    fn a_name_is_counted_in_characters_as_the_api_server_counts_it() {
        let mut list = FrozenNames::default();
        list.hold("r", names(&["zoë"]));
        assert_eq!(list.written().unwrap().get("length-3").map(String::as_str), Some("zoë"));
    }

    #[test]
    fn what_cannot_stand_on_a_line_cannot_be_frozen() {
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
    fn a_list_that_is_full_takes_nothing_and_one_that_was_changed_is_seen() {
        let mut list = FrozenNames::default();
        list.hold("r", names(&["ada"]));
        let mut data = list.written().unwrap();
        assert!(list.stands_in(&data));
        data.insert("length-3".into(), String::new());
        assert!(!list.stands_in(&data), "a line is missing");
        assert_eq!(FrozenNames::read(Some(&BTreeMap::from([(HOLDERS.into(), "{".into())]))), Err(NoList));
        list.hold("big", (0..20_000).map(|n| format!("user-{n:020}")).collect());
        assert_eq!(list.written(), Err(Full));
    }
}
