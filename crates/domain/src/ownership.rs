//! Ownership: whose is this object? An owner annotation, or the subjects of a binding, resolved to people.
//!
//! An object is a leaver's only if it resolves to exactly one person. Nobody, or more than one, holds.
//!
//! Addresses are compared without case, and so are user names that contain one: an HR system writes `Ada@Example.com`
//! where the token says `oidc:ada@example.com`. RBAC compares exactly, so two names that differ by case alone are two
//! users to the API server; if they are two people here, what names either of them is held.

use std::collections::{BTreeMap, BTreeSet};

/// What is needed of a person to know what is theirs. Aliases and records as the Person keeps them.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonFacts {
    /// Name of the Person.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Connection and HR id of every record.
    pub records: Vec<(String, String)>,
    /// `email:<lower-cased address>` and `user:<user name>`: every one ever known.
    pub aliases: Vec<String>,
    /// Whether the person still works here, or cannot be told: everything but terminated.
    pub employed: bool,
}

impl std::fmt::Debug for PersonFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PersonFacts({})", self.name)
    }
}

impl PersonFacts {
    /// Every key that an owner annotation or a subject may name this person by, as keys are compared.
    pub fn keys(&self) -> impl Iterator<Item = String> {
        let records = self.records.iter().map(|(connection, id)| format!("id:{connection}/{id}"));
        records.chain(self.aliases.iter().map(|alias| comparable(alias)))
    }

    /// The user names this person signs in with, as they were computed.
    pub fn usernames(&self) -> impl Iterator<Item = &str> {
        self.aliases.iter().filter_map(|alias| alias.strip_prefix("user:"))
    }

    /// Whether a user name is one of this person's.
    #[must_use]
    pub fn is_user(&self, name: &str) -> bool {
        self.usernames().any(|own| same_user(own, name))
    }
}

/// Who an owner annotation resolves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners<'a> {
    /// Nobody known, or an owner annotation that cannot be read.
    Nobody,
    /// Exactly one person.
    One(&'a PersonFacts),
    /// More than one: holds, for each of them.
    Several,
}

/// Everybody, by everything an owner annotation may say.
#[derive(Debug, Default)]
pub struct Index {
    people: Vec<PersonFacts>,
    /// `id:<connection>/<id>`, `email:<address>`, `user:<name>` to positions in `people`.
    by_key: BTreeMap<String, BTreeSet<usize>>,
}

impl Index {
    /// Indexes everybody.
    #[must_use]
    pub fn new(people: Vec<PersonFacts>) -> Self {
        let mut by_key: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (position, person) in people.iter().enumerate() {
            for key in person.keys() {
                by_key.entry(key).or_default().insert(position);
            }
        }
        Self { people, by_key }
    }

    /// Resolves an owner annotation: `id:hq/7`, `email:ada@example.com` (prefix optional) or `user:oidc:ada@example.com`.
    #[must_use]
    pub fn resolve(&self, owner: &str) -> Owners<'_> {
        key(owner).map_or(Owners::Nobody, |key| self.look_up(&key))
    }

    /// Resolves the user name of a binding's subject.
    #[must_use]
    pub fn user(&self, name: &str) -> Owners<'_> {
        self.look_up(&user_key(name))
    }

    /// Whether an owner annotation resolves to this person, alone or among others.
    #[must_use]
    pub fn mentions(&self, owner: &str, person: &PersonFacts) -> bool {
        key(owner).is_some_and(|key| self.positions(&key).any(|found| found.uid == person.uid))
    }

    /// The person of this name.
    #[must_use]
    pub fn person(&self, name: &str) -> Option<&PersonFacts> {
        self.people.iter().find(|person| person.name == name)
    }

    fn positions(&self, key: &str) -> impl Iterator<Item = &PersonFacts> {
        self.by_key.get(key).into_iter().flatten().filter_map(|position| self.people.get(*position))
    }

    fn look_up(&self, key: &str) -> Owners<'_> {
        let mut found = self.positions(key);
        match (found.next(), found.next()) {
            (None, _) => Owners::Nobody,
            (Some(person), None) => Owners::One(person),
            (Some(_), Some(_)) => Owners::Several,
        }
    }
}

/// An alias, `email:…` or `user:…`, as it is compared: without case where it contains an address.
#[must_use]
pub fn comparable(alias: &str) -> String {
    if alias.contains('@') { alias.to_lowercase() } else { alias.to_owned() }
}

/// The key of a user name.
#[must_use]
pub fn user_key(name: &str) -> String {
    comparable(&format!("user:{name}"))
}

/// Whether two user names are compared as one.
#[must_use]
pub fn same_user(one: &str, other: &str) -> bool {
    one == other || (one.contains('@') && one.to_lowercase() == other.to_lowercase())
}

/// The key an owner annotation stands for, such as `id:hq/7`; `None` if it cannot be read.
#[must_use]
pub fn key(owner: &str) -> Option<String> {
    let owner = owner.trim();
    let (kind, value) = match owner.split_once(':') {
        Some((kind @ ("id" | "email" | "user"), value)) => (kind, value.trim()),
        _ if owner.contains('@') => ("email", owner),
        _ => return None,
    };
    match kind {
        _ if value.is_empty() => None,
        "email" => Some(format!("email:{}", value.to_lowercase())),
        "user" => Some(user_key(value)),
        "id" if !value.contains('/') => None,
        kind => Some(format!("{kind}:{value}")),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A person `p-<id>` of connection `hq`, with an address and a user name of their own.
    pub(crate) fn person(id: &str) -> PersonFacts {
        PersonFacts {
            name: format!("p-{id}"),
            uid: format!("uid-{id}"),
            records: vec![("hq".into(), id.into())],
            aliases: vec![format!("email:{id}@example.com"), format!("user:oidc:{id}@example.com")],
            employed: true,
        }
    }

    #[test]
    fn a_mark_resolves_to_exactly_who_it_names() {
        let mut twin = person("twin");
        twin.aliases.push("email:ada@example.com".into());
        let alone = Index::new(vec![person("ada"), person("ben")]);
        let shared = Index::new(vec![person("ada"), twin]);
        let cases = [
            ("the HR id", &alone, "id:hq/ada", Owners::One(&alone.people[0])),
            ("the address", &alone, "email:ada@example.com", Owners::One(&alone.people[0])),
            ("the address without its prefix", &alone, "Ada@Example.com", Owners::One(&alone.people[0])),
            ("the user name", &alone, "user:oidc:ben@example.com", Owners::One(&alone.people[1])),
            ("the user name in another case", &alone, "user:oidc:Ben@Example.com", Owners::One(&alone.people[1])),
            ("an id of another connection", &alone, "id:other/ada", Owners::Nobody),
            ("an id without a connection", &alone, "id:ada", Owners::Nobody),
            ("nothing", &alone, "", Owners::Nobody),
            ("a word", &alone, "ada", Owners::Nobody),
            ("an address two people had", &shared, "ada@example.com", Owners::Several),
        ];
        for (what, index, owner, expected) in cases {
            assert_eq!(index.resolve(owner), expected, "{what}: {owner}");
        }
    }

    #[test]
    fn a_user_name_that_contains_an_address_is_compared_without_case_and_any_other_exactly() {
        let named = |id: &str, name: &str| PersonFacts { aliases: vec![format!("user:{name}")], ..person(id) };
        let ada = Index::new(vec![named("ada", "oidc:Ada.Example@Example.com"), named("ben", "Ben")]);
        let variants = Index::new(vec![named("ada", "oidc:Ada@example.com"), named("eve", "oidc:ada@example.com")]);
        let cases = [
            ("as the token says it", &ada, "oidc:ada.example@example.com", Owners::One(&ada.people[0])),
            ("as HR writes it", &ada, "oidc:Ada.Example@Example.com", Owners::One(&ada.people[0])),
            ("no address", &ada, "Ben", Owners::One(&ada.people[1])),
            ("no address, another case", &ada, "ben", Owners::Nobody),
            ("two people who differ by case alone", &variants, "oidc:ada@example.com", Owners::Several),
            ("either way", &variants, "oidc:Ada@example.com", Owners::Several),
        ];
        for (what, index, name, expected) in cases {
            assert_eq!(index.user(name), expected, "{what}: {name}");
        }
        assert!(ada.people[0].is_user("oidc:ada.example@example.com"));
        assert!(!ada.people[1].is_user("ben"));
    }
}
