//! Sources of ownership other than the owner annotation: who a company's other records say that an account without one belongs to.
//!
//! They are weaker than an annotation, which somebody wrote for this purpose and a policy guards: nothing is ever ended by
//! them. They are told, with what says so, until somebody writes the annotation. Where two of them name two people, or one may
//! mean two, nobody is named.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ownership::{Index, Owners, PersonFacts};
use super::plan::{self, Kind, Remaining, RemainingReason};

/// Label and annotation by which Backstage ties what runs to an entity of its catalogue.
pub const BACKSTAGE_ID: &str = "backstage.io/kubernetes-id";
/// Annotation of an entity: the one namespace where its objects are.
const BACKSTAGE_NAMESPACE: &str = "backstage.io/kubernetes-namespace";
/// What stands for the label's value in a rule.
pub const VALUE: &str = "{}";

/// One source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The owner annotation of the namespace.
    Namespace,
    /// The value of a label, written into `owner` in the place of `{}`.
    Label {
        /// The label's key.
        key: String,
        /// What an owner annotation would say, with `{}` for the value.
        owner: String,
    },
    /// The field managers that wrote the account, where one is called as a user or an address is.
    Manager,
    /// The owner of the Backstage entity that the account belongs to.
    Catalogue,
}

/// What says that an account is somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Says {
    /// The namespace's owner annotation.
    Namespace,
    /// A label.
    Label,
    /// A field manager.
    Manager,
    /// The catalogue.
    Catalogue,
}

impl Says {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Namespace => "the namespace's owner",
            Self::Label => "a label of the account",
            Self::Manager => "a field manager that wrote the account",
            Self::Catalogue => "the Backstage catalogue",
        }
    }

    /// Why the account is left alone.
    #[must_use]
    pub const fn reason(self) -> RemainingReason {
        match self {
            Self::Namespace => RemainingReason::OwnedByNamespace,
            Self::Label => RemainingReason::OwnedByLabel,
            Self::Manager => RemainingReason::OwnedByManager,
            Self::Catalogue => RemainingReason::OwnedByCatalogue,
        }
    }
}

/// An account without an owner annotation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unmarked {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The field managers that wrote it.
    pub managers: BTreeSet<String>,
}

/// What the sources look up.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Owner annotations of namespaces.
    pub namespaces: BTreeMap<String, String>,
    /// The catalogue.
    pub catalogue: Catalogue,
}

/// Who an account belongs to by the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// No source says anything of somebody who is known.
    Nobody,
    /// These sources name this one human.
    One(&'a PersonFacts, BTreeSet<Says>),
    /// They name more than one, or one of them may mean more than one.
    Several(Vec<&'a PersonFacts>),
}

/// Asks all sources about an account.
#[must_use]
pub fn owner<'a>(account: &Unmarked, sources: &[Source], records: &Records, index: &'a Index) -> Owner<'a> {
    let mut named: BTreeMap<&str, &PersonFacts> = BTreeMap::new();
    let (mut says, mut unclear) = (BTreeSet::new(), false);
    for (source, text) in sources.iter().flat_map(|source| texts(account, source, records)) {
        match index.resolve(&text) {
            Owners::Nobody => {}
            Owners::One(person) => {
                named.insert(&person.uid, person);
                says.insert(source);
            }
            Owners::Several => {
                named.extend(index.named_by_owner(&text).map(|person| (person.uid.as_str(), person)));
                unclear = true;
            }
        }
    }
    let named: Vec<&PersonFacts> = named.into_values().collect();
    match named.as_slice() {
        [] => Owner::Nobody,
        [first, rest @ ..]
            if !unclear && rest.iter().all(|other| index.records(first).any(|one| one.uid == other.uid)) =>
        {
            Owner::One(first, says)
        }
        _ => Owner::Several(named),
    }
}

/// What is told and left alone, by the uid of the Person.
pub type Left = BTreeMap<String, Vec<Remaining>>;

/// What is told of each person: of each record of the human whom sources name, and of everybody who may be meant.
#[must_use]
pub fn left(accounts: &[Unmarked], sources: &[Source], records: &Records, index: &Index) -> Left {
    let mut left = Left::new();
    for account in accounts {
        let what = plan::described(Kind::ServiceAccount, &account.namespace, &account.name);
        let (people, why) = match owner(account, sources, records, index) {
            Owner::Nobody => continue,
            Owner::One(person, says) => {
                let Some(first) = says.first() else { continue };
                (index.records(person).collect(), first.reason())
            }
            Owner::Several(people) => (people, RemainingReason::SourcesDisagree),
        };
        for person in people {
            left.entry(person.uid.clone()).or_default().push(Remaining { what: what.clone(), why, heir: None });
        }
    }
    left
}

/// What a source says of an account, as an owner annotation would say it.
fn texts(account: &Unmarked, source: &Source, records: &Records) -> Vec<(Says, String)> {
    match source {
        Source::Namespace => {
            let owner = records.namespaces.get(&account.namespace);
            owner.map(|owner| (Says::Namespace, owner.clone())).into_iter().collect()
        }
        Source::Label { key, owner } => {
            let value = account.labels.get(key).filter(|value| !value.is_empty());
            value.map(|value| (Says::Label, owner.replace(VALUE, value))).into_iter().collect()
        }
        Source::Manager => {
            let known = account.managers.iter();
            known
                .flat_map(|manager| [manager.clone(), format!("user:{manager}")])
                .map(|text| (Says::Manager, text))
                .collect()
        }
        Source::Catalogue => {
            let id = account.labels.get(BACKSTAGE_ID);
            let owners = id.into_iter().flat_map(|id| records.catalogue.owners(id, &account.namespace));
            owners.map(|address| (Says::Catalogue, format!("email:{address}"))).collect()
        }
    }
}

/// What is needed of a Backstage catalogue: who owns which entity, and the addresses of users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// By id: the one namespace, where one is given, and the user who owns it.
    entities: BTreeMap<String, Vec<(Option<String>, String)>>,
    /// Addresses by user.
    users: BTreeMap<String, String>,
}

impl Catalogue {
    /// Reads entities as Backstage writes them; what is neither an entity with an owner nor a user is passed over.
    pub fn of<'a>(entities: impl Iterator<Item = &'a Value>) -> Self {
        let mut catalogue = Self::default();
        for entity in entities {
            catalogue.add(entity);
        }
        catalogue
    }

    fn add(&mut self, entity: &Value) -> Option<()> {
        let meta = entity.get("metadata")?;
        let name = meta.get("name")?.as_str()?;
        if entity.get("kind")?.as_str()?.eq_ignore_ascii_case("user") {
            let namespace = meta.get("namespace").and_then(Value::as_str).unwrap_or("default");
            let address = entity.pointer("/spec/profile/email")?.as_str()?;
            self.users.insert(format!("{namespace}/{name}").to_lowercase(), address.to_owned());
            return Some(());
        }
        let owner = user(entity.pointer("/spec/owner")?.as_str()?)?;
        let note = |key: &str| meta.get("annotations")?.get(key)?.as_str().map(str::to_owned);
        let id = note(BACKSTAGE_ID).unwrap_or_else(|| name.to_owned());
        self.entities.entry(id).or_default().push((note(BACKSTAGE_NAMESPACE), owner));
        Some(())
    }

    /// Addresses of the users who own what has this id in this namespace.
    fn owners(&self, id: &str, namespace: &str) -> impl Iterator<Item = &String> {
        let here = move |entity: &&(Option<String>, String)| entity.0.as_ref().is_none_or(|place| place == namespace);
        self.entities.get(id).into_iter().flatten().filter(here).filter_map(|(_, owner)| self.users.get(owner))
    }
}

/// The user that an owner of an entity is, `user:default/ada`; `None` of a group, which is whatever has no kind.
fn user(owner: &str) -> Option<String> {
    let (kind, name) = owner.split_once(':')?;
    let name = if name.contains('/') { name.to_owned() } else { format!("default/{name}") };
    kind.eq_ignore_ascii_case("user").then(|| name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ownership::tests::person;

    fn account() -> Unmarked {
        let labels = [("example.com/owner", "ada"), (BACKSTAGE_ID, "shop")];
        Unmarked {
            namespace: "apps".into(),
            name: "ci".into(),
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            managers: BTreeSet::from(["kubectl-create".to_owned(), "ben@example.com".to_owned()]),
        }
    }

    fn label(key: &str, owner: &str) -> Source {
        Source::Label { key: key.into(), owner: owner.into() }
    }

    fn catalogue(entities: &[Value]) -> Catalogue {
        Catalogue::of(entities.iter())
    }

    fn component(owner: &str, annotations: Value) -> Value {
        json!({"kind": "Component", "metadata": {"name": "shop", "annotations": annotations}, "spec": {"owner": owner}})
    }

    fn of_backstage(name: &str, address: &str) -> Value {
        json!({"kind": "User", "metadata": {"name": name}, "spec": {"profile": {"email": address}}})
    }

    #[test]
    fn what_sources_say_is_told_with_what_says_so_and_two_people_are_nobody() {
        let mut both = person("both");
        both.aliases.push("email:ada@example.com".into());
        let index = Index::new(vec![person("ada"), person("ben"), person("cy")]);
        let shared = Index::new(vec![person("ada"), both]);
        let by_label = || label("example.com/owner", "{}@example.com");
        let records = |owner: &str| Records {
            namespaces: BTreeMap::from([
                ("apps".to_owned(), owner.to_owned()),
                ("web".to_owned(), "ben@example.com".to_owned()),
            ]),
            catalogue: catalogue(&[component("user:default/Ada", json!({})), of_backstage("ada", "ada@example.com")]),
        };
        type Case<'a> = (&'a str, Vec<Source>, &'a str, &'a Index, Result<&'a str, usize>, &'a [Says]);
        let cases: Vec<Case<'_>> = vec![
            ("no source", vec![], "ada@example.com", &index, Err(0), &[]),
            ("the namespace", vec![Source::Namespace], "id:hq/ada", &index, Ok("p-ada"), &[Says::Namespace]),
            ("somebody unknown", vec![Source::Namespace], "team@example.com", &index, Err(0), &[]),
            ("a label", vec![by_label()], "", &index, Ok("p-ada"), &[Says::Label]),
            ("a label by id", vec![label("example.com/owner", "id:hq/{}")], "", &index, Ok("p-ada"), &[Says::Label]),
            ("a label that is not there", vec![label("other", "{}@example.com")], "", &index, Err(0), &[]),
            ("a field manager", vec![Source::Manager], "", &index, Ok("p-ben"), &[Says::Manager]),
            ("the catalogue", vec![Source::Catalogue], "", &index, Ok("p-ada"), &[Says::Catalogue]),
            (
                "three that agree",
                vec![Source::Namespace, by_label(), Source::Catalogue],
                "ada@example.com",
                &index,
                Ok("p-ada"),
                &[Says::Namespace, Says::Label, Says::Catalogue],
            ),
            ("two that do not", vec![Source::Namespace, by_label()], "ben@example.com", &index, Err(2), &[]),
            ("an address that two had", vec![by_label()], "", &shared, Err(2), &[]),
        ];
        for (what, sources, of_namespace, index, expected, says) in cases {
            match owner(&account(), &sources, &records(of_namespace), index) {
                Owner::Nobody => assert_eq!(expected, Err(0), "{what}"),
                Owner::Several(named) => assert_eq!(expected, Err(named.len()), "{what}"),
                Owner::One(person, by) => {
                    assert_eq!(Ok(person.name.as_str()), expected, "{what}");
                    assert_eq!(by.iter().copied().collect::<Vec<_>>(), says, "{what}");
                }
            }
        }
    }

    #[test]
    fn what_is_told_is_told_of_each_record_of_the_human_and_of_each_who_may_be_meant() {
        let again = PersonFacts { address: Some("ada@example.com".into()), ..person("again") };
        let index = Index::new(vec![person("ada"), again, person("ben")]);
        let named = |name: &str, owner: &str| Unmarked {
            namespace: "apps".into(),
            name: name.into(),
            labels: BTreeMap::from([("owner".to_owned(), owner.to_owned())]),
            managers: BTreeSet::from(["ben@example.com".to_owned()]),
        };
        let accounts = [named("disputed", "ada"), named("bens", "ben"), named("strangers", "eve")];
        let told = |sources: &[Source], uid: &str| -> Vec<(String, RemainingReason)> {
            let left = left(&accounts, sources, &Records::default(), &index);
            left.get(uid).into_iter().flatten().map(|left| (left.what.clone(), left.why)).collect()
        };
        let by_label = label("owner", "{}@example.com");
        let adas = |why| vec![("ServiceAccount apps/disputed".to_owned(), why)];
        for uid in ["uid-ada", "uid-again"] {
            assert_eq!(told(std::slice::from_ref(&by_label), uid), adas(RemainingReason::OwnedByLabel), "{uid}");
        }
        let both = [by_label, Source::Manager];
        assert_eq!(told(&both, "uid-ada"), adas(RemainingReason::SourcesDisagree));
        assert_eq!(told(&both, "uid-ben").len(), 3);
        assert!(told(&[], "uid-ben").is_empty());
    }

    #[test]
    fn a_catalogue_names_users_and_no_groups_where_its_entities_are() {
        let ada = of_backstage("ada", "ada@example.com");
        let there = json!({BACKSTAGE_NAMESPACE: "web"});
        for (what, entities, expected) in [
            ("a user", vec![component("user:default/ada", json!({})), ada.clone()], 1),
            ("a user without a namespace", vec![component("user:ada", json!({})), ada.clone()], 1),
            ("a group", vec![component("group:default/ada", json!({})), ada.clone()], 0),
            ("a group, which needs no kind", vec![component("ada", json!({})), ada.clone()], 0),
            ("a user without an address", vec![component("user:ada", json!({}))], 0),
            ("of another namespace", vec![component("user:ada", there), ada.clone()], 0),
            ("of another id", vec![component("user:ada", json!({BACKSTAGE_ID: "other"})), ada.clone()], 0),
            ("no entity at all", vec![json!({"kind": "Component"}), json!(null), json!([])], 0),
        ] {
            assert_eq!(catalogue(&entities).owners("shop", "apps").count(), expected, "{what}");
        }
    }
}
