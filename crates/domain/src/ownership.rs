//! Ownership: whose is this object? An owner annotation, or the subjects of a binding, resolved to people.
//!
//! An object is a leaver's only if everybody it may mean has left. A human may have several HR records, and so several
//! Persons: a contract and the employment after it, two jobs, an id of the HR system of before. Persons with the same
//! current address, or the same sign-in name, are taken for one human here, because ending the access of somebody who
//! works on under another id is the worse mistake. What more than eight share is a mailbox and identifies nobody.
//!
//! Addresses are compared without case, and so are user names that contain one: an HR system writes `Ada@Example.com`
//! where the token says `oidc:ada@example.com`. RBAC compares exactly, so two names that differ by case alone are two
//! users to the API server; if they are two people here, what names either of them is held.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

/// Most Persons that an address or a user name makes one human of.
pub const MAX_RECORDS: usize = 8;

/// What is needed of a person to know what is theirs. Aliases and records as the Person keeps them.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonFacts {
    /// Name of the Person.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Connection and HR id of every record, under each name that the connection may be called by.
    pub records: Vec<(String, String)>,
    /// `email:<lower-cased address>` and `user:<user name>`: every one ever known.
    pub aliases: Vec<String>,
    /// Those of `aliases` that a human said are not this one's, and HR reports still.
    pub disputed: Box<[String]>,
    /// Records, as `records` has them, that a human said are not this one's.
    pub apart: Vec<(String, String)>,
    /// The current work address, where there is one.
    pub address: Option<String>,
    /// When the present termination was seen; none while the person works here, it cannot be told, somebody put a hold on
    /// them, or has yet to approve it.
    pub left: Option<Timestamp>,
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

    /// The keys by which another record is taken for one of the same human: the current address, and names to sign in
    /// with. An address of before may be a colleague's by now. Where HR has none any more, every one that it had counts:
    /// mailboxes are deleted, or move to the next record, before somebody leaves.
    pub fn human_keys(&self) -> impl Iterator<Item = String> {
        let current = self.address.as_ref().map(|address| email_key(address.trim()));
        let known = self.aliases.iter().filter(move |alias| match alias.starts_with("email:") {
            true => self.address.is_none(),
            false => !alias.contains('@'),
        });
        current.into_iter().chain(known.map(|alias| comparable(alias)))
    }

    /// Whether a human said that this key is not theirs, while HR says that it is.
    fn disputes(&self, key: &str) -> bool {
        self.disputed.iter().any(|alias| comparable(alias) == key)
    }

    /// Whether a human said that this user name is not theirs, while HR says that it is.
    #[must_use]
    pub fn disputes_user(&self, name: &str) -> bool {
        self.disputes(&user_key(name))
    }

    /// Whether a human said that these two are not one.
    fn apart_from(&self, other: &Self) -> bool {
        let says = |one: &Self, other: &Self| one.apart.iter().any(|record| other.records.contains(record));
        says(self, other) || says(other, self)
    }

    /// The user names this person signs in with, as they were computed.
    pub fn usernames(&self) -> impl Iterator<Item = &str> {
        self.aliases.iter().filter_map(|alias| alias.strip_prefix("user:"))
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

/// What an owner annotation, or the user name of a subject, is to one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Somebody else's, or nobody's.
    NotTheirs,
    /// It names several people, and another one of them works here, or it cannot be told; or a human said that it is not theirs,
    /// and HR that it is.
    Ambiguous,
    /// It names this human, and another HR record of theirs works here, or it cannot be told.
    WorksHere,
    /// Theirs: everybody it may mean has left, or is this person.
    Theirs,
}

/// Everybody, by everything an owner annotation may say.
#[derive(Debug, Default)]
pub struct Index {
    people: Vec<PersonFacts>,
    /// `id:<connection>/<id>`, `email:<address>`, `user:<name>` to positions in `people`.
    by_key: BTreeMap<String, BTreeSet<usize>>,
    /// For each position, the first position of the same human.
    humans: Vec<usize>,
    /// By that first position, all positions of a human with several records.
    members: BTreeMap<usize, BTreeSet<usize>>,
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
        let (humans, members) = humans(&people);
        Self { people, by_key, humans, members }
    }

    /// Resolves an owner annotation: `id:hq/7`, `id:rollcall:hq/7`, `email:ada@example.com` (prefix optional) or `user:oidc:ada@example.com`.
    #[must_use]
    pub fn resolve(&self, owner: &str) -> Owners<'_> {
        key(owner).map_or(Owners::Nobody, |key| self.look_up(&key))
    }

    /// Resolves the user name of a binding's subject.
    #[must_use]
    pub fn user(&self, name: &str) -> Owners<'_> {
        self.look_up(&user_key(name))
    }

    /// Everybody whom an owner annotation may mean.
    pub fn named_by_owner(&self, owner: &str) -> impl Iterator<Item = &PersonFacts> {
        key(owner).into_iter().flat_map(|key| self.positions(&key).collect::<Vec<_>>())
    }

    /// Everybody whom the user name of a binding's subject may mean.
    pub fn named_by_user(&self, name: &str) -> impl Iterator<Item = &PersonFacts> {
        self.positions(&user_key(name)).collect::<Vec<_>>().into_iter()
    }

    /// What an owner annotation is to this person.
    #[must_use]
    pub fn claim(&self, owner: &str, person: &PersonFacts) -> Claim {
        key(owner).map_or(Claim::NotTheirs, |key| self.claim_of(&key, person))
    }

    /// What the user name of a binding's subject is to this person.
    #[must_use]
    pub fn user_claim(&self, name: &str, person: &PersonFacts) -> Claim {
        self.claim_of(&user_key(name), person)
    }

    /// Every record of this person's human, their own included; none of somebody who is not known.
    pub fn records(&self, person: &PersonFacts) -> impl Iterator<Item = &PersonFacts> {
        self.human_of(person).into_iter().flat_map(|human| self.members(human))
    }

    fn members(&self, human: usize) -> impl Iterator<Item = &PersonFacts> {
        let several = self.members.get(&human);
        let alone = several.is_none().then_some(human);
        several.into_iter().flatten().copied().chain(alone).filter_map(|position| self.people.get(position))
    }

    fn claim_of(&self, key: &str, person: &PersonFacts) -> Claim {
        let Some(named) = self.by_key.get(key) else { return Claim::NotTheirs };
        let humans: BTreeSet<usize> = named.iter().filter_map(|position| self.humans.get(*position).copied()).collect();
        let human = self.human_of(person);
        if !human.is_some_and(|human| humans.contains(&human)) {
            return Claim::NotTheirs;
        }
        let works_here = |other: &PersonFacts| other.uid != person.uid && other.left.is_none();
        match humans.iter().flat_map(|human| self.members(*human)).any(works_here) {
            true if humans.len() > 1 => Claim::Ambiguous,
            true => Claim::WorksHere,
            false if person.disputes(key) => Claim::Ambiguous,
            false => Claim::Theirs,
        }
    }

    /// The first position of this person's human.
    fn human_of(&self, person: &PersonFacts) -> Option<usize> {
        let own = |position: &&usize| self.people.get(**position).is_some_and(|found| found.uid == person.uid);
        let position = person.keys().find_map(|key| self.by_key.get(&key)?.iter().find(own).copied())?;
        self.humans.get(position).copied()
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

/// For each person the first one of the same human, directly or through others; and by that first one all of a human with
/// several records.
fn humans(people: &[PersonFacts]) -> (Vec<usize>, BTreeMap<usize, BTreeSet<usize>>) {
    let mut by_key: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (position, person) in people.iter().enumerate() {
        for key in person.human_keys() {
            by_key.entry(key).or_default().insert(position);
        }
    }
    let mut humans: Vec<usize> = (0..people.len()).collect();
    let mut members: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for sharing in by_key.into_values().filter(|sharing| (2..=MAX_RECORDS).contains(&sharing.len())) {
        let told_apart = |(one, other): (usize, usize)| {
            people.get(one).zip(people.get(other)).is_some_and(|(one, other)| one.apart_from(other))
        };
        for pair in pairs(sharing.iter().copied()).filter(|pair| !told_apart(*pair)) {
            join(pair, &mut humans, &mut members);
        }
    }
    (humans, members)
}

/// Every two of them, in their order.
pub(crate) fn pairs(all: impl Iterator<Item = usize> + Clone) -> impl Iterator<Item = (usize, usize)> {
    all.clone().enumerate().flat_map(move |(n, one)| all.clone().skip(n + 1).map(move |other| (one, other)))
}

/// Makes one human of two, with all that either is one with already.
fn join((one, other): (usize, usize), humans: &mut [usize], members: &mut BTreeMap<usize, BTreeSet<usize>>) {
    let human = |position: usize, humans: &[usize]| humans.get(position).copied().unwrap_or(position);
    let (one, other) = (human(one, humans), human(other, humans));
    if one == other {
        return;
    }
    let mut all = BTreeSet::new();
    for human in [one, other] {
        all.extend(members.remove(&human).unwrap_or_else(|| BTreeSet::from([human])));
    }
    let first = all.first().copied().unwrap_or_default();
    for position in &all {
        humans.get_mut(*position).into_iter().for_each(|human| *human = first);
    }
    members.insert(first, all);
}

/// An alias, `email:…` or `user:…`, as it is compared: without case where it contains an address.
#[must_use]
pub fn comparable(alias: &str) -> String {
    if alias.contains('@') { alias.to_lowercase() } else { alias.to_owned() }
}

/// The key of an address.
#[must_use]
pub fn email_key(address: &str) -> String {
    if !address.is_ascii() {
        return format!("email:{}", address.to_lowercase());
    }
    let mut key = ["email:", address].concat();
    key.make_ascii_lowercase();
    key
}

/// The key of a user name.
#[must_use]
pub fn user_key(name: &str) -> String {
    comparable(&format!("user:{name}"))
}

/// A connection by the one name that no other installation's connection has: `rollcall:hq`, with the namespace of the people.
#[must_use]
pub fn connection_of(namespace: &str, connection: &str) -> String {
    format!("{namespace}:{connection}")
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
        "email" => Some(email_key(value)),
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
            disputed: Box::default(),
            apart: Vec::new(),
            address: Some(format!("{id}@example.com")),
            left: None,
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
    }

    #[test]
    fn what_a_human_said_is_not_theirs_is_not_ended_with_them_while_hr_says_that_it_is() {
        let left = |mut person: PersonFacts, disputed: &[&str]| {
            person.left = Some(Timestamp::UNIX_EPOCH);
            person.aliases.extend(disputed.iter().map(|alias| (*alias).to_owned()));
            person.disputed = disputed.iter().map(|alias| (*alias).to_owned()).collect();
            person
        };
        let ada = left(person("ada"), &["email:ben@example.com", "user:oidc:Ben@example.com"]);
        let alone = Index::new(vec![ada.clone()]);
        assert_eq!(alone.claim("Ben@example.com", &ada), Claim::Ambiguous);
        assert_eq!(alone.user_claim("oidc:ben@example.com", &ada), Claim::Ambiguous);
        assert_eq!(alone.claim("ada@example.com", &ada), Claim::Theirs);
        let ben = left(person("ben"), &[]);
        let both = Index::new(vec![ada, ben.clone()]);
        assert_eq!(both.claim("ben@example.com", &ben), Claim::Theirs, "whose it is may leave");
    }

    #[test]
    fn what_one_record_owns_is_held_while_another_of_the_same_human_works_here() {
        let left = |mut person: PersonFacts| {
            person.left = Some(Timestamp::UNIX_EPOCH);
            person
        };
        let at = |id: &str, address: Option<&str>| PersonFacts {
            address: address.map(str::to_owned),
            aliases: address.map(|address| format!("email:{}", address.to_lowercase())).into_iter().collect(),
            ..person(id)
        };
        let with = |id: &str, address: Option<&str>, more: &str| {
            let mut person = at(id, address);
            person.aliases.push(more.to_owned());
            person
        };
        let ada = || left(at("ada", Some("ada@example.com")));
        let shop = |people: usize| (0..people).map(|n| at(&format!("s{n}"), Some("shop@example.com"))).collect();
        let cases: Vec<(&str, Vec<PersonFacts>, &str, Claim)> = vec![
            ("one record", vec![], "id:hq/ada", Claim::Theirs),
            (
                "the next record has the address",
                vec![at("new", Some("Ada@example.com"))],
                "id:hq/ada",
                Claim::WorksHere,
            ),
            ("and has ended too", vec![left(at("new", Some("ada@example.com")))], "id:hq/ada", Claim::Theirs),
            ("by the address of both", vec![at("new", Some("ada@example.com"))], "ada@example.com", Claim::WorksHere),
            ("both ended", vec![left(at("new", Some("ada@example.com")))], "ada@example.com", Claim::Theirs),
            (
                "by the other id, which has ended",
                vec![left(at("new", Some("ada@example.com")))],
                "id:hq/new",
                Claim::Theirs,
            ),
            ("another address", vec![at("new", Some("a.example@example.com"))], "id:hq/ada", Claim::Theirs),
            (
                "an address of before that ada had",
                vec![with("new", Some("b@example.com"), "email:ada@example.com")],
                "id:hq/ada",
                Claim::Theirs,
            ),
            (
                "the next record lost its address",
                vec![with("new", None, "email:ada@example.com")],
                "id:hq/ada",
                Claim::WorksHere,
            ),
            (
                "through a third record",
                vec![
                    with("mid", Some("ada@example.com"), "user:aexample"),
                    with("new", Some("b@example.com"), "user:aexample"),
                ]
                .into_iter()
                .enumerate()
                .map(|(n, person)| if n == 0 { left(person) } else { person })
                .collect(),
                "id:hq/ada",
                Claim::WorksHere,
            ),
            (
                "an address of before that is a colleague's now",
                vec![with("new", Some("b@example.com"), "email:ada@example.com")],
                "ada@example.com",
                Claim::Ambiguous,
            ),
            ("a colleague's", vec![at("ben", Some("ben@example.com"))], "id:hq/ben", Claim::NotTheirs),
            ("nobody's", vec![], "id:hq/none", Claim::NotTheirs),
        ];
        for (what, mut others, mark, expected) in cases {
            let ada = ada();
            others.push(ada.clone());
            assert_eq!(Index::new(others).claim(mark, &ada), expected, "{what}");
        }
        for (people, expected) in [(MAX_RECORDS, Claim::WorksHere), (MAX_RECORDS + 1, Claim::Theirs)] {
            let mut all: Vec<PersonFacts> = shop(people);
            all[0] = left(all[0].clone());
            let first = all[0].clone();
            assert_eq!(Index::new(all).claim("id:hq/s0", &first), expected, "{people} people of one address");
        }
    }
}
